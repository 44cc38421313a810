//! Copies a partition into another topic, each record exactly once, however often it is killed: what was written and how far was
//! read are committed in the same transaction.
//!
//! `cargo run -p yeoul-client --example copy -- 127.0.0.1:9092 FROM TO NAME 20`, where the name is that of a group and of a
//! transactional id, and 20 is how many records a transaction has at most. It ends where the topic ended when it began.

use std::error::Error;
use std::time::Duration;

use client::{
    ClientOptions, Cluster, Consumer, ConsumerOptions, ConsumerRecord, GroupMember, OffsetSpec, Place,
    ProducerOptions, ProducerRecord, Start, TransactionOptions, TransactionalProducer,
};

type Failure = Box<dyn Error>;

const PARTITION: i32 = 0;
const USAGE: &str = "usage: copy HOST:PORT FROM TO NAME RECORDS";

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut words = std::env::args().skip(1);
    let mut word = || words.next().ok_or(USAGE);
    let (servers, from, to, name) = (word()?, word()?, word()?, word()?);
    let at_once = word()?.parse::<usize>()?.max(1);
    let mut cluster = Cluster::connect(&servers, ClientOptions::default()).await?;
    // Before anything else: this aborts what a killed one has left open, so that what it read counts as not read.
    let transactions =
        TransactionOptions { transactional_id: name.clone(), timeout: Duration::from_secs(60) };
    let producer =
        TransactionalProducer::start(cluster.twin().await?, ProducerOptions::default(), transactions).await?;
    let place = (from, PARTITION);
    let group = GroupMember { group_id: name, member_id: String::new(), generation: -1, instance_id: None };
    let mut next = cluster.group_offsets(&group.group_id).await?.get(&place).map_or(0, |it| it.offset);
    let end = end_of(&mut cluster, &place).await?;
    let options = ConsumerOptions { read_committed: true, ..ConsumerOptions::default() };
    let start = vec![(place.0.clone(), place.1, Start::At(next))];
    let mut consumer = Consumer::assign(cluster, options, start);
    let mut copier = Copier { producer, group, place, to };
    while next < end {
        let records = consumer.poll().await?;
        for records in records.chunks(at_once) {
            next = copier.copy(records).await?;
        }
    }
    copier.producer.close().await;
    Ok(())
}

async fn end_of(cluster: &mut Cluster, place: &Place) -> Result<i64, Failure> {
    let mut ends = cluster.list_offsets(vec![(place.clone(), OffsetSpec::Latest)], true).await?;
    Ok(ends.remove(place).ok_or("no answer")??.offset)
}

struct Copier {
    producer: TransactionalProducer,
    group: GroupMember,
    place: Place,
    to: String,
}

impl Copier {
    /// Copies records in one transaction, and tells which offset is the next to be read.
    async fn copy(&mut self, records: &[ConsumerRecord]) -> Result<i64, Failure> {
        let next = records.last().ok_or("no records")?.offset + 1;
        self.producer.begin()?;
        for record in records {
            let (topic, value) = (self.to.as_str().into(), record.value.clone());
            let copied =
                ProducerRecord { topic, value, timestamp: record.timestamp, ..ProducerRecord::default() };
            // A record that is lost fails the commit.
            self.producer.send(copied).await;
        }
        self.producer.send_offsets(&[(self.place.clone(), next)], &self.group).await?;
        self.producer.commit().await?;
        Ok(next)
    }
}
