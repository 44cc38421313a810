//! DescribeTopicPartitions (KIP-966): topics page by page, with the replicas that may lead.

use std::collections::BTreeSet;
use std::sync::Arc;

use metadata::{Image, Partition, Topic};
use protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use protocol::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
use protocol::{ErrorCode, Uuid};

use super::{Call, Handle, operations};
use crate::Broker;
use crate::internal_topics::is_internal;
use crate::net::Started;

impl Handle for DescribeTopicPartitionsRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let limit = usize::try_from(self.response_partition_limit).unwrap_or(0);
        let limit = limit.min(broker.config().limits.request_partitions_max).max(1);
        let committed = broker.published();
        call.done(&match check(&self) {
            Ok(()) => Page::new(&committed.image, limit).fill(&self),
            Err(error) => refused(&self, error),
        })
    }
}

/// Where the page is to begin.
fn start(request: &DescribeTopicPartitionsRequest) -> (&str, i32) {
    request.cursor.as_ref().map_or(("", 0), |cursor| (&cursor.topic_name, cursor.partition_index))
}

/// A cursor is at one of the topics that are asked for, unless all are.
fn check(request: &DescribeTopicPartitionsRequest) -> Result<(), ErrorCode> {
    let Some(cursor) = &request.cursor else { return Ok(()) };
    let is_asked =
        request.topics.is_empty() || request.topics.iter().any(|topic| topic.name == cursor.topic_name);
    if is_asked && cursor.partition_index >= 0 { Ok(()) } else { Err(ErrorCode::InvalidRequest) }
}

fn refused(request: &DescribeTopicPartitionsRequest, error: ErrorCode) -> DescribeTopicPartitionsResponse {
    let topics = request.topics.iter().map(|topic| DescribeTopicPartitionsResponseTopic {
        error_code: error.code(),
        name: Some(topic.name.clone()),
        ..Default::default()
    });
    DescribeTopicPartitionsResponse { topics: topics.collect(), ..Default::default() }
}

/// A page that is being filled.
struct Page<'a> {
    image: &'a Image,
    /// How many partitions it has room for still.
    left: usize,
    response: DescribeTopicPartitionsResponse,
}

impl<'a> Page<'a> {
    fn new(image: &'a Image, left: usize) -> Page<'a> {
        Page { image, left, response: DescribeTopicPartitionsResponse::default() }
    }

    fn fill(mut self, request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
        let (first_topic, first_number) = start(request);
        let all = request.topics.is_empty();
        let names: BTreeSet<&str> = match all {
            true => self.image.topics.iter().map(|topic| &*topic.name).collect(),
            false => request.topics.iter().map(|topic| &*topic.name).collect(),
        };
        for name in names.range(first_topic..) {
            let from = if *name == first_topic { first_number } else { 0 };
            if self.left == 0 {
                self.end_at(name, 0);
            } else {
                match self.image.topics.by_name(name) {
                    Some(topic) => self.add(topic, from),
                    // All that there are means all that are there.
                    None if all => {}
                    None => self.response.topics.push(unknown(name)),
                }
            }
            if self.response.next_cursor.is_some() {
                break;
            }
        }
        self.response
    }

    /// The next page is to begin here.
    fn end_at(&mut self, topic: &str, partition_index: i32) {
        self.response.next_cursor = Some(Cursor { topic_name: topic.to_owned(), partition_index });
    }

    /// Adds a topic's partitions from a number on, as many as there is room for.
    fn add(&mut self, topic: &Topic, from: i32) {
        let mut partitions = topic.partitions().skip_while(|(number, _)| *number < from);
        let shown = partitions.by_ref().take(self.left);
        let partitions_shown: Vec<_> = shown.map(|(number, known)| self.partition(number, known)).collect();
        let next = partitions.next();
        self.left -= partitions_shown.len();
        self.response.topics.push(DescribeTopicPartitionsResponseTopic {
            partitions: partitions_shown,
            ..described(&topic.name, topic.id, ErrorCode::None)
        });
        if let Some((number, _)) = next {
            self.end_at(&topic.name, number);
        }
    }

    fn partition(&self, partition_index: i32, known: &Partition) -> DescribeTopicPartitionsResponsePartition {
        let is_led = self.image.cluster.is_active(known.leader);
        let offline = known.replicas.iter().filter(|id| !self.image.cluster.is_active(**id));
        DescribeTopicPartitionsResponsePartition {
            partition_index,
            leader_id: if is_led { known.leader } else { -1 },
            leader_epoch: known.leader_epoch,
            replica_nodes: known.replicas.clone(),
            isr_nodes: known.isr.clone(),
            eligible_leader_replicas: Some(known.elr.clone()),
            last_known_elr: Some(known.last_known_elr.clone()),
            offline_replicas: offline.copied().collect(),
            ..Default::default()
        }
    }
}

fn described(name: &str, topic_id: Uuid, error: ErrorCode) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        error_code: error.code(),
        name: Some(name.to_owned()),
        topic_id,
        is_internal: is_internal(name),
        topic_authorized_operations: operations::ON_TOPIC,
        ..Default::default()
    }
}

fn unknown(name: &str) -> DescribeTopicPartitionsResponseTopic {
    let valid = controller::validate_topic_name(name);
    let error = valid.map_or_else(|refusal| refusal.error, |()| ErrorCode::UnknownTopicOrPartition);
    described(name, Uuid::ZERO, error)
}
