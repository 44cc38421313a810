//! DescribeProducers (KIP-664): what partitions know of those who write to them.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::describe_producers_request::TopicRequest;
use protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};
use storage::ProducerEntry;

use super::{Call, Handle};
use crate::Broker;
use crate::net::Started;

impl Handle for DescribeProducersRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let topics = self.topics.iter().map(|topic| describe(broker, topic)).collect();
        call.done(&DescribeProducersResponse { topics, ..Default::default() })
    }
}

fn describe(broker: &Broker, topic: &TopicRequest) -> TopicResponse {
    let refusal = refusal(broker, &topic.name);
    let describe = |number: &i32| match &refusal {
        Some((error, message)) => PartitionResponse {
            partition_index: *number,
            error_code: error.code(),
            error_message: Some(message.clone()),
            ..Default::default()
        },
        None => describe_partition(broker, &topic.name, *number),
    };
    TopicResponse {
        name: topic.name.clone(),
        partitions: topic.partition_indexes.iter().map(describe).collect(),
    }
}

/// Why no partition of the topic can be described.
fn refusal(broker: &Broker, topic: &str) -> Option<(ErrorCode, String)> {
    if let Err(refusal) = controller::validate_topic_name(topic) {
        return Some((refusal.error, refusal.message));
    }
    let message = "This server does not host this topic-partition.";
    let is_missing = broker.published().image.topics.by_name(topic).is_none();
    is_missing.then(|| (ErrorCode::UnknownTopicOrPartition, message.to_owned()))
}

fn describe_partition(broker: &Broker, topic: &str, partition_index: i32) -> PartitionResponse {
    match broker.partition_by_name(topic, partition_index) {
        Ok(partition) => PartitionResponse {
            partition_index,
            active_producers: partition.log.producers().into_iter().map(state).collect(),
            ..Default::default()
        },
        Err(error) => PartitionResponse { partition_index, error_code: error.code(), ..Default::default() },
    }
}

fn state(known: ProducerEntry) -> ProducerState {
    ProducerState {
        producer_id: known.producer_id,
        producer_epoch: i32::from(known.epoch),
        last_sequence: known.last_sequence,
        last_timestamp: known.timestamp,
        coordinator_epoch: known.coordinator_epoch,
        current_txn_start_offset: known.current_txn_first_offset,
    }
}
