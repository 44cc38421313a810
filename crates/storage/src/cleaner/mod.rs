//! Compaction: of each key of a log the last record is kept, and of those before it nothing (`cleanup.policy=compact`).
//!
//! A log is cleaned in two walks. The first goes along the part that was never cleaned, and notes for each key the offset of its last
//! record. The second goes along the whole log up to there, and writes new segments without the records that have a later one.
//! Offsets stay what they are.
//!
//! Nobody waits for it. Only segments are touched that nobody writes to any more and that are on disk below the recovery point, so the
//! journal and the memory tail know nothing of it; readers keep the files that they have, until those are removed a while later.

mod checkpoint;
mod choice;
mod clean;

mod error;
mod exchange;
mod filter;
mod grouping;
mod input;
mod offset_map;
mod output;
mod settings;
mod threads;
mod transactions;

pub use choice::CompactionRules;
pub(crate) use choice::{InactiveSegment, LogFacts};
pub use clean::Cleaned;
pub(crate) use error::CleanError;
pub(crate) use exchange::{deleted_files, exchange, settle};
pub use settings::CleanerSettings;
pub use threads::Cleaner;
