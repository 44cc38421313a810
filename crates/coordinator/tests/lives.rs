//! Whole lives of groups, in a shell with a log in memory that is read again after crashes.
#![allow(clippy::unwrap_used, reason = "a test may stop here")]

mod shell;

use coordinator::{Coordinator, GroupCoordinatorState, Record, Reply, Request, Settings};
use protocol::messages::ListGroupsRequest;
use protocol::{ErrorCode, Uuid};
use shell::Shell;
use shell::asking::{GROUP, SESSION_MS, join_request};

const NONE: i16 = 0;

fn code(error: ErrorCode) -> i16 {
    error.code()
}

fn three() -> (Shell, [String; 3], i32) {
    let mut shell = Shell::new(Settings::default());
    let ids = [shell.new_member_id(), shell.new_member_id(), shell.new_member_id()];
    let generation = shell.rebalance(&[&ids[0], &ids[1], &ids[2]]);
    (shell, ids, generation)
}

#[test]
fn three_members_join_share_commit_and_leave_one_after_the_other() {
    let (mut shell, [a, b, c], generation) = three();
    assert_eq!((generation, shell.state_name().as_str()), (1, "Stable"));
    let commit = shell.send_commit(&a, 1, 0, 41);
    assert_eq!(shell.committed(commit), NONE);

    shell.leave(&c);
    assert_eq!(shell.heartbeat(&a, 1), code(ErrorCode::RebalanceInProgress));
    let commit = shell.send_commit(&a, 1, 0, 42);
    assert_eq!(shell.committed(commit), NONE, "the old generation may commit until the new one is known");
    assert_eq!(shell.rebalance(&[&a, &b]), 2);
    let commit = shell.send_commit(&a, 1, 0, 7);
    assert_eq!(shell.committed(commit), code(ErrorCode::IllegalGeneration));

    shell.leave(&a);
    assert_eq!(shell.rebalance(&[&b]), 3);
    shell.leave(&b);
    assert_eq!(shell.state_name(), "Empty");
    let fetch = shell.send_fetch(0);
    assert_eq!(shell.fetched(fetch), (42, 4, "note".to_owned()));
}

#[test]
fn a_group_lives_on_after_a_crash_with_its_members_and_offsets() {
    let (mut shell, [a, b, c], _) = three();
    let commit = shell.send_commit(&b, 1, 5, 99);
    assert_eq!(shell.committed(commit), NONE);
    let before = shell.coordinator.state().clone();
    shell.restart();
    assert_eq!(*shell.coordinator.state(), before);

    for member in [&a, &b, &c] {
        assert_eq!(shell.heartbeat(member, 1), NONE);
        let sync = shell.send_sync(member, 1, &[]);
        assert_eq!(shell.synced(sync).assignment, member.as_bytes());
    }
    let fetch = shell.send_fetch(5);
    assert_eq!(shell.fetched(fetch), (99, 4, "note".to_owned()));

    shell.leave(&a);
    assert_eq!(shell.rebalance(&[&b, &c]), 2);
}

#[test]
fn members_that_do_not_come_back_after_a_crash_lose_their_sessions() {
    let (mut shell, [a, b, c], _) = three();
    shell.restart();
    shell.pass(i64::from(SESSION_MS) - 1);
    assert_eq!(shell.heartbeat(&a, 1), NONE);
    shell.pass(1);
    assert_eq!(shell.heartbeat(&b, 1), code(ErrorCode::UnknownMemberId));
    assert_eq!(shell.heartbeat(&c, 1), code(ErrorCode::UnknownMemberId));
    assert_eq!(shell.heartbeat(&a, 1), code(ErrorCode::RebalanceInProgress));
    assert_eq!(shell.rebalance(&[&a]), 2);
}

#[test]
fn heartbeats_keep_a_session_and_silence_ends_it() {
    let (mut shell, [a, b, c], _) = three();
    for _ in 0..10 {
        shell.pass(i64::from(SESSION_MS) / 2);
        for member in [&a, &b, &c] {
            assert_eq!(shell.heartbeat(member, 1), NONE);
        }
    }
    shell.pass(i64::from(SESSION_MS));
    assert_eq!(shell.state_name(), "Empty");
}

#[test]
fn nothing_is_answered_before_it_is_committed() {
    let (mut shell, [a, ..], _) = three();
    shell.is_stalled = true;
    let commit = shell.send_commit(&a, 1, 0, 1);
    let fetch = shell.send_fetch(0);
    let heartbeat = shell.send_heartbeat(&a, 1);
    assert_eq!(shell.answer(commit), None);
    assert_eq!(shell.answer(fetch), None);
    assert_eq!(shell.answer(heartbeat), None);
    shell.flush();
    assert_eq!(shell.committed(commit), NONE);
    assert_eq!(shell.fetched(fetch).0, 1);
    assert!(shell.answer(heartbeat).is_some());
}

#[test]
fn a_failed_append_fails_who_waits_and_the_group_goes_on_from_the_log() {
    let (mut shell, [a, b, c], _) = three();
    shell.leave(&c);
    let joins = [&a, &b].map(|member| shell.send_join(join_request(member, None)));
    let leader = joins.map(|join| shell.joined(join).leader)[0].clone();
    let follower = if leader == a { &b } else { &a };
    let waiting = shell.send_sync(follower, 2, &[]);
    shell.is_stalled = true;
    let assigning = shell.send_sync(&leader, 2, &[]);
    let commit = shell.send_commit(follower, 2, 0, 1);
    shell.fail(ErrorCode::KafkaStorageError);
    assert_eq!(shell.reloads, 1);
    for sync in [waiting, assigning] {
        assert_eq!(shell.synced(sync).error_code, code(ErrorCode::NotCoordinator));
    }
    assert_eq!(shell.committed(commit), code(ErrorCode::NotCoordinator));

    shell.is_stalled = false;
    assert_eq!(shell.heartbeat(&a, 2), code(ErrorCode::IllegalGeneration));
    assert_eq!(shell.heartbeat(&c, 1), NONE, "the log does not know that it left");
}

#[test]
fn an_append_that_is_too_large_is_told_apart_for_offsets() {
    let (mut shell, [a, ..], _) = three();
    shell.is_stalled = true;
    let commit = shell.send_commit(&a, 1, 0, 1);
    shell.fail(ErrorCode::MessageTooLarge);
    assert_eq!(shell.committed(commit), code(ErrorCode::InvalidCommitOffsetSize));
}

#[test]
fn what_cannot_fit_into_a_batch_is_refused_before_it_is_decided() {
    let mut shell = Shell::new(Settings { batch_bytes_max: 900, ..Settings::default() });
    let a = shell.new_member_id();
    let join = shell.send_join(join_request(&a, None));
    shell.pass(4_000);
    assert_eq!(shell.joined(join).generation_id, 1);
    let large = "x".repeat(1_000);
    let sync = shell.send_sync(&a, 1, &[(&a, &large)]);
    assert_eq!(shell.synced(sync).error_code, code(ErrorCode::UnknownServerError));
    assert_eq!(shell.state_name(), "PreparingRebalance");
    assert_eq!((shell.rebalance(&[&a]), shell.reloads), (2, 0));
}

#[test]
fn a_static_member_that_comes_back_with_too_much_to_write_down_makes_the_group_rebalance() {
    let mut shell = Shell::new(Settings { batch_bytes_max: 900, ..Settings::default() });
    let join = shell.send_join(join_request("", Some("i")));
    shell.pass(4_000);
    let a = shell.joined(join).member_id;
    let sync = shell.send_sync(&a, 1, &[(&a, "all")]);
    assert_eq!(shell.synced(sync).error_code, NONE);

    let mut large = join_request("", Some("i"));
    large.protocols[0].metadata = vec![0; 1_000].into();
    let join = shell.send_join(large);
    assert_eq!(shell.joined(join).generation_id, 2);
    assert_eq!((shell.state_name().as_str(), shell.reloads), ("CompletingRebalance", 0));
}

#[test]
fn a_commit_of_more_than_a_batch_is_refused() {
    let mut shell = Shell::new(Settings { batch_bytes_max: 60, ..Settings::default() });
    let commit = shell.send_commit("", -1, 0, 1);
    assert_eq!(shell.committed(commit), NONE);
    let mut shell = Shell::new(Settings { batch_bytes_max: 50, ..Settings::default() });
    let commit = shell.send_commit("", -1, 0, 1);
    assert_eq!(shell.committed(commit), code(ErrorCode::InvalidCommitOffsetSize));
    assert_eq!(shell.state_name(), "Dead");
}

#[test]
fn a_coordinator_that_loads_refuses_but_lets_members_live() {
    let mut coordinator = Coordinator::new(GroupCoordinatorState::new(Settings::default()));
    let (_, [a, ..], _) = three();
    let now = engine::Now { wall_ms: 0, uptime_ms: 0 };
    let heartbeat = protocol::messages::HeartbeatRequest {
        group_id: GROUP.to_owned(),
        generation_id: 1,
        member_id: a,
        group_instance_id: None,
    };
    coordinator.request(now, engine::Token(1), Request::Heartbeat(heartbeat));
    coordinator.request(now, engine::Token(2), Request::DeleteGroup { group_id: GROUP.to_owned() });
    let mut replies = Vec::new();
    while let Some(effect) = coordinator.next_effect() {
        let engine::Effect::Reply { reply, .. } = effect else { panic!("only replies") };
        replies.push(reply);
    }
    assert!(matches!(&replies[0], Reply::Heartbeat(reply) if reply.error_code == NONE));
    let loading = code(ErrorCode::CoordinatorLoadInProgress);
    assert!(matches!(&replies[1], Reply::DeleteGroup(reply) if reply.error_code == loading));
}

#[test]
fn old_offsets_are_forgotten_and_then_the_group() {
    let day_ms = 86_400_000;
    let settings = Settings {
        offsets_retention_ms: 2 * day_ms,
        offsets_retention_check_interval_ms: day_ms / 2,
        ..Settings::default()
    };
    let mut shell = Shell::new(settings);
    let a = shell.new_member_id();
    shell.rebalance(&[&a]);
    let commit = shell.send_commit(&a, 1, 0, 10);
    assert_eq!(shell.committed(commit), NONE);
    shell.pass(day_ms);
    assert_eq!(shell.state_name(), "Empty", "the member died long ago");
    let fetch = shell.send_fetch(0);
    assert_eq!(shell.fetched(fetch).0, 10);
    shell.pass(2 * day_ms);
    let fetch = shell.send_fetch(0);
    assert_eq!(shell.fetched(fetch).0, -1);
    assert_eq!(shell.state_name(), "Dead");
    shell.restart();
    assert_eq!(shell.coordinator.state().group(GROUP), None);
}

#[test]
fn groups_are_listed_by_state_and_kind() {
    let (mut shell, ..) = three();
    let mut listed = |states: &[&str], types: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let request = ListGroupsRequest { states_filter: owned(states), types_filter: owned(types) };
        let token = shell.send(Request::ListGroups(request));
        let Some(Reply::ListGroups(reply)) = shell.answer(token) else { panic!("no answer") };
        reply.groups.len()
    };
    assert_eq!(listed(&[], &[]), 1);
    assert_eq!(listed(&["stable"], &["Classic"]), 1);
    assert_eq!(listed(&["Empty", "Dead"], &[]), 0);
    assert_eq!(listed(&[], &["consumer"]), 0);
}

#[test]
fn records_of_other_groups_and_broken_ones_are_no_records_of_ours() {
    let other = bytes::Bytes::from_static(b"\0\x03\0\x01g");
    assert_eq!(Record::decode(&other, None), Ok(None));
    let newer = bytes::Bytes::from_static(b"\x7f\0whatever");
    assert_eq!(Record::decode(&newer, None), Ok(None));
    let torn = bytes::Bytes::from_static(b"\0\x02\0\x09g");
    assert!(Record::decode(&torn, None).is_err());
    let legacy = bytes::Bytes::from_static(b"\0\0\0\x01g\0\x01t\0\0\0\x02");
    assert!(matches!(
        Record::decode(&legacy, None),
        Ok(Some(Record::Offset { partition: 2, value: None, .. }))
    ));
}

#[test]
fn a_group_of_the_oldest_format_is_taken_over() {
    let key = bytes::Bytes::from_static(b"\0\x02\0\x01g");
    // Version 0: no rebalance timeout, no state timestamp.
    let value = bytes::Bytes::from_static(
        b"\0\0\0\x08consumer\0\0\0\x07\0\x05range\0\x01m\0\0\0\x01\0\x01m\0\x01c\0\x02/h\0\0\x27\x10\0\0\0\x01s\0\0\0\x01a",
    );
    let mut shell = Shell::new(Settings::default());
    shell.log.push((key, Some(value)));
    shell.restart();
    assert_eq!(shell.heartbeat("m", 7), NONE);
    let sync = shell.send_sync("m", 7, &[]);
    assert_eq!(shell.synced(sync).assignment, "a");
    let join = shell.send_join(join_request("m", None));
    assert_eq!(shell.joined(join).generation_id, 8, "nobody else is waited for");
}

#[test]
fn offsets_of_a_deleted_topic_are_forgotten_even_by_a_group_that_reads_it() {
    let (mut shell, [a, ..], generation) = three();
    for partition in [0, 7] {
        let commit = shell.send_commit(&a, generation, partition, 41);
        assert_eq!(shell.committed(commit), NONE);
    }
    let other = shell.send(Request::TopicsDeleted { topics: vec!["other".to_owned()] });
    assert_eq!(shell.answer(other), Some(Reply::TopicsDeleted(ErrorCode::None)));
    let fetch = shell.send_fetch(7);
    assert_eq!(shell.fetched(fetch).0, 41);

    let deleted = shell.send(Request::TopicsDeleted { topics: vec!["t".to_owned()] });
    assert_eq!(shell.answer(deleted), Some(Reply::TopicsDeleted(ErrorCode::None)));
    shell.restart();
    for partition in [0, 7] {
        let fetch = shell.send_fetch(partition);
        assert_eq!(shell.fetched(fetch).0, -1);
    }
    assert_eq!(shell.heartbeat(&a, generation), NONE, "the members stay");
}

#[test]
fn an_offset_is_not_told_to_whoever_asks_for_a_later_topic_of_the_same_name() {
    let mut shell = Shell::new(Settings::default());
    let mut request = shell.commit_request("", -1, 0, 41);
    request.topics[0].topic_id = Uuid([1; 16]);
    let commit = shell.send(Request::OffsetCommit { version: 10, request });
    assert_eq!(shell.committed(commit), NONE);
    for (topic_id, offset) in [(Uuid([1; 16]), 41), (Uuid([2; 16]), -1), (Uuid::ZERO, 41)] {
        let mut request = shell.fetch_request(0);
        request.topics.as_mut().expect("it names topics")[0].topic_id = topic_id;
        let fetch = shell.send(Request::OffsetFetch(request));
        assert_eq!(shell.fetched(fetch).0, offset);
    }
}
