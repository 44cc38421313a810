//! A broker with two log directories on a machine in memory: replicas move between them, one of them fails, both are full.

#[path = "broker_support/mod.rs"]
mod support;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use host::sim::{SeededRandom, SimDisk};
use protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use protocol::messages::{AlterReplicaLogDirsRequest, DescribeLogDirsRequest, MetadataRequest};
use protocol::records::{Batches, records};
use protocol::{ErrorCode, Records};
use server::Server;
use server::net::SimulatedSockets;
use support::{Client, batch, fetch, host, in_a_process, produce, start_as};

const DIRS: [&str; 2] = ["/data/a", "/data/b"];
const PORT: u16 = 9092;
/// Longer than anything takes but a broker whose disk is gone.
const PATIENCE: Duration = Duration::from_secs(10);

async fn start(disk: &SimDisk, seed: u64, sockets: &SimulatedSockets) -> Option<(Server, Client)> {
    let log_dirs = DIRS.join(",");
    let settings = [("log.dirs", &*log_dirs), ("offsets.topic.num.partitions", "2")];
    let server = start_as(host(disk, seed), sockets, Path::new(DIRS[0]), PORT, &settings).await.ok()?;
    let address = SocketAddr::from(([127, 0, 0, 1], PORT));
    let client = Client::on(sockets.connect(address).await.ok()?);
    Some((server, client))
}

/// The log directories of a partition with whether it is a copy there.
async fn places(client: &mut Client, topic: &str, partition: i32) -> Option<Vec<(String, bool)>> {
    let described = client.try_ask(&DescribeLogDirsRequest { topics: None }, 4).await?;
    let of_dir = |dir: &protocol::messages::describe_log_dirs_response::DescribeLogDirsResult| {
        let partitions =
            dir.topics.iter().filter(|known| known.name == topic).flat_map(|known| &known.partitions);
        let found = partitions.filter(|known| known.partition_index == partition);
        found.map(|known| (dir.log_dir.clone(), known.is_future_key)).collect::<Vec<_>>()
    };
    Some(described.results.iter().flat_map(of_dir).collect())
}

fn other(dir: &str) -> &'static str {
    DIRS.into_iter().find(|known| *known != dir).expect("there are two")
}

/// The error code of a move.
async fn alter(client: &mut Client, topic: &str, partition: i32, path: &str) -> Option<i16> {
    let topics = vec![AlterReplicaLogDirTopic { name: topic.to_owned(), partitions: vec![partition] }];
    let dirs = vec![AlterReplicaLogDir { path: path.to_owned(), topics }];
    let answer = client.try_ask(&AlterReplicaLogDirsRequest { dirs }, 2).await?;
    Some(answer.results[0].partitions[0].error_code)
}

/// The error code of one record.
async fn produce_one(client: &mut Client, topic: &str, partition: i32, value: &str) -> Option<i16> {
    let answer = client.try_ask(&produce(topic, partition, batch(value, None)), 9).await?;
    Some(answer.responses[0].partition_responses[0].error_code)
}

/// All values of a partition.
async fn values(client: &mut Client, topic: &str, partition: i32) -> Result<Vec<String>, i16> {
    let mut found = Vec::new();
    loop {
        let fetched = client.ask(&fetch(topic, partition, found.len() as i64, 0), 12).await;
        let answer = &fetched.responses[0].partitions[0];
        if answer.error_code != 0 {
            return Err(answer.error_code);
        }
        let Records::Bytes(bytes) = &answer.records else { panic!("a client decodes bytes") };
        if bytes.is_empty() {
            return Ok(found);
        }
        for one in Batches::new(bytes) {
            let (_, one) = one.expect("batches are whole");
            for record in records(&Bytes::copy_from_slice(one), 1 << 20).expect("they can be read") {
                let value = record.expect("so can their records").value.expect("each has a value");
                found.push(String::from_utf8(value.to_vec()).expect("it is text"));
            }
        }
    }
}

/// What a client was told.
#[derive(Debug, Default)]
struct Told {
    /// Changes of the disk when the move was asked for.
    asked_at: u64,
    /// Where the partition was to move.
    moving_to: Option<&'static str>,
    records: Vec<String>,
}

/// One life: records, a move while more of them come, and more.
async fn live(disk: &SimDisk, seed: u64) -> Told {
    let mut told = Told::default();
    let sockets = SimulatedSockets::default();
    let life = async {
        let (server, mut client) = start(disk, seed, &sockets).await?;
        client.try_create_topic("t", 2).await?;
        for number in 0..5 {
            write(&mut client, &mut told, &format!("before {number}")).await?;
        }
        let from = places(&mut client, "t", 0).await?[0].0.clone();
        told.asked_at = disk.changes();
        if alter(&mut client, "t", 0, other(&from)).await? == 0 {
            told.moving_to = Some(other(&from));
        }
        for number in 0.. {
            write(&mut client, &mut told, &format!("meanwhile {number}")).await?;
            if places(&mut client, "t", 0).await? == [(other(&from).to_owned(), false)] {
                break;
            }
        }
        write(&mut client, &mut told, "after").await?;
        Some(server)
    };
    let ended = tokio::time::timeout(PATIENCE, async {
        tokio::select! { server = life => server, () = off(disk) => None }
    });
    drop(ended.await);
    told
}

/// Writes a record as clients do: again as long as the log is held still.
async fn write(client: &mut Client, told: &mut Told, value: &str) -> Option<()> {
    loop {
        match produce_one(client, "t", 0, value).await? {
            0 => break,
            code if code == ErrorCode::KafkaStorageError.code() => tokio::task::yield_now().await,
            code => panic!("error {code}"),
        }
    }
    told.records.push(value.to_owned());
    Some(())
}

/// Waits until the power is gone.
async fn off(disk: &SimDisk) {
    while !disk.is_off() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What is there after a loss of power, once a move that was begun has come to its end.
async fn read_back(disk: &SimDisk, seed: u64, told: &Told) -> Vec<String> {
    let sockets = SimulatedSockets::default();
    let (server, mut client) = start(disk, seed, &sockets).await.expect("the broker starts");
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            let places = places(&mut client, "t", 0).await.expect("it is answered");
            let [(dir, false)] = &places[..] else { continue };
            if told.moving_to.is_none_or(|to| to == dir) {
                break;
            }
        }
    });
    waited.await.expect("the move comes to its end");
    let found = values(&mut client, "t", 0).await.expect("it is served");
    assert_eq!(produce_one(&mut client, "t", 0, "last").await, Some(0));
    server.stop().await.expect("it stops in order");
    found
}

fn is_within(wanted: &[String], found: &[String]) -> bool {
    let mut found = found.iter();
    wanted.iter().all(|value| found.any(|other| other == value))
}

#[test]
fn a_replica_moves_while_it_is_written_to_and_loses_nothing_wherever_the_power_goes() {
    let whole = SimDisk::new();
    let told = in_a_process(live(&whole, 0));
    assert!(told.moving_to.is_some() && told.records.last().is_some_and(|last| last == "after"), "{told:?}");
    for cut in told.asked_at..whole.changes() {
        let disk = SimDisk::new();
        let random = SeededRandom::new(cut);
        disk.cut_power_after(cut, random.below(9_000) as usize);
        let told = in_a_process(live(&disk, cut));
        disk.lose_power(&random);
        let found = in_a_process(read_back(&disk, cut + 1_000, &told));
        assert!(is_within(&told.records, &found), "cut at {cut}: {told:?} is not within {found:?}");
    }
}

#[test]
fn one_directory_fails_and_the_other_is_served() {
    in_a_process(async {
        let (disk, sockets) = (SimDisk::new(), SimulatedSockets::default());
        let (server, mut client) = start(&disk, 1, &sockets).await.expect("it starts");
        assert_eq!(client.create_topic("t", 2).await, 0);
        let mut on = [0, 0];
        for partition in 0..2 {
            assert_eq!(produce_one(&mut client, "t", partition, "first").await, Some(0));
            let places = places(&mut client, "t", partition).await.expect("it is answered");
            on[DIRS.iter().position(|dir| *dir == places[0].0).expect("it is one of them")] = partition;
        }
        disk.fail_writes("/data/b", io::ErrorKind::Other);
        let storage_error = ErrorCode::KafkaStorageError.code();
        assert_eq!(produce_one(&mut client, "t", on[1], "lost").await, Some(storage_error));
        until_leaderless(&mut client, on[1]).await;
        assert_eq!(produce_one(&mut client, "t", on[1], "lost").await, Some(storage_error));
        assert_eq!(values(&mut client, "t", on[1]).await, Err(storage_error));
        assert_eq!(produce_one(&mut client, "t", on[0], "second").await, Some(0));
        assert_eq!(values(&mut client, "t", on[0]).await.map(|values| values.len()), Ok(2));
        let described = client.ask(&DescribeLogDirsRequest { topics: None }, 5).await;
        assert_eq!(
            described.results.iter().map(|dir| dir.error_code).collect::<Vec<_>>(),
            [0, storage_error]
        );
        assert_eq!((described.results[1].total_bytes, described.results[1].usable_bytes), (-1, -1));
        for (partition, path, code) in
            [(on[1], "/data/a", storage_error), (on[0], "/data/b", storage_error), (on[0], "/x", 57)]
        {
            assert_eq!(alter(&mut client, "t", partition, path).await, Some(code));
        }
        assert_eq!(client.create_topic("u", 2).await, 0);
        assert_eq!(produce_one(&mut client, "u", 0, "first").await, Some(0));
        disk.heal();
        server.stop().await.expect("the other directory is closed in order");
        let (server, mut client) = start(&disk, 2, &sockets).await.expect("it starts");
        assert_eq!(values(&mut client, "t", on[1]).await, Ok(vec!["first".to_owned()]));
        assert_eq!(produce_one(&mut client, "t", on[1], "second").await, Some(0));
        server.stop().await.expect("it stops in order");
    });
}

/// Waits until the controller has taken the leader away, and checks what clients are told of it.
async fn until_leaderless(client: &mut Client, partition: i32) {
    let asked = tokio::time::timeout(PATIENCE, async {
        loop {
            let metadata = client.ask(&MetadataRequest { topics: None, ..Default::default() }, 12).await;
            let topic =
                metadata.topics.iter().find(|topic| topic.name.as_deref() == Some("t")).expect("it is there");
            let known = topic
                .partitions
                .iter()
                .find(|known| known.partition_index == partition)
                .expect("it is there");
            if known.leader_id == -1 {
                assert_eq!(known.error_code, ErrorCode::LeaderNotAvailable.code());
                assert_eq!((&known.offline_replicas[..], &known.isr_nodes[..]), (&[1][..], &[][..]));
                break;
            }
        }
    });
    asked.await.expect("the controller is told");
}

#[test]
fn the_broker_cannot_go_on_without_the_directory_of_the_metadata_log() {
    in_a_process(async {
        let (disk, sockets) = (SimDisk::new(), SimulatedSockets::default());
        let (server, mut client) = start(&disk, 1, &sockets).await.expect("it starts");
        assert_eq!(client.create_topic("t", 2).await, 0);
        disk.fail_writes("/data/a", io::ErrorKind::Other);
        assert_ne!(client.create_topic("u", 1).await, 0);
        let reason = tokio::time::timeout(PATIENCE, server.failed()).await.expect("it is told");
        assert!(reason.contains("/data/a") && reason.contains("start the broker again"), "{reason}");
        server.stop().await.expect("the other directory is closed in order");
    });
}

#[test]
fn a_topic_that_is_created_on_a_full_disk_is_served_once_there_is_room() {
    in_a_process(async {
        let (disk, sockets) = (SimDisk::new(), SimulatedSockets::default());
        let (server, mut client) = start(&disk, 1, &sockets).await.expect("it starts");
        disk.fail_writes("partition.metadata", io::ErrorKind::StorageFull);
        assert_eq!(client.create_topic("t", 1).await, 0);
        let code = ErrorCode::KafkaStorageError.code();
        assert_eq!(produce_one(&mut client, "t", 0, "first").await, Some(code));
        disk.heal();
        let written = tokio::time::timeout(PATIENCE, async {
            while produce_one(&mut client, "t", 0, "first").await != Some(0) {
                tokio::task::yield_now().await;
            }
        });
        written.await.expect("it is tried again");
        server.stop().await.expect("it stops in order");
    });
}
