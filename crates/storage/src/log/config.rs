//! The settings of a log.

use protocol::compression::Compressor;
use protocol::records::{ClientRules, TimestampType};

use crate::RetentionRules;
use crate::cleaner::CompactionRules;
use crate::segment::RollRules;

/// What a compressed batch may inflate to, in bytes, when its records have to be looked at.
pub(crate) const INFLATED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The settings of a topic, as far as they concern a partition's log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`.
    pub segment_bytes: u32,
    /// `segment.ms`.
    pub segment_ms: i64,
    /// `segment.jitter.ms`.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`.
    pub index_bytes: u32,
    /// `index.interval.bytes`.
    pub index_interval_bytes: u32,
    /// `max.message.bytes`.
    pub batch_bytes_max: u32,
    /// Whether `cleanup.policy` has `compact`.
    pub compacted: bool,
    /// What compaction has to obey.
    pub compaction: CompactionRules,
    /// `cleanup.policy` and `retention.*`.
    pub retention: RetentionRules,
    /// `file.delete.delay.ms`.
    pub file_delete_delay_ms: i64,
    /// `compression.type` with its level; none for `producer`: as the client compressed it.
    pub compression: Option<Compressor>,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max_ms: i64,
    /// Whether the high watermark moves before the records are on disk: `yeoul.acks.flush` is false.
    pub ack_from_memory: bool,
}

impl Default for LogConfig {
    /// Kafka's defaults, and answers after the flush.
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 60 * 60 * 1000,
            segment_jitter_ms: 0,
            index_bytes: 10 * 1024 * 1024,
            index_interval_bytes: 4096,
            batch_bytes_max: 1_048_588,
            compacted: false,
            compaction: CompactionRules::default(),
            retention: RetentionRules { delete: true, ms: Some(7 * 24 * 60 * 60 * 1000), bytes: None },
            file_delete_delay_ms: 60 * 1000,
            compression: None,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 60 * 60 * 1000,
            ack_from_memory: false,
        }
    }
}

impl LogConfig {
    /// What a topic demands of its clients' records.
    pub(crate) fn client_rules(&self) -> ClientRules {
        ClientRules {
            compacted: self.compacted,
            timestamp_type: self.timestamp_type,
            timestamp_before_max_ms: self.timestamp_before_max_ms,
            timestamp_after_max_ms: self.timestamp_after_max_ms,
            // Whatever is accepted can be read.
            open_compressed: true,
            inflated_bytes_max: INFLATED_BYTES_MAX,
        }
    }

    /// When a segment ends. `draw` is a random number that decides about the jitter.
    pub(crate) fn roll_rules(&self, draw: u64) -> RollRules {
        let jitter_ms = match u64::try_from(self.segment_jitter_ms.min(self.segment_ms)) {
            Ok(jitter_max) if jitter_max > 0 => (draw % jitter_max) as i64,
            _ => 0,
        };
        RollRules {
            segment_bytes: u64::from(self.segment_bytes),
            segment_ms: self.segment_ms_max(),
            jitter_ms,
            index_bytes: self.index_bytes,
        }
    }

    /// How old an active segment may become: what is in it cannot be compacted.
    fn segment_ms_max(&self) -> i64 {
        let lag_ms = self.compaction.max_compaction_lag_ms;
        if self.compacted && lag_ms > 0 { self.segment_ms.min(lag_ms) } else { self.segment_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_of_a_compacted_topic_is_not_written_to_for_longer_than_its_records_may_wait() {
        let compaction = CompactionRules { max_compaction_lag_ms: 500, ..CompactionRules::default() };
        let roll_ms =
            |compacted| LogConfig { compacted, compaction, ..LogConfig::default() }.roll_rules(0).segment_ms;
        assert_eq!((roll_ms(true), roll_ms(false)), (500, LogConfig::default().segment_ms));
    }
}
