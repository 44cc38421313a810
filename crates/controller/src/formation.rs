//! The first records of a cluster.

use config::BrokerConfig;
use metadata::{ELIGIBLE_LEADER_REPLICAS, ResourceType};
use protocol::messages::{BeginTransactionRecord, ConfigRecord, EndTransactionRecord, MetadataRecord};

/// What the first controller of a new cluster appends: the records that formatting left, in one transaction.
///
/// With eligible leader replicas `min.insync.replicas` must be the same for all brokers, so the file's value becomes a setting
/// of the cluster (KIP-966).
pub fn bootstrap(formatted: Vec<MetadataRecord>, config: &BrokerConfig) -> Vec<MetadataRecord> {
    let elr = |record: &MetadataRecord| {
        matches!(record, MetadataRecord::FeatureLevel(level)
            if level.name == ELIGIBLE_LEADER_REPLICAS && level.feature_level > 0)
    };
    let setting = formatted.iter().any(elr).then(|| {
        MetadataRecord::from(ConfigRecord {
            resource_type: ResourceType::BROKER.0,
            resource_name: String::new(),
            name: "min.insync.replicas".to_owned(),
            value: Some(min_insync_replicas_of_the_file(config)),
        })
    });
    let begin = BeginTransactionRecord { name: Some("Bootstrap records".to_owned()) };
    std::iter::once(begin.into())
        .chain(formatted)
        .chain(setting)
        .chain([EndTransactionRecord {}.into()])
        .collect()
}

/// The value of `min.insync.replicas` that a node was started with.
pub(crate) fn min_insync_replicas_of_the_file(config: &BrokerConfig) -> String {
    config.values().file.get("min.insync.replicas").unwrap_or("1").to_owned()
}
