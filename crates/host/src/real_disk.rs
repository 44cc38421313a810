//! The machine's file systems.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::UNIX_EPOCH;

use rustix::fs::{FallocateFlags, FlockOperation, OFlags, fallocate, flock, statvfs};
use rustix::io::Errno;

use crate::aligned::{AlignedBuffer, BLOCK_BYTES};
use crate::disk::{DirEntry, Disk, File, FileLock, OpenMode, Space};
use crate::residency;

/// The machine's file systems.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

/// An open file.
struct RealFile {
    file: fs::File,
    direct: bool,
    /// Every write is followed by a flush, because the file could not be opened so that it is one.
    sync_each: bool,
    /// The same file past the page cache, once somebody has asked for it.
    past_the_cache: OnceLock<Option<Arc<RealFile>>>,
}

impl RealFile {
    fn new(file: fs::File, direct: bool, sync_each: bool) -> RealFile {
        RealFile { file, direct, sync_each, past_the_cache: OnceLock::new() }
    }

    /// Opens the file again by its descriptor: it may have another name by now, or none.
    fn reopen_direct(&self) -> Option<Arc<RealFile>> {
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let file = open_with(Path::new(&path), OpenMode::Read, OFlags::DIRECT).ok()?;
        Some(Arc::new(RealFile::new(file, true, false)))
    }

    fn open(path: &Path, mode: OpenMode) -> io::Result<RealFile> {
        let flags = match mode {
            OpenMode::Read | OpenMode::Existing | OpenMode::ReadWrite => OFlags::empty(),
            OpenMode::Direct => OFlags::DIRECT,
            OpenMode::DirectSync => OFlags::DIRECT | OFlags::DSYNC,
        };
        match open_with(path, mode, flags) {
            // tmpfs and some others refuse direct I/O.
            Err(error) if !flags.is_empty() && error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                let file = open_with(path, mode, OFlags::empty())?;
                Ok(RealFile::new(file, false, mode == OpenMode::DirectSync))
            }
            file => Ok(RealFile::new(file?, !flags.is_empty(), false)),
        }
    }
}

fn open_with(path: &Path, mode: OpenMode, flags: OFlags) -> io::Result<fs::File> {
    let (write, create) = (mode != OpenMode::Read, !matches!(mode, OpenMode::Read | OpenMode::Existing));
    let mut options = OpenOptions::new();
    options.read(true).write(write).create(create).custom_flags(flags.bits().cast_signed());
    options.open(path)
}

impl File for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        loop {
            match self.file.read_at(buf, at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    fn read_alone_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        match self.direct() {
            Some(direct) => read_blocks(&*direct, buf, at),
            None => self.read_at(buf, at),
        }
    }

    fn write_all_at(&self, buf: &[u8], at: u64) -> io::Result<()> {
        self.file.write_all_at(buf, at)?;
        if self.sync_each { self.file.sync_data() } else { Ok(()) }
    }

    fn modified_ms(&self) -> io::Result<i64> {
        let since = self.file.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn allocate(&self, at: u64, len: u64) -> io::Result<()> {
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, at, len) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            done => Ok(done?),
        }
    }

    fn is_direct(&self) -> bool {
        self.direct
    }

    fn direct(&self) -> Option<Arc<dyn File>> {
        let file = self.past_the_cache.get_or_init(|| self.reopen_direct()).clone()?;
        Some(file)
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }
}

/// Reads the blocks in which the bytes are.
fn read_blocks(direct: &dyn File, buf: &mut [u8], at: u64) -> io::Result<usize> {
    let before = (at % BLOCK_BYTES as u64) as usize;
    let mut blocks = AlignedBuffer::zeroed(before + buf.len());
    let read = direct.read_at(blocks.as_mut_slice(), at - before as u64)?;
    let there = read.saturating_sub(before).min(buf.len());
    buf[..there].copy_from_slice(&blocks.as_slice()[before..before + there]);
    Ok(there)
}

/// The lock goes with the descriptor.
struct RealLock {
    _file: fs::File,
}

impl FileLock for RealLock {}

impl Disk for RealDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(RealFile::open(path, mode)?))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let metadata = entry.metadata()?;
            let is_dir = metadata.is_dir();
            entries.push(DirEntry { name, is_dir, len: if is_dir { 0 } else { metadata.len() } });
        }
        Ok(entries)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let found = statvfs(path)?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Ok(Space { total_bytes: bytes(found.f_blocks), usable_bytes: bytes(found.f_bavail) })
    }

    fn resident_bytes(&self, paths: &[PathBuf]) -> Vec<Option<u64>> {
        residency::resident_bytes(paths)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        let file = open_with(path, OpenMode::ReadWrite, OFlags::empty())?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Box::new(RealLock { _file: file }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_past_the_page_cache_is_read_back() {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let path = dir.path().join("file");
        let mut buffer = AlignedBuffer::zeroed(8192);
        buffer.as_mut_slice().fill(7);
        for mode in [OpenMode::Direct, OpenMode::DirectSync] {
            let file = RealDisk.open(&path, mode).unwrap();
            file.allocate(0, 1 << 20).unwrap();
            file.write_all_at(buffer.as_slice(), 4096).unwrap();
            assert_eq!(file.len().unwrap(), 12288);
        }
        let mut read = [0; 10];
        let file = RealDisk.open(&path, OpenMode::Read).unwrap();
        assert_eq!(file.read_at(&mut read, 8191).unwrap(), 10);
        assert_eq!(read, [7; 10]);
        assert_eq!(file.read_at(&mut read, 12288).unwrap(), 0);
    }

    #[test]
    fn a_file_without_a_name_is_read_past_the_page_cache() {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let path = dir.path().join("file");
        let file = RealDisk.open(&path, OpenMode::ReadWrite).unwrap();
        file.write_all_at(&[7; 5000], 0).unwrap();
        RealDisk.remove_file(&path).unwrap();
        let direct = file.direct().unwrap();
        assert!(direct.is_direct());
        let mut buffer = AlignedBuffer::zeroed(8192);
        assert_eq!(direct.read_at(buffer.as_mut_slice(), 0).unwrap(), 5000);
        assert_eq!(buffer.as_slice()[..5000], [7; 5000]);
    }

    #[test]
    fn a_few_bytes_are_read_alone_wherever_they_are() {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let path = dir.path().join("file");
        let content: Vec<u8> = (0..10_000_u32).map(|at| at as u8).collect();
        let file = RealDisk.open(&path, OpenMode::ReadWrite).unwrap();
        file.write_all_at(&content, 0).unwrap();
        file.sync_data().unwrap();
        for (at, len) in [(0, 1), (4_090, 20), (9_990, 10), (9_990, 20), (10_000, 5)] {
            let mut buf = vec![0; len];
            let read = file.read_alone_at(&mut buf, at as u64).unwrap();
            assert_eq!(&buf[..read], &content[at..content.len().min(at + len)]);
        }
    }

    #[test]
    fn a_lock_is_held_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let lock = RealDisk.lock(&path).unwrap();
        let second = RealDisk.lock(&path).err().unwrap();
        assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
        drop(lock);
        assert!(RealDisk.lock(&path).is_ok());
    }

    #[test]
    fn a_file_system_says_how_much_room_it_has() {
        let dir = tempfile::tempdir().unwrap();
        let Space { total_bytes, usable_bytes } = RealDisk.space(dir.path()).unwrap();
        assert!(usable_bytes > 0 && usable_bytes <= total_bytes);
        assert!(RealDisk.space(&dir.path().join("missing")).is_err());
    }

    #[test]
    fn a_directory_lists_files_with_their_sizes() {
        let dir = tempfile::tempdir().unwrap();
        RealDisk.create_dir_all(&dir.path().join("a/b")).unwrap();
        RealDisk.open(&dir.path().join("c"), OpenMode::ReadWrite).unwrap().write_all_at(b"12345", 0).unwrap();
        let mut entries = RealDisk.list(dir.path()).unwrap();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(
            entries,
            [
                DirEntry { name: "a".into(), is_dir: true, len: 0 },
                DirEntry { name: "c".into(), is_dir: false, len: 5 }
            ]
        );
    }
}
