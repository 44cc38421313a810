//! Throughput, through librdkafka: what most clients that are not Java are made of.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::Failure;
use crate::arguments::Arguments;

/// How long a producer may take to deliver what it has.
pub const FLUSH_PATIENCE: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_secs(60);

/// Counts what was refused.
#[derive(Clone, Default)]
pub struct Refused(Arc<AtomicU64>);

impl Refused {
    /// An error when anything was.
    pub fn check(&self) -> Result<(), Failure> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(()),
            count => Err(format!("{count} records were refused").into()),
        }
    }
}

impl ClientContext for Refused {}

impl ProducerContext for Refused {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A producer as the figures describe it: acks=all, idempotent, not compressed.
pub fn producer(bootstrap: &str, linger_ms: &str) -> Result<(ThreadedProducer<Refused>, Refused), Failure> {
    let refused = Refused::default();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("enable.idempotence", "true").set("acks", "all");
    config.set("linger.ms", linger_ms).set("queue.buffering.max.kbytes", "262144");
    Ok((config.create_with_context(refused.clone())?, refused))
}

/// A consumer of a whole topic, from the first record or from the end.
pub fn consumer(arguments: &Arguments, from: Offset) -> Result<BaseConsumer, Failure> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", arguments.text("bootstrap")?).set("group.id", "bench");
    let consumer: BaseConsumer = config.set("enable.auto.commit", "false").create()?;
    let mut all = TopicPartitionList::new();
    for partition in 0..arguments.number("partitions")? {
        all.add_partition_offset(arguments.text("topic")?, partition, from)?;
    }
    consumer.assign(&all)?;
    Ok(consumer)
}

/// Bytes that no compression would shrink much, from a fixed seed.
pub fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..count).map(next).collect()
}

/// Hands a record to the client, waiting while its queue is full.
pub fn send(
    producer: &ThreadedProducer<Refused>,
    topic: &str,
    partition: i32,
    value: &[u8],
) -> Result<(), Failure> {
    send_record(producer, BaseRecord::to(topic).partition(partition).payload(value))
}

/// The same for a record that is made already.
pub fn send_record(
    producer: &ThreadedProducer<Refused>,
    mut record: BaseRecord<'_, [u8], [u8]>,
) -> Result<(), Failure> {
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                std::thread::sleep(Duration::from_micros(200));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

/// Sends the records round-robin to the partitions and waits for all acknowledgements.
pub fn produce(arguments: &Arguments) -> Result<String, Failure> {
    let (records, bytes): (u64, usize) = (arguments.number("records")?, arguments.number("bytes")?);
    let (topic, partitions): (&str, u64) = (arguments.text("topic")?, arguments.number("partitions")?);
    let (producer, refused) = producer(arguments.text("bootstrap")?, "5")?;
    let pool = noise(bytes + 4096);
    let begin = Instant::now();
    for index in 0..records {
        let from = (index * 61 % 4096) as usize;
        send(&producer, topic, (index % partitions) as i32, &pool[from..from + bytes])?;
    }
    producer.flush(FLUSH_PATIENCE)?;
    refused.check()?;
    Ok(result(records, records * bytes as u64, begin.elapsed()))
}

/// Reads that many records from the beginning.
pub fn consume(arguments: &Arguments) -> Result<String, Failure> {
    let wanted: u64 = arguments.number("records")?;
    let consumer = consumer(arguments, Offset::Beginning)?;
    let begin = Instant::now();
    let (mut records, mut bytes) = (0, 0);
    while records < wanted {
        let message = consumer.poll(POLL).ok_or_else(|| format!("{records} records, then nothing"))??;
        bytes += message.payload_len() as u64;
        records += 1;
    }
    Ok(result(records, bytes, begin.elapsed()))
}

/// A line of JSON.
pub fn result(records: u64, bytes: u64, time: Duration) -> String {
    format!(r#"{{"records": {records}, "bytes": {bytes}, "seconds": {:.4}}}"#, time.as_secs_f64())
}
