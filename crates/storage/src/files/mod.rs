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
