//! What is asked of a coordinator, and what it answers: Kafka's messages, one group at a time.

use protocol::ErrorCode;
use protocol::messages::delete_groups_response::DeletableGroupResult;
use protocol::messages::describe_groups_response::DescribedGroup;
use protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse, OffsetCommitRequest, OffsetCommitResponse,
    OffsetDeleteRequest, OffsetDeleteResponse, SyncGroupRequest, SyncGroupResponse,
};

/// Who sends a JoinGroup, and the random number that its member id may need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// From the request's header; empty if it has none.
    pub client_id: String,
    /// The client's address as Kafka writes it, as `/127.0.0.1`.
    pub client_host: String,
    /// 128 random bits, fresh for each request.
    pub random: u128,
}

/// A request for one group, or for all groups of the partition. Where a message names several groups the shell asks once a group.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Answered by [`Reply::JoinGroup`], perhaps after a rebalance.
    JoinGroup {
        /// The request's version.
        version: i16,
        /// Who sends it.
        caller: Caller,
        /// The message.
        request: JoinGroupRequest,
    },
    /// Answered by [`Reply::SyncGroup`], perhaps after the leader's own.
    SyncGroup {
        /// The request's version.
        version: i16,
        /// The message.
        request: SyncGroupRequest,
    },
    /// Answered by [`Reply::Heartbeat`].
    Heartbeat(HeartbeatRequest),
    /// Answered by [`Reply::LeaveGroup`].
    LeaveGroup {
        /// The request's version.
        version: i16,
        /// The message.
        request: LeaveGroupRequest,
    },
    /// Answered by [`Reply::OffsetCommit`]. From version 10 on the shell fills in the name that belongs to each topic id, and
    /// below that the id that belongs to each name if it knows one; topics which it does not know, it answers itself.
    OffsetCommit {
        /// The request's version.
        version: i16,
        /// The message.
        request: OffsetCommitRequest,
    },
    /// Answered by [`Reply::OffsetFetch`]; see [`offset_fetch_groups`](crate::offset_fetch_groups). Names are filled in as for OffsetCommit.
    OffsetFetch(OffsetFetchRequestGroup),
    /// Answered by [`Reply::OffsetDelete`].
    OffsetDelete(OffsetDeleteRequest),
    /// Answered by [`Reply::DescribeGroup`].
    DescribeGroup {
        /// The version of the DescribeGroups request.
        version: i16,
        /// Which group.
        group_id: String,
    },
    /// Answered by [`Reply::ListGroups`] with the groups of this partition.
    ListGroups(ListGroupsRequest),
    /// Answered by [`Reply::DeleteGroup`].
    DeleteGroup {
        /// Which group.
        group_id: String,
    },
    /// No client's: topics were deleted, and all groups of the partition forget what they committed for them. Answered by
    /// [`Reply::TopicsDeleted`].
    TopicsDeleted {
        /// Their names.
        topics: Vec<String>,
    },
}

impl Request {
    /// The group that is asked for; none if it is all groups of the partition.
    pub fn group_id(&self) -> Option<&str> {
        match self {
            Request::JoinGroup { request, .. } => Some(&request.group_id),
            Request::SyncGroup { request, .. } => Some(&request.group_id),
            Request::Heartbeat(request) => Some(&request.group_id),
            Request::LeaveGroup { request, .. } => Some(&request.group_id),
            Request::OffsetCommit { request, .. } => Some(&request.group_id),
            Request::OffsetFetch(request) => Some(&request.group_id),
            Request::OffsetDelete(request) => Some(&request.group_id),
            Request::DescribeGroup { group_id, .. } | Request::DeleteGroup { group_id } => Some(group_id),
            Request::ListGroups(_) | Request::TopicsDeleted { .. } => None,
        }
    }
}

/// The answer to a [`Request`]; ready to be encoded in the version of the request.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each is the answer to the request of the same name")]
pub enum Reply {
    JoinGroup(JoinGroupResponse),
    SyncGroup(SyncGroupResponse),
    Heartbeat(HeartbeatResponse),
    LeaveGroup(LeaveGroupResponse),
    OffsetCommit(OffsetCommitResponse),
    OffsetFetch(OffsetFetchResponseGroup),
    OffsetDelete(OffsetDeleteResponse),
    DescribeGroup(DescribedGroup),
    ListGroups(ListGroupsResponse),
    DeleteGroup(DeletableGroupResult),
    TopicsDeleted(ErrorCode),
}
