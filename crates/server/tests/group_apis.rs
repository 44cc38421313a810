//! The APIs of groups, asked over a socket: what the coordinator does not see, such as topics that are not there.

#[path = "broker_support/mod.rs"]
mod support;

use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::delete_topics_request::DeleteTopicState;
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    CreateTopicsRequest, DeleteGroupsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
    DescribeGroupsRequest, FindCoordinatorRequest, FindCoordinatorResponse, HeartbeatRequest,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, MetadataRequest,
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest,
};
use protocol::{ErrorCode, Request, Uuid};
use server::Server;
use support::Client;
use tokio::sync::Mutex;

const NEWEST: i16 = i16::MAX;
const GROUP: &str = "g";
const OTHER_ID: Uuid = Uuid([7; 16]);

/// A broker and a client.
struct Rig {
    server: Server,
    client: Mutex<Client>,
    _data: tempfile::TempDir,
}

impl Rig {
    async fn start() -> Rig {
        let data = tempfile::tempdir().expect("there is room for files");
        let server = support::start(data.path()).await;
        let client = Mutex::new(Client::connect(&server).await);
        Rig { server, client, _data: data }
    }

    /// A broker on which the coordinator was found, with the topic `t` of two partitions. Its id comes along.
    async fn with_topic() -> (Rig, Uuid) {
        let rig = Rig::start().await;
        rig.find(NEWEST, 0, GROUP).await;
        let id = rig.create_topic().await;
        (rig, id)
    }

    /// Asks in this version, or in the newest that there is.
    async fn ask<R: Request>(&self, version: i16, request: R) -> R::Response {
        self.client.lock().await.ask(&request, version.min(R::MAX_VERSION)).await
    }

    async fn find(&self, version: i16, key_type: i8, key: &str) -> FindCoordinatorResponse {
        let (key, keys) =
            if version < 4 { (key.to_owned(), vec![]) } else { (String::new(), vec![key.to_owned()]) };
        self.ask(version, FindCoordinatorRequest { key, key_type, coordinator_keys: keys }).await
    }

    async fn create_topic(&self) -> Uuid {
        let topic = CreatableTopic {
            name: "t".to_owned(),
            num_partitions: 2,
            replication_factor: 1,
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        let created = self.ask(NEWEST, request).await.topics.remove(0);
        assert_eq!(created.error_code, 0);
        created.topic_id
    }

    async fn commit(&self, version: i16, topics: Vec<OffsetCommitRequestTopic>) -> OffsetCommitResponse {
        let request = OffsetCommitRequest { group_id: GROUP.to_owned(), topics, ..Default::default() };
        self.ask(version, request).await
    }

    /// The error of the group, and for each topic the errors and offsets of its partitions.
    async fn fetch(&self, version: i16, request: OffsetFetchRequestGroup) -> (i16, Vec<Vec<(i16, i64)>>) {
        let request = OffsetFetchRequest { groups: vec![request], ..Default::default() };
        let group = self.ask(version, request).await.groups.remove(0);
        let topics = group.topics.iter().map(|topic| {
            topic
                .partitions
                .iter()
                .map(|partition| (partition.error_code, partition.committed_offset))
                .collect()
        });
        (group.error_code, topics.collect())
    }

    async fn join(&self, version: i16, member_id: &str) -> JoinGroupResponse {
        let protocols = vec![JoinGroupRequestProtocol {
            name: "range".to_owned(),
            metadata: b"\0\0\0\0\0\x01\0\x01t\0\0\0\0"[..].into(),
        }];
        let request = JoinGroupRequest {
            group_id: GROUP.to_owned(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 10_000,
            member_id: member_id.to_owned(),
            protocol_type: "consumer".to_owned(),
            protocols,
            ..Default::default()
        };
        self.ask(version, request).await
    }
}

fn commit_of(name: &str, topic_id: Uuid, offsets: &[(i32, i64)]) -> OffsetCommitRequestTopic {
    let partitions = offsets.iter().map(|(partition_index, committed_offset)| OffsetCommitRequestPartition {
        partition_index: *partition_index,
        committed_offset: *committed_offset,
        ..Default::default()
    });
    OffsetCommitRequestTopic { name: name.to_owned(), topic_id, partitions: partitions.collect() }
}

fn fetch_of(name: &str, topic_id: Uuid, partitions: &[i32]) -> OffsetFetchRequestTopics {
    OffsetFetchRequestTopics { name: name.to_owned(), topic_id, partition_indexes: partitions.to_vec() }
}

fn fetch_group(topics: Option<Vec<OffsetFetchRequestTopics>>) -> OffsetFetchRequestGroup {
    OffsetFetchRequestGroup { group_id: GROUP.to_owned(), topics, ..Default::default() }
}

fn code(error: ErrorCode) -> i16 {
    error.code()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_looks_for_a_coordinator_finds_it_and_the_topic_comes_to_be() {
    let rig = Rig::start().await;
    let found = rig.find(NEWEST, 0, GROUP).await.coordinators.remove(0);
    let port = i32::from(rig.server.addresses()[0].1.port());
    assert_eq!((found.error_code, found.node_id, found.port), (0, 1, port));
    assert_eq!((found.key.as_str(), found.host.as_str()), (GROUP, "127.0.0.1"));
    for version in 0..4 {
        let found = rig.find(version, 0, GROUP).await;
        assert_eq!((found.error_code, found.node_id, found.port), (0, 1, port));
    }
    let topic = MetadataRequestTopic { name: Some("__consumer_offsets".to_owned()), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
    let topic = rig.ask(NEWEST, request).await.topics.remove(0);
    assert_eq!((topic.error_code, topic.is_internal, topic.partitions.len()), (0, true, 50));

    let resource = DescribeConfigsResource {
        resource_type: 2,
        resource_name: "__consumer_offsets".to_owned(),
        configuration_keys: None,
    };
    let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
    let configs = rig.ask(NEWEST, request).await.results.remove(0).configs;
    let value = |name: &str| {
        configs.iter().find(|config| config.name == name).and_then(|config| config.value.as_deref())
    };
    assert_eq!(value("cleanup.policy"), Some("compact"));
    assert_eq!(value("compression.type"), Some("producer"));
    assert_eq!(value("segment.bytes"), Some("104857600"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coordinators_of_other_kinds_are_not_pretended_to_be_there() {
    let rig = Rig::start().await;
    let not_there = rig.find(NEWEST, 1, "tx").await.coordinators.remove(0);
    // Final: a client that is told to wait for a coordinator asks without a pause.
    assert_eq!(not_there.error_code, code(ErrorCode::UnsupportedVersion));
    assert_eq!((not_there.node_id, not_there.host.as_str(), not_there.port), (-1, "", -1));
    let said = Some("this broker serves no transactions");
    assert_eq!(not_there.error_message.as_deref(), said);
    let not_there = rig.find(3, 1, "tx").await;
    assert_eq!(not_there.error_code, code(ErrorCode::UnsupportedVersion));
    assert_eq!(not_there.error_message.as_deref(), said);
    for key_type in [2, 9] {
        let unknown = rig.find(NEWEST, key_type, "x").await.coordinators.remove(0);
        assert_eq!(unknown.error_code, code(ErrorCode::InvalidRequest));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_lives_its_life_in_every_version() {
    let (rig, _) = Rig::with_topic().await;
    for version in 0..=9 {
        let given = rig.join(version, "").await;
        let joined = if version < 4 { given } else { rig.join(version, &given.member_id).await };
        assert_eq!((joined.error_code, joined.leader.as_str()), (0, joined.member_id.as_str()), "{version}");
        let member = (joined.member_id.as_str(), joined.generation_id);
        sync_and_beat(&rig, version, member).await;
        leave(&rig, version, member.0).await;
    }
}

async fn sync_and_beat(rig: &Rig, version: i16, (member_id, generation_id): (&str, i32)) {
    let assignment =
        SyncGroupRequestAssignment { member_id: member_id.to_owned(), assignment: b"all"[..].into() };
    let request = SyncGroupRequest {
        group_id: GROUP.to_owned(),
        generation_id,
        member_id: member_id.to_owned(),
        protocol_type: Some("consumer".to_owned()),
        protocol_name: Some("range".to_owned()),
        assignments: vec![assignment],
        ..Default::default()
    };
    let synced = rig.ask(version, request).await;
    assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"all"[..]), "{version}");
    let request = HeartbeatRequest {
        group_id: GROUP.to_owned(),
        generation_id,
        member_id: member_id.to_owned(),
        ..Default::default()
    };
    assert_eq!(rig.ask(version, request).await.error_code, 0, "{version}");
}

async fn leave(rig: &Rig, version: i16, member_id: &str) {
    let (member_id, members) = if version < 3 {
        (member_id.to_owned(), vec![])
    } else {
        (String::new(), vec![MemberIdentity { member_id: member_id.to_owned(), ..Default::default() }])
    };
    let request = LeaveGroupRequest { group_id: GROUP.to_owned(), member_id, members };
    let left = rig.ask(version, request).await;
    assert_eq!(left.error_code, 0, "{version}");
    assert!(left.members.iter().all(|member| member.error_code == 0), "{version}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_are_committed_for_what_exists_and_refused_for_the_rest() {
    let (rig, id) = Rig::with_topic().await;
    let unknown = code(ErrorCode::UnknownTopicOrPartition);
    for version in 2..=9 {
        let topics = vec![
            commit_of("t", Uuid::ZERO, &[(0, i64::from(version)), (2, 1)]),
            commit_of("nowhere", Uuid::ZERO, &[(0, 1)]),
        ];
        let response = rig.commit(version, topics).await;
        let errors = |place: usize| -> Vec<(i32, i16)> {
            let partitions = response.topics[place].partitions.iter();
            partitions.map(|partition| (partition.partition_index, partition.error_code)).collect()
        };
        assert_eq!((errors(0), errors(1)), (vec![(2, unknown), (0, 0)], vec![(0, unknown)]), "{version}");
        let fetched = rig.fetch(8, fetch_group(Some(vec![fetch_of("t", Uuid::ZERO, &[0, 1])]))).await;
        assert_eq!(fetched, (0, vec![vec![(0, i64::from(version)), (0, -1)]]));
    }
    let topics = vec![commit_of("", OTHER_ID, &[(0, 1)]), commit_of("", id, &[(1, 77)])];
    let response = rig.commit(10, topics).await;
    let errors: Vec<_> =
        response.topics.iter().map(|topic| (topic.topic_id, topic.partitions[0].error_code)).collect();
    assert_eq!(errors, [(OTHER_ID, code(ErrorCode::UnknownTopicId)), (id, 0)]);
    let fetched = rig.fetch(9, fetch_group(Some(vec![fetch_of("t", Uuid::ZERO, &[1])]))).await;
    assert_eq!(fetched, (0, vec![vec![(0, 77)]]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_are_fetched_by_name_by_id_of_one_group_or_several_and_all_together() {
    let (rig, id) = Rig::with_topic().await;
    rig.commit(9, vec![commit_of("t", Uuid::ZERO, &[(0, 5), (1, 6)])]).await;
    for version in 1..8 {
        let topics = vec![protocol::messages::offset_fetch_request::OffsetFetchRequestTopic {
            name: "t".to_owned(),
            partition_indexes: vec![1],
        }];
        let request =
            OffsetFetchRequest { group_id: GROUP.to_owned(), topics: Some(topics), ..Default::default() };
        let response = rig.ask(version, request).await;
        assert_eq!(response.topics[0].partitions[0].committed_offset, 6, "{version}");
    }
    let by_id = vec![fetch_of("", id, &[0]), fetch_of("", OTHER_ID, &[0])];
    let unknown = (code(ErrorCode::UnknownTopicId), -1);
    assert_eq!(rig.fetch(10, fetch_group(Some(by_id))).await, (0, vec![vec![(0, 5)], vec![unknown]]));
    for version in 8..=10 {
        assert_eq!(rig.fetch(version, fetch_group(None)).await, (0, vec![vec![(0, 5), (0, 6)]]), "{version}");
    }
    let stranger = OffsetFetchRequestGroup { group_id: "stranger".to_owned(), ..fetch_group(None) };
    let request = OffsetFetchRequest { groups: vec![stranger, fetch_group(None)], ..Default::default() };
    let response = rig.ask(8, request).await;
    let found: Vec<_> =
        response.groups.iter().map(|group| (group.group_id.as_str(), group.topics.len())).collect();
    assert_eq!(found, [("stranger", 0), (GROUP, 1)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_of_the_same_name_starts_without_the_offsets_of_the_one_that_was_deleted() {
    let (rig, _) = Rig::with_topic().await;
    rig.commit(9, vec![commit_of("t", Uuid::ZERO, &[(0, 5)])]).await;
    let state = DeleteTopicState { name: Some("t".to_owned()), topic_id: Uuid::ZERO };
    let request = DeleteTopicsRequest { topics: vec![state], timeout_ms: 10_000, ..Default::default() };
    assert_eq!(rig.ask(NEWEST, request).await.responses[0].error_code, 0);
    rig.create_topic().await;
    let fetched = rig.fetch(8, fetch_group(Some(vec![fetch_of("t", Uuid::ZERO, &[0])]))).await;
    assert_eq!(fetched, (0, vec![vec![(0, -1)]]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_are_listed_described_and_deleted() {
    let (rig, _) = Rig::with_topic().await;
    let given = rig.join(9, "").await;
    let joined = rig.join(9, &given.member_id).await;
    sync_and_beat(&rig, 5, (&joined.member_id, 1)).await;
    for version in 0..=5 {
        let listed = rig.ask(version, ListGroupsRequest::default()).await;
        assert_eq!(listed.groups.len(), 1, "{version}");
        assert_eq!(
            (listed.groups[0].group_id.as_str(), listed.groups[0].protocol_type.as_str()),
            (GROUP, "consumer")
        );
    }
    for version in 0..=6 {
        let request = DescribeGroupsRequest {
            groups: vec![GROUP.to_owned(), "nowhere".to_owned(), GROUP.to_owned()],
            include_authorized_operations: version >= 3,
        };
        let described = rig.ask(version, request).await.groups;
        assert_eq!(described.len(), 3, "{version}: one is asked for twice");
        for group in described {
            let is_there = group.group_id == GROUP;
            assert_eq!(group.group_state, if is_there { "Stable" } else { "Dead" });
            assert!(group.members.iter().all(|member| member.client_host == "/127.0.0.1"));
            assert_eq!(group.members.len(), usize::from(is_there));
            // Versions up to 5 do not call it an error that a group is not there.
            let is_told = version >= 3 && group.error_code == 0;
            assert_eq!(group.authorized_operations, if is_told { 3400 } else { i32::MIN }, "{version}");
        }
    }
    assert_eq!(
        delete(&rig, &[GROUP, "nowhere", GROUP]).await,
        [ErrorCode::NonEmptyGroup, ErrorCode::GroupIdNotFound].map(code)
    );
    leave(&rig, 5, &joined.member_id).await;
    assert_eq!(delete(&rig, &[GROUP]).await, [0]);
    assert!(rig.ask(NEWEST, ListGroupsRequest::default()).await.groups.is_empty());
}

async fn delete(rig: &Rig, groups: &[&str]) -> Vec<i16> {
    let groups_names = groups.iter().map(|group| (*group).to_owned()).collect();
    let results = rig.ask(NEWEST, DeleteGroupsRequest { groups_names }).await.results;
    results.iter().map(|result| result.error_code).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_of_topics_that_nobody_reads_are_deleted() {
    let (rig, _) = Rig::with_topic().await;
    rig.commit(9, vec![commit_of("t", Uuid::ZERO, &[(0, 5), (1, 6)])]).await;
    let partitions = [0, 9].map(|partition_index| OffsetDeleteRequestPartition { partition_index }).into();
    let request = OffsetDeleteRequest {
        group_id: GROUP.to_owned(),
        topics: vec![OffsetDeleteRequestTopic { name: "t".to_owned(), partitions }],
    };
    let deleted = rig.ask(0, request).await;
    let errors: Vec<_> = deleted.topics[0]
        .partitions
        .iter()
        .map(|partition| (partition.partition_index, partition.error_code))
        .collect();
    assert_eq!(deleted.error_code, 0);
    assert_eq!(errors, [(9, code(ErrorCode::UnknownTopicOrPartition)), (0, 0)]);
    assert_eq!(rig.fetch(8, fetch_group(None)).await, (0, vec![vec![(0, 6)]]));
}
