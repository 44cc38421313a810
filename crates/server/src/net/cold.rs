//! File data that was written past the page cache: read in large pieces past it too, so that whoever reads old data does not push out
//! what others need, and pays no more than one copy. Memory for that is bounded; when it is all in use, the page cache has to do.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use host::{AlignedBuffer, BLOCK_BYTES, File};
use parking_lot::Mutex;
use storage::ColdReads;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::response::{FileSlice, Served};

/// How much is read at once.
pub(super) const STEP_BYTES: usize = 1024 * 1024;
/// Pieces that may be in memory at once, of all connections.
const PIECES_MAX: usize = 64;
/// Buffers that are kept for the next reads.
const IDLE_BUFFERS_MAX: usize = 8;

static PERMITS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(PIECES_MAX)));
static IDLE_BUFFERS: Mutex<Vec<AlignedBuffer>> = Mutex::new(Vec::new());

/// A piece that is being read.
pub(super) struct ColdRead {
    len: usize,
    begun: Instant,
    served: Option<Arc<dyn Served>>,
    read: JoinHandle<io::Result<Bytes>>,
}

impl ColdRead {
    /// Starts to read the first bytes of a slice, at most [`STEP_BYTES`]. None if there is no memory for it now, or the file is
    /// to be read through the page cache.
    pub(super) fn start(slice: &FileSlice) -> Option<ColdRead> {
        let cold_reads = slice.cold_reads.clone()?;
        let permit = Arc::clone(&PERMITS).try_acquire_owned().ok()?;
        let file = slice.file.direct()?;
        let (position, len) = (slice.position, slice.len.min(STEP_BYTES));
        let read =
            tokio::task::spawn_blocking(move || Piece::read(&cold_reads, &*file, position, len, permit));
        Some(ColdRead { len, begun: Instant::now(), served: slice.served.clone(), read })
    }

    /// How many bytes it will be.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Ready with all of the bytes; fails if the file ends before.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let read = Pin::new(&mut self.read).poll(cx);
        match (&read, &self.served) {
            (Poll::Ready(Ok(Ok(bytes))), Some(served)) => {
                served.was_on_disk(bytes.len(), self.begun.elapsed())
            }
            (Poll::Ready(Ok(Err(error))), Some(served)) => served.was_unreadable(error),
            _ => {}
        }
        read.map(|done| done.unwrap_or_else(|error| Err(io::Error::other(error))))
    }
}

/// A part of a file in a buffer that is used again.
struct Piece {
    buffer: Option<AlignedBuffer>,
    begin: usize,
    end: usize,
    _permit: OwnedSemaphorePermit,
}

impl Piece {
    fn read(
        cold_reads: &ColdReads,
        file: &dyn File,
        position: u64,
        len: usize,
        permit: OwnedSemaphorePermit,
    ) -> io::Result<Bytes> {
        let begin = (position % BLOCK_BYTES as u64) as usize;
        let end = begin + len;
        let mut piece = Piece { buffer: Some(take_buffer()), begin, end, _permit: permit };
        let wanted = end.next_multiple_of(BLOCK_BYTES);
        let buffer = piece.buffer.as_mut().map_or(&mut [][..], AlignedBuffer::as_mut_slice);
        let mut filled = 0;
        while filled < end {
            let at = position - begin as u64 + filled as u64;
            match cold_reads.read_at(file, &mut buffer[filled..wanted], at)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => filled += read,
            }
            // What is not a whole number of blocks ends at the file's end.
            if filled < end && !filled.is_multiple_of(BLOCK_BYTES) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(Bytes::from_owner(piece))
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        self.buffer.as_ref().map_or(&[], |buffer| &buffer.as_slice()[self.begin..self.end])
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let mut idle = IDLE_BUFFERS.lock();
        if idle.len() < IDLE_BUFFERS_MAX {
            idle.extend(self.buffer.take());
        }
    }
}

fn take_buffer() -> AlignedBuffer {
    let idle = IDLE_BUFFERS.lock().pop();
    // A piece need not begin with a block, and so may touch one more.
    idle.unwrap_or_else(|| AlignedBuffer::zeroed(STEP_BYTES + BLOCK_BYTES))
}

#[cfg(test)]
mod tests {
    use host::{Disk, OpenMode, RealDisk, SystemClock};

    use super::*;

    fn sample() -> (tempfile::TempDir, Arc<dyn File>, Vec<u8>) {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let file = RealDisk.open(&dir.path().join("file"), OpenMode::ReadWrite).unwrap();
        let content: Vec<u8> = (0..STEP_BYTES + 70_001).map(|at| (at % 251) as u8).collect();
        file.write_all_at(&content, 0).unwrap();
        (dir, file, content)
    }

    async fn read(file: &Arc<dyn File>, position: u64, len: usize) -> io::Result<Bytes> {
        let cold_reads = Some(Arc::new(ColdReads::new(Arc::new(SystemClock::default()))));
        let slice = FileSlice { file: Arc::clone(file), position, len, cold_reads, served: None };
        let mut read = ColdRead::start(&slice).unwrap();
        std::future::poll_fn(|cx| read.poll(cx)).await
    }

    #[tokio::test]
    async fn any_part_of_a_file_is_read_exactly() {
        let (_dir, file, content) = sample();
        for (position, len) in [(0, 1), (4095, 2), (4096, 4096), (5000, 70_000), (STEP_BYTES + 70_000, 1)] {
            assert_eq!(read(&file, position as u64, len).await.unwrap(), content[position..position + len]);
        }
        assert_eq!(read(&file, 3, STEP_BYTES + 100).await.unwrap(), content[3..3 + STEP_BYTES]);
    }

    #[tokio::test]
    async fn a_part_that_the_file_does_not_have_is_an_error() {
        let (_dir, file, content) = sample();
        for position in [content.len() - 1, content.len(), content.len() + 100_000] {
            let error = read(&file, position as u64, 2).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
