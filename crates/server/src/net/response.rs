//! What is sent back: bytes in memory and slices of files.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use host::File;
use protocol::Part;

/// Bytes of a file that go to the socket as they are.
#[derive(Clone)]
pub struct FileSlice {
    /// Kept open until the slice was sent, even if the file is deleted meanwhile.
    pub file: Arc<dyn File>,
    /// Where the slice starts.
    pub position: u64,
    /// Its size in bytes.
    pub len: usize,
    /// Whether it is read past the page cache, since it was written past it too.
    pub past_the_cache: bool,
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
}

impl Response {
    /// Puts the slices in the places that the parts name by their index.
    pub fn new(parts: Vec<Part>, files: &[FileSlice]) -> Response {
        let piece = |part| match part {
            Part::Bytes(bytes) => Some(Piece::Bytes(bytes)),
            Part::External { id, .. } => files.get(id as usize).cloned().map(Piece::File),
        };
        Response { pieces: parts.into_iter().filter_map(piece).collect() }
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
