//! The files of a log directory, as Apache Kafka 4.3.1 writes and reads them, except the log itself.
//!
//! Each module holds one kind of file: what it says as a type, `encode` and `decode` as pure functions. All integers in binary files are big-endian.

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

use std::borrow::Cow;

use thiserror::Error;

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
