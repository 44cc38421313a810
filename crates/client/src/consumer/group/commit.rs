//! Committing offsets: what a member, or who administrates a group, tells the coordinator.

use std::collections::BTreeMap;

use protocol::Uuid;
use protocol::messages::OffsetCommitRequest;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};

use super::member::Identity;
use crate::connection::Connection;
use crate::consumer::{GroupOptions, Place};
use crate::error::{ClientError, check};

/// Topics go by their names up to this version of OffsetCommit, and by their ids after it.
pub(crate) const COMMIT_BY_NAME_MAX: i16 = 9;

/// The ids of topics by their names, as far as they are known.
pub(super) type TopicIds<'a> = BTreeMap<&'a str, Uuid>;

/// Commits the next offsets to read.
pub(super) async fn commit(
    connection: &Connection,
    options: &GroupOptions,
    identity: Identity,
    offsets: &[(Place, i64)],
    ids: &TopicIds<'_>,
) -> Result<(), ClientError> {
    let has_all_ids = offsets.iter().all(|((topic, _), _)| ids.contains_key(topic.as_str()));
    let mut topics = commit_topics(offsets);
    for topic in &mut topics {
        topic.topic_id = ids.get(topic.name.as_str()).copied().unwrap_or_default();
    }
    let request = OffsetCommitRequest {
        group_id: options.group_id.clone(),
        generation_id_or_member_epoch: identity.epoch,
        member_id: identity.member_id,
        group_instance_id: options.instance_id.clone(),
        topics,
        ..OffsetCommitRequest::default()
    };
    let version_max = if has_all_ids { i16::MAX } else { COMMIT_BY_NAME_MAX };
    let response = connection.call_up_to(&request, version_max).await?;
    let mut answers = response.topics.iter().flat_map(|topic| &topic.partitions);
    answers.try_for_each(|partition| check(partition.error_code, None))
}

/// Offsets as a commit names them.
pub(crate) fn commit_topics(offsets: &[(Place, i64)]) -> Vec<OffsetCommitRequestTopic> {
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for ((topic, partition), offset) in offsets {
        topics.entry(topic).or_default().push(OffsetCommitRequestPartition {
            partition_index: *partition,
            committed_offset: *offset,
            committed_leader_epoch: -1,
            committed_metadata: Some(String::new()),
        });
    }
    let topic = |(name, partitions): (&str, Vec<_>)| OffsetCommitRequestTopic {
        name: name.to_owned(),
        partitions,
        ..OffsetCommitRequestTopic::default()
    };
    topics.into_iter().map(topic).collect()
}
