//! What a log tells of itself: what was appended since the start, and where its bytes are.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Log;

/// Counts since the log was opened.
#[derive(Debug, Default)]
pub(super) struct Counts {
    records: AtomicU64,
    bytes: AtomicU64,
}

impl Counts {
    pub(super) fn add(&self, records: i64, bytes: usize) {
        self.records.fetch_add(records.unsigned_abs(), Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// What was appended to a log since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogCounts {
    /// Records.
    pub records: u64,
    /// Bytes of their batches.
    pub bytes: u64,
}

/// Bytes of a log's batches in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TailBytes {
    /// All of them.
    pub total: usize,
    /// Those that are in no segment yet.
    pub unwritten: usize,
}

impl Log {
    /// What was appended since the log was opened, by whomever.
    pub fn counts(&self) -> LogCounts {
        LogCounts {
            records: self.counts.records.load(Ordering::Relaxed),
            bytes: self.counts.bytes.load(Ordering::Relaxed),
        }
    }

    /// How many segments there are.
    pub fn segment_count(&self) -> usize {
        self.segments.read().len()
    }

    /// The segments' base offsets and their sizes in bytes, in order.
    pub fn segment_sizes(&self) -> Vec<(i64, u64)> {
        self.segments.read().iter().map(|segment| (segment.base_offset(), segment.size())).collect()
    }

    /// Its batches in memory. Looks at each of them.
    pub fn tail_bytes(&self) -> TailBytes {
        let (total, unwritten) = self.tail.read().bytes();
        TailBytes { total, unwritten }
    }
}
