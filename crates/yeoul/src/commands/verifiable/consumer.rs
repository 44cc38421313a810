//! `yeoul verifiable-consumer`: what a member of a group is given, reads and commits is told, as with `kafka-verifiable-consumer`.

use std::collections::BTreeMap;

use client::{AssignmentChange, Consumer, ConsumerRecord, Place, Topics};
use serde::Serialize;
use tokio::time::timeout;

use super::consumer_arguments::Plan;
pub use super::consumer_arguments::VerifiableConsumerArgs;
use super::{Nothing, tell};
use crate::commands::cluster::{block_on, expect};
use crate::commands::java_text;
use crate::failure::Failure;
use crate::interrupt::{Interrupt, insist};

#[derive(Serialize)]
struct PartitionName<'a> {
    topic: &'a str,
    partition: i32,
}

#[derive(Serialize)]
struct Partitions<'a> {
    partitions: Vec<PartitionName<'a>>,
}

#[derive(Serialize)]
struct Consumed<'a> {
    count: usize,
    partitions: Vec<Run<'a>>,
}

/// The records of one partition in an answer.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    topic: &'a str,
    partition: i32,
    count: usize,
    min_offset: i64,
    max_offset: i64,
}

#[derive(Serialize)]
struct RecordData<'a> {
    key: Option<String>,
    value: Option<String>,
    topic: &'a str,
    partition: i32,
    offset: i64,
}

#[derive(Serialize)]
struct Offset<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
}

impl<'a> Offset<'a> {
    /// Where the group goes on after some records.
    fn after(run: Run<'a>) -> Offset<'a> {
        Offset { topic: run.topic, partition: run.partition, offset: run.max_offset + 1 }
    }
}

#[derive(Serialize)]
struct Committed<'a> {
    offsets: Vec<Offset<'a>>,
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Reads until there is enough or a signal asks to stop.
pub fn run(args: VerifiableConsumerArgs) -> Result<(), Failure> {
    block_on(consume(args.plan()?))
}

async fn consume(plan: Plan) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen()?;
    insist(plan.close_within)?;
    let cluster = expect(&plan.servers, plan.client.clone()).await?;
    let topics = Topics::Named(vec![plan.topic.clone()]);
    let consumer = Consumer::subscribe(cluster, plan.consumer.clone(), plan.group.clone(), topics);
    tell("startup_complete", Nothing {})?;
    let close_within = plan.close_within;
    let mut reader = Reader { consumer, plan, consumed: 0 };
    let end = tokio::select! {
        end = reader.read() => end,
        code = interrupt.told() => Err(Failure::Interrupted(code)),
    };
    // Kafka's tool tells of a request even where nobody had to ask, only later.
    let was_asked = end.is_err();
    if was_asked {
        tell("shutdown_requested", Nothing {})?;
    }
    let assigned = reader.consumer.assignment();
    if !assigned.is_empty() {
        tell("partitions_revoked", names(&assigned))?;
    }
    if let Ok(Err(error)) = timeout(close_within, reader.consumer.close()).await {
        tracing::warn!("the group was not left in order: {error}");
    }
    tell("shutdown_complete", Nothing {})?;
    if !was_asked {
        tell("shutdown_requested", Nothing {})?;
    }
    end
}

struct Reader {
    consumer: Consumer,
    plan: Plan,
    consumed: u64,
}

impl Reader {
    async fn read(&mut self) -> Result<(), Failure> {
        while self.plan.max_messages.is_none_or(|max| self.consumed < max) {
            let read = self.consumer.poll().await;
            self.tell_assignment()?;
            let mut records = match read {
                Ok(records) => records,
                Err(error) if error.is_astray() => return Err(error.into()),
                // Kafka's tool ends well all the same.
                Err(error) => {
                    tracing::error!("Error during processing, terminating consumer process: {error}");
                    return Ok(());
                }
            };
            self.give_back_the_rest(&mut records);
            if !records.is_empty() {
                self.consumed += records.len() as u64;
                self.tell_records(&records)?;
                self.commit(&records).await?;
            }
        }
        Ok(())
    }

    /// Tells of partitions that went and came.
    fn tell_assignment(&mut self) -> Result<(), Failure> {
        for change in self.consumer.changes() {
            match change {
                AssignmentChange::Assigned(places) => tell("partitions_assigned", names(places))?,
                AssignmentChange::Revoked(places) => tell("partitions_revoked", names(places))?,
            }
        }
        Ok(())
    }

    /// Keeps only as many records as are wanted.
    fn give_back_the_rest(&mut self, records: &mut Vec<ConsumerRecord>) {
        let left = self.plan.max_messages.map_or(u64::MAX, |max| max - self.consumed);
        let wanted = records.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        // From the last to the first: the first that is given back of each partition is where reading goes on.
        for record in records.drain(wanted..).rev() {
            self.consumer.seek(&record.topic, record.partition, record.offset);
        }
    }

    fn tell_records(&self, records: &[ConsumerRecord]) -> Result<(), Failure> {
        for record in records.iter().filter(|_| self.plan.verbose) {
            let text = |bytes: &Option<bytes::Bytes>| {
                bytes.as_ref().map(|bytes| java_text::utf8(bytes).into_owned())
            };
            let (topic, partition, offset) = (&*record.topic, record.partition, record.offset);
            let (key, value) = (text(&record.key), text(&record.value));
            tell("record_data", RecordData { key, value, topic, partition, offset })?;
        }
        let consumed = Consumed { count: records.len(), partitions: runs(records) };
        Ok(tell("records_consumed", consumed)?)
    }

    async fn commit(&mut self, records: &[ConsumerRecord]) -> Result<(), Failure> {
        if self.plan.group.auto_commit_interval.is_some() {
            return Ok(());
        }
        let done = self.consumer.commit().await;
        let offsets = runs(records).into_iter().map(Offset::after).collect();
        let error = done.err().map(|error| error.to_string());
        Ok(tell("offsets_committed", Committed { offsets, success: error.is_none(), error })?)
    }
}

fn names(places: &[Place]) -> Partitions<'_> {
    let names = places.iter().map(|(topic, partition)| PartitionName { topic, partition: *partition });
    Partitions { partitions: names.collect() }
}

/// What each partition gave, in the order of topics and numbers.
fn runs(records: &[ConsumerRecord]) -> Vec<Run<'_>> {
    let mut runs: BTreeMap<(&str, i32), Run<'_>> = BTreeMap::new();
    for record in records {
        let (topic, partition, offset) = (&*record.topic, record.partition, record.offset);
        let empty = Run { topic, partition, count: 0, min_offset: offset, max_offset: offset };
        let run = runs.entry((topic, partition)).or_insert(empty);
        run.count += 1;
        run.min_offset = run.min_offset.min(offset);
        run.max_offset = run.max_offset.max(offset);
    }
    runs.into_values().collect()
}

#[cfg(test)]
mod tests {
    use protocol::records::TimestampType;

    use super::*;

    fn record(partition: i32, offset: i64) -> ConsumerRecord {
        ConsumerRecord {
            topic: "t".into(),
            partition,
            offset,
            timestamp: 0,
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }

    #[test]
    fn records_are_summed_up_by_partition() {
        let records = [record(1, 7), record(0, 3), record(1, 8)];
        let run = |partition, count, min_offset, max_offset| Run {
            topic: "t",
            partition,
            count,
            min_offset,
            max_offset,
        };
        assert_eq!(runs(&records), [run(0, 1, 3, 3), run(1, 2, 7, 8)]);
        let line = serde_json::to_string(&run(0, 1, 3, 3)).unwrap();
        assert_eq!(line, r#"{"topic":"t","partition":0,"count":1,"minOffset":3,"maxOffset":3}"#);
    }
}
