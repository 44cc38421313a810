//! From a topic's settings to those of its logs. Pure.

use config::{BrokerConfig, CompressionType, Overrides, TimestampType, TopicConfig};
use storage::{DestageMode, LogConfig, LogDirOptions};

use crate::internal_topics::is_internal;

/// The settings of a topic's logs. Logs of internal topics answer after the flush, whatever is set.
pub(crate) fn of_topic(name: &str, topic: &TopicConfig) -> LogConfig {
    let config = of(topic);
    LogConfig { ack_from_memory: config.ack_from_memory && !is_internal(name), ..config }
}

/// Memory tails get this part of the machine's memory, all log directories together.
const TAIL_SHARE: u64 = 8;
/// A log directory's tail is not smaller than this on its own account.
const TAIL_BYTES_MIN: u64 = 128 * 1024 * 1024;

/// The settings of a log directory, on a machine with so much memory.
pub(crate) fn of_directory(broker: &BrokerConfig, destage: DestageMode, memory_bytes: u64) -> LogDirOptions {
    let directories = broker.node.log_dirs.len().max(1) as u64;
    let share = (memory_bytes / TAIL_SHARE / directories).max(TAIL_BYTES_MIN);
    let share = usize::try_from(share).unwrap_or(usize::MAX);
    LogDirOptions {
        journal_bytes_max: broker.logs.journal_bytes_max,
        tail_bytes_max: broker.logs.tail_bytes_max.unwrap_or(share),
        destage,
        default_config: of(&TopicConfig::resolve(broker, &Overrides::new())),
        ..LogDirOptions::default()
    }
}

fn of(topic: &TopicConfig) -> LogConfig {
    LogConfig {
        segment_bytes: topic.segment_bytes,
        segment_ms: topic.segment_ms,
        segment_jitter_ms: topic.segment_jitter_ms,
        index_bytes: topic.segment_index_bytes,
        index_interval_bytes: topic.index_interval_bytes,
        batch_bytes_max: topic.max_message_bytes,
        compacted: topic.cleanup_policy.compact,
        compression: match topic.compression_type {
            CompressionType::Producer => None,
            CompressionType::Always(compression) => Some(compression),
        },
        timestamp_type: match topic.message_timestamp_type {
            TimestampType::CreateTime => protocol::records::TimestampType::CreateTime,
            TimestampType::LogAppendTime => protocol::records::TimestampType::LogAppendTime,
        },
        timestamp_before_max_ms: topic.message_timestamp_before_max_ms,
        timestamp_after_max_ms: topic.message_timestamp_after_max_ms,
        ack_from_memory: !topic.acks_flush,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker() -> BrokerConfig {
        let mut properties = BrokerConfig::standalone(std::path::Path::new("/data"));
        properties.set("yeoul.acks.flush", "false");
        BrokerConfig::new(&properties).unwrap().0
    }

    #[test]
    fn internal_topics_answer_after_the_flush_whatever_is_set() {
        let topic = TopicConfig::resolve(&broker(), &Overrides::new());
        assert!(of_topic("orders", &topic).ack_from_memory);
        assert!(!of_topic("__consumer_offsets", &topic).ack_from_memory);
    }

    #[test]
    fn the_memory_tail_is_a_share_of_the_machines_unless_it_is_set() {
        let tail =
            |broker: &BrokerConfig, memory| of_directory(broker, DestageMode::Direct, memory).tail_bytes_max;
        assert_eq!(tail(&broker(), 16 << 30), 2 << 30);
        assert_eq!(tail(&broker(), 1 << 20), 128 << 20);
        let mut properties = BrokerConfig::standalone(std::path::Path::new("/data"));
        properties.set("yeoul.tail.bytes.max", "5000000");
        assert_eq!(tail(&BrokerConfig::new(&properties).unwrap().0, 16 << 30), 5_000_000);
    }

    #[test]
    fn without_settings_logs_are_as_kafkas() {
        let standalone = BrokerConfig::standalone(std::path::Path::new("/data"));
        let (broker, _) = BrokerConfig::new(&standalone).unwrap();
        let topic = TopicConfig::resolve(&broker, &Overrides::new());
        assert_eq!(of_topic("orders", &topic), LogConfig::default());
    }
}
