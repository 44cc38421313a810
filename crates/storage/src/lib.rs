//! Kafka's log directory and its journal.

pub mod files;
pub mod producers;
pub mod segment;

mod error;
mod ids;
mod journal;
mod log;
mod log_dir;
mod tail;

pub use error::{AppendError, ReadError, StorageError};
pub use ids::{TopicIdPartition, TopicPartition};
pub use journal::{Journal, Lsn};
pub use log::{
    AppendInfo, Appended, Log, LogConfig, LogSlice, OffsetSpec, Origin, ReadLimit, ReadRequest, SliceData,
    TimestampOffset, Watch,
};
pub use log_dir::{DestageMode, LogDir, LogDirOptions, RecoveryReport, recover};
