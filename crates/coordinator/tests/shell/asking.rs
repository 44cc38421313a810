//! Requests as a client of today sends them, and their answers.

use bytes::Bytes;
use coordinator::{Caller, Reply, Request};
use engine::Token;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, OffsetCommitRequest,
    SyncGroupRequest, SyncGroupResponse,
};

use super::Shell;

pub const GROUP: &str = "g";
pub const SESSION_MS: i32 = 10_000;
pub const REBALANCE_MS: i32 = 60_000;
const JOIN_VERSION: i16 = 9;

pub fn join_request(member_id: &str, instance_id: Option<&str>) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: GROUP.to_owned(),
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: REBALANCE_MS,
        member_id: member_id.to_owned(),
        group_instance_id: instance_id.map(str::to_owned),
        protocol_type: "consumer".to_owned(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "range".to_owned(),
            metadata: Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\0\0\0\0"),
        }],
        reason: None,
    }
}

impl Shell {
    pub fn send_join(&mut self, request: JoinGroupRequest) -> Token {
        self.drawn += 1;
        let caller =
            Caller { client_id: "c".to_owned(), client_host: "/127.0.0.1".to_owned(), random: self.drawn };
        self.send(Request::JoinGroup { version: JOIN_VERSION, caller, request })
    }

    /// An id for a new dynamic member.
    pub fn new_member_id(&mut self) -> String {
        let token = self.send_join(join_request("", None));
        let given = self.joined(token);
        assert_eq!(given.error_code, 79, "an id is to be used first");
        given.member_id
    }

    pub fn joined(&mut self, token: Token) -> JoinGroupResponse {
        match self.answer(token) {
            Some(Reply::JoinGroup(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    pub fn send_sync(&mut self, member_id: &str, generation_id: i32, assigned: &[(&str, &str)]) -> Token {
        let assignments = assigned.iter().map(|(member_id, assignment)| SyncGroupRequestAssignment {
            member_id: (*member_id).to_owned(),
            assignment: Bytes::copy_from_slice(assignment.as_bytes()),
        });
        let request = SyncGroupRequest {
            group_id: GROUP.to_owned(),
            generation_id,
            member_id: member_id.to_owned(),
            protocol_type: Some("consumer".to_owned()),
            protocol_name: Some("range".to_owned()),
            assignments: assignments.collect(),
            ..SyncGroupRequest::default()
        };
        self.send(Request::SyncGroup { version: 5, request })
    }

    pub fn synced(&mut self, token: Token) -> SyncGroupResponse {
        match self.answer(token) {
            Some(Reply::SyncGroup(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    pub fn heartbeat(&mut self, member_id: &str, generation_id: i32) -> i16 {
        let token = self.send_heartbeat(member_id, generation_id);
        match self.answer(token) {
            Some(Reply::Heartbeat(response)) => response.error_code,
            other => panic!("{other:?}"),
        }
    }

    pub fn send_heartbeat(&mut self, member_id: &str, generation_id: i32) -> Token {
        self.send(Request::Heartbeat(HeartbeatRequest {
            group_id: GROUP.to_owned(),
            generation_id,
            member_id: member_id.to_owned(),
            group_instance_id: None,
        }))
    }

    pub fn leave(&mut self, member_id: &str) {
        let members = vec![MemberIdentity { member_id: member_id.to_owned(), ..MemberIdentity::default() }];
        let request = LeaveGroupRequest { group_id: GROUP.to_owned(), members, ..Default::default() };
        let token = self.send(Request::LeaveGroup { version: 5, request });
        let Some(Reply::LeaveGroup(response)) = self.answer(token) else { panic!("no answer") };
        assert_eq!(response.members[0].error_code, 0);
    }

    pub fn send_commit(&mut self, member_id: &str, generation: i32, partition: i32, offset: i64) -> Token {
        let request = self.commit_request(member_id, generation, partition, offset);
        self.send(Request::OffsetCommit { version: 9, request })
    }

    pub fn commit_request(
        &self,
        member_id: &str,
        generation: i32,
        partition: i32,
        offset: i64,
    ) -> OffsetCommitRequest {
        let partitions = vec![OffsetCommitRequestPartition {
            partition_index: partition,
            committed_offset: offset,
            committed_leader_epoch: 4,
            committed_metadata: Some("note".to_owned()),
        }];
        let topics =
            vec![OffsetCommitRequestTopic { name: "t".to_owned(), partitions, ..Default::default() }];
        OffsetCommitRequest {
            group_id: GROUP.to_owned(),
            generation_id_or_member_epoch: generation,
            member_id: member_id.to_owned(),
            topics,
            ..OffsetCommitRequest::default()
        }
    }

    pub fn committed(&mut self, token: Token) -> i16 {
        match self.answer(token) {
            Some(Reply::OffsetCommit(response)) => response.topics[0].partitions[0].error_code,
            other => panic!("{other:?}"),
        }
    }

    pub fn send_fetch(&mut self, partition: i32) -> Token {
        let request = self.fetch_request(partition);
        self.send(Request::OffsetFetch(request))
    }

    pub fn fetch_request(&self, partition: i32) -> OffsetFetchRequestGroup {
        let topics = vec![OffsetFetchRequestTopics {
            name: "t".to_owned(),
            partition_indexes: vec![partition],
            ..OffsetFetchRequestTopics::default()
        }];
        OffsetFetchRequestGroup {
            group_id: GROUP.to_owned(),
            topics: Some(topics),
            ..OffsetFetchRequestGroup::default()
        }
    }

    /// The offset and what was noted with it.
    pub fn fetched(&mut self, token: Token) -> (i64, i32, String) {
        let Some(Reply::OffsetFetch(group)) = self.answer(token) else { panic!("no answer") };
        let partition = &group.topics[0].partitions[0];
        let metadata = partition.metadata.clone().unwrap_or_default();
        (partition.committed_offset, partition.committed_leader_epoch, metadata)
    }

    pub fn state_name(&mut self) -> String {
        let token = self.send(Request::DescribeGroup { version: 6, group_id: GROUP.to_owned() });
        match self.answer(token) {
            Some(Reply::DescribeGroup(group)) => group.group_state,
            other => panic!("{other:?}"),
        }
    }

    /// Lets these members join the rebalance under way, or begin one; the first that answers as leader assigns each its own id.
    pub fn rebalance(&mut self, member_ids: &[&str]) -> i32 {
        let tokens: Vec<Token> =
            member_ids.iter().map(|member_id| self.send_join(join_request(member_id, None))).collect();
        while !tokens.iter().all(|token| self.is_answered(*token)) {
            self.pass(1_000);
        }
        let joined: Vec<JoinGroupResponse> = tokens.into_iter().map(|token| self.joined(token)).collect();
        let generation = joined[0].generation_id;
        assert!(joined.iter().all(|one| one.error_code == 0 && one.generation_id == generation));
        let leader = joined[0].leader.clone();
        let listed = joined.iter().find(|one| one.member_id == leader).expect("a leader").members.len();
        assert_eq!(listed, member_ids.len(), "the leader sees everybody");
        let shares: Vec<(&str, &str)> = member_ids.iter().map(|member_id| (*member_id, *member_id)).collect();
        let syncs: Vec<Token> = member_ids
            .iter()
            .map(|member_id| {
                self.send_sync(member_id, generation, if **member_id == leader { &shares } else { &[] })
            })
            .collect();
        for (token, member_id) in syncs.into_iter().zip(member_ids) {
            assert_eq!(self.synced(token).assignment, member_id.as_bytes());
        }
        generation
    }
}
