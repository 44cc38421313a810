//! What the active segment will be once all that was appended is in it: decides at the append where the next segment begins.

use protocol::records::BatchHeader;

use crate::log::LogConfig;
use crate::segment::{Incoming, SegmentFacts, must_roll};

/// The active segment as it will be.
#[derive(Clone, Copy, Debug)]
pub(super) struct ActiveFacts {
    facts: SegmentFacts,
    bytes_since_index: u64,
    /// Decides about the segment's jitter.
    draw: u64,
}

impl ActiveFacts {
    /// Of a segment that is there.
    pub(super) fn of(facts: SegmentFacts, draw: u64) -> ActiveFacts {
        ActiveFacts { facts, bytes_since_index: 0, draw }
    }

    /// Of a segment that begins here.
    pub(super) fn starting_at(base_offset: i64, now_ms: i64, draw: u64) -> ActiveFacts {
        let facts = SegmentFacts {
            base_offset,
            size: 0,
            created_ms: now_ms,
            first_timestamp: None,
            offset_entries: 0,
            time_entries: 0,
        };
        ActiveFacts::of(facts, draw)
    }

    /// Whether a new segment has to begin with this batch.
    pub(super) fn must_roll(&self, batch: &BatchHeader, config: &LogConfig, now_ms: i64) -> bool {
        let incoming = Incoming {
            size_in_bytes: batch.size_in_bytes() as u64,
            max_timestamp: batch.max_timestamp,
            last_offset: batch.last_offset(),
        };
        must_roll(&self.facts, &config.roll_rules(self.draw), &incoming, now_ms).is_some()
    }

    /// Notes a batch at the end.
    pub(super) fn note(&mut self, batch: &BatchHeader, config: &LogConfig) {
        let facts = &mut self.facts;
        facts.first_timestamp.get_or_insert(batch.max_timestamp);
        if self.bytes_since_index > u64::from(config.index_interval_bytes) {
            facts.offset_entries += 1;
            facts.time_entries += 1;
            self.bytes_since_index = 0;
        }
        self.bytes_since_index += batch.size_in_bytes() as u64;
        facts.size += batch.size_in_bytes() as u64;
    }
}
