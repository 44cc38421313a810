//! A topic's configuration: its own settings over the broker's defaults.

use crate::BrokerConfig;
use crate::layers::{Layers, Overrides};
use crate::setting::{Scope, Setting, setting};
use crate::value::{Value, parse};

/// What is kept of a topic, and how. Every field is the setting of its name; sizes in bytes, times in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicConfig {
    /// `cleanup.policy`; with neither flag nothing is ever removed.
    pub cleanup_policy: CleanupPolicy,
    /// `compression.type`.
    pub compression_type: CompressionType,
    /// `compression.gzip.level`; -1 for the codec's own.
    pub compression_gzip_level: i32,
    /// `compression.lz4.level`.
    pub compression_lz4_level: i32,
    /// `compression.zstd.level`.
    pub compression_zstd_level: i32,
    /// `delete.retention.ms`: how long a tombstone stays.
    pub delete_retention_ms: i64,
    /// `file.delete.delay.ms`.
    pub file_delete_delay_ms: i64,
    /// `flush.messages`.
    pub flush_messages: i64,
    /// `flush.ms`.
    pub flush_ms: i64,
    /// `index.interval.bytes`.
    pub index_interval_bytes: u32,
    /// `max.compaction.lag.ms`.
    pub max_compaction_lag_ms: i64,
    /// `max.message.bytes`: of a batch, after compression.
    pub max_message_bytes: u32,
    /// `message.timestamp.after.max.ms`.
    pub message_timestamp_after_max_ms: i64,
    /// `message.timestamp.before.max.ms`.
    pub message_timestamp_before_max_ms: i64,
    /// `message.timestamp.type`.
    pub message_timestamp_type: TimestampType,
    /// `min.cleanable.dirty.ratio`.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`.
    pub min_compaction_lag_ms: i64,
    /// `min.insync.replicas`.
    pub min_insync_replicas: i32,
    /// `preallocate`.
    pub preallocate: bool,
    /// `retention.bytes` of a partition; none for no limit.
    pub retention_bytes: Option<u64>,
    /// `retention.ms`; none for no limit.
    pub retention_ms: Option<i64>,
    /// `segment.bytes`.
    pub segment_bytes: u32,
    /// `segment.index.bytes`.
    pub segment_index_bytes: u32,
    /// `segment.jitter.ms`.
    pub segment_jitter_ms: i64,
    /// `segment.ms`.
    pub segment_ms: i64,
    /// `unclean.leader.election.enable`.
    pub unclean_leader_election: bool,
    /// `yeoul.acks.flush`: whether an answer waits until the records are on disk.
    pub acks_flush: bool,
}

/// What removes old records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// By age and size.
    pub delete: bool,
    /// By key.
    pub compact: bool,
}

/// What compression a topic's batches have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionType {
    /// As the producer sent them.
    Producer,
    /// This one, whatever the producer sent; `None` for uncompressed.
    Always(protocol::compression::Compression),
}

/// Whose clock a record's timestamp is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's.
    LogAppendTime,
}

impl TopicConfig {
    /// The topic's settings over the broker's defaults. A text that is no value of its setting is passed over, so that a
    /// metadata log written by another version can be served.
    pub fn resolve(broker: &BrokerConfig, overrides: &Overrides) -> TopicConfig {
        let topic = Resolver { layers: broker.values(), overrides };
        TopicConfig {
            cleanup_policy: topic.cleanup_policy(),
            compression_type: topic.compression_type(),
            compression_gzip_level: topic.int("compression.gzip.level"),
            compression_lz4_level: topic.int("compression.lz4.level"),
            compression_zstd_level: topic.int("compression.zstd.level"),
            delete_retention_ms: topic.long("delete.retention.ms"),
            file_delete_delay_ms: topic.long("file.delete.delay.ms"),
            flush_messages: topic.long("flush.messages"),
            flush_ms: topic.long("flush.ms"),
            index_interval_bytes: topic.size("index.interval.bytes"),
            max_compaction_lag_ms: topic.long("max.compaction.lag.ms"),
            max_message_bytes: topic.size("max.message.bytes"),
            message_timestamp_after_max_ms: topic.long("message.timestamp.after.max.ms"),
            message_timestamp_before_max_ms: topic.long("message.timestamp.before.max.ms"),
            message_timestamp_type: topic.timestamp_type(),
            min_cleanable_dirty_ratio: topic.double("min.cleanable.dirty.ratio"),
            min_compaction_lag_ms: topic.long("min.compaction.lag.ms"),
            min_insync_replicas: topic.int("min.insync.replicas"),
            preallocate: topic.boolean("preallocate"),
            retention_bytes: u64::try_from(topic.long("retention.bytes")).ok(),
            retention_ms: Some(topic.long("retention.ms")).filter(|ms| *ms >= 0),
            segment_bytes: topic.size("segment.bytes"),
            segment_index_bytes: topic.size("segment.index.bytes"),
            segment_jitter_ms: topic.long("segment.jitter.ms"),
            segment_ms: topic.long("segment.ms"),
            unclean_leader_election: topic.boolean("unclean.leader.election.enable"),
            acks_flush: topic.boolean("yeoul.acks.flush"),
        }
    }
}

/// Whether a topic may have this setting, or why not in the words of Kafka's INVALID_CONFIG.
pub fn validate_topic_config(name: &str, value: &str) -> Result<(), String> {
    let row = setting(Scope::Topic, name).ok_or_else(|| format!("Unknown topic config name: {name}"))?;
    parse(row, value).map(|_| ())
}

/// Checks the settings of a topic one by one, as [`validate_topic_config`] does, and against each other and the broker's.
pub fn validate_topic_configs(broker: &BrokerConfig, overrides: &Overrides) -> Result<(), String> {
    overrides.iter().try_for_each(|(name, value)| validate_topic_config(name, value))?;
    let topic = Resolver { layers: broker.values(), overrides };
    let (least, most) = (topic.long("min.compaction.lag.ms"), topic.long("max.compaction.lag.ms"));
    if !overrides.is_empty() && least > most {
        return Err(format!(
            "conflict topic config setting min.compaction.lag.ms ({least}) > max.compaction.lag.ms ({most})"
        ));
    }
    if topic.boolean("remote.storage.enable") {
        return Err("Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log \
                    storage."
            .to_owned());
    }
    Ok(())
}

/// The text of a topic setting where the topic does not set it: the first of the broker's settings that has a value, in the
/// topic's unit, or the table's default.
pub(crate) fn inherited(layers: &Layers, row: &Setting) -> Option<String> {
    let first = row.synonyms.iter().find_map(|name| Some((*name, layers.text(name)?)));
    match first {
        Some((name, text)) => Some(in_milliseconds(name, text)),
        None => row.default.value().map(str::to_owned),
    }
}

fn in_milliseconds(name: &str, text: &str) -> String {
    let unit: i64 = match name.rsplit('.').next() {
        Some("minutes") => 60_000,
        Some("hours") => 3_600_000,
        _ => return text.trim().to_owned(),
    };
    text.trim()
        .parse::<i64>()
        .map_or_else(|_| text.to_owned(), |count| count.saturating_mul(unit).to_string())
}

struct Resolver<'a> {
    layers: &'a Layers,
    overrides: &'a Overrides,
}

impl Resolver<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        let row = setting(Scope::Topic, name)?;
        let own = self.overrides.get(name).and_then(|text| parse(row, text).ok());
        own.or_else(|| parse(row, &inherited(self.layers, row)?).ok())
            .or_else(|| parse(row, row.default.value()?).ok())
    }

    fn long(&self, name: &str) -> i64 {
        match self.value(name) {
            Some(Value::Number(number)) => number,
            _ => 0,
        }
    }

    fn int(&self, name: &str) -> i32 {
        i32::try_from(self.long(name)).unwrap_or(i32::MAX)
    }

    fn size(&self, name: &str) -> u32 {
        u32::try_from(self.long(name).max(0)).unwrap_or(u32::MAX)
    }

    fn double(&self, name: &str) -> f64 {
        match self.value(name) {
            Some(Value::Double(number)) => number,
            _ => 0.0,
        }
    }

    fn boolean(&self, name: &str) -> bool {
        self.value(name) == Some(Value::Boolean(true))
    }

    fn text(&self, name: &str) -> String {
        match self.value(name) {
            Some(Value::Text(text)) => text,
            _ => String::new(),
        }
    }

    fn cleanup_policy(&self) -> CleanupPolicy {
        let words = match self.value("cleanup.policy") {
            Some(Value::List(words)) => words,
            _ => Vec::new(),
        };
        let has = |word: &str| words.iter().any(|known| known == word);
        CleanupPolicy { delete: has("delete"), compact: has("compact") }
    }

    fn compression_type(&self) -> CompressionType {
        use protocol::compression::Compression;
        match self.text("compression.type").as_str() {
            "uncompressed" => CompressionType::Always(Compression::None),
            name => Compression::from_name(name).map_or(CompressionType::Producer, CompressionType::Always),
        }
    }

    fn timestamp_type(&self) -> TimestampType {
        match self.text("message.timestamp.type").as_str() {
            "LogAppendTime" => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn broker(extra: &[(&str, &str)]) -> BrokerConfig {
        let mut properties = BrokerConfig::standalone(Path::new("/data"));
        extra.iter().for_each(|(key, value)| properties.set(*key, *value));
        BrokerConfig::new(&properties).unwrap().0
    }

    fn overrides(pairs: &[(&str, &str)]) -> Overrides {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn without_settings_a_topic_has_kafkas_defaults_and_is_flushed() {
        let topic = TopicConfig::resolve(&broker(&[]), &Overrides::new());
        assert_eq!(topic.segment_bytes, 1 << 30);
        assert_eq!(topic.retention_ms, Some(7 * 24 * 3_600_000));
        assert_eq!(topic.retention_bytes, None);
        assert_eq!(topic.max_message_bytes, 1_048_588);
        assert_eq!(topic.cleanup_policy, CleanupPolicy { delete: true, compact: false });
        assert_eq!(topic.compression_type, CompressionType::Producer);
        assert_eq!(topic.message_timestamp_type, TimestampType::CreateTime);
        assert_eq!((topic.flush_messages, topic.flush_ms), (i64::MAX, i64::MAX));
        assert!(topic.acks_flush);
    }

    #[test]
    fn milliseconds_come_before_minutes_and_minutes_before_hours() {
        let retention =
            |extra: &[(&str, &str)]| TopicConfig::resolve(&broker(extra), &Overrides::new()).retention_ms;
        let (ms, minutes, hours) =
            (("log.retention.ms", "7"), ("log.retention.minutes", "3"), ("log.retention.hours", "2"));
        assert_eq!(retention(&[hours]), Some(7_200_000));
        assert_eq!(retention(&[hours, minutes]), Some(180_000));
        assert_eq!(retention(&[hours, minutes, ms]), Some(7));
        assert_eq!(retention(&[("log.retention.ms", "-1")]), None);
    }

    #[test]
    fn the_topic_comes_before_the_node_the_node_before_the_cluster_and_that_before_the_file() {
        let file = broker(&[("log.segment.bytes", "2000000"), ("yeoul.acks.flush", "false")]);
        let size = |broker: &BrokerConfig, own: &[(&str, &str)]| {
            TopicConfig::resolve(broker, &overrides(own)).segment_bytes
        };
        assert!(!TopicConfig::resolve(&file, &Overrides::new()).acks_flush);
        assert_eq!(size(&file, &[]), 2_000_000);
        let cluster = file.with_dynamic(&overrides(&[("log.segment.bytes", "3000000")]), &Overrides::new());
        assert_eq!(size(&cluster, &[]), 3_000_000);
        let three = overrides(&[("log.segment.bytes", "3000000")]);
        let node = file.with_dynamic(&three, &overrides(&[("log.segment.bytes", "4000000")]));
        assert_eq!(size(&node, &[]), 4_000_000);
        assert_eq!(size(&node, &[("segment.bytes", "5000000")]), 5_000_000);
        assert_eq!(size(&node, &[("segment.bytes", "nonsense")]), 4_000_000);
    }

    #[test]
    fn a_compacted_topic_with_a_codec_of_its_own() {
        let own = overrides(&[("cleanup.policy", "compact, delete"), ("compression.type", "lz4")]);
        let topic = TopicConfig::resolve(&broker(&[]), &own);
        assert_eq!(topic.cleanup_policy, CleanupPolicy { delete: true, compact: true });
        assert_eq!(topic.compression_type, CompressionType::Always(protocol::compression::Compression::Lz4));
    }
}
