//! Disks and files.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading; it must be there.
    Read,
    /// For reading and writing; it must be there.
    Existing,
    /// For reading and writing; it is made if it is not there.
    ReadWrite,
    /// As [`ReadWrite`](OpenMode::ReadWrite), past the page cache. Where the file system refuses that, as `ReadWrite`:
    /// [`File::is_direct`] tells.
    Direct,
    /// As [`Direct`](OpenMode::Direct), and what a write wrote is on stable storage when it returns, whether or not the file
    /// system allows to go past the page cache.
    DirectSync,
}

/// What is in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// Name, without the directory's.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Size in bytes, 0 for a directory.
    pub len: u64,
}

/// The room of a file system, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// All of it.
    pub total_bytes: u64,
    /// What this process may still take.
    pub usable_bytes: u64,
}

/// A place for files.
pub trait Disk: Send + Sync {
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>>;
    /// Makes a directory and those above it, unless they are there.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Removes a file. The directory is not flushed.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory with all that is in it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Gives a file or directory another name, in place of a file that has it already. The directory is not flushed.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// What is in a directory, in no order. Names that are not UTF-8 are left out.
    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>>;
    /// Flushes a directory: names that were added, changed or removed in it.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Whether there is such a file or directory.
    fn exists(&self, path: &Path) -> bool;
    /// The room of the file system that a directory is on.
    fn space(&self, path: &Path) -> io::Result<Space>;
    /// Bytes of each file that are in the page cache; none where that cannot be told. May take as long as a program takes to start.
    fn resident_bytes(&self, paths: &[PathBuf]) -> Vec<Option<u64>> {
        vec![None; paths.len()]
    }
    /// Locks a file, which is made if it is not there, against other processes until the lock is dropped.
    /// [`io::ErrorKind::WouldBlock`] if it is locked already.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>>;
}

/// An open file. All positions are in bytes from its start.
pub trait File: Send + Sync {
    /// Size in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether it has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Cuts the file, or extends it by zeroes.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Reads from a position; fewer bytes than asked for near the end, none at the end.
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize>;
    /// As [`read_at`](File::read_at) for a few bytes with nothing wanted around them: past the page cache if that is supported, for
    /// the kernel would read ahead.
    fn read_alone_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        self.read_at(buf, at)
    }
    /// Fills the buffer from a position; an end in the middle is an error.
    fn read_exact_at(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        fill(buf, at, |buf, at| self.read_at(buf, at))
    }
    /// The same for a few bytes with nothing wanted around them.
    fn read_alone_exact_at(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        fill(buf, at, |buf, at| self.read_alone_at(buf, at))
    }
    /// Writes all of the buffer at a position; the file grows if need be. If it fails, any part may have been written.
    fn write_all_at(&self, buf: &[u8], at: u64) -> io::Result<()>;
    /// When the content was last changed, in milliseconds since 1970.
    fn modified_ms(&self) -> io::Result<i64>;
    /// Flushes the content, and what is needed to find it again, to stable storage.
    fn sync_data(&self) -> io::Result<()>;
    /// Takes room on the disk for a part of the file without changing its size. May do nothing where that is not supported.
    fn allocate(&self, at: u64, len: u64) -> io::Result<()>;
    /// Whether addresses, positions and lengths must be multiples of [`BLOCK_BYTES`](crate::BLOCK_BYTES).
    fn is_direct(&self) -> bool {
        false
    }
    /// The same file, opened for reading [past the page cache](OpenMode::Direct). None where that is not supported.
    fn direct(&self) -> Option<Arc<dyn File>> {
        None
    }
    /// The file's descriptor, if it has one, for the kernel to send from.
    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// Held as long as the lock is.
pub trait FileLock: Send + Sync {}

fn fill(
    mut buf: &mut [u8],
    mut at: u64,
    read: impl Fn(&mut [u8], u64) -> io::Result<usize>,
) -> io::Result<()> {
    while !buf.is_empty() {
        match read(buf, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                buf = &mut buf[read..];
                at += read as u64;
            }
        }
    }
    Ok(())
}
