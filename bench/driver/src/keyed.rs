//! Records of few keys, as a compacted topic has them.

use std::time::Instant;

use rdkafka::producer::{BaseRecord, Producer};

use crate::Failure;
use crate::arguments::Arguments;
use crate::stream::{FLUSH_PATIENCE, noise, producer, result, send_record};

/// Sends the records to the first partition, each with a key of so many, and waits for all acknowledgements.
pub fn keyed(arguments: &Arguments) -> Result<String, Failure> {
    let (records, bytes): (u64, usize) = (arguments.number("records")?, arguments.number("bytes")?);
    let (topic, keys): (&str, u64) = (arguments.text("topic")?, arguments.number("keys")?);
    let (producer, refused) = producer(arguments.text("bootstrap")?, "5")?;
    let pool = noise(bytes + 4096);
    let begin = Instant::now();
    for index in 0..records {
        let from = (index * 61 % 4096) as usize;
        // In an order that repeats no key soon.
        let key = format!("key-{:012}", index.wrapping_mul(0x9E37_79B9_7F4A_7C15) % keys);
        let record = BaseRecord::to(topic).partition(0).key(key.as_bytes()).payload(&pool[from..from + bytes]);
        send_record(&producer, record)?;
    }
    producer.flush(FLUSH_PATIENCE)?;
    refused.check()?;
    Ok(result(records, records * bytes as u64, begin.elapsed()))
}
