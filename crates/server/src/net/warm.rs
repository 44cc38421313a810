//! File data and the page cache: what is cold is brought in by threads that may wait for a disk, never by the runtime's own.

use std::io;

use host::File;
use rustix::fs::Advice;
use rustix::io::{Errno, ReadWriteFlags};

use super::response::FileSlice;

const PAGE_BYTES: u64 = 4096;
/// The kernel reads ahead in pieces of about this size: to wait for one byte of each is to wait for all.
const STRIDE_BYTES: u64 = 64 * 1024;

/// Whether the first and the last page of these bytes are in the page cache. Files that have no page cache always are.
pub(super) fn is_resident(file: &dyn File, position: u64, len: usize) -> bool {
    let Some(fd) = file.as_fd() else { return true };
    let last = position + (len as u64).max(1) - 1;
    let probe = |at: u64| {
        let mut byte = [0];
        let read = rustix::io::preadv2(fd, &mut [io::IoSliceMut::new(&mut byte)], at, ReadWriteFlags::NOWAIT);
        // A file system that cannot say is taken at its best.
        !matches!(read, Err(Errno::AGAIN))
    };
    probe(position) && (last / PAGE_BYTES == position / PAGE_BYTES || probe(last))
}

/// Brings bytes into the page cache and asks for as many again behind them.
pub(super) async fn bring_in(slice: FileSlice, len: usize) -> io::Result<()> {
    blocking(move || {
        if let Some(fd) = slice.file.as_fd() {
            let ahead = std::num::NonZero::new(slice.len.min(2 * len) as u64);
            // Only a hint: the reads below wait for the data in any case.
            let _ = rustix::fs::fadvise(fd, slice.position, ahead, Advice::WillNeed);
            let end = slice.position + len as u64;
            for at in (slice.position..end).step_by(STRIDE_BYTES as usize).chain([end - 1]) {
                rustix::io::pread(fd, &mut [0_u8; 1], at)?;
            }
        }
        Ok(())
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
