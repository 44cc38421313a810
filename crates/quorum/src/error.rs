//! What can go wrong.

use std::path::PathBuf;
use std::sync::Arc;

use metadata::ApplyError;
use protocol::EncodeError;
use storage::StorageError;
use storage::files::FileError;
use thiserror::Error;

/// The metadata log cannot be used, or a change was not made. Clones are cheap: many may wait for the same batch.
#[derive(Clone, Debug, Error)]
pub enum QuorumError {
    /// The log directory cannot be read or written.
    #[error(
        "the metadata log cannot be read or written: {0}; free or replace the disk and start the node again"
    )]
    Storage(#[from] StorageError),
    /// The disk of the metadata log is full. Nothing was changed; it can be once there is room.
    #[error("the metadata cannot be changed before there is room on its disk: {0}")]
    NoRoom(StorageError),
    /// One of the files beside the log cannot be read or written.
    #[error("{0}; free or replace the disk and start the node again")]
    File(Arc<FileError>),
    /// The log holds what cannot be.
    #[error(
        "the metadata log {} is damaged at offset {offset}: {reason}; restore the directory from a copy, or format an empty one",
        dir.display()
    )]
    Damaged {
        /// Directory of the log.
        dir: PathBuf,
        /// First offset of the batch.
        offset: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// What is needed to read the log from its start is not there.
    #[error(
        "the metadata log {} goes from offset {start} to {end}, its newest whole snapshot to {snapshot}: records between them \
         are missing; restore the directory from a copy",
        dir.display()
    )]
    Gap {
        /// Directory of the log.
        dir: PathBuf,
        /// Where the log starts.
        start: i64,
        /// Where it ends, exclusive.
        end: i64,
        /// Where the snapshot ends, exclusive; 0 if there is none.
        snapshot: i64,
    },
    /// This node cannot be the only voter.
    #[error("{0}")]
    Voters(String),
    /// The records that were decided do not fit the metadata. Nothing was changed.
    #[error("a change does not fit the metadata: {0}")]
    Unfit(#[from] ApplyError),
    /// The records that were decided cannot be written. Nothing was changed.
    #[error("a change cannot be written: {0}")]
    Encode(#[from] EncodeError),
    /// The records that were decided do not fit a batch, and the cluster's `metadata.version` knows no transactions. Nothing was
    /// changed.
    #[error(
        "a change of {records} records and {bytes} bytes is larger than a batch may be; raise metadata.version to 3.6-IV1 or later"
    )]
    TooLarge {
        /// Number of records.
        records: usize,
        /// Bytes that they need.
        bytes: usize,
    },
    /// The quorum failed before, and takes no changes until the node is started again.
    #[error("the metadata quorum failed: {0}; free or replace the disk and start the node again")]
    Failed(Arc<str>),
    /// The quorum was stopped.
    #[error("the metadata quorum is stopped")]
    Stopped,
}

impl From<FileError> for QuorumError {
    fn from(error: FileError) -> QuorumError {
        QuorumError::File(Arc::new(error))
    }
}
