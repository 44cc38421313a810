//! From the broker's settings to those of its groups. Pure.

use config::BrokerConfig;
use coordinator::Settings;

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
        ..Settings::default()
    }
}
