//! What can go wrong.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::records::{BatchError, InvalidRecords, RecordError};
use thiserror::Error;

use crate::files::{FileError, is_failure, is_full};
use crate::producers::ProducerError;
use crate::retention::DeletionRefusal;
use crate::segment::SegmentError;

/// The log directory could not be read or written. Clones are cheap: many may wait for the same write.
#[derive(Clone, Debug, Error)]
pub enum StorageError {
    /// The disk failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the disk says.
        source: Arc<io::Error>,
    },
    /// One of the small files cannot be read or written.
    #[error(transparent)]
    File(Arc<FileError>),
    /// A segment cannot be read or written.
    #[error(transparent)]
    Segment(Arc<SegmentError>),
    /// Another process uses the log directory.
    #[error("{} is locked: another broker uses this log directory", .0.display())]
    Locked(PathBuf),
    /// The directory of a partition belongs to another topic of the same name, which must be deleted first.
    #[error("the directory of {0} belongs to a topic with another id")]
    OtherTopic(String),
    /// The log was deleted, or its log directory closed.
    #[error("the log is closed")]
    Closed,
    /// Appends are refused since the disk failed, until it works again.
    #[error("the log directory is failing: {0}")]
    Failing(Arc<str>),
    /// The disk failed for good: nothing of the log directory is used until it is opened again.
    #[error("the log directory {} is offline: {reason}", dir.display())]
    Offline {
        /// The log directory.
        dir: PathBuf,
        /// What failed.
        reason: Arc<str>,
    },
}

impl StorageError {
    /// An error of the disk at a path.
    pub(crate) fn io(path: &Path, source: io::Error) -> StorageError {
        StorageError::Io { path: path.to_owned(), source: Arc::new(source) }
    }

    /// What to answer.
    pub fn code(&self) -> ErrorCode {
        ErrorCode::KafkaStorageError
    }

    /// Whether there is no room on the disk. That passes; any other failure of a disk does not by itself.
    pub fn is_disk_full(&self) -> bool {
        self.of_disk().is_some_and(|error| is_full(error.kind()))
    }

    /// Whether it says that the disk cannot be relied upon any more.
    pub(crate) fn is_disk_failure(&self) -> bool {
        self.of_disk().is_some_and(is_failure)
    }

    /// What the disk says, if it is at fault.
    fn of_disk(&self) -> Option<&io::Error> {
        match self {
            StorageError::Io { source, .. } => Some(source),
            StorageError::File(error) => error.of_disk(),
            StorageError::Segment(error) => match &**error {
                SegmentError::Io { source, .. } => Some(source),
                SegmentError::Index(error) => error.of_disk(),
                SegmentError::Corrupt { .. } => None,
            },
            _ => None,
        }
    }

    /// Whether it has to do with the end of a log or its directory, and with no disk.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self, StorageError::Closed)
    }
}

impl From<FileError> for StorageError {
    fn from(error: FileError) -> StorageError {
        StorageError::File(Arc::new(error))
    }
}

impl From<SegmentError> for StorageError {
    fn from(error: SegmentError) -> StorageError {
        StorageError::Segment(Arc::new(error))
    }
}

/// Records were not appended; nothing of them was.
#[derive(Clone, Debug, Error)]
pub enum AppendError {
    /// The records are not what the topic takes. Says the error code, a message, and which records are at fault.
    #[error("{}", .0.message)]
    Invalid(InvalidRecords),
    /// A batch is larger than `max.message.bytes` allows.
    #[error("a batch has {size} bytes, {size_max} are allowed")]
    MessageTooLarge {
        /// Its size in bytes.
        size: usize,
        /// The most that is allowed.
        size_max: usize,
    },
    /// The records are larger than a segment may be.
    #[error("the records have {size} bytes, a segment {size_max}")]
    RecordListTooLarge {
        /// Their size in bytes.
        size: usize,
        /// `segment.bytes`.
        size_max: usize,
    },
    /// The producer's epoch or sequence is not the one that comes next.
    #[error(transparent)]
    Producer(#[from] ProducerError),
    /// The log is [held still](crate::Log::freeze) for a moment. Gives the records back.
    #[error("the log is moving to another directory")]
    Frozen(Bytes),
    /// The disk failed, or the log is gone.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl AppendError {
    /// What to answer.
    pub fn code(&self) -> ErrorCode {
        match self {
            AppendError::Invalid(invalid) => invalid.error,
            AppendError::MessageTooLarge { .. } => ErrorCode::MessageTooLarge,
            AppendError::RecordListTooLarge { .. } => ErrorCode::RecordListTooLarge,
            AppendError::Producer(error) => error.code(),
            AppendError::Frozen(_) => ErrorCode::KafkaStorageError,
            AppendError::Storage(error) => error.code(),
        }
    }

    /// What to answer for a partition.
    pub fn told(&self, partition: &dyn fmt::Display) -> String {
        match self {
            AppendError::Invalid(invalid) => invalid.told(partition),
            other => other.to_string(),
        }
    }

    /// The records at fault, if some are and not the batch as a whole.
    pub fn record_errors(&self) -> &[RecordError] {
        match self {
            AppendError::Invalid(invalid) => &invalid.record_errors,
            _ => &[],
        }
    }
}

impl From<InvalidRecords> for AppendError {
    fn from(invalid: InvalidRecords) -> AppendError {
        AppendError::Invalid(invalid)
    }
}

impl From<BatchError> for AppendError {
    fn from(error: BatchError) -> AppendError {
        AppendError::Invalid(error.into())
    }
}

/// Records could not be read.
#[derive(Clone, Debug, Error)]
pub enum ReadError {
    /// The offset lies before the log's start or behind its end.
    #[error("offset {offset} is not within {log_start_offset}..={log_end_offset}")]
    OffsetOutOfRange {
        /// What was asked for.
        offset: i64,
        /// Where the log starts.
        log_start_offset: i64,
        /// Where it ends, exclusive.
        log_end_offset: i64,
    },
    /// The disk failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl ReadError {
    /// What to answer.
    pub fn code(&self) -> ErrorCode {
        match self {
            ReadError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            ReadError::Storage(error) => error.code(),
        }
    }
}

/// Records were not deleted.
#[derive(Clone, Debug, Error)]
pub enum DeletionError {
    /// They may not be.
    #[error("{}", .0.code().name())]
    Refused(DeletionRefusal),
    /// The disk failed, or the log is gone.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl DeletionError {
    /// What to answer.
    pub fn code(&self) -> ErrorCode {
        match self {
            DeletionError::Refused(refusal) => refusal.code(),
            DeletionError::Storage(error) => error.code(),
        }
    }
}

impl From<DeletionRefusal> for DeletionError {
    fn from(refusal: DeletionRefusal) -> DeletionError {
        DeletionError::Refused(refusal)
    }
}

impl From<SegmentError> for ReadError {
    fn from(error: SegmentError) -> ReadError {
        ReadError::Storage(error.into())
    }
}
