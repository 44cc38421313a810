//! OffsetDelete (KIP-496): a group forgets offsets of topics that none of its members reads.

use std::sync::Arc;

use coordinator::{Reply, Request};
use metadata::Image;
use protocol::ErrorCode;
use protocol::messages::offset_delete_request::OffsetDeleteRequestPartition;
use protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::{Call, Handle};
use crate::Broker;
use crate::groups::unanswered;
use crate::net::Started;

impl Handle for OffsetDeleteRequest {
    fn start(mut self, broker: &Arc<Broker>, call: Call) -> Started {
        let unknown = take_unknown(&broker.published().image, &mut self);
        if self.topics.is_empty() {
            return call.done(&OffsetDeleteResponse { topics: unknown, ..Default::default() });
        }
        let asked = broker.groups.ask(Request::OffsetDelete(self));
        call.settling(async move {
            match asked.await {
                Ok(Reply::OffsetDelete(deleted)) if deleted.error_code == 0 => {
                    OffsetDeleteResponse { topics: merged(unknown, deleted.topics), ..deleted }
                }
                Ok(Reply::OffsetDelete(refused)) => refused,
                other => OffsetDeleteResponse { error_code: unanswered(&other), ..Default::default() },
            }
        })
    }
}

/// Takes out what does not exist, and says so.
fn take_unknown(image: &Image, request: &mut OffsetDeleteRequest) -> Vec<OffsetDeleteResponseTopic> {
    let mut unknown = Vec::new();
    for topic in &mut request.topics {
        let known = image.topics.by_name(&topic.name);
        let exists = |partition: &OffsetDeleteRequestPartition| {
            known.is_some_and(|known| known.partition(partition.partition_index).is_some())
        };
        let (there, missing): (Vec<_>, Vec<_>) =
            std::mem::take(&mut topic.partitions).into_iter().partition(exists);
        topic.partitions = there;
        let partitions = missing.into_iter().map(|partition| OffsetDeleteResponsePartition {
            partition_index: partition.partition_index,
            error_code: ErrorCode::UnknownTopicOrPartition.code(),
        });
        let partitions: Vec<_> = partitions.collect();
        if !partitions.is_empty() {
            unknown.push(OffsetDeleteResponseTopic { name: topic.name.clone(), partitions });
        }
    }
    request.topics.retain(|topic| !topic.partitions.is_empty());
    unknown
}

/// First what does not exist, then what the coordinator says; a topic stands there once.
fn merged(
    mut topics: Vec<OffsetDeleteResponseTopic>,
    deleted: Vec<OffsetDeleteResponseTopic>,
) -> Vec<OffsetDeleteResponseTopic> {
    for topic in deleted {
        match topics.iter_mut().find(|known| known.name == topic.name) {
            Some(known) => known.partitions.extend(topic.partitions),
            None => topics.push(topic),
        }
    }
    topics
}
