//! OffsetCommit: who may commit, and what becomes of it.

use protocol::ErrorCode;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};

use crate::group::{Group, Phase};
use crate::turn::Turn;
use crate::{CommittedOffset, LiveGroups, Record, Reply};

/// From this version on, a member of a group that does not exist is told so.
const GROUP_ID_NOT_FOUND_FROM: i16 = 9;
/// Stands for the broker's own retention.
const NO_RETENTION: i64 = -1;

impl Group {
    /// Whether this commit is one of a member of this generation, or of a client that manages itself and no member is there.
    /// During a rebalance members may still commit what they have read, until the new generation is known to them.
    fn check_commit(&self, request: &OffsetCommitRequest) -> Result<(), ErrorCode> {
        let generation = request.generation_id_or_member_epoch;
        let instance_id = request.group_instance_id.as_deref();
        if generation < 0 && self.phase == Phase::Empty {
            return Ok(());
        }
        if generation < 0 && request.member_id.is_empty() && instance_id.is_none() {
            return Err(ErrorCode::UnknownMemberId);
        }
        self.check_member(&request.member_id, instance_id)?;
        if generation != self.generation {
            Err(ErrorCode::IllegalGeneration)
        } else if self.phase == Phase::CompletingRebalance {
            Err(ErrorCode::RebalanceInProgress)
        } else {
            Ok(())
        }
    }
}

impl LiveGroups {
    /// A commit also says that its member lives.
    pub(crate) fn commit(&mut self, version: i16, request: OffsetCommitRequest, turn: &mut Turn) -> Reply {
        if let Err(error) = self.check_commit(version, &request) {
            return Reply::OffsetCommit(commit_error(&request, error));
        }
        if let Some(group) = self.groups.get_mut(request.group_id.as_str()) {
            group.hear_of(&request.member_id, turn);
        }
        let (response, records) = decide_offsets(&request, turn);
        if records.iter().map(Record::offset_bytes_min).sum::<usize>() > turn.settings.batch_bytes_max {
            return Reply::OffsetCommit(commit_error(&request, ErrorCode::InvalidCommitOffsetSize));
        }
        if !records.is_empty() && !self.groups.contains_key(request.group_id.as_str()) {
            let id: std::sync::Arc<str> = request.group_id.into();
            self.groups.insert(id.clone(), Group::new(id, turn.now.wall_ms));
        }
        records.into_iter().for_each(|record| turn.append(record));
        Reply::OffsetCommit(response)
    }

    fn check_commit(&self, version: i16, request: &OffsetCommitRequest) -> Result<(), ErrorCode> {
        match self.groups.get(request.group_id.as_str()) {
            Some(group) => group.check_commit(request),
            None if request.generation_id_or_member_epoch < 0 => Ok(()),
            None if version >= GROUP_ID_NOT_FOUND_FROM => Err(ErrorCode::GroupIdNotFound),
            None => Err(ErrorCode::IllegalGeneration),
        }
    }
}

fn decide_offsets(request: &OffsetCommitRequest, turn: &Turn) -> (OffsetCommitResponse, Vec<Record>) {
    let mut records = Vec::new();
    let response = each_partition(request, |topic, partition| {
        let metadata = partition.committed_metadata.as_deref().unwrap_or_default();
        if metadata.encode_utf16().count() > turn.settings.offset_metadata_max {
            return ErrorCode::OffsetMetadataTooLarge;
        }
        records.push(Record::Offset {
            group_id: request.group_id.clone(),
            topic: topic.name.clone(),
            partition: partition.partition_index,
            value: Some(committed(request, topic, partition, turn.now.wall_ms)),
        });
        ErrorCode::None
    });
    (response, records)
}

fn committed(
    request: &OffsetCommitRequest,
    topic: &OffsetCommitRequestTopic,
    partition: &OffsetCommitRequestPartition,
    now_ms: i64,
) -> CommittedOffset {
    let retention_ms = Some(request.retention_time_ms).filter(|retention_ms| *retention_ms != NO_RETENTION);
    CommittedOffset {
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata.clone().unwrap_or_default(),
        commit_timestamp_ms: now_ms,
        expire_timestamp_ms: retention_ms.map(|retention_ms| now_ms.saturating_add(retention_ms)),
        topic_id: topic.topic_id,
    }
}

/// The answer that says this error of every partition.
pub(crate) fn commit_error(request: &OffsetCommitRequest, error: ErrorCode) -> OffsetCommitResponse {
    each_partition(request, |_, _| error)
}

fn each_partition(
    request: &OffsetCommitRequest,
    mut decide: impl FnMut(&OffsetCommitRequestTopic, &OffsetCommitRequestPartition) -> ErrorCode,
) -> OffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| OffsetCommitResponsePartition {
            partition_index: partition.partition_index,
            error_code: decide(topic, partition).code(),
        });
        let partitions = partitions.collect();
        OffsetCommitResponseTopic { name: topic.name.clone(), topic_id: topic.topic_id, partitions }
    });
    OffsetCommitResponse { topics: topics.collect(), ..OffsetCommitResponse::default() }
}
