//! Snapshots of the metadata, and starts from them and from what Apache Kafka wrote.

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use host::sim::{ManualClock, SeededRandom, SimDisk};
use host::{Host, OpenMode};
use metadata::Image;
use protocol::messages::MetadataRecord;
use quorum::{QuorumError, QuorumSettings};
use storage::files::{names, snapshot, store_whole};
use support::{DIR, Node, batches, fresh, has_topic, host, start, start_with};

const METADATA: &str = "/data/__cluster_metadata-0";

/// Snapshots there are, the oldest first.
fn snapshots(host: &Host) -> Vec<(i64, i32)> {
    let entries = host.disk.list(Path::new(METADATA)).expect("a disk");
    let mut ids: Vec<_> = entries.iter().filter_map(|entry| names::snapshot_in(&entry.name)).collect();
    ids.sort_unstable();
    ids
}

fn often(settings: QuorumSettings) -> QuorumSettings {
    QuorumSettings { snapshot_bytes: 1, ..settings }
}

async fn start_often(host: &Host) -> Node {
    start_with(host.clone(), Path::new(DIR), often).await.expect("a disk")
}

/// Makes changes until a snapshot is there that was not before, and gives its end.
async fn until_snapshot(host: &Host, node: &Node, prefix: &str) -> (i64, i32) {
    let before = snapshots(host).last().copied();
    for n in 0.. {
        let newest = snapshots(host).last().copied();
        if newest > before {
            return newest.expect("a snapshot");
        }
        node.create_topic(&format!("{prefix}-{n}")).await.expect("a disk");
        tokio::task::yield_now().await;
    }
    unreachable!("a snapshot comes")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_takes_the_newest_whole_snapshot_and_the_log_behind_it() {
    let host = host(&SimDisk::new(), 1);
    fresh(&host).await.stop().await;
    let mut expected = Vec::new();
    for round in 0..4 {
        let node = start_often(&host).await;
        let (end_offset, epoch) = until_snapshot(&host, &node, &format!("topic-{round}")).await;
        assert!(end_offset <= node.quorum.log_end_offset() && epoch == node.quorum.leader_epoch());
        let image = node.quorum.image();
        node.stop().await;
        let node = start(host.clone()).await.expect("a disk");
        assert_eq!(node.quorum.image().image, image.image);
        expected.push(image);
        node.stop().await;
    }
    // The newest is damaged: the one before is as good, for the log is there.
    let (end_offset, epoch) = *snapshots(&host).last().expect("a snapshot");
    let path = Path::new(METADATA).join(names::of_snapshot(end_offset, epoch));
    host.disk.open(&path, OpenMode::ReadWrite).expect("a disk").set_len(100).expect("a disk");
    let node = start(host.clone()).await.expect("a disk");
    assert_eq!(node.quorum.image().image, expected.last().expect("four").image);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_says_what_the_image_says() {
    let host = host(&SimDisk::new(), 1);
    fresh(&host).await.stop().await;
    let node = start_often(&host).await;
    let (end_offset, epoch) = until_snapshot(&host, &node, "topic").await;
    let mut images = node.told.loaded.lock().expect("no panic").clone();
    images.extend(node.told.committed.lock().expect("no panic").iter().map(|(image, _)| image.clone()));
    let image = images.iter().find(|image| image.offset == end_offset).expect("an image of that end");
    let path = Path::new(METADATA).join(names::of_snapshot(end_offset, epoch));
    let written = snapshot::load(&*host.disk, &path).expect("a disk").expect("a snapshot");
    assert_eq!((written.kraft_version, written.voters), (0, None));
    let records: Vec<_> = written
        .values
        .iter()
        .map(|value| protocol::metadata_record::decode(value).expect("a record"))
        .collect();
    assert_eq!(records, image.image.to_records());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_makes_a_snapshot_too() {
    let disk = SimDisk::new();
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let host =
        Host { disk: Arc::new(disk.process()), clock: clock.clone(), random: Arc::new(SeededRandom::new(1)) };
    let node = fresh(&host).await;
    for n in 0..10 {
        node.create_topic(&format!("early-{n}")).await.expect("a disk");
    }
    assert_eq!(snapshots(&host), []);
    clock.advance(Duration::from_secs(60 * 60));
    until_snapshot(&host, &node, "late").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_snapshots_go_and_the_log_starts_where_the_oldest_left_ends() {
    let host = host(&SimDisk::new(), 1);
    fresh(&host).await.stop().await;
    let greedy = |settings| QuorumSettings { retention_bytes: 1, ..often(settings) };
    for round in 0..3 {
        let node = start_with(host.clone(), Path::new(DIR), greedy).await.expect("a disk");
        until_snapshot(&host, &node, &format!("topic-{round}")).await;
        node.stop().await;
    }
    let left = snapshots(&host);
    assert_eq!(left.len(), 1);
    let node = start(host.clone()).await.expect("a disk");
    assert_eq!(node.quorum.log().log_start_offset(), left[0].0);
    assert!((0..3).all(|round| has_topic(&node.quorum.image().image, &format!("topic-{round}-0"))));
    node.stop().await;
    host.disk
        .remove_file(&Path::new(METADATA).join(names::of_snapshot(left[0].0, left[0].1)))
        .expect("a disk");
    let refused = start(host).await;
    assert!(matches!(refused, Err(QuorumError::Gap { snapshot: 0, .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_cannot_be_written_stops_nothing() {
    let disk = SimDisk::new();
    let host = host(&disk, 1);
    fresh(&host).await.stop().await;
    disk.fail_writes(".checkpoint", std::io::ErrorKind::StorageFull);
    let node = start_often(&host).await;
    for n in 0..20 {
        node.create_topic(&format!("topic-{n}")).await.expect("the journal has room");
    }
    assert_eq!(snapshots(&host), []);
    disk.heal();
    until_snapshot(&host, &node, "later").await;
    node.stop().await;
}

#[tokio::test]
async fn what_was_left_of_a_snapshot_that_was_not_finished_is_removed() {
    let host = host(&SimDisk::new(), 1);
    fresh(&host).await.stop().await;
    let part = PathBuf::from(METADATA).join("00000000000000000007-0000000001.checkpoint.part");
    let other = PathBuf::from(METADATA).join("notes.part");
    store_whole(&*host.disk, &part, b"half").expect("a disk");
    store_whole(&*host.disk, &other, b"mine").expect("a disk");
    start(host.clone()).await.expect("a disk").stop().await;
    assert_eq!((host.disk.exists(&part), host.disk.exists(&other)), (false, true));
}

/// Puts a file that Kafka wrote in its place.
fn put(host: &Host, name: &str, content: &[u8]) {
    store_whole(&*host.disk, &Path::new(DIR).join(name), content).expect("a disk");
}

macro_rules! kafkas {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../storage/tests/fixtures/formatted/", $name)).as_slice())
    };
}

/// The directory that Kafka left, with or without the snapshot at its log's end.
fn kafkas_directory(with_snapshot: bool) -> Host {
    let host = host(&SimDisk::new(), 1);
    host.disk.create_dir_all(Path::new(METADATA)).expect("a disk");
    let mut files = vec![
        kafkas!("meta.properties"),
        kafkas!("bootstrap.checkpoint"),
        kafkas!("__cluster_metadata-0/quorum-state"),
        kafkas!("__cluster_metadata-0/00000000000000000000.log"),
        kafkas!("__cluster_metadata-0/00000000000000000000.index"),
        kafkas!("__cluster_metadata-0/00000000000000000000.timeindex"),
        kafkas!("__cluster_metadata-0/00000000000000000026.snapshot"),
        kafkas!("__cluster_metadata-0/00000000000000000000-0000000000.checkpoint"),
    ];
    if with_snapshot {
        files.push(kafkas!("__cluster_metadata-0/00000000000000000026-0000000001.checkpoint"));
    }
    files.iter().for_each(|(name, content)| put(&host, name, content));
    host
}

#[tokio::test]
async fn a_directory_of_kafka_is_taken_over_by_its_log_or_its_snapshot() {
    let mut images = Vec::new();
    for with_snapshot in [false, true] {
        let host = kafkas_directory(with_snapshot);
        let node = start_with(host.clone(), Path::new(DIR), |settings| QuorumSettings {
            voters: Vec::new(),
            ..settings
        });
        let node = node.await.expect("what Kafka wrote");
        let image = node.quorum.image();
        assert_eq!((image.offset, image.epoch, node.quorum.leader_epoch()), (27, 2, 2));
        assert_eq!(image.image.features.level("metadata.version"), 30);
        assert!(image.image.cluster.broker(1).is_some_and(|broker| broker.fenced));
        assert!(image.image.cluster.controller(1).is_some());
        let last = batches(node.quorum.log()).pop().expect("a batch").0;
        assert!(last.is_control() && last.records_count == 1, "the voters are in the log already");
        node.create_topic("ours").await.expect("a disk");
        images.push(node.quorum.image());
        node.stop().await;
        let node = start_with(host, Path::new(DIR), |settings| settings).await.expect("ours now");
        assert!(has_topic(&node.quorum.image().image, "ours"));
        node.stop().await;
    }
    assert_eq!(in_order(&images[0].image), in_order(&images[1].image));
}

/// The records of an image, with the features of nodes in order: Kafka writes them as its hash tables have them.
fn in_order(image: &Image) -> Vec<MetadataRecord> {
    let mut records = image.to_records();
    for record in &mut records {
        match record {
            MetadataRecord::RegisterBroker(broker) => broker.features.sort_by(|a, b| a.name.cmp(&b.name)),
            MetadataRecord::RegisterController(node) => node.features.sort_by(|a, b| a.name.cmp(&b.name)),
            _ => {}
        }
    }
    records
}
