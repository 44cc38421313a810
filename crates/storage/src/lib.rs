//! Kafka's log directory and its journal.

pub mod files;
pub mod producers;
pub mod segment;

mod cleaner;
mod error;
mod ids;
mod journal;
mod log;
mod log_dir;
mod retention;
mod tail;
mod throttle;

pub use cleaner::{Cleaned, Cleaner, CleanerSettings, CompactionRules};
pub use error::{AppendError, DeletionError, ReadError, StorageError};
pub use files::producer_snapshot::ProducerEntry;
pub use files::transaction_index::AbortedTransaction;
pub use ids::{TopicIdPartition, TopicPartition};
pub use journal::{Journal, Lsn};
pub use log::{
    AppendInfo, Appended, Log, LogConfig, LogCounts, LogSlice, OffsetSpec, Origin, ReadLimit, ReadRequest,
    SliceData, TailBytes, TimestampOffset, Watch,
};
pub use log_dir::{ColdReads, DestageMode, LogDir, LogDirOptions, LogDirUsage, RecoveryReport, recover};
pub use retention::{DeletionRefusal, RetentionRules};
pub use throttle::Throttle;
