//! The settings of a log directory.

use std::time::Duration;

use crate::journal::JournalLimits;
use crate::log::LogConfig;

/// How batches are written to the segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DestageMode {
    /// Large writes go past the page cache.
    #[default]
    Direct,
    /// All writes go through the page cache.
    Buffered,
}

/// The settings of a log directory.
#[derive(Clone, Debug)]
pub struct LogDirOptions {
    /// The most that the journal may grow to, in bytes (`yeoul.journal.bytes.max`).
    pub journal_bytes_max: u64,
    /// What the journal starts with, in bytes.
    pub journal_bytes_min: u64,
    /// The most that logs keep in memory of what is in their segments too, in bytes (`yeoul.tail.bytes.max`).
    pub tail_bytes_max: usize,
    /// From how many bytes on that wait for the journal clients are told to wait.
    pub queue_bytes_max: usize,
    /// From how many bytes of the journal in use on the segments are flushed and the journal is freed: what a start after a crash
    /// reads at most, give or take what comes meanwhile.
    pub checkpoint_bytes: u64,
    /// How long something appended may wait for that.
    pub checkpoint_interval: Duration,
    /// How batches are written to the segments.
    pub destage: DestageMode,
    /// The settings of logs until [`create_log`](crate::LogDir::create_log) tells theirs.
    pub default_config: LogConfig,
}

impl Default for LogDirOptions {
    fn default() -> LogDirOptions {
        LogDirOptions {
            journal_bytes_max: 256 * 1024 * 1024,
            journal_bytes_min: 4 * 1024 * 1024,
            tail_bytes_max: 128 * 1024 * 1024,
            queue_bytes_max: 32 * 1024 * 1024,
            checkpoint_bytes: 64 * 1024 * 1024,
            checkpoint_interval: Duration::from_secs(10),
            destage: DestageMode::Direct,
            default_config: LogConfig::default(),
        }
    }
}

impl LogDirOptions {
    pub(super) fn journal_limits(&self) -> JournalLimits {
        let block = host::BLOCK_BYTES as u64;
        let ring_bytes_max = self.journal_bytes_max.max(4 * 1024 * 1024).next_multiple_of(block);
        JournalLimits {
            ring_bytes_min: self.journal_bytes_min.next_multiple_of(block).min(ring_bytes_max),
            ring_bytes_max,
            queue_bytes_max: self.queue_bytes_max,
        }
    }
}
