//! Which error a client is told when the coordinator cannot do what it decided, or cannot decide.

use protocol::ErrorCode;
use protocol::messages::delete_groups_response::DeletableGroupResult;
use protocol::messages::describe_groups_response::DescribedGroup;
use protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use protocol::messages::{
    HeartbeatResponse, JoinGroupResponse, LeaveGroupResponse, ListGroupsResponse, OffsetCommitResponse,
    OffsetDeleteResponse, SyncGroupResponse,
};

use crate::group::{join_error, sync_error};
use crate::offsets::{commit_error, fetch_error};
use crate::{Reply, Request};

/// From this version on, DescribeGroups says that a group does not exist; before, such a group is dead (KIP-1043).
const DESCRIBE_UNKNOWN_FROM: i16 = 6;

/// The error of an append, as members of groups are told it: they find the coordinator again, or try again.
pub(super) fn of_group_append(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::NotEnoughReplicasAfterAppend
        | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge | ErrorCode::InvalidFetchSize => {
            ErrorCode::UnknownServerError
        }
        other => other,
    }
}

fn of_offset_append(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge | ErrorCode::InvalidFetchSize => {
            ErrorCode::InvalidCommitOffsetSize
        }
        other => of_group_append(other),
    }
}

/// The answer to a request that was not decided.
pub(super) fn refusal(request: Request, error: ErrorCode) -> Reply {
    match request {
        Request::JoinGroup { version, request, .. } => {
            Reply::JoinGroup(join_error(version, &request.member_id, error))
        }
        Request::SyncGroup { .. } => Reply::SyncGroup(sync_error(error)),
        Request::Heartbeat(_) => Reply::Heartbeat(heartbeat_refusal(error)),
        Request::LeaveGroup { .. } => {
            Reply::LeaveGroup(LeaveGroupResponse { error_code: error.code(), ..Default::default() })
        }
        Request::OffsetCommit { request, .. } => Reply::OffsetCommit(commit_error(&request, error)),
        Request::OffsetFetch(request) => Reply::OffsetFetch(fetch_error(request, error)),
        Request::OffsetDelete(_) => {
            Reply::OffsetDelete(OffsetDeleteResponse { error_code: error.code(), ..Default::default() })
        }
        Request::DescribeGroup { group_id, .. } => {
            Reply::DescribeGroup(DescribedGroup { group_id, error_code: error.code(), ..Default::default() })
        }
        Request::ListGroups(_) => Reply::ListGroups(list_error(error.code())),
        Request::DeleteGroup { group_id } => Reply::DeleteGroup(deletion(group_id, error)),
        Request::TopicsDeleted { .. } => Reply::TopicsDeleted(error),
    }
}

/// A member keeps its session while the coordinator loads.
fn heartbeat_refusal(error: ErrorCode) -> HeartbeatResponse {
    let error = if error == ErrorCode::CoordinatorLoadInProgress { ErrorCode::None } else { error };
    HeartbeatResponse { error_code: error.code(), ..HeartbeatResponse::default() }
}

/// An answer that was decided, turned into one that says it did not last. Refusals stay what they are.
pub(super) fn failed(reply: Reply, error: ErrorCode) -> Reply {
    let code = of_group_append(error).code();
    match reply {
        Reply::JoinGroup(reply) => Reply::JoinGroup(failed_join(reply, code)),
        Reply::SyncGroup(_) => {
            Reply::SyncGroup(SyncGroupResponse { error_code: code, ..SyncGroupResponse::default() })
        }
        Reply::Heartbeat(_) => Reply::Heartbeat(HeartbeatResponse { error_code: code, ..Default::default() }),
        Reply::LeaveGroup(_) => {
            Reply::LeaveGroup(LeaveGroupResponse { error_code: code, ..Default::default() })
        }
        Reply::OffsetCommit(reply) => {
            Reply::OffsetCommit(failed_commit(reply, of_offset_append(error).code()))
        }
        Reply::OffsetFetch(reply) => {
            Reply::OffsetFetch(OffsetFetchResponseGroup { error_code: code, ..reply })
        }
        Reply::OffsetDelete(_) => {
            Reply::OffsetDelete(OffsetDeleteResponse { error_code: code, ..Default::default() })
        }
        Reply::DescribeGroup(reply) => Reply::DescribeGroup(DescribedGroup {
            group_id: reply.group_id,
            error_code: code,
            ..Default::default()
        }),
        Reply::ListGroups(_) => Reply::ListGroups(list_error(code)),
        Reply::DeleteGroup(reply) => Reply::DeleteGroup(DeletableGroupResult { error_code: code, ..reply }),
        Reply::TopicsDeleted(_) => Reply::TopicsDeleted(of_group_append(error)),
    }
}

fn list_error(error_code: i16) -> ListGroupsResponse {
    ListGroupsResponse { error_code, ..ListGroupsResponse::default() }
}

fn failed_join(reply: JoinGroupResponse, code: i16) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code: code,
        protocol_name: reply.protocol_name.map(|_| String::new()),
        member_id: reply.member_id,
        ..JoinGroupResponse::default()
    }
}

fn failed_commit(mut reply: OffsetCommitResponse, code: i16) -> OffsetCommitResponse {
    let partitions = reply.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    partitions
        .filter(|partition| partition.error_code == 0)
        .for_each(|partition| partition.error_code = code);
    reply
}

pub(super) fn no_such_group(version: i16, group_id: String) -> DescribedGroup {
    let is_error = version >= DESCRIBE_UNKNOWN_FROM;
    DescribedGroup {
        error_code: if is_error { ErrorCode::GroupIdNotFound.code() } else { 0 },
        error_message: is_error.then(|| format!("Group {group_id} not found.")),
        group_state: "Dead".to_owned(),
        group_id,
        ..DescribedGroup::default()
    }
}

pub(crate) fn deletion(group_id: String, error: ErrorCode) -> DeletableGroupResult {
    DeletableGroupResult { group_id, error_code: error.code(), ..DeletableGroupResult::default() }
}
