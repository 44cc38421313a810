//! Why a log was not cleaned.

use protocol::records::BatchError;
use thiserror::Error;

use crate::StorageError;
use crate::files::FileError;
use crate::segment::SegmentError;

/// Why a log was not cleaned. What was cleaned of it before stays so.
#[derive(Debug, Error)]
pub(crate) enum CleanError {
    /// The log was deleted or cut, or is not to be cleaned any more; or the cleaner stops.
    #[error("it was called off")]
    CalledOff,
    /// The log cannot be read any further.
    #[error("the batch at or after offset {offset}: {source}")]
    Corrupt {
        /// Where it was looked for.
        offset: i64,
        /// What is wrong with it.
        source: BatchError,
    },
    /// Segments are in the middle of an exchange, which the next start completes.
    #[error("segments could not be exchanged: {0}")]
    Exchange(StorageError),
    /// The disk failed, or is full.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl CleanError {
    /// Whether another attempt would fail as well.
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            CleanError::Corrupt { .. } | CleanError::Exchange(_) => true,
            CleanError::Storage(StorageError::Segment(error)) => {
                !matches!(**error, SegmentError::Io { .. } | SegmentError::Index(FileError::Io { .. }))
            }
            CleanError::CalledOff | CleanError::Storage(_) => false,
        }
    }
}

impl From<SegmentError> for CleanError {
    fn from(error: SegmentError) -> CleanError {
        CleanError::Storage(error.into())
    }
}
