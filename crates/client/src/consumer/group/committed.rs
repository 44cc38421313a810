//! The offsets that a group has committed.

use std::collections::BTreeMap;

use protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};

use super::{Assigned, Place};
use crate::connection::Connection;
use crate::error::{ClientError, check};

/// Topics go by their names up to this version of OffsetFetch.
const VERSION_MAX: i16 = 9;
/// From this version on a request asks for several groups (KIP-709).
const GROUPS_FROM: i16 = 8;

/// The committed offset of each place; none where nothing was ever committed.
pub(super) async fn fetch(
    connection: &Connection,
    group_id: &str,
    places: &[Place],
) -> Result<Assigned, ClientError> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let version = connection.version::<OffsetFetchRequest>(VERSION_MAX)?;
    let response = connection.call_up_to(&request(group_id, places, version), VERSION_MAX).await?;
    let offsets = read(response)?;
    let offset = |place: &Place| offsets.get(place).copied().filter(|offset| *offset >= 0);
    Ok(places.iter().map(|place| (place.clone(), offset(place))).collect())
}

fn request(group_id: &str, places: &[Place], version: i16) -> OffsetFetchRequest {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in places {
        topics.entry(topic.clone()).or_default().push(*partition);
    }
    if version < GROUPS_FROM {
        let topic = |(name, partition_indexes)| OffsetFetchRequestTopic { name, partition_indexes };
        return OffsetFetchRequest {
            group_id: group_id.to_owned(),
            topics: Some(topics.into_iter().map(topic).collect()),
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
        topics: Some(topics.into_iter().map(topic).collect()),
        ..OffsetFetchRequestGroup::default()
    };
    OffsetFetchRequest { groups: vec![group], ..OffsetFetchRequest::default() }
}

fn read(response: OffsetFetchResponse) -> Result<BTreeMap<Place, i64>, ClientError> {
    check(response.error_code, None)?;
    let mut offsets = BTreeMap::new();
    for topic in response.topics {
        for partition in topic.partitions {
            check(partition.error_code, None)?;
            offsets.insert((topic.name.clone(), partition.partition_index), partition.committed_offset);
        }
    }
    for group in response.groups {
        check(group.error_code, None)?;
        for topic in group.topics {
            for partition in topic.partitions {
                check(partition.error_code, None)?;
                offsets.insert((topic.name.clone(), partition.partition_index), partition.committed_offset);
            }
        }
    }
    Ok(offsets)
}
