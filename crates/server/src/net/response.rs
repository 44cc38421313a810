//! What is sent back: bytes in memory and slices of files.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use host::File;
use protocol::Part;
use storage::ColdReads;

/// Bytes of a file that go to the socket as they are.
#[derive(Clone)]
pub struct FileSlice {
    /// Kept open until the slice was sent, even if the file is deleted meanwhile.
    pub file: Arc<dyn File>,
    /// Where the slice starts.
    pub position: u64,
    /// Its size in bytes.
    pub len: usize,
    /// With what it is read past the page cache, since it was written past it too; none if it is read through it.
    pub cold_reads: Option<Arc<ColdReads>>,
    /// Who wants to know where its bytes were read from.
    pub served: Option<Arc<dyn Served>>,
}

/// Is told where the bytes of a file came from that go to a socket.
pub trait Served: Send + Sync {
    /// So many bytes were in the page cache.
    fn was_in_page_cache(&self, bytes: usize);
    /// So many bytes came from the disk, in so long.
    fn was_on_disk(&self, bytes: usize, waited: Duration);
    /// The disk could not say what they are.
    fn was_unreadable(&self, error: &io::Error);
}

impl fmt::Debug for FileSlice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileSlice({} bytes at {})", self.len, self.position)
    }
}

/// A piece of a response.
#[derive(Clone, Debug)]
pub enum Piece {
    /// In memory.
    Bytes(Bytes),
    /// In a file.
    File(FileSlice),
}

impl Piece {
    /// Its size in bytes.
    pub fn len(&self) -> usize {
        match self {
            Piece::Bytes(bytes) => bytes.len(),
            Piece::File(slice) => slice.len,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A whole frame, length included, ready to be sent.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// In order.
    pub pieces: Vec<Piece>,
    /// What there is to tell of it besides.
    pub notes: Notes,
}

/// What the one who answered tells of a request and its answer.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// What it was about: a topic, or the first of several.
    pub subject: Option<Arc<str>>,
    /// How long it waited for what its sender asked to wait for: records to come, other members of a group.
    pub awaited: Duration,
    /// How long its sender has to wait because of a quota.
    pub throttled: Duration,
    /// Error codes that are not 0, in the answer.
    pub errors: Vec<i16>,
    /// How many times the answer says that there was no error.
    pub successes: u32,
}

impl Response {
    /// Puts the slices in the places that the parts name by their index.
    pub fn new(parts: Vec<Part>, files: &[FileSlice]) -> Response {
        let piece = |part| match part {
            Part::Bytes(bytes) => Some(Piece::Bytes(bytes)),
            Part::External { id, .. } => files.get(id as usize).cloned().map(Piece::File),
        };
        Response { pieces: parts.into_iter().filter_map(piece).collect(), notes: Notes::default() }
    }

    /// The size in bytes.
    pub fn len(&self) -> usize {
        self.pieces.iter().map(Piece::len).sum()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
