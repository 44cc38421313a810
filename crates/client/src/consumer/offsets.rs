//! Turning "the oldest" and "the next to come" into offsets.

use std::collections::BTreeMap;

use protocol::ErrorCode;
use protocol::messages::ListOffsetsRequest;
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;

use super::{ConsumerOptions, Place, Position, Start};
use crate::cluster::Cluster;
use crate::error::{ClientError, check};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// Looks up every position that is not an offset yet.
pub(super) async fn resolve(
    cluster: &mut Cluster,
    options: &ConsumerOptions,
    positions: &mut BTreeMap<Place, Position>,
) -> Result<(), ClientError> {
    for (place, position) in positions.iter_mut() {
        if let Position::Unresolved(start) = *position {
            *position = Position::At(offset(cluster, options, place, start).await?);
        }
    }
    Ok(())
}

async fn offset(
    cluster: &mut Cluster,
    options: &ConsumerOptions,
    place: &Place,
    start: Start,
) -> Result<i64, ClientError> {
    let timestamp = match start {
        Start::At(offset) => return Ok(offset),
        Start::Latest => LATEST,
        Start::Earliest => EARLIEST,
    };
    let (topic, partition) = place;
    let known = cluster.partitions(topic, true).await?;
    let leader = known.iter().find(|known| known.partition == *partition).map(|known| known.leader);
    let leader = leader.ok_or_else(|| ClientError::refused(ErrorCode::UnknownTopicOrPartition))?;
    let asked =
        ListOffsetsPartition { partition_index: *partition, timestamp, ..ListOffsetsPartition::default() };
    let request = ListOffsetsRequest {
        replica_id: -1,
        isolation_level: i8::from(options.read_committed),
        topics: vec![ListOffsetsTopic { name: topic.clone(), partitions: vec![asked] }],
        ..ListOffsetsRequest::default()
    };
    let response = cluster.node(leader).await?.call(&request).await?;
    let answer = response.topics.into_iter().flat_map(|topic| topic.partitions).next();
    let answer: ListOffsetsPartitionResponse =
        answer.ok_or_else(|| ClientError::refused(ErrorCode::UnknownServerError))?;
    check(answer.error_code, None)?;
    Ok(answer.offset)
}
