//! Turning "the oldest" and "the next to come" into offsets.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::ErrorCode;

use super::{ConsumerOptions, Place, Position, Start};
use crate::admin::{OffsetSpec, list_offsets};
use crate::cluster::Cluster;
use crate::error::ClientError;

/// Looks up every position that is not an offset yet.
pub(super) async fn resolve(
    cluster: &mut Cluster,
    options: &ConsumerOptions,
    positions: &mut BTreeMap<Place, Position>,
) -> Result<(), ClientError> {
    refuse_what_is_nowhere(positions)?;
    for (place, position) in positions.iter_mut() {
        if let Position::Unresolved(start) = *position {
            *position = Position::At(offset(cluster, options, place, start).await?);
        }
    }
    Ok(())
}

/// No reset policy is one too: then there must be an offset.
fn refuse_what_is_nowhere(positions: &BTreeMap<Place, Position>) -> Result<(), ClientError> {
    let nowhere = positions.iter().filter(|(_, position)| **position == Position::Unresolved(Start::Nowhere));
    let names: Vec<String> = nowhere.map(|((topic, partition), _)| format!("{topic}-{partition}")).collect();
    if names.is_empty() { Ok(()) } else { Err(ClientError::NoOffset(names)) }
}

/// The time that was so long ago, in milliseconds since 1970.
fn ago(duration: Duration) -> i64 {
    let then = SystemTime::now().checked_sub(duration).unwrap_or(UNIX_EPOCH);
    i64::try_from(then.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

async fn offset(
    cluster: &mut Cluster,
    options: &ConsumerOptions,
    place: &Place,
    start: Start,
) -> Result<i64, ClientError> {
    let spec = match start {
        Start::At(offset) => return Ok(offset),
        Start::Latest => OffsetSpec::Latest,
        Start::Earliest => OffsetSpec::Earliest,
        Start::Since(duration) => OffsetSpec::Timestamp(ago(duration)),
        Start::Nowhere => return Err(ClientError::NoOffset(vec![format!("{}-{}", place.0, place.1)])),
    };
    match look_up(cluster, options, place, spec).await? {
        // All records are older.
        -1 => look_up(cluster, options, place, OffsetSpec::Latest).await,
        offset => Ok(offset),
    }
}

async fn look_up(
    cluster: &mut Cluster,
    options: &ConsumerOptions,
    place: &Place,
    spec: OffsetSpec,
) -> Result<i64, ClientError> {
    let (topic, partition) = place;
    let known = cluster.partitions(topic, true).await?;
    let leader = known.iter().find(|known| known.partition == *partition).map(|known| known.leader);
    let leader = leader.ok_or_else(|| ClientError::refused(ErrorCode::UnknownTopicOrPartition))?;
    let connection = cluster.node(leader).await?;
    let answers = list_offsets(&connection, &[(place.clone(), spec)], options.read_committed).await?;
    let (_, answer) =
        answers.into_iter().next().ok_or_else(|| ClientError::refused(ErrorCode::UnknownServerError))?;
    Ok(answer?.offset)
}
