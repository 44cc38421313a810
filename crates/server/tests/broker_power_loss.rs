//! A whole broker on a machine in memory. The power goes at every change of the disk, tearing what is being written; whatever was
//! acknowledged before is there afterwards: topics and records.

#[path = "broker_support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use host::sim::{SeededRandom, SimDisk};
use protocol::records::records;
use protocol::{ErrorCode, Records};
use server::net::SimulatedSockets;
use support::{Client, batch, fetch, host, in_a_process, produce, start_on};

const DATA: &str = "/data";
const PORT: u16 = 9092;
/// Records that a life of the broker is asked to take.
const RECORDS: usize = 12;
/// Longer than anything takes but a broker whose disk is gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// What clients were told.
#[derive(Debug, Default)]
struct Acknowledged {
    topic: bool,
    records: Vec<String>,
}

async fn connect(sockets: &SimulatedSockets) -> Option<Client> {
    sockets.connect(SocketAddr::from(([127, 0, 0, 1], PORT))).await.ok().map(Client::on)
}

/// One life of a broker, until it has taken all records or its disk is gone.
async fn live(disk: &SimDisk, seed: u64, name: &str) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    let sockets = SimulatedSockets::default();
    let life = async {
        let server = start_on(host(disk, seed), &sockets, Path::new(DATA), PORT).await.ok()?;
        let mut client = connect(&sockets).await?;
        let created = client.try_create_topic("t", 1).await?;
        acknowledged.topic = created == 0 || created == ErrorCode::TopicAlreadyExists.code();
        for number in 0..RECORDS {
            let value = format!("{name} {number}");
            let answer = client.try_ask(&produce("t", 0, batch(&value, None)), 9).await?;
            if answer.responses[0].partition_responses[0].error_code != 0 {
                return None;
            }
            acknowledged.records.push(value);
        }
        Some(server)
    };
    // Whoever waits for a disk that is gone waits until the process ends.
    let server = tokio::time::timeout(PATIENCE, async {
        tokio::select! {
            server = life => server,
            () = off(disk) => None,
        }
    });
    if let Ok(Some(server)) = server.await {
        // A clean end, which is cut short if the power goes in the middle of it.
        let stopped = async { server.stop().await.is_ok() };
        tokio::select! { _ = stopped => {}, () = off(disk) => {} }
    }
    acknowledged
}

/// Waits until the power is gone.
async fn off(disk: &SimDisk) {
    while !disk.is_off() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The values in the log of the topic's only partition; none if there is no such topic.
async fn read_back(disk: &SimDisk, seed: u64) -> Option<Vec<String>> {
    let sockets = SimulatedSockets::default();
    let started = start_on(host(disk, seed), &sockets, Path::new(DATA), PORT).await;
    let server = started.expect("the broker starts after a loss of power");
    let mut client = connect(&sockets).await.expect("the broker listens");
    let mut values = Vec::new();
    let there = loop {
        let fetched = client.ask(&fetch("t", 0, values.len() as i64, 0), 12).await;
        let partition = &fetched.responses[0].partitions[0];
        if partition.error_code == ErrorCode::UnknownTopicOrPartition.code() {
            break false;
        }
        assert_eq!(partition.error_code, 0);
        let Records::Bytes(bytes) = &partition.records else { panic!("a client decodes bytes") };
        if bytes.is_empty() {
            break true;
        }
        for one in protocol::records::Batches::new(bytes) {
            let (_, one) = one.expect("batches are whole");
            for record in records(&bytes::Bytes::copy_from_slice(one), 1 << 20).expect("they can be read") {
                let value = record.expect("so can their records").value.expect("each has a value");
                values.push(String::from_utf8(value.to_vec()).expect("it is text"));
            }
        }
    };
    server.stop().await.expect("it stops in order");
    there.then_some(values)
}

/// Whether all of `wanted` is in `found`, in order. What was not acknowledged may be there too.
fn is_within(wanted: &[String], found: &[String]) -> bool {
    let mut found = found.iter();
    wanted.iter().all(|value| found.any(|other| other == value))
}

/// How many changes of the disk there are in a life that nothing happens to.
fn changes_of_a_whole_life() -> u64 {
    let disk = SimDisk::new();
    let whole = in_a_process(live(&disk, 0, "first"));
    assert!(whole.topic && whole.records.len() == RECORDS, "nothing stands in the way of {whole:?}");
    disk.changes()
}

#[test]
fn what_was_acknowledged_is_there_wherever_the_power_goes() {
    for cut in 1..=changes_of_a_whole_life() {
        let disk = SimDisk::new();
        let random = SeededRandom::new(cut);
        disk.cut_power_after(cut, (random.below(9_000)) as usize);
        let first = in_a_process(live(&disk, cut, "first"));
        disk.lose_power(&random);
        // The second life is cut somewhere else.
        disk.cut_power_after(random.below(60), (random.below(9_000)) as usize);
        let second = in_a_process(live(&disk, cut + 1_000, "second"));
        disk.lose_power(&random);
        let found = in_a_process(read_back(&disk, cut + 2_000));
        assert!(found.is_some() || !(first.topic || second.topic), "cut at {cut}: the topic is gone");
        let found = found.unwrap_or_default();
        assert!(is_within(&first.records, &found), "cut at {cut}: {first:?} is not within {found:?}");
        assert!(is_within(&second.records, &found), "cut at {cut}: {second:?} is not within {found:?}");
    }
}
