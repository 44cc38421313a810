//! OffsetCommit (KIP-211, KIP-345, KIP-848): topics that there are go to the group's coordinator.

use std::sync::Arc;

use coordinator::{Reply, Request};
use metadata::{Image, Topic};
use protocol::ErrorCode;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};

use super::{Call, Handle};
use crate::Broker;
use crate::groups::unanswered;
use crate::net::Started;

/// From this version on, topics are named by their ids.
const TOPIC_IDS_SINCE: i16 = 10;

impl Handle for OffsetCommitRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let version = call.version;
        let (known, unknown) = split(&broker.published().image, version, self);
        if known.topics.is_empty() {
            return call.done(&OffsetCommitResponse { topics: unknown, ..Default::default() });
        }
        let all = refused(&known.topics, ErrorCode::UnknownServerError.code());
        let asked = broker.groups.ask(Request::OffsetCommit { version, request: known });
        call.settling(async move {
            let committed = match asked.await {
                Ok(Reply::OffsetCommit(response)) => response.topics,
                other => with_error(all, unanswered(&other)),
            };
            OffsetCommitResponse { topics: merged(unknown, committed), ..Default::default() }
        })
    }
}

/// What goes to the coordinator, and the answers to what does not exist.
fn split(
    image: &Image,
    version: i16,
    request: OffsetCommitRequest,
) -> (OffsetCommitRequest, Vec<OffsetCommitResponseTopic>) {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for mut topic in request.topics {
        let found = if version >= TOPIC_IDS_SINCE {
            image.topics.by_id(topic.topic_id).ok_or(ErrorCode::UnknownTopicId)
        } else {
            image.topics.by_name(&topic.name).ok_or(ErrorCode::UnknownTopicOrPartition)
        };
        match found {
            Ok(found) => {
                topic.topic_id = found.id;
                topic.name = found.name.to_string();
                let missing = take_missing_partitions(found, &mut topic);
                let error = ErrorCode::UnknownTopicOrPartition;
                unknown.extend((!missing.partitions.is_empty()).then(|| refuse(&missing, error.code())));
                known.extend((!topic.partitions.is_empty()).then_some(topic));
            }
            Err(error) => unknown.push(refuse(&topic, error.code())),
        }
    }
    (OffsetCommitRequest { topics: known, ..request }, unknown)
}

fn take_missing_partitions(known: &Topic, topic: &mut OffsetCommitRequestTopic) -> OffsetCommitRequestTopic {
    let partitions = std::mem::take(&mut topic.partitions);
    let exists =
        |partition: &OffsetCommitRequestPartition| known.partition(partition.partition_index).is_some();
    let (there, missing) = partitions.into_iter().partition(exists);
    topic.partitions = there;
    OffsetCommitRequestTopic { name: topic.name.clone(), topic_id: topic.topic_id, partitions: missing }
}

fn refused(topics: &[OffsetCommitRequestTopic], error_code: i16) -> Vec<OffsetCommitResponseTopic> {
    topics.iter().map(|topic| refuse(topic, error_code)).collect()
}

/// The same error for all partitions.
fn refuse(topic: &OffsetCommitRequestTopic, error_code: i16) -> OffsetCommitResponseTopic {
    let partitions = topic.partitions.iter().map(|partition| OffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code,
    });
    OffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: partitions.collect(),
    }
}

fn with_error(mut topics: Vec<OffsetCommitResponseTopic>, error_code: i16) -> Vec<OffsetCommitResponseTopic> {
    let partitions = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    partitions.for_each(|partition| partition.error_code = error_code);
    topics
}

/// First what does not exist, then what the coordinator says; a topic stands there once.
fn merged(
    mut topics: Vec<OffsetCommitResponseTopic>,
    committed: Vec<OffsetCommitResponseTopic>,
) -> Vec<OffsetCommitResponseTopic> {
    if topics.is_empty() {
        // As it was asked, twice if it was asked twice.
        return committed;
    }
    for topic in committed {
        match topics.iter_mut().find(|known| known.name == topic.name && known.topic_id == topic.topic_id) {
            Some(known) => known.partitions.extend(topic.partitions),
            None => topics.push(topic),
        }
    }
    topics
}
