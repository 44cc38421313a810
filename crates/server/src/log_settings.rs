//! From a topic's settings to those of its logs. Pure.

use std::time::Duration;

use config::{BrokerConfig, CompressionType, Overrides, TimestampType, TopicConfig};
use protocol::compression::{Compression, Compressor};
use storage::{CleanerSettings, CompactionRules, DestageMode, LogConfig, LogDirOptions, RetentionRules};

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
        // Nothing goes before a topic's own settings are known.
        default_config: LogConfig {
            retention: RetentionRules::KEEP,
            ..of(&TopicConfig::resolve(broker, &Overrides::new()))
        },
        ..LogDirOptions::default()
    }
}

/// The settings of the cleaner.
pub(crate) fn of_cleaner(broker: &BrokerConfig, destage: DestageMode) -> CleanerSettings {
    let cleaner = &broker.log_cleaner;
    CleanerSettings {
        threads: cleaner.threads,
        dedupe_buffer_bytes: cleaner.dedupe_buffer_bytes,
        load_factor: cleaner.load_factor,
        io_buffer_bytes: cleaner.io_buffer_bytes,
        bytes_per_second: cleaner.io_bytes_per_second_max,
        backoff: Duration::from_millis(u64::try_from(cleaner.backoff_ms).unwrap_or(0)),
        direct: destage == DestageMode::Direct,
    }
}

fn of(topic: &TopicConfig) -> LogConfig {
    LogConfig {
        segment_bytes: topic.segment_bytes,
        segment_ms: segment_ms(topic),
        segment_jitter_ms: topic.segment_jitter_ms,
        index_bytes: topic.segment_index_bytes,
        index_interval_bytes: topic.index_interval_bytes,
        batch_bytes_max: topic.max_message_bytes,
        compacted: topic.cleanup_policy.compact,
        compaction: CompactionRules {
            delete_retention_ms: topic.delete_retention_ms,
            min_cleanable_dirty_ratio: topic.min_cleanable_dirty_ratio,
            min_compaction_lag_ms: topic.min_compaction_lag_ms,
            max_compaction_lag_ms: topic.max_compaction_lag_ms,
        },
        retention: RetentionRules {
            delete: topic.cleanup_policy.delete,
            ms: topic.retention_ms,
            bytes: topic.retention_bytes,
        },
        file_delete_delay_ms: topic.file_delete_delay_ms,
        compression: match topic.compression_type {
            CompressionType::Producer => None,
            CompressionType::Always(compression) => {
                Some(Compressor { compression, level: level_of(topic, compression) })
            }
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

/// A compacted topic's segments end so early that none of their records waits too long to be compacted.
fn segment_ms(topic: &TopicConfig) -> i64 {
    if topic.cleanup_policy.compact && topic.max_compaction_lag_ms > 0 {
        topic.segment_ms.min(topic.max_compaction_lag_ms)
    } else {
        topic.segment_ms
    }
}

/// The level at which batches are compressed again.
fn level_of(topic: &TopicConfig, compression: Compression) -> Option<i32> {
    match compression {
        Compression::None | Compression::Snappy => None,
        // -1 is the codec's own.
        Compression::Gzip => Some(topic.compression_gzip_level).filter(|level| *level > 0),
        Compression::Lz4 => Some(topic.compression_lz4_level),
        Compression::Zstd => Some(topic.compression_zstd_level),
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
    fn the_level_is_that_of_the_topics_codec() {
        let level = |settings: &[(&str, &str)]| {
            let own = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            let topic = TopicConfig::resolve(&broker(), &own);
            of_topic("orders", &topic).compression.map(|compressor| compressor.level)
        };
        assert_eq!(level(&[]), None);
        assert_eq!(level(&[("compression.type", "gzip")]), Some(None));
        assert_eq!(level(&[("compression.type", "gzip"), ("compression.gzip.level", "7")]), Some(Some(7)));
        assert_eq!(level(&[("compression.type", "zstd"), ("compression.zstd.level", "-5")]), Some(Some(-5)));
        assert_eq!(level(&[("compression.type", "lz4")]), Some(Some(9)));
        assert_eq!(level(&[("compression.type", "snappy")]), Some(None));
    }

    #[test]
    fn without_settings_logs_are_as_kafkas() {
        let standalone = BrokerConfig::standalone(std::path::Path::new("/data"));
        let (broker, _) = BrokerConfig::new(&standalone).unwrap();
        let topic = TopicConfig::resolve(&broker, &Overrides::new());
        assert_eq!(of_topic("orders", &topic), LogConfig::default());
        assert_eq!(of_cleaner(&broker, DestageMode::Direct), CleanerSettings::default());
    }
}
