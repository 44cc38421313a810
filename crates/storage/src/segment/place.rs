//! Segments that take the place of others: their files have another name for a while.
//!
//! Readers may hold a segment while its files get other names, and open one of them only then. So names change under a lock, which
//! whoever opens a file holds for so long.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use host::{File, OpenMode};

use super::{Segment, SegmentError, SegmentHome, State};
use crate::files::{names, remove_if_there};

/// The files of a segment. The log file is the last to get its name on the way in and the first on the way to its place: where it is,
/// the others are or will be.
const FILES: [&str; 4] = [names::OFFSET_INDEX, names::TIME_INDEX, names::TRANSACTION_INDEX, names::LOG];

/// What the files of a segment are, by what is added to their names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// A part of the log.
    #[default]
    InLog,
    /// `.cleaned`: not complete yet, and of no use after a crash.
    Cleaned,
    /// `.swap`: complete, and about to take the place of others.
    Swap,
    /// `.deleted`: to be removed when its readers are done.
    Deleted,
}

impl Place {
    /// What is added to the names.
    pub fn suffix(self) -> &'static str {
        match self {
            Place::InLog => "",
            Place::Cleaned => names::CLEANED,
            Place::Swap => names::SWAP,
            Place::Deleted => names::DELETED,
        }
    }
}

impl Segment {
    /// A segment that is to take the place of others one day: its files are `.cleaned`. Remains of an earlier attempt are removed.
    pub fn create_cleaned(home: Arc<SegmentHome>, base_offset: i64) -> Result<Segment, SegmentError> {
        let segment = Segment::with(home, base_offset, 0, State::new(0, base_offset));
        *segment.place.write() = Place::Cleaned;
        for suffix in FILES {
            remove_if_there(&*segment.home.disk, &segment.path(suffix))?;
        }
        Ok(segment)
    }

    /// A segment whose files are `.swap`, for a look at them.
    pub fn open_swap(home: Arc<SegmentHome>, base_offset: i64) -> Result<Segment, SegmentError> {
        let segment = Segment::sealed(home, base_offset, 0, base_offset);
        *segment.place.write() = Place::Swap;
        let len = segment.log_file()?.len().map_err(|source| segment.io_error(names::LOG, source))?;
        segment.state.write().size = len;
        Ok(segment)
    }

    /// Removes its files, as far as they are there and can be removed.
    pub fn remove_files(&self) {
        for suffix in FILES {
            let _ = self.home.disk.remove_file(&self.path(suffix));
        }
    }

    /// The path of its file with this suffix.
    pub fn path(&self, suffix: &str) -> PathBuf {
        self.path_in(*self.place.read(), suffix)
    }

    pub(super) fn path_in(&self, place: Place, suffix: &str) -> PathBuf {
        let mut path = self.home.path(self.base_offset, suffix).into_os_string();
        path.push(place.suffix());
        path.into()
    }

    /// Opens one of its files, whatever its name is just now.
    pub(super) fn open_file(&self, suffix: &str, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let place = self.place.read();
        self.home.disk.open(&self.path_in(*place, suffix), mode)
    }

    /// Renames its files. The directory is not flushed. If it fails, some may have been renamed.
    pub fn move_to(&self, to: Place) -> Result<(), SegmentError> {
        let mut place = self.place.write();
        let mut files = FILES;
        if *place == Place::Swap {
            files.reverse();
        }
        for suffix in files {
            let renamed = self.home.disk.rename(&self.path_in(*place, suffix), &self.path_in(to, suffix));
            match renamed {
                Err(error) if error.kind() == io::ErrorKind::NotFound && suffix != names::LOG => {}
                renamed => renamed
                    .map_err(|source| SegmentError::Io { path: self.path_in(*place, suffix), source })?,
            }
        }
        *place = to;
        Ok(())
    }
}
