//! The settings that groups obey.

use protocol::compression::Compression;

/// Bounds and delays, by the names of Kafka's broker settings. The shell fills them from the broker's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `group.initial.rebalance.delay.ms`: how long a group that was empty waits for further members.
    pub initial_rebalance_delay_ms: i64,
    /// `group.min.session.timeout.ms`
    pub session_timeout_min_ms: i32,
    /// `group.max.session.timeout.ms`
    pub session_timeout_max_ms: i32,
    /// `group.max.size`: members a group.
    pub group_size_max: usize,
    /// `offset.metadata.max.bytes`: characters (UTF-16 units, as Kafka counts them) of a commit's metadata.
    pub offset_metadata_max: usize,
    /// `offsets.retention.minutes`, in milliseconds.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`
    pub offsets_retention_check_interval_ms: i64,
    /// `max.message.bytes` of `__consumer_offsets`: what does not fit into one batch is refused before it is decided.
    pub batch_bytes_max: usize,
    /// `offsets.topic.compression.codec`: of the batches that are written.
    pub compression: Compression,
}

impl Default for Settings {
    /// Kafka's defaults.
    fn default() -> Self {
        Settings {
            initial_rebalance_delay_ms: 3_000,
            session_timeout_min_ms: 6_000,
            session_timeout_max_ms: 1_800_000,
            group_size_max: i32::MAX as usize,
            offset_metadata_max: 4_096,
            offsets_retention_ms: 10_080 * 60_000,
            offsets_retention_check_interval_ms: 600_000,
            batch_bytes_max: 1_048_588,
            compression: Compression::None,
        }
    }
}
