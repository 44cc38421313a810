//! A steady stream, and how long each record takes from its due time to a consumer's hands.

use std::time::{Duration, Instant};

use rdkafka::consumer::BaseConsumer;
use rdkafka::message::Message;
use rdkafka::producer::Producer;
use rdkafka::topic_partition_list::Offset;

use crate::Failure;
use crate::arguments::Arguments;
use crate::latency::Latencies;
use crate::stream::{consumer, noise, producer, send};

const TICK: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(60);

/// What both sides know.
#[derive(Clone, Copy)]
struct Pace {
    begin: Instant,
    rate: u64,
    records: u64,
}

impl Pace {
    /// When a record is due; all of a tick are due together.
    fn due(&self, index: u64) -> Instant {
        let tick = index * 1_000 / self.rate;
        self.begin + TICK * tick as u32
    }
}

/// Produces at the rate and consumes at the head at the same time.
pub fn paced(arguments: &Arguments) -> Result<String, Failure> {
    let rate = arguments.number("rate")?;
    let seconds: u64 = arguments.number("seconds")?;
    let consumer = consumer(arguments, Offset::End)?;
    wait_for_the_end(&consumer, arguments)?;
    let pace = Pace { begin: Instant::now() + Duration::from_millis(200), rate, records: rate * seconds };
    let latencies = std::thread::scope(|scope| {
        let reader = scope.spawn(|| receive(&consumer, pace).map_err(|error| error.to_string()));
        write(arguments, pace)?;
        Ok::<_, Failure>(reader.join().map_err(|_| "the reader panicked")??)
    })?;
    Ok(format!(r#"{{"records": {}, "seconds": {seconds}, {}}}"#, pace.records, latencies.fields()))
}

/// The end of a partition is where it stands when the consumer has looked: a record in each partition shows that it has.
fn wait_for_the_end(consumer: &BaseConsumer, arguments: &Arguments) -> Result<(), Failure> {
    let (topic, partitions): (&str, i32) = (arguments.text("topic")?, arguments.number("partitions")?);
    let (producer, refused) = producer(arguments.text("bootstrap")?, "0")?;
    let mut seen = vec![false; partitions as usize];
    let begin = Instant::now();
    while seen.contains(&false) {
        for partition in (0..partitions).filter(|partition| !seen[*partition as usize]) {
            send(&producer, topic, partition, b"hello")?;
        }
        producer.flush(PATIENCE)?;
        while let Some(message) = consumer.poll(Duration::from_millis(50)) {
            seen[message?.partition() as usize] = true;
        }
        if begin.elapsed() > PATIENCE {
            return Err("the consumer does not see what is produced".into());
        }
    }
    refused.check()
}

/// Every record carries its number.
fn write(arguments: &Arguments, pace: Pace) -> Result<(), Failure> {
    let (topic, partitions): (&str, u64) = (arguments.text("topic")?, arguments.number("partitions")?);
    let (producer, refused) = producer(arguments.text("bootstrap")?, arguments.text("linger")?)?;
    let mut value = noise(arguments.number("bytes")?);
    for index in 0..pace.records {
        std::thread::sleep(pace.due(index).saturating_duration_since(Instant::now()));
        value[..8].copy_from_slice(&index.to_be_bytes());
        send(&producer, topic, (index % partitions) as i32, &value)?;
    }
    producer.flush(PATIENCE)?;
    refused.check()
}

/// All records, each once.
fn receive(consumer: &BaseConsumer, pace: Pace) -> Result<Latencies, Failure> {
    let mut latencies = Latencies::with_capacity(pace.records as usize);
    for count in 0..pace.records {
        let message = loop {
            let message =
                consumer.poll(PATIENCE).ok_or_else(|| format!("{count} records, then nothing"))??;
            if message.payload_len() > 8 {
                break message;
            }
        };
        let number =
            message.payload().and_then(|value| value.first_chunk()).copied().ok_or("an empty record")?;
        latencies.add(Instant::now().saturating_duration_since(pace.due(u64::from_be_bytes(number))));
    }
    Ok(latencies)
}
