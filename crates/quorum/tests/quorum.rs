//! A quorum of one: its start, changes, stops and starts.

mod support;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use host::Host;
use host::sim::SimDisk;
use metadata::{Image, bootstrap_features};
use protocol::Uuid;
use protocol::messages::{BeginTransactionRecord, MetadataRecord, RemoveTopicRecord};
use protocol::records::{BatchError, BatchHeader, ControlRecord, Record, records};
use quorum::{QuorumError, QuorumSettings, VoterSet, format};
use storage::files::load_whole;
use support::{
    DIR, batches, bootstrap, formatting, fresh, has_topic, host, metadata_records, standalone, start,
    start_with, topic, voter,
};

#[tokio::test]
async fn a_new_cluster_begins_with_what_was_formatted() {
    let host = host(&SimDisk::new(), 1);
    let node = fresh(&host).await;
    let image = node.quorum.image();
    assert_eq!(image.image.features.level("metadata.version"), 30);
    assert_eq!((node.quorum.leader_epoch(), image.epoch, image.offset), (1, 1, 10));
    assert_eq!(*node.told.loaded.lock().expect("no panic"), [image]);
    assert!(node.told.committed.lock().expect("no panic").is_empty());
    let log = batches(node.quorum.log());
    assert_eq!(log.len(), 2);
    let control = control_records(&log[0].1);
    let [ControlRecord::LeaderChange(change)] = &control[..] else {
        panic!("the log begins with {control:?}")
    };
    assert_eq!((change.version, change.leader_id, change.voters.len()), (0, 1, 1));
    let formatted = bootstrap_features(metadata::MetadataVersion::LATEST);
    assert_eq!(metadata_records(&log[1].1), bootstrap(formatted));
    node.stop().await;
}

#[tokio::test]
async fn a_change_is_committed_and_told_when_it_returns() {
    let host = host(&SimDisk::new(), 1);
    let node = fresh(&host).await;
    let changed = node
        .quorum
        .change(|image, offset| {
            assert!(!has_topic(image, "orders"));
            (topic("orders").0, offset)
        })
        .await
        .expect("a disk");
    assert_eq!((changed.reply, changed.offset), (10, 11));
    let image = node.quorum.image();
    assert_eq!((image.offset, node.quorum.high_watermark(), node.quorum.log_end_offset()), (11, 11, 11));
    assert!(has_topic(&image.image, "orders"));
    let told = node.told.committed.lock().expect("no panic").clone();
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].0, told[0].1.created_topics.len()), (&image, 1));
    node.stop().await;
}

/// The records of a control batch.
fn control_records(batch: &Bytes) -> Vec<ControlRecord> {
    let decode = |record: Result<Record, BatchError>| {
        let record = record.expect("a record");
        ControlRecord::decode(&record.key.expect("a key"), &record.value.expect("a value")).expect("known")
    };
    records(batch, 1 << 20).expect("a batch").map(decode).collect()
}

#[tokio::test]
async fn the_first_batch_of_kafka_is_written_byte_for_byte() {
    let kafkas =
        include_bytes!("../../storage/tests/fixtures/stopped/__cluster_metadata-0/leader-change.batch");
    let host = host(&SimDisk::new(), 1);
    let node = fresh(&host).await;
    let ours = batches(node.quorum.log())[0].1.clone();
    let kafkas_header = BatchHeader::parse(kafkas).expect("a batch");
    let mut ours_header = BatchHeader::parse(&ours).expect("a batch");
    assert_ne!(ours_header.base_timestamp, kafkas_header.base_timestamp);
    ours_header.base_timestamp = kafkas_header.base_timestamp;
    ours_header.max_timestamp = kafkas_header.max_timestamp;
    ours_header.crc = kafkas_header.crc;
    assert_eq!(ours_header, kafkas_header);
    assert_eq!(ours[61..], kafkas[61..]);
    node.stop().await;
}

#[tokio::test]
async fn voters_in_the_log_are_repeated_by_its_first_batch_only() {
    let host = host(&SimDisk::new(), 1);
    format(&host, &formatting(Path::new(DIR), standalone()), false).expect("room");
    let without_voters = |settings| QuorumSettings { voters: Vec::new(), ..settings };
    for epoch in 1..4 {
        let node = start_with(host.clone(), Path::new(DIR), without_voters).await.expect("a voter");
        assert_eq!(node.quorum.leader_epoch(), epoch);
        let control: Vec<_> = batches(node.quorum.log())
            .iter()
            .filter(|(header, _)| header.is_control())
            .map(|(_, batch)| control_records(batch).len())
            .collect();
        assert_eq!(control, [[3].as_slice(), &vec![1; epoch as usize - 1]].concat());
        node.stop().await;
        let state = load_whole(&*host.disk, Path::new("/data/__cluster_metadata-0/quorum-state"));
        let state = String::from_utf8(state.expect("a disk").expect("a file")).expect("text");
        assert_eq!(
            state,
            format!(
                "{{\"leaderId\":1,\"leaderEpoch\":{epoch},\"votedId\":-1,\"votedDirectoryId\":\
                 \"AAAAAAAAAAAAAAAAAAAAAA\",\"data_version\":1}}"
            )
        );
    }
}

#[tokio::test]
async fn a_node_that_is_not_the_only_voter_does_not_start() {
    let host = host(&SimDisk::new(), 1);
    format(&host, &formatting(Path::new(DIR), VoterSet::Elsewhere), false).expect("room");
    let other = |id: i32| config::Voter { id, ..voter() };
    for voters in [vec![], vec![other(2)], vec![other(1), other(2)]] {
        let started =
            start_with(host.clone(), Path::new(DIR), |settings| QuorumSettings { voters, ..settings });
        assert!(matches!(started.await, Err(QuorumError::Voters(_))));
    }
}

#[tokio::test]
async fn a_directory_that_took_the_place_of_a_voters_is_refused() {
    let host = host(&SimDisk::new(), 1);
    format(&host, &formatting(Path::new(DIR), standalone()), false).expect("room");
    let other = |settings| QuorumSettings { directory_id: Uuid([5; 16]), ..settings };
    let refused = start_with(host.clone(), Path::new(DIR), other).await;
    assert!(matches!(refused, Err(QuorumError::Voters(message)) if message.contains("directory")));
}

#[tokio::test]
async fn every_start_leads_in_a_new_epoch_with_all_there_was() {
    let host = host(&SimDisk::new(), 1);
    fresh(&host).await.stop().await;
    for n in 2..30 {
        let node = start(host.clone()).await.expect("a disk");
        assert_eq!(node.quorum.leader_epoch(), n);
        node.create_topic(&format!("topic-{n}")).await.expect("a disk");
        let image = node.quorum.image();
        assert_eq!(image.image.topics.len(), n as usize - 1);
        assert!((2..=n).all(|n| has_topic(&image.image, &format!("topic-{n}"))));
        node.stop().await;
    }
}

#[tokio::test]
async fn a_log_that_was_never_closed_is_recovered() {
    let host = host(&SimDisk::new(), 1);
    let node = fresh(&host).await;
    node.create_topic("orders").await.expect("a disk");
    node.quorum.stop().await;
    let expected = node.quorum.image();
    drop(node);
    let node = start(host).await.expect("a disk");
    let image = node.quorum.image();
    assert_eq!(image.image, expected.image);
    assert_eq!((image.offset, image.epoch), (expected.offset + 1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_changes_at_once_are_made_one_after_the_other_in_few_batches() {
    let host = host(&SimDisk::new(), 1);
    let node = fresh(&host).await;
    let before = batches(node.quorum.log()).len();
    let changes: Vec<_> = (0..1_000)
        .map(|n| {
            let quorum = node.quorum.clone();
            tokio::spawn(async move {
                let decide = |image: &Image, offset| {
                    let made = (image.topics.len() as i64, offset);
                    (topic(&format!("topic-{n}")).0, made)
                };
                quorum.change(decide).await.expect("a disk")
            })
        })
        .collect();
    let mut made = Vec::new();
    for change in changes {
        let changed = change.await.expect("no panic");
        assert_eq!(changed.offset, changed.reply.1 + 1);
        assert!(node.quorum.image().offset >= changed.offset);
        made.push(changed.reply);
    }
    made.sort_unstable();
    assert_eq!(made, (0..1_000).map(|n| (n, 10 + n)).collect::<Vec<_>>());
    let appended = batches(node.quorum.log()).len() - before;
    assert!(appended < 500, "{appended} batches for a thousand changes");
    let told = node.told.committed.lock().expect("no panic").clone();
    assert!(told.windows(2).all(|pair| pair[0].0.offset < pair[1].0.offset));
    assert_eq!(told.iter().map(|(_, delta)| delta.created_topics.len()).sum::<usize>(), 1_000);
    let image = node.quorum.image();
    node.stop().await;
    let node = start(host).await.expect("a disk");
    assert_eq!(node.quorum.image().image, image.image);
    node.stop().await;
}

#[tokio::test]
async fn a_change_that_does_not_fit_leaves_nothing_behind() {
    let host = host(&SimDisk::new(), 1);
    let node = fresh(&host).await;
    let removal = MetadataRecord::from(RemoveTopicRecord { topic_id: Uuid([3; 16]) });
    let unfit = node.quorum.change(|_, _| ([topic("a").0, vec![removal]].concat(), ())).await;
    assert!(matches!(unfit, Err(QuorumError::Unfit(_))));
    let next = node.quorum.change(|image, offset| (topic("a").0, (image.topics.len(), offset))).await;
    assert_eq!(next.expect("a disk").reply, (0, 10));
    node.stop().await;
}

#[tokio::test]
async fn a_change_without_records_answers_at_once_or_with_what_it_rests_on() {
    let host = host(&SimDisk::new(), 1);
    let node = fresh(&host).await;
    let read = || node.quorum.change(|image, _| (Vec::new(), has_topic(image, "a")));
    let changed = read().await.expect("nothing to write");
    assert_eq!((changed.reply, changed.offset), (false, 10));
    let (made, seen) = tokio::join!(node.create_topic("a"), async {
        let changed = read().await.expect("a disk");
        assert!(has_topic(&node.quorum.image().image, "a"), "what was read is committed");
        changed
    });
    assert_eq!((made.expect("a disk").offset, seen.reply, seen.offset), (11, true, 11));
    assert_eq!(batches(node.quorum.log()).len(), 3);
    node.stop().await;
}

#[tokio::test]
async fn a_change_that_fits_no_batch_becomes_a_transaction() {
    let host = host(&SimDisk::new(), 1);
    let node = fresh(&host).await;
    let many = || (0..12_000).flat_map(|n| topic(&format!("topic-{n}")).0).collect::<Vec<_>>();
    let changed = node.quorum.change(|_, _| (many(), ())).await.expect("a disk");
    assert_eq!(changed.offset, 10 + 12_002);
    let log = batches(node.quorum.log());
    let large: Vec<_> = log[2..].iter().flat_map(|(_, batch)| metadata_records(batch)).collect();
    assert!(matches!(large[0], MetadataRecord::BeginTransaction(_)));
    assert!(matches!(large[12_001], MetadataRecord::EndTransaction(_)));
    assert_eq!(large[1..12_001], many()[..]);
    let told = node.told.committed.lock().expect("no panic").clone();
    let seen = told.iter().map(|(image, _)| image.image.topics.len());
    assert!(seen.into_iter().all(|topics| topics == 0 || topics == 12_000), "nobody sees a part of it");
    node.stop().await;
    let node = start(host).await.expect("a disk");
    assert_eq!(node.quorum.image().image.topics.len(), 12_000);
    node.stop().await;
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_nothing_back() {
    let host = host(&SimDisk::new(), 1);
    let node = fresh(&host).await;
    // Decided, and dropped before it is answered.
    assert!(node.create_topic("a").now_or_never().is_none());
    let next = node.quorum.change(|image, offset| (topic("b").0, (has_topic(image, "a"), offset))).await;
    assert_eq!(next.expect("a disk").reply, (true, 11));
    assert!(has_topic(&node.quorum.image().image, "a"));
    node.stop().await;
}

#[tokio::test]
async fn a_stopped_quorum_finishes_what_was_decided_and_takes_no_more() {
    let host = host(&SimDisk::new(), 1);
    let node = fresh(&host).await;
    assert!(node.create_topic("a").now_or_never().is_none());
    node.quorum.stop().await;
    assert!(has_topic(&node.quorum.image().image, "a"));
    assert!(matches!(node.create_topic("b").await, Err(QuorumError::Stopped)));
    node.quorum.stop().await;
    drop(node.quorum);
    assert_eq!(Arc::strong_count(&node.log_dir), 1, "nobody else has it any more");
}

#[tokio::test]
async fn a_disk_that_fails_fails_all_changes_and_hangs_none() {
    let disk = SimDisk::new();
    let host = host(&disk, 1);
    let node = fresh(&host).await;
    disk.fail_writes("journal", std::io::ErrorKind::Other);
    let (first, second) = tokio::join!(node.create_topic("a"), node.create_topic("b"));
    for failed in [first, second, node.create_topic("c").await] {
        let error = failed.expect_err("the disk fails");
        assert!(matches!(&error, QuorumError::Failed(_)), "{error}");
        assert!(error.to_string().contains("start the node again"), "{error}");
    }
    assert_eq!(node.quorum.image().image.topics.len(), 0);
    node.quorum.stop().await;
}

#[tokio::test]
async fn a_full_disk_refuses_changes_until_there_is_room_and_fails_nothing_that_was_decided() {
    let disk = SimDisk::new();
    let host = host(&disk, 1);
    let node = fresh(&host).await;
    disk.fail_writes("journal", std::io::ErrorKind::StorageFull);
    let decided = node.create_topic("a");
    let refused = async {
        let mut names = (0..).map(|number| format!("b-{number}"));
        let error = loop {
            match node.create_topic(&names.next().expect("there are more")).now_or_never() {
                Some(outcome) => break outcome.expect_err("there is no room"),
                // It was decided before the disk was known to be full.
                None => tokio::task::yield_now().await,
            }
        };
        assert!(matches!(&error, QuorumError::NoRoom(_)), "{error}");
        disk.heal();
    };
    let (decided, ()) = tokio::join!(decided, refused);
    decided.expect("there is room at last");
    assert!(has_topic(&node.quorum.image().image, "a"));
    node.create_topic("c").await.expect("there is room");
    node.stop().await;
    let node = start(host.clone()).await.expect("a disk");
    assert!(has_topic(&node.quorum.image().image, "a") && has_topic(&node.quorum.image().image, "c"));
    node.stop().await;
}

#[tokio::test]
async fn a_quorum_whose_disk_is_full_can_be_stopped() {
    let disk = SimDisk::new();
    let host = host(&disk, 1);
    let node = fresh(&host).await;
    disk.fail_writes("journal", std::io::ErrorKind::StorageFull);
    let waiting = node.create_topic("a");
    let (outcome, ()) = tokio::join!(waiting, node.quorum.stop());
    outcome.expect_err("there was no room");
}

#[tokio::test]
async fn a_transaction_that_a_leader_left_open_is_aborted_by_the_next() {
    let host = host(&SimDisk::new(), 1);
    let node = fresh(&host).await;
    let begin = MetadataRecord::from(BeginTransactionRecord { name: None });
    node.quorum.change(|_, _| ([vec![begin], topic("half").0].concat(), ())).await.expect("a disk");
    assert!(!has_topic(&node.quorum.image().image, "half"));
    node.stop().await;
    let node = start(host.clone()).await.expect("a disk");
    let last = batches(node.quorum.log()).pop().expect("a batch");
    assert!(matches!(metadata_records(&last.1)[..], [MetadataRecord::AbortTransaction(_)]));
    node.create_topic("whole").await.expect("a disk");
    let image = node.quorum.image();
    assert!(has_topic(&image.image, "whole") && !has_topic(&image.image, "half"));
    node.stop().await;
}

#[tokio::test]
async fn a_vote_that_cannot_be_written_fails_the_quorum() {
    let disk = SimDisk::new();
    let host = host(&disk, 1);
    fresh(&host).await.stop().await;
    disk.fail_writes("quorum-state", std::io::ErrorKind::Other);
    assert!(
        matches!(until_failure(&host).await, QuorumError::Failed(message) if message.contains("quorum-state"))
    );
    disk.heal();
    let node = start(host).await.expect("a disk that works");
    let epochs: Vec<_> =
        batches(node.quorum.log()).iter().map(|(header, _)| header.partition_leader_epoch).collect();
    assert!(epochs.is_sorted(), "{epochs:?}");
    assert!(node.quorum.leader_epoch() >= 2);
    node.stop().await;
}

/// Starts a quorum and makes changes until one fails, if the start does not.
async fn until_failure(host: &Host) -> QuorumError {
    let node = match start(host.clone()).await {
        Ok(node) => node,
        Err(error) => return error,
    };
    for n in 0.. {
        if let Err(error) = node.create_topic(&format!("topic-{n}")).await {
            node.quorum.stop().await;
            return error;
        }
    }
    unreachable!("it fails when it is known")
}
