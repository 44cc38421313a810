//! OffsetFetch: what a group has committed. Answered when all that was committed before it is durable, which is what
//! `require_stable` asks for.

use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};
use protocol::{ErrorCode, Uuid};

use crate::{CommittedOffset, GroupCoordinatorState};

/// From this version on, a request names several groups.
const GROUPS_FROM: i16 = 8;
/// From this version on, the whole answer has an error of its own.
const GROUP_ERROR_FROM: i16 = 2;
/// Nothing was committed.
const NO_OFFSET: i64 = -1;

/// The groups that a request of any version asks for.
pub fn offset_fetch_groups(version: i16, request: OffsetFetchRequest) -> Vec<OffsetFetchRequestGroup> {
    if version >= GROUPS_FROM {
        return request.groups;
    }
    let topics = request.topics.map(|topics| {
        let topics = topics.into_iter().map(|topic| OffsetFetchRequestTopics {
            name: topic.name,
            partition_indexes: topic.partition_indexes,
            ..OffsetFetchRequestTopics::default()
        });
        topics.collect()
    });
    vec![OffsetFetchRequestGroup { group_id: request.group_id, topics, ..Default::default() }]
}

/// The response in this version. Before version 8 there is one group. Version 1 has room for a group's error in the partitions
/// only; later ones name no partitions beside such an error.
pub fn offset_fetch_response(version: i16, groups: Vec<OffsetFetchResponseGroup>) -> OffsetFetchResponse {
    let mut groups = groups;
    if version >= GROUP_ERROR_FROM {
        let failed = groups.iter_mut().filter(|group| group.error_code != 0);
        failed.for_each(|group| group.topics.clear());
    }
    if version >= GROUPS_FROM {
        return OffsetFetchResponse { groups, ..OffsetFetchResponse::default() };
    }
    let Some(group) = groups.into_iter().next() else { return OffsetFetchResponse::default() };
    let error_code = group.error_code;
    let topics = group.topics.into_iter().map(|topic| old_topic(topic, error_code));
    OffsetFetchResponse {
        topics: topics.collect(),
        error_code: if version >= GROUP_ERROR_FROM { error_code } else { 0 },
        ..OffsetFetchResponse::default()
    }
}

fn old_topic(topic: OffsetFetchResponseTopics, group_error: i16) -> OffsetFetchResponseTopic {
    let partitions = topic.partitions.into_iter().map(|partition| OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: if group_error == 0 { partition.error_code } else { group_error },
    });
    OffsetFetchResponseTopic { name: topic.name, partitions: partitions.collect() }
}

/// The answer when a group's offsets cannot be said.
pub(crate) fn fetch_error(request: OffsetFetchRequestGroup, error: ErrorCode) -> OffsetFetchResponseGroup {
    let topics = request.topics.unwrap_or_default().into_iter().map(|topic| OffsetFetchResponseTopics {
        partitions: topic.partition_indexes.iter().map(|partition| fetched(*partition, None)).collect(),
        name: topic.name,
        topic_id: topic.topic_id,
    });
    OffsetFetchResponseGroup {
        group_id: request.group_id,
        topics: topics.collect(),
        error_code: error.code(),
    }
}

impl GroupCoordinatorState {
    /// Unknown groups, topics and partitions have the offset -1, which is no error.
    pub(crate) fn fetch_offsets(&self, request: OffsetFetchRequestGroup) -> OffsetFetchResponseGroup {
        let topics = match request.topics {
            Some(topics) => {
                topics.into_iter().map(|topic| self.fetch_topic(&request.group_id, topic)).collect()
            }
            None => self.fetch_all(&request.group_id),
        };
        OffsetFetchResponseGroup { group_id: request.group_id, topics, ..Default::default() }
    }

    fn fetch_topic(&self, group_id: &str, topic: OffsetFetchRequestTopics) -> OffsetFetchResponseTopics {
        let offsets = self.offsets(group_id);
        let partitions = topic.partition_indexes.iter().map(|partition| {
            let offset = offsets.and_then(|offsets| offsets.get(&topic.name, *partition));
            fetched(*partition, offset.filter(|offset| is_of_topic(offset, topic.topic_id)))
        });
        let partitions = partitions.collect();
        OffsetFetchResponseTopics { name: topic.name, topic_id: topic.topic_id, partitions }
    }

    fn fetch_all(&self, group_id: &str) -> Vec<OffsetFetchResponseTopics> {
        let mut topics: Vec<OffsetFetchResponseTopics> = Vec::new();
        for (name, partition, offset) in self.offsets(group_id).into_iter().flat_map(|offsets| offsets.iter())
        {
            if topics.last().is_none_or(|last| last.name != name) {
                topics.push(OffsetFetchResponseTopics {
                    name: name.to_owned(),
                    topic_id: offset.topic_id,
                    partitions: Vec::new(),
                });
            }
            if let Some(topic) = topics.last_mut() {
                topic.partitions.push(fetched(partition, Some(offset)));
            }
        }
        topics
    }
}

/// Whether the offset was committed for this topic, and not for an earlier one of the same name. Zero stands for any.
fn is_of_topic(offset: &CommittedOffset, topic_id: Uuid) -> bool {
    offset.topic_id.is_zero() || topic_id.is_zero() || offset.topic_id == topic_id
}

fn fetched(partition_index: i32, offset: Option<&CommittedOffset>) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: offset.map_or(NO_OFFSET, |offset| offset.offset),
        committed_leader_epoch: offset.map_or(-1, |offset| offset.leader_epoch),
        metadata: Some(offset.map_or_else(String::new, |offset| offset.metadata.clone())),
        error_code: 0,
    }
}
