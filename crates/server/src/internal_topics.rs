//! The topics that Kafka keeps for itself, and what they are created with. Pure.

use config::BrokerConfig;
use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};

/// The topic of the metadata log.
pub(crate) const METADATA: &str = "__cluster_metadata";
/// The topic of the groups' offsets.
pub(crate) const CONSUMER_OFFSETS: &str = "__consumer_offsets";

const INTERNAL: [&str; 3] = [CONSUMER_OFFSETS, "__transaction_state", "__share_group_state"];

/// Whether clients are told that a topic is internal.
pub(crate) fn is_internal(topic: &str) -> bool {
    INTERNAL.contains(&topic)
}

/// What is asked of the controller when a topic is created because somebody needs it: the broker's defaults, and for the
/// internal ones the settings that Kafka gives them.
pub(crate) fn creatable(config: &BrokerConfig, name: String) -> CreatableTopic {
    if name == CONSUMER_OFFSETS {
        return consumer_offsets(config);
    }
    CreatableTopic { name, num_partitions: -1, replication_factor: -1, ..Default::default() }
}

fn consumer_offsets(config: &BrokerConfig) -> CreatableTopic {
    let offsets = &config.offsets_topic;
    let settings = [
        ("compression.type", "producer".to_owned()),
        ("cleanup.policy", "compact".to_owned()),
        ("segment.bytes", offsets.segment_bytes.to_string()),
    ];
    let setting =
        |(name, value): (&str, String)| CreatableTopicConfig { name: name.to_owned(), value: Some(value) };
    CreatableTopic {
        name: CONSUMER_OFFSETS.to_owned(),
        num_partitions: offsets.partitions,
        replication_factor: offsets.replication_factor,
        configs: settings.into_iter().map(setting).collect(),
        ..Default::default()
    }
}
