//! From the broker's settings to those of its groups. Pure.

use config::BrokerConfig;
use coordinator::Settings;
use protocol::compression::Compression;

/// What groups obey.
pub(crate) fn of(broker: &BrokerConfig) -> Settings {
    let groups = &broker.groups;
    Settings {
        initial_rebalance_delay_ms: groups.initial_rebalance_delay_ms,
        session_timeout_min_ms: groups.session_timeout_min_ms,
        session_timeout_max_ms: groups.session_timeout_max_ms,
        group_size_max: groups.members_max,
        offset_metadata_max: groups.offset_metadata_max,
        offsets_retention_ms: groups.offsets_retention_ms,
        offsets_retention_check_interval_ms: groups.offsets_retention_check_interval_ms,
        compression: codec(broker.offsets_topic.compression_id),
        ..Settings::default()
    }
}

/// Kafka has no bounds for this number; one that is not known compresses nothing.
fn codec(id: i32) -> Compression {
    u8::try_from(id).ok().and_then(Compression::from_id).unwrap_or(Compression::None)
}
