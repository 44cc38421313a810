//! What the active segment will be once all that was appended is in it: decides at the append where the next segment begins.

use protocol::records::BatchHeader;

use crate::log::LogConfig;
use crate::segment::{Incoming, SegmentFacts, must_roll};

/// The active segment as it will be.
#[derive(Clone, Copy, Debug)]
pub(super) struct ActiveFacts {
    facts: SegmentFacts,
    bytes_since_index: u64,
    /// The largest timestamp so far, and the largest that the time index has; -1 for none.
    max_timestamp: i64,
    indexed_timestamp: i64,
    /// With the base offset, this decides about the segment's jitter.
    jitter_seed: u64,
}

impl ActiveFacts {
    /// Of a segment that is there.
    pub(super) fn of(facts: SegmentFacts, jitter_seed: u64) -> ActiveFacts {
        ActiveFacts { facts, bytes_since_index: 0, max_timestamp: -1, indexed_timestamp: -1, jitter_seed }
    }

    /// Of a segment that begins here.
    pub(super) fn starting_at(base_offset: i64, now_ms: i64, jitter_seed: u64) -> ActiveFacts {
        let facts = SegmentFacts {
            base_offset,
            size: 0,
            created_ms: now_ms,
            first_timestamp: None,
            offset_entries: 0,
            time_entries: 0,
        };
        ActiveFacts::of(facts, jitter_seed)
    }

    /// The next one of the same log.
    pub(super) fn successor(&self, base_offset: i64, now_ms: i64) -> ActiveFacts {
        ActiveFacts::starting_at(base_offset, now_ms, self.jitter_seed)
    }

    /// A number that is another for each segment.
    fn draw(&self) -> u64 {
        let mixed = self.jitter_seed ^ self.facts.base_offset.unsigned_abs();
        mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1
    }

    /// Whether a new segment has to begin with this batch.
    pub(super) fn must_roll(&self, batch: &BatchHeader, config: &LogConfig, now_ms: i64) -> bool {
        let incoming = Incoming {
            size_in_bytes: batch.size_in_bytes() as u64,
            max_timestamp: batch.max_timestamp,
            last_offset: batch.last_offset(),
        };
        must_roll(&self.facts, &config.roll_rules(self.draw()), &incoming, now_ms).is_some()
    }

    /// Notes a batch at the end.
    pub(super) fn note(&mut self, batch: &BatchHeader, config: &LogConfig) {
        let facts = &mut self.facts;
        facts.first_timestamp.get_or_insert(batch.max_timestamp);
        self.max_timestamp = self.max_timestamp.max(batch.max_timestamp);
        if self.bytes_since_index > u64::from(config.index_interval_bytes) {
            facts.offset_entries += 1;
            // Only a larger timestamp gets an entry.
            facts.time_entries += u32::from(self.max_timestamp > self.indexed_timestamp);
            self.indexed_timestamp = self.max_timestamp;
            self.bytes_since_index = 0;
        }
        self.bytes_since_index += batch.size_in_bytes() as u64;
        facts.size += batch.size_in_bytes() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::compression::Compression;
    use protocol::records::BatchBuilder;

    #[test]
    fn a_full_index_begins_a_segment_and_the_time_index_has_no_entry_for_a_timestamp_twice() {
        let config = LogConfig { index_bytes: 96, index_interval_bytes: 1, ..LogConfig::default() };
        let rolls_after = |step_ms: i64| {
            let mut active = ActiveFacts::starting_at(0, 0, 1);
            let batch = |number| {
                let one = BatchBuilder::new(number, Compression::None);
                let bytes = one.append(1_000 + number * step_ms, None, Some(b"x"), &[]).build();
                BatchHeader::parse(&bytes).expect("it has a header")
            };
            let numbers = 0..100;
            numbers
                .take_while(|number| {
                    let rolls = active.must_roll(&batch(*number), &config, 0);
                    active.note(&batch(*number), &config);
                    !rolls
                })
                .count()
        };
        // Twelve places in the offset index, seven and one in reserve in the time index.
        assert_eq!([rolls_after(0), rolls_after(1)], [13, 8]);
    }
}
