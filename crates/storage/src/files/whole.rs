//! Reading and replacing small files as a whole.

use std::io;
use std::path::{Path, PathBuf};

use host::{Disk, OpenMode};

use super::{FileError, Malformed};

/// The content of a file, if it is there.
pub fn load_whole(disk: &dyn Disk, path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match read(disk, path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError::Io { path: path.to_owned(), source }),
    }
}

/// Replaces a file. Whatever happens meanwhile, either the old content is on disk afterwards or the new, and the new when
/// this returns: it is written to `NAME.tmp`, flushed, renamed, and the directory flushed.
pub fn store_whole(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    store_by_way_of(disk, path, ".tmp", bytes)
}

/// The same with another suffix for the file that is renamed.
pub(super) fn store_by_way_of(
    disk: &dyn Disk,
    path: &Path,
    suffix: &str,
    bytes: &[u8],
) -> Result<(), FileError> {
    write(disk, path, suffix, bytes).map_err(|source| FileError::Io { path: path.to_owned(), source })
}

/// Removes a file and flushes its directory; says whether it was there.
pub fn remove_if_there(disk: &dyn Disk, path: &Path) -> Result<bool, FileError> {
    let removed = match disk.remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        removed => removed.and_then(|()| sync_parent(disk, path)),
    };
    removed.map(|()| true).map_err(|source| FileError::Io { path: path.to_owned(), source })
}

/// What `decode` makes of the text of a file, if it is there. Bytes that are not UTF-8 become U+FFFD.
pub(super) fn load_text<T>(
    disk: &dyn Disk,
    path: &Path,
    decode: impl Fn(&str) -> Result<T, Malformed>,
) -> Result<Option<T>, FileError> {
    let Some(bytes) = load_whole(disk, path)? else { return Ok(None) };
    let content = decode(&String::from_utf8_lossy(&bytes));
    content.map(Some).map_err(|source| FileError::Malformed { path: path.to_owned(), source })
}

fn read(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path, OpenMode::Read)?;
    let len = usize::try_from(file.len()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

fn write(disk: &dyn Disk, path: &Path, suffix: &str, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(suffix);
    let temporary = PathBuf::from(temporary);
    let file = disk.open(&temporary, OpenMode::ReadWrite)?;
    file.set_len(0)?;
    file.write_all_at(bytes, 0)?;
    file.sync_data()?;
    disk.rename(&temporary, path)?;
    sync_parent(disk, path)
}

fn sync_parent(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |directory| disk.sync_dir(directory))
}
