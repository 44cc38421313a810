//! Requests as a client of today sends them, and their answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use coordinator::{Caller, Reply, Request};
use protocol::ErrorCode;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, OffsetCommitRequest, SyncGroupRequest,
};
use server::groups::Groups;

pub const SESSION_MS: i32 = 10_000;
pub const REBALANCE_MS: i32 = 60_000;
pub const LOADING: i16 = ErrorCode::CoordinatorLoadInProgress as i16;

static DRAWN: AtomicU64 = AtomicU64::new(1);

/// A client of one group.
#[derive(Clone)]
pub struct Client {
    pub groups: Arc<Groups>,
    pub group: String,
}

impl Client {
    pub fn of(groups: &Arc<Groups>, group: &str) -> Client {
        Client { groups: groups.clone(), group: group.to_owned() }
    }

    async fn ask(&self, request: Request) -> Result<Reply, ErrorCode> {
        self.groups.ask(request).await
    }

    /// Waits until the group's partition is loaded.
    pub async fn is_served(&self) {
        while self.fetch_result(0).await.0 == LOADING {
            tokio::task::yield_now().await;
        }
    }

    pub async fn join(&self, member_id: &str) -> JoinGroupResponse {
        let random = u128::from(DRAWN.fetch_add(1, Ordering::Relaxed));
        let caller = Caller { client_id: "c".to_owned(), client_host: "/127.0.0.1".to_owned(), random };
        let request = JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: SESSION_MS,
            rebalance_timeout_ms: REBALANCE_MS,
            member_id: member_id.to_owned(),
            protocol_type: "consumer".to_owned(),
            protocols: vec![JoinGroupRequestProtocol {
                name: "range".to_owned(),
                metadata: Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\0\0\0\0"),
            }],
            ..JoinGroupRequest::default()
        };
        match self.ask(Request::JoinGroup { version: 9, caller, request }).await {
            Ok(Reply::JoinGroup(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    /// Joins as a new member, which is given an id first.
    pub async fn join_anew(&self) -> JoinGroupResponse {
        let given = self.join("").await;
        assert_eq!(given.error_code, ErrorCode::MemberIdRequired as i16);
        self.join(&given.member_id).await
    }

    /// What the member is assigned; the leader assigns to each of these members its own id.
    pub async fn sync(&self, joined: &JoinGroupResponse) -> Result<Bytes, i16> {
        let assignments = joined.members.iter().map(|member| SyncGroupRequestAssignment {
            member_id: member.member_id.clone(),
            assignment: Bytes::from(member.member_id.clone()),
        });
        let request = SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            protocol_type: Some("consumer".to_owned()),
            protocol_name: Some("range".to_owned()),
            assignments: assignments.collect(),
            ..SyncGroupRequest::default()
        };
        match self.ask(Request::SyncGroup { version: 5, request }).await {
            Ok(Reply::SyncGroup(response)) if response.error_code == 0 => Ok(response.assignment),
            Ok(Reply::SyncGroup(response)) => Err(response.error_code),
            other => panic!("{other:?}"),
        }
    }

    pub async fn heartbeat(&self, member_id: &str, generation_id: i32) -> i16 {
        let request = HeartbeatRequest {
            group_id: self.group.clone(),
            generation_id,
            member_id: member_id.to_owned(),
            group_instance_id: None,
        };
        match self.ask(Request::Heartbeat(request)).await {
            Ok(Reply::Heartbeat(response)) => response.error_code,
            other => panic!("{other:?}"),
        }
    }

    /// Commits as a client that manages itself.
    pub async fn commit(&self, offset: i64) -> i16 {
        self.commit_as("", -1, offset).await
    }

    pub async fn commit_as(&self, member_id: &str, generation: i32, offset: i64) -> i16 {
        let request = self.commit_request(member_id, generation, offset);
        match self.ask(Request::OffsetCommit { version: 9, request }).await {
            Ok(Reply::OffsetCommit(response)) => response.topics[0].partitions[0].error_code,
            other => panic!("{other:?}"),
        }
    }

    pub fn commit_request(&self, member_id: &str, generation: i32, offset: i64) -> OffsetCommitRequest {
        let partitions = vec![OffsetCommitRequestPartition {
            partition_index: 0,
            committed_offset: offset,
            committed_leader_epoch: 4,
            committed_metadata: Some("note".to_owned()),
        }];
        OffsetCommitRequest {
            group_id: self.group.clone(),
            generation_id_or_member_epoch: generation,
            member_id: member_id.to_owned(),
            topics: vec![OffsetCommitRequestTopic { name: "t".to_owned(), partitions, ..Default::default() }],
            ..OffsetCommitRequest::default()
        }
    }

    /// The committed offset.
    pub async fn fetch(&self) -> i64 {
        let (error, offset) = self.fetch_result(0).await;
        assert_eq!(error, 0);
        offset
    }

    /// The error and the committed offset.
    pub async fn fetch_result(&self, partition: i32) -> (i16, i64) {
        let topics = vec![OffsetFetchRequestTopics {
            name: "t".to_owned(),
            partition_indexes: vec![partition],
            ..OffsetFetchRequestTopics::default()
        }];
        let request = OffsetFetchRequestGroup {
            group_id: self.group.clone(),
            topics: Some(topics),
            ..OffsetFetchRequestGroup::default()
        };
        match self.ask(Request::OffsetFetch(request)).await {
            Ok(Reply::OffsetFetch(group)) => {
                (group.error_code, group.topics[0].partitions[0].committed_offset)
            }
            other => panic!("{other:?}"),
        }
    }
}
