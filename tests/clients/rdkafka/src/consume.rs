//! Consumers: alone, in groups, and what they know of offsets.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use crate::lines::Lines;
use crate::{Outcome, PATIENCE, Settings};

const POLL: Duration = Duration::from_millis(50);

fn consumer(settings: &Settings, group: &str, more: &[(&str, &str)]) -> Outcome<BaseConsumer> {
    let mut config = settings.with(&[
        ("group.id", group),
        ("enable.auto.commit", "false"),
        ("auto.offset.reset", "earliest"),
        ("check.crcs", "true"),
        ("heartbeat.interval.ms", "500"),
    ]);
    more.iter().for_each(|(name, value)| {
        config.set(*name, *value);
    });
    Ok(config.create()?)
}

/// A consumer that reads without a group.
fn alone(settings: &Settings) -> Outcome<BaseConsumer> {
    consumer(settings, "unused", &[("enable.partition.eof", "true")])
}

/// All partitions of a topic at an offset.
fn places(consumer: &BaseConsumer, topic: &str, offset: Offset) -> Outcome<TopicPartitionList> {
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let partitions = metadata.topics().first().ok_or("no such topic")?.partitions();
    let mut places = TopicPartitionList::new();
    for partition in partitions {
        places.add_partition_offset(topic, partition.id(), offset)?;
    }
    Ok(places)
}

pub fn read(settings: &Settings, lines: &mut Lines, topic: &str) -> Outcome {
    let consumer = alone(settings)?;
    let places = places(&consumer, topic, Offset::Beginning)?;
    read_from(&consumer, lines, &places)
}

pub fn since(settings: &Settings, lines: &mut Lines, topic: &str, when_ms: i64) -> Outcome {
    let consumer = alone(settings)?;
    let places = consumer.offsets_for_times(places(&consumer, topic, Offset::Offset(when_ms))?, PATIENCE)?;
    read_from(&consumer, lines, &places)
}

/// Prints everything from there to the ends.
fn read_from(consumer: &BaseConsumer, lines: &mut Lines, places: &TopicPartitionList) -> Outcome {
    consumer.assign(places)?;
    let begin = Instant::now();
    let mut ended = 0;
    while ended < places.count() {
        match consumer.poll(POLL) {
            Some(Ok(message)) => lines.show(&message)?,
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(error)) => return Err(error.into()),
            None => patience(begin)?,
        }
    }
    Ok(())
}

fn patience(begin: Instant) -> Outcome {
    if begin.elapsed() > PATIENCE { Err("nothing more came".into()) } else { Ok(()) }
}

pub fn group(
    settings: &Settings,
    lines: &mut Lines,
    topic: &str,
    group: &str,
    count: usize,
    more: &[(&str, &str)],
) -> Outcome {
    let consumer = consumer(settings, group, more)?;
    consumer.subscribe(&[topic])?;
    let begin = Instant::now();
    let mut found = 0;
    while found < count {
        match consumer.poll(POLL) {
            Some(message) => {
                lines.show(&message?)?;
                found += 1;
            }
            None => patience(begin)?,
        }
    }
    Ok(consumer.commit_consumer_state(CommitMode::Sync)?)
}

/// Two members share the partitions, and then the other leaves.
pub fn members(settings: &Settings, lines: &mut Lines, topic: &str, group: &str) -> Outcome {
    let stays = consumer(settings, group, &[])?;
    let leaves = consumer(settings, group, &[])?;
    let count = places(&stays, topic, Offset::Beginning)?.count();
    settled(lines, topic, count, &[&stays, &leaves])?;
    drop(leaves);
    settled(lines, topic, count, &[&stays])
}

/// Prints what members hold once each holds something, and all of them together every partition.
fn settled(lines: &mut Lines, topic: &str, count: usize, members: &[&BaseConsumer]) -> Outcome {
    members.iter().try_for_each(|member| member.subscribe(&[topic]))?;
    let begin = Instant::now();
    loop {
        members.iter().for_each(|member| drop(member.poll(POLL)));
        let held =
            members.iter().map(|member| Ok(held(&member.assignment()?))).collect::<Outcome<Vec<_>>>()?;
        if held.iter().all(|share| !share.is_empty()) && held.iter().map(Vec::len).sum::<usize>() == count {
            return held.iter().try_for_each(|share| lines.print(share));
        }
        patience(begin)?;
    }
}

fn held(assignment: &TopicPartitionList) -> Vec<String> {
    assignment.elements().iter().map(|element| element.partition().to_string()).collect()
}

pub fn offsets(settings: &Settings, lines: &mut Lines, topic: &str, when: &str) -> Outcome {
    let consumer = alone(settings)?;
    let places = places(&consumer, topic, Offset::Beginning)?;
    let found = match when {
        "earliest" => watermarks(&consumer, &places)?
            .into_iter()
            .map(|(partition, (low, _))| (partition, low))
            .collect(),
        "latest" => watermarks(&consumer, &places)?
            .into_iter()
            .map(|(partition, (_, high))| (partition, high))
            .collect(),
        _ => at_time(&consumer, places, when.parse()?)?,
    };
    print_offsets(lines, found)
}

fn print_offsets(lines: &mut Lines, found: HashMap<i32, i64>) -> Outcome {
    found
        .into_iter()
        .try_for_each(|(partition, offset)| lines.print(&[partition.to_string(), offset.to_string()]))
}

fn watermarks(consumer: &BaseConsumer, places: &TopicPartitionList) -> Outcome<HashMap<i32, (i64, i64)>> {
    let marks = |topic, partition| consumer.fetch_watermarks(topic, partition, PATIENCE);
    places.elements().iter().map(|at| Ok((at.partition(), marks(at.topic(), at.partition())?))).collect()
}

fn at_time(
    consumer: &BaseConsumer,
    mut places: TopicPartitionList,
    when_ms: i64,
) -> Outcome<HashMap<i32, i64>> {
    places.set_all_offsets(Offset::Offset(when_ms))?;
    Ok(numbers(&consumer.offsets_for_times(places, PATIENCE)?))
}

/// Offsets by partition; -1 where there is none.
fn numbers(places: &TopicPartitionList) -> HashMap<i32, i64> {
    places.elements().iter().map(|at| (at.partition(), at.offset().to_raw().unwrap_or(-1))).collect()
}

pub fn committed(settings: &Settings, lines: &mut Lines, topic: &str, group: &str) -> Outcome {
    let consumer = consumer(settings, group, &[])?;
    let places = places(&consumer, topic, Offset::Invalid)?;
    print_offsets(lines, numbers(&committed_or_wait(&consumer, places)?))
}

/// Asks until the group has its coordinator: the client says so and does not wait itself.
fn committed_or_wait(consumer: &BaseConsumer, places: TopicPartitionList) -> Outcome<TopicPartitionList> {
    let begin = Instant::now();
    loop {
        match consumer.committed_offsets(places.clone(), PATIENCE) {
            Err(KafkaError::MetadataFetch(RDKafkaErrorCode::WaitingForCoordinator)) => patience(begin)?,
            found => return Ok(found?),
        }
    }
}
