//! `yeoul e2e-latency`: how long a record takes from the producer to the consumer, as `kafka-e2e-latency` tells it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use client::{ClientError, Cluster, Consumer, NewTopic, Producer, ProducerRecord, Start};
use host::OsRandom;
use protocol::ErrorCode;
use protocol::records::Header;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::payload::Payload;
use super::percentile;
use crate::commands::HELP;
use crate::commands::cluster::{Settings, block_on, connect, now_ms, producer_options, refuse_transactions};
use crate::commands::consumer_settings::consumer_options;
use crate::commands::table::{Form, Output};
use crate::failure::Failure;
use crate::interrupt::Interrupt;

const EXAMPLES: &str = "\
  yeoul e2e-latency --bootstrap-server 127.0.0.1:9092 --topic measured --num-records 10000 --producer-acks all --record-size 100
  yeoul e2e-latency --bootstrap-server 127.0.0.1:9092 --topic measured --num-records 10000 --producer-acks 1 --record-size 100 \\
      --record-key-size 8 --num-headers 2 --record-header-key-size 4 --record-header-size 16";

/// How long a record is waited for.
const READ_WITHIN: Duration = Duration::from_secs(60);

/// Which records are sent.
#[derive(Args, Clone, Debug)]
#[command(help_template = HELP, before_help = EXAMPLES, arg_required_else_help = true)]
pub struct LatencyArgs {
    /// Brokers to come to the cluster by
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', required = true)]
    pub bootstrap_server: Vec<String>,
    /// The topic that the records go through; made if it is not there
    #[arg(long, required = true)]
    pub topic: String,
    /// How many records, one after the other
    #[arg(long, value_name = "N", required = true, allow_negative_numbers = true)]
    pub num_records: i32,
    /// Who must have a record: 1 the leader, all every replica in sync
    #[arg(long, value_name = "ACKS", required = true, allow_negative_numbers = true)]
    pub producer_acks: String,
    /// How large values are
    #[arg(long, value_name = "BYTES", required = true)]
    pub record_size: u32,
    /// How large keys are; 0 for none
    #[arg(long, value_name = "BYTES", default_value = "0")]
    pub record_key_size: u32,
    /// How many headers a record has
    #[arg(long, value_name = "N", default_value = "0")]
    pub num_headers: u32,
    /// How large keys of headers are
    #[arg(long, value_name = "BYTES", default_value = "0")]
    pub record_header_key_size: u32,
    /// How large values of headers are; -1 for null
    #[arg(long, value_name = "BYTES", default_value = "0", allow_negative_numbers = true)]
    pub record_header_size: i32,
    /// Client settings from a properties file
    #[arg(long, value_name = "FILE")]
    pub command_config: Option<PathBuf>,
    #[command(flatten)]
    pub form: Form,
}

/// Sends records one after the other, and tells how long each took.
pub fn run(args: &LatencyArgs) -> Result<(), Failure> {
    let usage = |why: &str| Err(Failure::Usage(why.to_owned()));
    if args.num_records <= 0 {
        return usage("Value for --num-records must be a positive integer.");
    }
    if !["1", "all"].contains(&args.producer_acks.as_str()) {
        return usage(
            "Invalid value for --producer-acks. Latency testing requires synchronous acknowledgement. \
             Please use '1' or 'all'.",
        );
    }
    block_on(measure(args))
}

async fn measure(args: &LatencyArgs) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen()?;
    let latencies = tokio::select! {
        latencies = pass_all(args) => latencies?,
        code = interrupt.told() => return Err(Failure::Interrupted(code)),
    };
    let figures = Figures::of(&latencies);
    match args.form.output {
        Output::Text => Ok(writeln!(io::stdout(), "{}", figures.lines())?),
        Output::Json => Ok(writeln!(io::stdout(), "{}", json!([figures.json()]))?),
    }
}

/// A producer that sends at once, and a consumer that has come to the end of the topic.
async fn clients(args: &LatencyArgs) -> Result<(Producer, Consumer), Failure> {
    let mut settings = Settings::read(args.command_config.as_deref(), &[])?;
    settings.flag("acks", Some(&args.producer_acks), None);
    settings.flag("linger.ms", Some(0), None);
    settings.flag("fetch.max.wait.ms", Some(0), None);
    refuse_transactions(&settings, &args.topic)?;
    let options = settings.client("yeoul-e2e-latency", "default.api.timeout.ms")?;
    let mut cluster = connect(&args.bootstrap_server, options).await?;
    let partitions = partitions(&mut cluster, args).await?;
    let places = (0..partitions).map(|partition| (args.topic.clone(), partition, Start::Latest)).collect();
    let producer = Producer::new(cluster.twin().await?, producer_options(&settings)?);
    let mut consumer = Consumer::assign(cluster, consumer_options(&settings, Start::Latest)?, places);
    consumer.poll().await?;
    Ok((producer, consumer))
}

/// The number of the topic's partitions; one with one partition is made where there is none.
async fn partitions(cluster: &mut Cluster, args: &LatencyArgs) -> Result<i32, Failure> {
    let topic = args.topic.as_str();
    let found = match cluster.partitions(topic, false).await {
        Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => {
            let words = "Will create topic with 1 partition(s) and replication factor = 1";
            args.form.remark(format_args!("Topic \"{topic}\" does not exist. {words}"))?;
            let (name, one) = (topic.to_owned(), NewTopic::default());
            let new = NewTopic { name, partitions: Some(1), replication_factor: Some(1), ..one };
            cluster.create_topic(&new).await?;
            cluster.partitions(topic, false).await?
        }
        found => found?,
    };
    Ok(i32::try_from(found.len()).unwrap_or(i32::MAX))
}

/// Comes to the cluster, and has each record passed on.
async fn pass_all(args: &LatencyArgs) -> Result<Vec<Duration>, Failure> {
    let (producer, mut consumer) = clients(args).await?;
    let latencies = pass(args, &producer, &mut consumer).await?;
    producer.close().await;
    Ok(latencies)
}

/// Sends each record and waits until it is read; how long that took.
async fn pass(
    args: &LatencyArgs,
    producer: &Producer,
    consumer: &mut Consumer,
) -> Result<Vec<Duration>, Failure> {
    let values = Payload::letters(args.record_size as usize, &OsRandom);
    let shape = Shape::of(args);
    let mut latencies = Vec::new();
    for number in 0..args.num_records {
        let value = values.value(u64::from(number.unsigned_abs()), &OsRandom);
        let record = shape.record(&args.topic, value);
        let (key, value) = (record.key.clone(), record.value.clone());
        let begin = Instant::now();
        producer.send(record).await.fate().await.map_err(Failure::failed)?;
        let read = timeout(READ_WITHIN, next(consumer)).await.map_err(|_| {
            let millis = READ_WITHIN.as_millis();
            Failure::Failed(format!("poll() timed out before finding a result (timeout:[{millis}ms])"))
        })??;
        let latency = begin.elapsed();
        if read != [(key, value)] {
            return Err(Failure::failed(
                "what was read is not what was sent: somebody else writes into the topic",
            ));
        }
        if number % 1_000 == 0 {
            args.form.remark(format_args!("{number}\t{:?}", millis(latency)))?;
        }
        latencies.push(latency);
    }
    Ok(latencies)
}

type KeyAndValue = (Option<Bytes>, Option<Bytes>);

/// The next records.
async fn next(consumer: &mut Consumer) -> Result<Vec<KeyAndValue>, ClientError> {
    loop {
        let records = consumer.poll().await?;
        if !records.is_empty() {
            return Ok(records.into_iter().map(|record| (record.key, record.value)).collect());
        }
    }
}

/// What records have beside their values.
struct Shape {
    key: Option<Bytes>,
    headers: Vec<Header>,
}

impl Shape {
    fn of(args: &LatencyArgs) -> Shape {
        let letters = |size: u32| Payload::letters(size as usize, &OsRandom).value(0, &OsRandom);
        let header = || Header {
            key: letters(args.record_header_key_size),
            value: u32::try_from(args.record_header_size).ok().map(letters),
        };
        Shape {
            key: (args.record_key_size > 0).then(|| letters(args.record_key_size)),
            headers: (0..args.num_headers).map(|_| header()).collect(),
        }
    }

    fn record(&self, topic: &str, value: Bytes) -> ProducerRecord {
        ProducerRecord {
            topic: topic.into(),
            partition: None,
            key: self.key.clone(),
            value: Some(value),
            headers: self.headers.clone(),
            timestamp: now_ms(),
        }
    }
}

fn millis(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1_000_000.0
}

/// How long records took: the average, and percentiles in whole milliseconds.
struct Figures {
    records: usize,
    average: f64,
    percentiles: [u128; 3],
}

impl Figures {
    fn of(latencies: &[Duration]) -> Figures {
        let sum: f64 = latencies.iter().copied().map(millis).sum();
        let mut sorted: Vec<u128> = latencies.iter().map(Duration::as_millis).collect();
        sorted.sort_unstable();
        Figures {
            records: latencies.len(),
            average: sum / latencies.len() as f64,
            percentiles: [0.5, 0.99, 0.999].map(|share| percentile(&sorted, share)),
        }
    }

    fn lines(&self) -> String {
        let [half, most, nearly_all] = self.percentiles;
        let average = self.average;
        format!(
            "Avg latency: {average:.4} ms\nPercentiles: 50th = {half}, 99th = {most}, 99.9th = {nearly_all}"
        )
    }

    fn json(&self) -> Value {
        let [half, most, nearly_all] = self.percentiles.map(|it| u64::try_from(it).unwrap_or(u64::MAX));
        json!({
            "records": self.records, "avgLatencyMs": self.average, "p50LatencyMs": half, "p99LatencyMs": most,
            "p999LatencyMs": nearly_all,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_kafkas_form() {
        let latencies = [11_038, 7_900, 7_100].map(Duration::from_micros).to_vec();
        let lines = "Avg latency: 8.6793 ms\nPercentiles: 50th = 7, 99th = 11, 99.9th = 11";
        assert_eq!(Figures::of(&latencies).lines(), lines);
        assert_eq!(Figures::of(&latencies).json()["p99LatencyMs"], 11);
        assert_eq!(format!("{:?}", millis(Duration::from_millis(7))), "7.0");
    }
}
