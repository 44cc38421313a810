//! ListOffsets (KIP-79, KIP-320, KIP-734, KIP-405, KIP-1005, KIP-1023).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use storage::{Log, OffsetSpec, TimestampOffset};

use super::{Call, Handle};
use crate::Broker;
use crate::net::Started;

const READ_COMMITTED: i8 = 1;
/// The first version that says in which leader's epoch a record was written.
const LEADER_EPOCH_SINCE: i16 = 4;
/// Up to where a record is not yet in other storage; there is none.
const EARLIEST_PENDING_UPLOAD: i64 = -6;

impl Handle for ListOffsetsRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let (broker, version) = (Arc::clone(broker), call.version);
        call.working(async move {
            let (topics, kept) = (self.topics.clone(), Arc::clone(&broker));
            // Looking for a time may wait for the disk.
            let asked = tokio::task::spawn_blocking(move || list(&kept, &self, version)).await;
            let topics = asked.unwrap_or_else(|_| topics.iter().map(failed).collect());
            ListOffsetsResponse { topics, ..Default::default() }
        })
    }
}

fn failed(topic: &ListOffsetsTopic) -> ListOffsetsTopicResponse {
    let partitions = topic.partitions.iter();
    let failed = |asked: &ListOffsetsPartition| refused(asked, ErrorCode::UnknownServerError);
    ListOffsetsTopicResponse { name: topic.name.clone(), partitions: partitions.map(failed).collect() }
}

fn list(broker: &Broker, request: &ListOffsetsRequest, version: i16) -> Vec<ListOffsetsTopicResponse> {
    let mut twice = asked_twice(request);
    let mut partition = |topic: &ListOffsetsTopic, asked: &ListOffsetsPartition| {
        match twice.get_mut(&(topic.name.clone(), asked.partition_index)) {
            None => {}
            Some(true) => return None,
            Some(is_answered) => {
                *is_answered = true;
                return Some(refused(asked, ErrorCode::InvalidRequest));
            }
        }
        let found = find(broker, &topic.name, asked, request.isolation_level, version);
        let found = found.unwrap_or_else(|error| refused(asked, error));
        let leader_epoch = if version >= LEADER_EPOCH_SINCE { found.leader_epoch } else { -1 };
        Some(ListOffsetsPartitionResponse { leader_epoch, ..found })
    };
    let topics = request.topics.iter().map(|topic| ListOffsetsTopicResponse {
        name: topic.name.clone(),
        partitions: topic.partitions.iter().filter_map(|asked| partition(topic, asked)).collect(),
    });
    topics.filter(|topic| !topic.partitions.is_empty()).collect()
}

/// Partitions that are named more than once, none of which is answered yet.
fn asked_twice(request: &ListOffsetsRequest) -> HashMap<(String, i32), bool> {
    let mut seen = HashSet::new();
    let all = request
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|asked| (topic.name.clone(), asked.partition_index)));
    all.filter_map(|partition| (!seen.insert(partition.clone())).then_some((partition, false))).collect()
}

fn refused(asked: &ListOffsetsPartition, error: ErrorCode) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse {
        partition_index: asked.partition_index,
        error_code: error.code(),
        ..Default::default()
    }
}

fn find(
    broker: &Broker,
    topic: &str,
    asked: &ListOffsetsPartition,
    isolation_level: i8,
    version: i16,
) -> Result<ListOffsetsPartitionResponse, ErrorCode> {
    let spec = spec_of(asked.timestamp, version)?;
    let partition = broker.partition_by_name(topic, asked.partition_index)?;
    partition.check_claimed_epoch(asked.current_leader_epoch)?;
    let found = match spec {
        Some(spec) => look_up(&partition.log, spec, isolation_level)?,
        None => None,
    };
    let mut response =
        ListOffsetsPartitionResponse { partition_index: asked.partition_index, ..Default::default() };
    if let Some(TimestampOffset { timestamp, offset, leader_epoch }) = found {
        (response.timestamp, response.offset, response.leader_epoch) = (timestamp, offset, leader_epoch);
    }
    Ok(response)
}

/// What the number stands for. None for what is never found.
fn spec_of(timestamp: i64, version: i16) -> Result<Option<OffsetSpec>, ErrorCode> {
    let (spec, since) = match timestamp {
        -1 => (Some(OffsetSpec::Latest), 1),
        -2 => (Some(OffsetSpec::Earliest), 1),
        -3 => (Some(OffsetSpec::MaxTimestamp), 7),
        -4 => (Some(OffsetSpec::EarliestLocal), 8),
        -5 => (Some(OffsetSpec::LatestTiered), 9),
        EARLIEST_PENDING_UPLOAD => (None, 11),
        timestamp if timestamp >= 0 => (Some(OffsetSpec::Timestamp(timestamp)), 1),
        _ => return Err(ErrorCode::UnsupportedVersion),
    };
    if version >= since { Ok(spec) } else { Err(ErrorCode::UnsupportedVersion) }
}

/// Finds the offset, and hides what this reader may not see.
fn look_up(log: &Log, spec: OffsetSpec, isolation_level: i8) -> Result<Option<TimestampOffset>, ErrorCode> {
    let end = if isolation_level == READ_COMMITTED { log.last_stable_offset() } else { log.high_watermark() };
    let found = log.offset_for_timestamp(spec).map_err(|error| error.code())?;
    Ok(match spec {
        OffsetSpec::Latest => found.map(|found| TimestampOffset { offset: end, ..found }),
        OffsetSpec::Timestamp(_) | OffsetSpec::MaxTimestamp => found.filter(|found| found.offset < end),
        _ => found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_means_something_only_from_its_version_on() {
        assert_eq!(spec_of(-3, 6), Err(ErrorCode::UnsupportedVersion));
        assert_eq!(spec_of(-3, 7), Ok(Some(OffsetSpec::MaxTimestamp)));
        assert_eq!(spec_of(-6, 10), Err(ErrorCode::UnsupportedVersion));
        assert_eq!(spec_of(-6, 11), Ok(None));
        assert_eq!(spec_of(-7, 11), Err(ErrorCode::UnsupportedVersion));
        assert_eq!(spec_of(0, 1), Ok(Some(OffsetSpec::Timestamp(0))));
    }
}
