//! DescribeQuorum (KIP-595, KIP-836, KIP-853): who votes on the metadata log, and how far each has come.

use std::sync::Arc;

use metadata::Image;
use protocol::messages::describe_quorum_request::TopicData as AskedTopic;
use protocol::messages::describe_quorum_response::{Listener, Node, PartitionData, ReplicaState, TopicData};
use protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};
use protocol::{ErrorCode, Uuid};

use super::{Call, Handle};
use crate::Broker;
use crate::net::Started;

const METADATA_TOPIC: &str = "__cluster_metadata";
/// The first version with messages, directories and nodes.
const NODES_SINCE: i16 = 2;

impl Handle for DescribeQuorumRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let response = if asks_for_the_metadata_log(&self.topics) {
            described(&facts(broker), &broker.published().image, call.version)
        } else {
            not_hosted(&self.topics)
        };
        call.done(&response)
    }
}

/// Where the quorum stands.
struct Facts {
    leader_id: i32,
    leader_epoch: i32,
    high_watermark: i64,
    log_end_offset: i64,
    directory_id: Uuid,
    now_ms: i64,
}

fn facts(broker: &Broker) -> Facts {
    let quorum = &broker.quorum;
    Facts {
        leader_id: broker.node_id,
        leader_epoch: quorum.leader_epoch(),
        high_watermark: quorum.high_watermark(),
        log_end_offset: quorum.log_end_offset(),
        directory_id: quorum.directory_id(),
        now_ms: broker.host.clock.now_ms(),
    }
}

/// The one partition that there is, and nothing else.
fn asks_for_the_metadata_log(topics: &[AskedTopic]) -> bool {
    let [topic] = topics else { return false };
    let [partition] = &topic.partitions[..] else { return false };
    topic.topic_name == METADATA_TOPIC && partition.partition_index == 0
}

fn not_hosted(topics: &[AskedTopic]) -> DescribeQuorumResponse {
    let error = ErrorCode::UnknownTopicOrPartition;
    let topic = |asked: &AskedTopic| TopicData {
        topic_name: asked.topic_name.clone(),
        partitions: asked
            .partitions
            .iter()
            .map(|partition| PartitionData {
                partition_index: partition.partition_index,
                error_code: error.code(),
                error_message: Some(error.message().to_owned()),
                ..Default::default()
            })
            .collect(),
    };
    DescribeQuorumResponse {
        error_message: Some(String::new()),
        topics: topics.iter().map(topic).collect(),
        ..Default::default()
    }
}

fn described(facts: &Facts, image: &Image, version: i16) -> DescribeQuorumResponse {
    let with_nodes = version >= NODES_SINCE;
    // The leader has by definition caught up with itself, now.
    let leader = ReplicaState {
        replica_id: facts.leader_id,
        replica_directory_id: if with_nodes { facts.directory_id } else { Uuid::ZERO },
        log_end_offset: facts.log_end_offset,
        last_fetch_timestamp: facts.now_ms,
        last_caught_up_timestamp: facts.now_ms,
    };
    let partition = PartitionData {
        error_message: Some(String::new()),
        leader_id: facts.leader_id,
        leader_epoch: facts.leader_epoch,
        high_watermark: facts.high_watermark,
        current_voters: vec![leader],
        ..Default::default()
    };
    DescribeQuorumResponse {
        error_message: Some(String::new()),
        topics: vec![TopicData { topic_name: METADATA_TOPIC.to_owned(), partitions: vec![partition] }],
        nodes: if with_nodes { nodes(image) } else { Vec::new() },
        ..Default::default()
    }
}

fn nodes(image: &Image) -> Vec<Node> {
    let controllers = image.cluster.controllers();
    let node = controllers.map(|controller| Node {
        node_id: controller.controller_id,
        listeners: controller
            .end_points
            .iter()
            .map(|endpoint| Listener {
                name: endpoint.name.clone(),
                host: endpoint.host.clone(),
                port: endpoint.port,
            })
            .collect(),
    });
    node.collect()
}

#[cfg(test)]
mod tests {
    use protocol::messages::describe_quorum_request::PartitionData as AskedPartition;

    use super::*;

    fn asked(topic_name: &str, partitions: &[i32]) -> AskedTopic {
        let partition = |number: &i32| AskedPartition { partition_index: *number };
        AskedTopic {
            topic_name: topic_name.to_owned(),
            partitions: partitions.iter().map(partition).collect(),
        }
    }

    #[test]
    fn only_the_metadata_log_alone_is_described() {
        assert!(asks_for_the_metadata_log(&[asked(METADATA_TOPIC, &[0])]));
        let others = [
            vec![],
            vec![asked(METADATA_TOPIC, &[])],
            vec![asked(METADATA_TOPIC, &[1])],
            vec![asked(METADATA_TOPIC, &[0, 1])],
            vec![asked("orders", &[0])],
            vec![asked(METADATA_TOPIC, &[0]), asked("orders", &[0])],
        ];
        for topics in others {
            assert!(!asks_for_the_metadata_log(&topics), "{topics:?}");
            let response = not_hosted(&topics);
            let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
            assert!(partitions.map(|partition| partition.error_code).all(|code| code == 3));
        }
    }

    #[test]
    fn the_leader_has_caught_up_with_itself_now() {
        let facts = Facts {
            leader_id: 1,
            leader_epoch: 5,
            high_watermark: 139,
            log_end_offset: 140,
            directory_id: Uuid([7; 16]),
            now_ms: 1_000,
        };
        let response = described(&facts, &Image::default(), 2);
        let partition = &response.topics[0].partitions[0];
        assert_eq!((partition.leader_id, partition.leader_epoch, partition.high_watermark), (1, 5, 139));
        let voter = &partition.current_voters[0];
        assert_eq!(
            (voter.replica_id, voter.log_end_offset, voter.replica_directory_id),
            (1, 140, Uuid([7; 16]))
        );
        assert_eq!((voter.last_fetch_timestamp, voter.last_caught_up_timestamp), (1_000, 1_000));
        assert_eq!(partition.observers, []);
    }
}
