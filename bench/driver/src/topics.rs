//! Creating a topic, and the time until all of it serves.

use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::arguments::Arguments;
use crate::wire::{CREATE_TOPICS, Fields, LIST_OFFSETS, ask, connect, i16_at, request};

const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(10);
const LATEST: i64 = -1;
/// A partition of a ListOffsets answer of version 1: index, error, timestamp, offset.
const PARTITION_BYTES: usize = 4 + 2 + 8 + 8;

/// Creates the topic, then asks all partitions for their end until none has an error.
pub fn create(arguments: &Arguments) -> Result<String, Failure> {
    let (topic, partitions) = (arguments.text("topic")?, arguments.number("partitions")?);
    let mut stream = connect(arguments.text("bootstrap")?)?;
    let begin = Instant::now();
    let error = create_error(&ask(&mut stream, &create_request(topic, partitions))?)?;
    if error != 0 {
        return Err(format!("the topic was refused with error {error}").into());
    }
    let answered = begin.elapsed();
    wait_until_served(&mut stream, topic, partitions)?;
    let served = begin.elapsed();
    Ok(format!(
        r#"{{"answered_seconds": {:.4}, "served_seconds": {:.4}}}"#,
        answered.as_secs_f64(),
        served.as_secs_f64()
    ))
}

/// CreateTopics version 2 of one topic with one replica.
fn create_request(topic: &str, partitions: i32) -> Vec<u8> {
    let named = Fields::default().i32(1).string(topic).i32(partitions).i16(1);
    request(CREATE_TOPICS, 2, &named.i32(0).i32(0).i32(100_000).i8(0).done())
}

/// The error code: after correlation id, throttle time, number of topics and the name.
fn create_error(answer: &[u8]) -> Result<i16, Failure> {
    let name_len = i16_at(answer, 12)? as usize;
    i16_at(answer, 14 + name_len)
}

fn wait_until_served(stream: &mut TcpStream, topic: &str, partitions: i32) -> Result<(), Failure> {
    let wanted = ends_request(topic, partitions);
    let begin = Instant::now();
    while !all_served(&ask(stream, &wanted)?, topic, partitions)? {
        if begin.elapsed() > PATIENCE {
            return Err("not every partition came up".into());
        }
        sleep(PAUSE);
    }
    Ok(())
}

/// ListOffsets version 1 of the end of every partition.
fn ends_request(topic: &str, partitions: i32) -> Vec<u8> {
    let head = Fields::default().i32(-1).i32(1).string(topic).i32(partitions);
    let body = (0..partitions).fold(head, |fields, partition| fields.i32(partition).i64(LATEST));
    request(LIST_OFFSETS, 1, &body.done())
}

fn all_served(answer: &[u8], topic: &str, partitions: i32) -> Result<bool, Failure> {
    let first = 4 + 4 + 2 + topic.len() + 4;
    for partition in 0..partitions as usize {
        if i16_at(answer, first + partition * PARTITION_BYTES + 4)? != 0 {
            return Ok(false);
        }
    }
    Ok(true)
}
