//! Groups through the coordinators' shell: over a log, a journal and a clock, with stops, crashes and failing disks.

#[path = "groups_support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use coordinator::{Reply, Request};
use futures::future::{join_all, poll_immediate};
use host::sim::SimDisk;
use protocol::ErrorCode;
use protocol::messages::ListGroupsRequest;
use storage::LogConfig;
use support::asking::{Client, LOADING, REBALANCE_MS, SESSION_MS};
use support::gate::{Gate, GatedDisk};
use support::{Broker, LEADER_EPOCH, at_once};

const NONE: i16 = 0;

async fn served(broker: &Broker, group: &str) -> Client {
    let client = Client::of(&broker.groups, group);
    client.is_served().await;
    client
}

#[tokio::test]
async fn two_members_join_share_beat_commit_and_fetch() {
    let broker = Broker::start(&SimDisk::new(), 4);
    let client = served(&broker, "g").await;
    let first = client.join_anew().await;
    assert_eq!((first.error_code, first.generation_id), (NONE, 1));
    assert_eq!(client.sync(&first).await.expect("it leads"), first.member_id);

    let (again, second) = futures::join!(rejoin_when_asked(&client, &first.member_id), client.join_anew());
    assert_eq!((again.error_code, again.generation_id, again.members.len()), (NONE, 2, 2));
    assert_eq!((second.error_code, second.generation_id), (NONE, 2));
    let (for_first, for_second) = futures::join!(client.sync(&again), client.sync(&second));
    assert_eq!(for_first.expect("it leads"), again.member_id);
    assert_eq!(for_second.expect("it follows"), second.member_id);
    assert_eq!(client.heartbeat(&second.member_id, 2).await, NONE);
    assert_eq!(client.commit_as(&second.member_id, 2, 41).await, NONE);
    assert_eq!(client.fetch().await, 41);
}

/// Beats until a rebalance is told of.
async fn rejoin_when_asked(client: &Client, member_id: &str) -> protocol::messages::JoinGroupResponse {
    while client.heartbeat(member_id, 1).await == NONE {
        tokio::task::yield_now().await;
    }
    client.join(member_id).await
}

#[tokio::test]
async fn what_the_topic_takes_in_one_batch_bounds_a_commit_and_may_change() {
    let broker = Broker::start(&SimDisk::new(), 1);
    let client = served(&broker, "g").await;
    assert_eq!(client.commit(1).await, NONE);
    let usual = broker.logs[0].config();
    let set = |batch_bytes_max| {
        broker.logs[0].update_config(LogConfig { batch_bytes_max, ..LogConfig::clone(&usual) });
    };
    set(40);
    assert_eq!(client.commit(2).await, ErrorCode::InvalidCommitOffsetSize.code());
    set(usual.batch_bytes_max);
    assert_eq!(client.commit(3).await, NONE);
}

#[tokio::test]
async fn members_and_offsets_are_there_after_a_clean_stop() {
    let broker = Broker::start(&SimDisk::new(), 4);
    let client = served(&broker, "g").await;
    let joined = client.join_anew().await;
    client.sync(&joined).await.expect("it leads");
    assert_eq!(client.commit_as(&joined.member_id, 1, 41).await, NONE);
    drop(client);

    let broker = Broker::start(&broker.stop(), 4);
    assert!(broker.logs.iter().any(|log| log.log_end_offset() > 0 && log.is_cold(0)), "it comes from disk");
    let client = served(&broker, "g").await;
    assert_eq!(client.fetch().await, 41);
    assert_eq!(client.heartbeat(&joined.member_id, 1).await, NONE);
    assert_eq!(client.commit_as(&joined.member_id, 1, 42).await, NONE);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let mut disk = SimDisk::new();
    for round in 0..5 {
        let broker = Broker::start(&disk, 2);
        let client = served(&broker, "g").await;
        assert_eq!(client.fetch().await, round * 100 - 1);
        for offset in 1..=100 {
            assert_eq!(client.commit(round * 100 + offset - 1).await, NONE);
        }
        disk = broker.kill();
    }
}

#[tokio::test]
async fn no_answer_leaves_before_what_it_rests_on_is_on_disk() {
    let (disk, gate) = (SimDisk::new(), Arc::new(Gate::default()));
    let view = GatedDisk { disk: Arc::new(disk.process()), gate: gate.clone() };
    let broker = Broker::start_on(&disk, Arc::new(view), 1);
    let client = served(&broker, "g").await;
    assert_eq!(client.commit(1).await, NONE);

    let shut = gate.shut();
    let (mut commit, mut fetch) = (pin!(client.commit(2)), pin!(client.fetch()));
    assert_eq!(poll_immediate(&mut commit).await, None);
    assert_eq!(poll_immediate(&mut fetch).await, None, "it would say what may still be lost");
    while broker.logs[0].log_end_offset() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(broker.logs[0].durable_end_offset(), 1);
    assert_eq!((poll_immediate(&mut commit).await, poll_immediate(&mut fetch).await), (None, None));
    drop(shut);
    assert_eq!((commit.await, fetch.await), (NONE, 2));
}

#[tokio::test(start_paused = true)]
async fn a_member_that_does_not_join_again_is_left_behind_when_the_time_is_up() {
    let broker = Broker::start(&SimDisk::new(), 1);
    let client = Client::of(&broker.groups, "g");
    let (first, second) = at_once({
        let client = client.clone();
        async move {
            client.is_served().await;
            let first = client.join_anew().await;
            client.sync(&first).await.expect("it leads");
            let given = client.join("").await;
            (first, given.member_id)
        }
    })
    .await;
    let rejoining = tokio::spawn({
        let client = client.clone();
        async move { client.join(&second).await }
    });
    while beat(&client, &first.member_id).await == NONE {
        // The other is about to join.
    }
    for _ in 0..REBALANCE_MS / 5_000 - 1 {
        pass(5_000).await;
        assert_eq!(beat(&client, &first.member_id).await, ErrorCode::RebalanceInProgress as i16);
        assert!(!rejoining.is_finished());
    }
    pass(5_000).await;
    let joined = at_once(rejoining).await.expect("it does not panic");
    assert_eq!((joined.error_code, joined.generation_id, joined.members.len()), (NONE, 2, 1));
    assert_eq!(beat(&client, &first.member_id).await, ErrorCode::UnknownMemberId as i16);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_falls_silent_is_forgotten_when_its_session_ends() {
    let broker = Broker::start(&SimDisk::new(), 1);
    let client = Client::of(&broker.groups, "g");
    let joined = at_once({
        let client = client.clone();
        async move {
            client.is_served().await;
            let joined = client.join_anew().await;
            client.sync(&joined).await.expect("it leads");
            joined
        }
    })
    .await;
    for _ in 0..5 {
        pass(SESSION_MS as u64 - 1).await;
        assert_eq!(beat(&client, &joined.member_id).await, NONE);
    }
    pass(SESSION_MS as u64 + 1).await;
    assert_eq!(beat(&client, &joined.member_id).await, ErrorCode::UnknownMemberId as i16);
}

async fn pass(ms: u64) {
    tokio::time::advance(Duration::from_millis(ms)).await;
}

async fn beat(client: &Client, member_id: &str) -> i16 {
    let (client, member_id) = (client.clone(), member_id.to_owned());
    at_once(async move { client.heartbeat(&member_id, 1).await }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_groups_on_many_partitions_go_on_side_by_side() {
    const GROUPS: usize = 60;
    const PARTITIONS: i32 = 10;
    let broker = Broker::start(&SimDisk::new(), PARTITIONS);
    let lives = (0..GROUPS).map(|number| {
        let client = Client::of(&broker.groups, &format!("group-{number}"));
        tokio::spawn(async move {
            client.is_served().await;
            let joined = client.join_anew().await;
            assert_eq!(client.sync(&joined).await.expect("it leads"), joined.member_id);
            for offset in 0..20 {
                assert_eq!(client.commit_as(&joined.member_id, 1, offset).await, NONE);
                assert_eq!(client.fetch().await, offset);
                assert_eq!(client.heartbeat(&joined.member_id, 1).await, NONE);
            }
        })
    });
    join_all(lives.collect::<Vec<_>>()).await.into_iter().for_each(|life| life.expect("it does not panic"));
    let listed = listed(&broker).await;
    assert_eq!(listed.len(), GROUPS);
    assert!(broker.logs.iter().all(|log| log.log_end_offset() > 0), "all partitions have a part");

    let broker = Broker::start(&broker.kill(), PARTITIONS);
    for group in &listed {
        assert_eq!(served(&broker, group).await.fetch().await, 19);
    }
}

/// The ids of all groups, each from its own partition.
async fn listed(broker: &Broker) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for partition in broker.groups.partitions_led() {
        let request = Request::ListGroups(ListGroupsRequest::default());
        let reply = broker.groups.ask_partition(partition, request).await;
        let Ok(Reply::ListGroups(response)) = reply else { panic!("{reply:?}") };
        assert_eq!(response.error_code, NONE);
        for group in response.groups {
            assert_eq!(broker.groups.partition_of(&group.group_id), Some(partition));
            assert!(ids.insert(group.group_id));
        }
    }
    ids
}

#[tokio::test]
async fn a_commit_that_the_disk_refuses_is_undone_and_the_group_lives_on() {
    let broker = Broker::start(&SimDisk::new(), 1);
    let client = served(&broker, "g").await;
    assert_eq!(client.commit(1).await, NONE);
    broker.disk.fail_writes("yeoul.journal", io::ErrorKind::StorageFull);
    assert_eq!(client.commit(2).await, ErrorCode::NotCoordinator as i16);
    assert_eq!(client.fetch_result(0).await.0, LOADING);
    client.is_served().await;
    assert_eq!(client.fetch().await, 1);
    assert_eq!(client.commit(3).await, ErrorCode::NotCoordinator as i16, "it fails still");

    broker.disk.heal();
    while client.commit(4).await != NONE {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.fetch().await, 4);
    drop(client);
    let broker = Broker::start(&broker.kill(), 1);
    assert_eq!(served(&broker, "g").await.fetch().await, 4);
}

#[tokio::test]
async fn one_append_that_fails_fails_all_that_was_decided_after_it() {
    let (disk, gate) = (SimDisk::new(), Arc::new(Gate::default()));
    let view = GatedDisk { disk: Arc::new(disk.process()), gate: gate.clone() };
    let broker = Broker::start_on(&disk, Arc::new(view), 1);
    let client = served(&broker, "g").await;
    let shut = gate.shut();
    let committer = client.clone();
    let commits = tokio::spawn(async move { join_all((0..20).map(|offset| committer.commit(offset))).await });
    while broker.logs[0].log_end_offset() < 20 {
        tokio::task::yield_now().await;
    }
    disk.fail_writes("yeoul.journal", io::ErrorKind::StorageFull);
    drop(shut);
    let errors = commits.await.expect("it does not panic");
    assert_eq!(errors, [ErrorCode::NotCoordinator as i16; 20]);
    client.is_served().await;
    assert_eq!(client.fetch().await, -1);
}

#[tokio::test]
async fn who_waits_is_answered_when_the_leadership_or_the_broker_ends() {
    let broker = Broker::start(&SimDisk::new(), 2);
    let client = served(&broker, "g").await;
    let first = client.join_anew().await;
    let mut waiting = pin!(client.join_anew());
    assert!(poll_immediate(&mut waiting).await.is_none());

    let partition = broker.groups.partition_of("g").expect("the topic is there");
    broker.groups.resign(partition, ErrorCode::NotCoordinator);
    assert_eq!(waiting.await.error_code, ErrorCode::NotCoordinator as i16);
    assert_eq!(client.fetch_result(0).await.0, ErrorCode::NotCoordinator as i16);
    assert_eq!(broker.groups.partitions_led(), [1 - partition]);

    broker.lead_all(LEADER_EPOCH + 1);
    client.is_served().await;
    assert_eq!(client.heartbeat(&first.member_id, 1).await, ErrorCode::UnknownMemberId as i16);
    let mut waiting = pin!(client.join_anew());
    assert!(poll_immediate(&mut waiting).await.is_none());
    broker.groups.stop();
    assert_eq!(client.fetch_result(0).await.0, ErrorCode::CoordinatorNotAvailable as i16);
    broker.lead_all(LEADER_EPOCH + 2);
    assert!(broker.groups.partitions_led().is_empty());
}

#[tokio::test]
async fn a_later_epoch_of_the_same_leader_interrupts_nobody() {
    let broker = Broker::start(&SimDisk::new(), 1);
    let client = served(&broker, "g").await;
    let joined = client.join_anew().await;
    client.sync(&joined).await.expect("it leads");
    broker.lead_all(LEADER_EPOCH + 1);
    broker.lead_all(LEADER_EPOCH);
    assert_eq!(client.heartbeat(&joined.member_id, 1).await, NONE);
    assert_eq!(client.commit_as(&joined.member_id, 1, 5).await, NONE);
    assert_eq!(broker.logs[0].latest_epoch(), Some(LEADER_EPOCH + 1));
}

#[tokio::test]
async fn there_is_no_coordinator_before_there_is_a_topic() {
    let broker = Broker::start(&SimDisk::new(), 0);
    let client = Client::of(&broker.groups, "g");
    assert_eq!(broker.groups.partition_of("g"), None);
    assert_eq!(client.fetch_result(0).await.0, ErrorCode::CoordinatorNotAvailable as i16);
    broker.groups.set_partition_count(50);
    assert_eq!(client.fetch_result(0).await.0, ErrorCode::NotCoordinator as i16);
}

/// What the clients have seen so far.
#[derive(Default)]
struct Seen {
    acknowledged: AtomicU64,
    refused: AtomicU64,
    is_enough: AtomicBool,
}

impl Seen {
    /// Waits until this has been counted so often more.
    async fn more(&self, count: &AtomicU64, more: u64) {
        let target = count.load(Ordering::SeqCst) + more;
        while count.load(Ordering::SeqCst) < target {
            tokio::task::yield_now().await;
        }
    }
}

/// Commits rising offsets until it is enough. The last that was acknowledged, and the last that was sent.
async fn commit_rising(client: Client, seen: Arc<Seen>) -> (i64, i64) {
    let (mut acknowledged, mut sent) = (-1, -1);
    while !seen.is_enough.load(Ordering::SeqCst) {
        sent += 1;
        match client.commit(sent).await {
            NONE => {
                acknowledged = sent;
                seen.acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            error => {
                assert!(error == LOADING || error == ErrorCode::NotCoordinator as i16, "{error}");
                seen.refused.fetch_add(1, Ordering::SeqCst);
            }
        }
        if let (NONE, found) = client.fetch_result(0).await {
            assert!((acknowledged..=sent).contains(&found), "{acknowledged} <= {found} <= {sent}");
        }
    }
    (acknowledged, sent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_commit_is_lost_however_often_the_disk_is_full() {
    let broker = Broker::start(&SimDisk::new(), 3);
    let seen = Arc::new(Seen::default());
    let names: Vec<String> = (0..8).map(|number| format!("group-{number}")).collect();
    let lives =
        names.iter().map(|name| tokio::spawn(commit_rising(Client::of(&broker.groups, name), seen.clone())));
    let lives: Vec<_> = lives.collect();
    for _ in 0..3 {
        seen.more(&seen.acknowledged, 100).await;
        broker.disk.fail_writes("yeoul.journal", io::ErrorKind::StorageFull);
        seen.more(&seen.refused, 10).await;
        broker.disk.heal();
    }
    seen.more(&seen.acknowledged, 100).await;
    seen.is_enough.store(true, Ordering::SeqCst);
    let outcomes = join_all(lives).await;
    let broker = Broker::start(&broker.kill(), 3);
    for (name, outcome) in names.iter().zip(outcomes) {
        let (acknowledged, sent) = outcome.expect("it does not panic");
        let found = served(&broker, name).await.fetch().await;
        assert!((acknowledged..=sent).contains(&found), "{acknowledged} <= {found} <= {sent}");
    }
}

#[tokio::test]
async fn offsets_of_a_topic_that_is_deleted_while_they_are_being_loaded_are_forgotten() {
    let broker = Broker::start(&SimDisk::new(), 1);
    let client = served(&broker, "g").await;
    assert_eq!(client.commit(41).await, NONE);
    drop(client);

    let broker = Broker::start(&broker.stop(), 1);
    // Nothing of the log can have been read: this thread has not let its task begin.
    broker.groups.topics_deleted(&["t".to_owned()]);
    let client = served(&broker, "g").await;
    assert_eq!(client.fetch().await, -1);
    drop(client);

    let broker = Broker::start(&broker.kill(), 1);
    assert_eq!(served(&broker, "g").await.fetch().await, -1, "it lasts");
}
