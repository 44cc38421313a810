//! What Apache Kafka 4.3.1 answered, byte by byte: conversations recorded with a broker, held again with our coordinator.
//!
//! A recording has a line for each event: `send NUMBER NAME VERSION RANDOM BODY`, `recv NUMBER BODY`, `quiet NUMBER MS` (no
//! answer came in that time), `sleep MS`, `restart` (the broker stops and starts again),
//! `topic NAME ID`, and `# TITLE`. Bodies are what follows the header, in hex; RANDOM is
//! the uuid that the broker drew for a member's id. Members are compared without their order, which is that of a hash table.
//!
//! The records that the broker wrote to `__consumer_offsets` meanwhile were kept too, and are what we write, in this order.
#![allow(clippy::unwrap_used, reason = "a test may stop here")]

mod shell;

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use coordinator::{Caller, Record, Reply, Request, Settings, offset_fetch_groups, offset_fetch_response};
use engine::Token;
use protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, ListGroupsRequest, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest,
    OffsetDeleteResponse, OffsetFetchRequest, OffsetFetchResponse, SyncGroupRequest, SyncGroupResponse,
};
use protocol::{Message, Reader, Uuid, Writer};
use shell::Shell;

/// An answer with its members sorted, for comparison.
#[derive(Debug, PartialEq)]
enum Said {
    Join(JoinGroupResponse),
    Sync(SyncGroupResponse),
    Heartbeat(HeartbeatResponse),
    Leave(LeaveGroupResponse),
    Commit(OffsetCommitResponse),
    Fetch(OffsetFetchResponse),
    Describe(DescribeGroupsResponse),
    Delete(DeleteGroupsResponse),
    OffsetDelete(OffsetDeleteResponse),
}

struct Conversation {
    shell: Shell,
    topic: String,
    topic_id: Uuid,
    asked: HashMap<String, (String, i16, Vec<Token>)>,
}

fn bytes(hex: &str) -> Bytes {
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digits).collect()
}

fn read<M: Message>(version: i16, body: &str) -> M {
    let mut reader = Reader::new(bytes(body));
    M::decode(&mut reader, version).unwrap()
}

/// Through the wire, so that what a version has no room for is left out.
fn through<M: Message>(version: i16, message: M) -> M {
    let mut writer = Writer::new();
    message.encode(&mut writer, version).unwrap_or_else(|error| panic!("{message:?}: {error}"));
    M::decode(&mut Reader::new(writer.into_bytes()), version).unwrap()
}

fn caller(random: &str) -> Caller {
    let random = u128::from_str_radix(&random.replace('-', ""), 16).unwrap_or(0);
    Caller { client_id: "cl".to_owned(), client_host: "/127.0.0.1".to_owned(), random }
}

impl Conversation {
    fn new(settings: Settings) -> Conversation {
        Conversation {
            shell: Shell::new(settings),
            topic: String::new(),
            topic_id: Uuid::ZERO,
            asked: HashMap::new(),
        }
    }

    fn requests(&self, name: &str, version: i16, random: &str, body: &str) -> Vec<Request> {
        match name {
            "JoinGroup" => {
                let request: JoinGroupRequest = read(version, body);
                vec![Request::JoinGroup { version, caller: caller(random), request }]
            }
            "SyncGroup" => {
                vec![Request::SyncGroup { version, request: read::<SyncGroupRequest>(version, body) }]
            }
            "Heartbeat" => vec![Request::Heartbeat(read::<HeartbeatRequest>(version, body))],
            "LeaveGroup" => {
                vec![Request::LeaveGroup { version, request: read::<LeaveGroupRequest>(version, body) }]
            }
            "OffsetCommit" => vec![self.commit(version, read(version, body))],
            "OffsetFetch" => self.fetch(version, read(version, body)),
            "OffsetDelete" => vec![Request::OffsetDelete(read::<OffsetDeleteRequest>(version, body))],
            "DescribeGroups" => {
                let request: DescribeGroupsRequest = read(version, body);
                let one = |group_id| Request::DescribeGroup { version, group_id };
                request.groups.into_iter().map(one).collect()
            }
            "DeleteGroups" => {
                let request: DeleteGroupsRequest = read(version, body);
                let names = std::collections::BTreeSet::from_iter(request.groups_names);
                names.into_iter().map(|group_id| Request::DeleteGroup { group_id }).collect()
            }
            other => panic!("{other}"),
        }
    }

    fn commit(&self, version: i16, mut request: OffsetCommitRequest) -> Request {
        for topic in &mut request.topics {
            topic.name.clone_from(&self.topic);
            topic.topic_id = self.topic_id;
        }
        Request::OffsetCommit { version, request }
    }

    fn fetch(&self, version: i16, request: OffsetFetchRequest) -> Vec<Request> {
        let mut groups = offset_fetch_groups(version, request);
        for topic in groups.iter_mut().flat_map(|group| group.topics.iter_mut().flatten()) {
            topic.name.clone_from(&self.topic);
            topic.topic_id = self.topic_id;
        }
        groups.into_iter().map(Request::OffsetFetch).collect()
    }

    fn answers(&mut self, number: &str) -> Vec<Reply> {
        let tokens = self.asked[number].2.clone();
        tokens.into_iter().filter_map(|token| self.shell.answer(token)).collect()
    }

    fn event(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["#", ..] => {}
            ["topic", name, id] => {
                self.topic = name.to_owned();
                self.topic_id = Uuid(bytes(id)[..].try_into().unwrap());
            }
            ["send", number, name, version, random, body] => {
                let version = version.parse().unwrap();
                let requests = self.requests(name, version, random, body);
                let tokens = requests.into_iter().map(|request| self.shell.send(request)).collect();
                self.asked.insert(number.to_owned(), (name.to_owned(), version, tokens));
            }
            ["recv", number, body] => self.compare(number, body),
            ["quiet", number, ms] => {
                self.shell.pass(ms.parse().unwrap());
                let early = self.answers(number);
                assert!(early.is_empty(), "{number}: Kafka does not answer yet, we say {early:?}");
            }
            ["restart"] => self.shell.restart(),
            ["sleep", ms] => self.shell.pass(ms.parse().unwrap()),
            _ => panic!("{line}"),
        }
    }

    fn compare(&mut self, number: &str, body: &str) {
        let replies = self.answers(number);
        let (name, version, _) = self.asked[number].clone();
        assert!(!replies.is_empty(), "{number}: {name} {version}: Kafka answers, we do not");
        let theirs = sorted(kafkas(&name, version, body));
        let ours = sorted(ours(version, replies));
        assert_eq!(ours, theirs, "{number}: {name} {version}: ours first");
    }
}

fn kafkas(name: &str, version: i16, body: &str) -> Said {
    match name {
        "JoinGroup" => Said::Join(read(version, body)),
        "SyncGroup" => Said::Sync(read(version, body)),
        "Heartbeat" => Said::Heartbeat(read(version, body)),
        "LeaveGroup" => Said::Leave(read(version, body)),
        "OffsetCommit" => Said::Commit(read(version, body)),
        "OffsetFetch" => Said::Fetch(read(version, body)),
        "OffsetDelete" => Said::OffsetDelete(read(version, body)),
        "DescribeGroups" => Said::Describe(read(version, body)),
        "DeleteGroups" => Said::Delete(read(version, body)),
        other => panic!("{other}"),
    }
}

fn ours(version: i16, replies: Vec<Reply>) -> Said {
    let mut described = DescribeGroupsResponse::default();
    let mut deleted = DeleteGroupsResponse::default();
    let mut fetched = Vec::new();
    for reply in replies {
        match reply {
            Reply::JoinGroup(reply) => return Said::Join(through(version, reply)),
            Reply::SyncGroup(reply) => return Said::Sync(through(version, reply)),
            Reply::Heartbeat(reply) => return Said::Heartbeat(through(version, reply)),
            Reply::LeaveGroup(reply) => return Said::Leave(through(version, reply)),
            Reply::OffsetCommit(reply) => return Said::Commit(through(version, reply)),
            Reply::OffsetDelete(reply) => return Said::OffsetDelete(through(version, reply)),
            Reply::OffsetFetch(reply) => fetched.push(reply),
            Reply::DescribeGroup(reply) => described.groups.push(reply),
            Reply::DeleteGroup(reply) => deleted.results.push(reply),
            other @ (Reply::ListGroups(_) | Reply::TopicsDeleted(_)) => panic!("{other:?}"),
        }
    }
    if !fetched.is_empty() {
        Said::Fetch(through(version, offset_fetch_response(version, fetched)))
    } else if !deleted.results.is_empty() {
        Said::Delete(through(version, deleted))
    } else {
        Said::Describe(through(version, described))
    }
}

fn sorted(mut said: Said) -> Said {
    match &mut said {
        Said::Join(join) => join.members.sort_by(|a, b| a.member_id.cmp(&b.member_id)),
        Said::Describe(described) => {
            described.groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
            let groups = described.groups.iter_mut();
            groups.for_each(|group| group.members.sort_by(|a, b| a.member_id.cmp(&b.member_id)));
        }
        Said::Fetch(fetched) => {
            let old = fetched.topics.iter_mut();
            old.for_each(|topic| topic.partitions.sort_by_key(|partition| partition.partition_index));
            let topics = fetched.groups.iter_mut().flat_map(|group| &mut group.topics);
            topics.for_each(|topic| topic.partitions.sort_by_key(|partition| partition.partition_index));
        }
        Said::Delete(deleted) => deleted.results.sort_by(|a, b| a.group_id.cmp(&b.group_id)),
        _ => {}
    }
    said
}

/// A record without what differs from run to run: times, and the order of members.
fn comparable(key: &Bytes, value: Option<&Bytes>) -> (Record, Option<i16>) {
    let version = value.map(|value| i16::from_be_bytes([value[0], value[1]]));
    let mut record = Record::decode(key, value).unwrap().expect("a record of ours");
    match &mut record {
        Record::Group { value: Some(value), .. } => {
            value.current_state_timestamp = 0;
            value.members.sort_by(|a, b| a.member_id.cmp(&b.member_id));
        }
        Record::Offset { value: Some(value), .. } => {
            let (now_ms, expires_ms) = (value.commit_timestamp_ms, &mut value.expire_timestamp_ms);
            *expires_ms = expires_ms.map(|expires_ms| expires_ms - now_ms);
            value.commit_timestamp_ms = 0;
        }
        _ => {}
    }
    (record, version)
}

/// The log that Kafka wrote meanwhile: a line a record, key and value in hex, `-` for none.
fn kafkas_log(recording: &str) -> Vec<(Bytes, Option<Bytes>)> {
    let entries = recording.lines().map(|line| {
        let (key, value) = line.split_once(' ').unwrap();
        (bytes(key), (value != "-").then(|| bytes(value)))
    });
    entries.collect()
}

type Written = (Record, Option<i16>);

/// What was written of each group, in order.
fn by_group(log: &[(Bytes, Option<Bytes>)]) -> BTreeMap<String, Vec<Written>> {
    let mut groups: BTreeMap<String, Vec<Written>> = BTreeMap::new();
    for (key, value) in log {
        let written = comparable(key, value.as_ref());
        let (Record::Group { group_id, .. } | Record::Offset { group_id, .. }) = &written.0;
        groups.entry(group_id.clone()).or_default().push(written);
    }
    for log in groups.values_mut() {
        // Kafka deletes a group's offsets in the order of a hash table.
        for run in log.chunk_by_mut(|a, b| is_offset_deletion(a) && is_offset_deletion(b)) {
            run.sort_by_key(|written| format!("{written:?}"));
        }
    }
    groups
}

fn is_offset_deletion(written: &Written) -> bool {
    matches!(written.0, Record::Offset { value: None, .. })
}

fn says_that_nobody_is_left(written: &Written) -> bool {
    matches!(&written.0, Record::Group { value: Some(value), .. } if value.members.is_empty())
}

/// Kafka's clock ran on after a group's last event, so that members which did not leave died there.
fn compare_logs(ours: &[(Bytes, Option<Bytes>)], theirs: &[(Bytes, Option<Bytes>)]) {
    let (ours, mut theirs) = (by_group(ours), by_group(theirs));
    for (group_id, ours) in ours {
        let theirs = theirs.remove(&group_id).unwrap_or_default();
        let common = ours.len().min(theirs.len());
        assert_eq!(ours[..common], theirs[..common], "{group_id}, ours first");
        assert_eq!(ours[common..], [], "{group_id}: written by us only");
        assert!(theirs[common..].iter().all(says_that_nobody_is_left), "{group_id}: {:?}", &theirs[common..]);
    }
    assert!(theirs.is_empty(), "written by Kafka only: {theirs:?}");
}

fn hold_again(recording: &str, log: &str, settings: Settings) {
    let mut conversation = Conversation::new(settings);
    let mut title = "";
    let mut failures = 0;
    for (number, line) in recording.lines().enumerate() {
        if let Some(new) = line.strip_prefix("# ") {
            title = new;
        }
        let event = std::panic::AssertUnwindSafe(|| conversation.event(line));
        if std::panic::catch_unwind(event).is_err() {
            eprintln!("in \"{title}\", line {}: {line}", number + 1);
            failures += 1;
        }
    }
    assert_eq!(failures, 0, "events went differently than with Kafka");
    compare_logs(&conversation.shell.log, &kafkas_log(log));
}

fn settings(initial_rebalance_delay_ms: i64) -> Settings {
    Settings {
        initial_rebalance_delay_ms,
        session_timeout_min_ms: 1_000,
        group_size_max: 5,
        ..Settings::default()
    }
}

#[test]
fn groups_and_offsets_are_answered_as_by_kafka() {
    let log = include_str!("recordings/groups-log.txt");
    hold_again(include_str!("recordings/groups.txt"), log, settings(0));
}

#[test]
fn a_new_group_waits_for_members_as_in_kafka() {
    let log = include_str!("recordings/initial-delay-log.txt");
    hold_again(include_str!("recordings/initial-delay.txt"), log, settings(1_000));
}

#[test]
fn groups_are_taken_over_after_a_restart_as_in_kafka() {
    let log = include_str!("recordings/restart-log.txt");
    hold_again(include_str!("recordings/restart.txt"), log, settings(0));
}

#[test]
fn a_log_that_kafka_wrote_is_taken_over() {
    let mut shell = Shell::new(settings(0));
    shell.log = kafkas_log(include_str!("recordings/restart-log.txt"));
    shell.restart();
    assert_eq!(*shell.coordinator.state(), shell.replayed());
    assert!(shell.coordinator.live().unwrap().is_consistent());
    let request = Request::ListGroups(ListGroupsRequest::default());
    let token = shell.send(request);
    let Some(Reply::ListGroups(listed)) = shell.answer(token) else { panic!("no answer") };
    let stable = listed.groups.iter().filter(|group| group.group_state == "Stable").count();
    assert!(stable > 0 && stable < listed.groups.len(), "{stable} of {}", listed.groups.len());
}

#[test]
fn what_kafka_wrote_would_be_written_by_us_byte_for_byte() {
    for log in [include_str!("recordings/groups-log.txt"), include_str!("recordings/restart-log.txt")] {
        for (key, value) in kafkas_log(log) {
            let record = Record::decode(&key, value.as_ref()).unwrap().expect("a record of ours");
            assert_eq!(record.encode(), Ok((key, value)), "{record:?}");
        }
    }
}

#[test]
fn corners_of_a_groups_life_are_as_in_kafka() {
    let log = include_str!("recordings/corners-log.txt");
    hold_again(include_str!("recordings/corners.txt"), log, settings(0));
}
