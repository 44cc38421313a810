//! What a log directory takes of the disk's journal and of memory.

use meter::HistogramReading;

use super::LogDir;

/// What a log directory takes, in bytes, and how long its journal's writes took.
#[derive(Clone, Debug)]
pub struct LogDirUsage {
    /// Of the journal's ring.
    pub journal_used: u64,
    /// What the ring has grown to.
    pub journal_capacity: u64,
    /// Entries that wait for the journal.
    pub journal_queued: usize,
    /// Tails of all logs in memory.
    pub tail_used: usize,
    /// From where on the oldest of them are let go of.
    pub tail_max: usize,
    /// Each write of the journal, until it was on disk.
    pub journal_writes: HistogramReading,
}

impl LogDir {
    /// What it takes now.
    pub fn usage(&self) -> LogDirUsage {
        let journal = &self.context.journal;
        let (journal_used, journal_capacity) = journal.ring_usage();
        let (tail_used, tail_max) = self.context.budget.usage();
        LogDirUsage {
            journal_used,
            journal_capacity,
            journal_queued: journal.queued_bytes(),
            tail_used,
            tail_max,
            journal_writes: journal.write_times(),
        }
    }
}
