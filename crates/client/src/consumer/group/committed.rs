//! The offsets that a group has committed.

use std::collections::BTreeMap;

use protocol::Uuid;
use protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};

use super::Place;
use super::member::{Identity, TopicNames};
use crate::connection::Connection;
use crate::error::{ClientError, check};

/// Topics go by their names up to this version of OffsetFetch, and by their ids after it.
const BY_NAME_MAX: i16 = 9;
/// From this version on a request asks for several groups (KIP-709).
const GROUPS_FROM: i16 = 8;

/// An offset that a group has committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next offset to read.
    pub offset: i64,
    /// The epoch of the leader when it was committed, if the member told it.
    pub leader_epoch: Option<i32>,
}

/// What the group has committed for these places, or for all.
pub(crate) async fn fetch(
    connection: &Connection,
    group_id: &str,
    places: Option<&[Place]>,
) -> Result<BTreeMap<Place, CommittedOffset>, ClientError> {
    if places.is_some_and(<[Place]>::is_empty) {
        return Ok(BTreeMap::new());
    }
    let version = connection.version::<OffsetFetchRequest>(BY_NAME_MAX)?;
    let response = connection.call_up_to(&request(group_id, places, version), BY_NAME_MAX).await?;
    read(response, &TopicNames::new())
}

/// The same for a member whose epoch the coordinator checks, so that it is not told of a place that is another's by now.
pub(super) async fn fetch_as(
    connection: &Connection,
    group_id: &str,
    identity: Identity,
    places: &[Place],
    names: &TopicNames,
) -> Result<BTreeMap<Place, CommittedOffset>, ClientError> {
    let version = connection.version::<OffsetFetchRequest>(i16::MAX)?;
    if !identity.is_by_epoch || version < GROUPS_FROM || places.is_empty() {
        return fetch(connection, group_id, Some(places)).await;
    }
    let mut request = request(group_id, Some(places), version);
    let id = |name: &str| names.iter().find(|(_, known)| *known == name).map(|(id, _)| *id);
    for group in &mut request.groups {
        group.member_id = Some(identity.member_id.clone());
        group.member_epoch = identity.epoch;
        for topic in group.topics.iter_mut().flatten() {
            topic.topic_id = id(&topic.name).unwrap_or_default();
        }
    }
    read(connection.call(&request).await?, names)
}

fn request(group_id: &str, places: Option<&[Place]>, version: i16) -> OffsetFetchRequest {
    let topics = places.map(|places| {
        let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in places {
            topics.entry(topic.clone()).or_default().push(*partition);
        }
        topics
    });
    if version < GROUPS_FROM {
        let topic = |(name, partition_indexes)| OffsetFetchRequestTopic { name, partition_indexes };
        return OffsetFetchRequest {
            group_id: group_id.to_owned(),
            topics: topics.map(|topics| topics.into_iter().map(topic).collect()),
            ..OffsetFetchRequest::default()
        };
    }
    let topic = |(name, partition_indexes)| OffsetFetchRequestTopics {
        name,
        partition_indexes,
        ..OffsetFetchRequestTopics::default()
    };
    let group = OffsetFetchRequestGroup {
        group_id: group_id.to_owned(),
        topics: topics.map(|topics| topics.into_iter().map(topic).collect()),
        ..OffsetFetchRequestGroup::default()
    };
    OffsetFetchRequest { groups: vec![group], ..OffsetFetchRequest::default() }
}

fn read(
    response: OffsetFetchResponse,
    names: &TopicNames,
) -> Result<BTreeMap<Place, CommittedOffset>, ClientError> {
    check(response.error_code, None)?;
    let mut offsets = BTreeMap::new();
    for topic in response.topics {
        for it in topic.partitions {
            check(it.error_code, None)?;
            let committed = known(it.committed_offset, it.committed_leader_epoch);
            offsets.extend(committed.map(|offset| ((topic.name.clone(), it.partition_index), offset)));
        }
    }
    for group in response.groups {
        check(group.error_code, None)?;
        for topic in group.topics {
            let name = name_of(topic.name, topic.topic_id, names);
            for it in topic.partitions {
                check(it.error_code, None)?;
                let committed = known(it.committed_offset, it.committed_leader_epoch);
                offsets.extend(committed.map(|offset| ((name.clone(), it.partition_index), offset)));
            }
        }
    }
    Ok(offsets)
}

/// What a topic is called that an answer names, or tells the id of.
fn name_of(name: String, id: Uuid, names: &TopicNames) -> String {
    if id.is_zero() { name } else { names.get(&id).cloned().unwrap_or(name) }
}

/// What the answer says of a partition; -1 stands for nothing in both.
fn known(offset: i64, leader_epoch: i32) -> Option<CommittedOffset> {
    let leader_epoch = (leader_epoch >= 0).then_some(leader_epoch);
    (offset >= 0).then_some(CommittedOffset { offset, leader_epoch })
}
