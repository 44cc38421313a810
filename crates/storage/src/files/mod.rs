//! The files of a log directory, as Apache Kafka 4.3.1 writes and reads them, except the log itself.
//!
//! Each module holds one kind of file: what it says as a type, `encode` and `decode` as pure functions, and a thin `load` and
//! `store` where the file is read and replaced as a whole. All integers in binary files are big-endian.

pub mod clean_shutdown;
pub mod leader_epochs;
mod line_file;
pub mod meta_properties;
pub mod names;
pub mod offset_checkpoint;
pub mod offset_index;
pub mod partition_metadata;
pub mod producer_snapshot;
pub mod quorum_state;
pub mod snapshot;
pub mod time_index;
pub mod transaction_index;

mod whole;

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

pub use whole::{load_whole, remove_if_there, store_whole};

/// The content of a file is not what Kafka would have written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Malformed(pub Cow<'static, str>);

impl Malformed {
    /// For a reason that is known beforehand.
    pub(crate) const fn because(reason: &'static str) -> Malformed {
        Malformed(Cow::Borrowed(reason))
    }
}

/// Whether there is no room on the disk.
pub(crate) fn is_full(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// What a system says on which too many files are open (ENFILE and EMFILE): nothing of the disk.
const TOO_MANY_OPEN: [i32; 2] = [23, 24];

/// Whether the disk has failed. One that is full has not; and a file that is gone or ends early may be one that was just deleted.
pub(crate) fn is_failure(error: &io::Error) -> bool {
    let is_missing = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof);
    let passes =
        is_full(error.kind()) || error.raw_os_error().is_some_and(|code| TOO_MANY_OPEN.contains(&code));
    !is_missing && !passes
}

impl FileError {
    /// Whether there is no room on the disk.
    pub fn is_disk_full(&self) -> bool {
        self.of_disk().is_some_and(|error| is_full(error.kind()))
    }

    /// What the disk says, if it is at fault.
    pub(crate) fn of_disk(&self) -> Option<&io::Error> {
        match self {
            FileError::Io { source, .. } => Some(source),
            FileError::Malformed { .. } => None,
        }
    }
}

/// A file could not be read or written.
#[derive(Debug, Error)]
pub enum FileError {
    /// The disk failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the disk says.
        source: io::Error,
    },
    /// The content makes no sense.
    #[error("{}: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Malformed,
    },
}
