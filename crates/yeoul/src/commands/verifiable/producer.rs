//! `yeoul verifiable-producer`: numbers become records, and the fate of each is told, as with `kafka-verifiable-producer`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use client::{ClientOptions, Delivery, Fate, Producer, ProducerOptions, ProducerRecord, Receipt};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::{Nothing, class, tell};
use crate::commands::HELP;
use crate::commands::cluster::{Settings, block_on, expect, now_ms, producer_options, refuse_transactions};
use crate::commands::pace::due;
use crate::failure::Failure;
use crate::interrupt::{Interrupt, insist};

const EXAMPLES: &str = "\
  yeoul verifiable-producer --bootstrap-server 127.0.0.1:9092 --topic checked --max-messages 1000
  yeoul verifiable-producer --bootstrap-server 127.0.0.1:9092 --topic checked --throughput 100 --repeating-keys 10";

/// Records whose fate may be open before the next one waits.
const OPEN_MAX: usize = 10_000;

/// Which numbers are sent, and how.
#[derive(Args, Clone, Debug)]
#[command(help_template = HELP, before_help = EXAMPLES, arg_required_else_help = true)]
pub struct VerifiableProducerArgs {
    /// The topic that the records go to
    #[arg(long, required = true)]
    pub topic: String,
    /// Brokers to come to the cluster by
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', required = true)]
    pub bootstrap_server: Vec<String>,
    /// End after so many records; -1 for never
    #[arg(long, value_name = "N", default_value = "-1", allow_negative_numbers = true)]
    pub max_messages: i64,
    /// How many records a second; -1 for as many as can be
    #[arg(long, value_name = "N", default_value = "-1", allow_negative_numbers = true)]
    pub throughput: i64,
    /// Who must have a record: 0 nobody, 1 the leader, -1 every replica in sync
    #[arg(long, value_name = "ACKS", default_value = "-1", value_parser = ["0", "1", "-1"], allow_negative_numbers = true)]
    pub acks: String,
    /// Client settings from a properties file
    #[arg(long, alias = "producer.config", value_name = "FILE")]
    pub command_config: Option<PathBuf>,
    /// The time of the first record, in milliseconds since 1970; -1 for now
    #[arg(long, value_name = "MS", default_value = "-1", allow_negative_numbers = true)]
    pub message_create_time: i64,
    /// A number that stands before each, with a period between them
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub value_prefix: Option<i32>,
    /// Give each record one of so many keys, one after the other
    #[arg(long, value_name = "N")]
    pub repeating_keys: Option<u32>,
}

#[derive(Serialize)]
struct Sent<'a> {
    key: Option<&'a str>,
    value: &'a str,
    topic: &'a str,
    partition: i32,
    offset: i64,
}

#[derive(Serialize)]
struct NotSent<'a> {
    key: Option<&'a str>,
    value: &'a str,
    topic: &'a str,
    exception: String,
    message: String,
}

#[derive(Serialize)]
struct Totals {
    sent: u64,
    acked: u64,
    target_throughput: i64,
    avg_throughput: f64,
}

/// Sends numbers until there are enough or a signal asks to stop.
pub fn run(args: VerifiableProducerArgs) -> Result<(), Failure> {
    let mut settings = Settings::read(args.command_config.as_deref(), &[])?;
    settings.flag("acks", None::<&str>, Some(&args.acks));
    // A record that is lost is to be seen. Without retries nothing keeps them in order, so that it is not promised either.
    if settings.text("retries").is_none() {
        settings.flag("retries", Some(0), None);
        settings.flag("enable.idempotence", None::<bool>, Some("false"));
    }
    refuse_transactions(&settings, &args.topic)?;
    let client = settings.client("yeoul-verifiable-producer", "max.block.ms")?;
    block_on(produce(args, client, producer_options(&settings)?))
}

async fn produce(
    args: VerifiableProducerArgs,
    client: ClientOptions,
    options: ProducerOptions,
) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen()?;
    insist(options.delivery_timeout.max(client.retry_for))?;
    let producer = Producer::new(expect(&args.bootstrap_server, client).await?, options);
    tell("startup_complete", Nothing {})?;
    let begin = Instant::now();
    let (open, fates) = mpsc::channel(OPEN_MAX);
    let teller = tokio::spawn(tell_fates(args.topic.clone(), fates));
    let mut sent = 0;
    let end = tokio::select! {
        () = send(&args, &producer, open.clone(), begin, &mut sent) => Ok(()),
        code = interrupt.told() => Err(Failure::Interrupted(code)),
        // What nobody reads need not be sent.
        () = open.closed() => Ok(()),
    };
    drop(open);
    producer.close().await;
    let acked = teller.await.map_err(Failure::failed)??;
    tell("shutdown_complete", Nothing {})?;
    let seconds = begin.elapsed().as_secs_f64();
    let avg_throughput = acked as f64 / seconds.max(f64::EPSILON);
    tell("tool_data", Totals { sent, acked, target_throughput: args.throughput, avg_throughput })?;
    end
}

/// A record whose fate is open.
struct Open {
    key: Option<String>,
    value: String,
    receipt: Receipt,
}

async fn send(
    args: &VerifiableProducerArgs,
    producer: &Producer,
    open: mpsc::Sender<Open>,
    begin: Instant,
    sent: &mut u64,
) {
    let topic: Arc<str> = args.topic.as_str().into();
    while u64::try_from(args.max_messages).map_or(true, |max| *sent < max) {
        if let Some(after) = due(*sent, args.throughput) {
            sleep_until(begin + after).await;
        }
        let (key, value) = args.key_and_value(*sent);
        let record = ProducerRecord {
            topic: topic.clone(),
            key: key.clone().map(Bytes::from),
            value: Some(Bytes::from(value.clone())),
            timestamp: args.timestamp(begin.elapsed(), now_ms()),
            ..ProducerRecord::default()
        };
        *sent += 1;
        let receipt = producer.send(record).await;
        if open.send(Open { key, value, receipt }).await.is_err() {
            return;
        }
    }
}

impl VerifiableProducerArgs {
    fn key_and_value(&self, number: u64) -> (Option<String>, String) {
        let key = self.repeating_keys.map(|keys| (number % u64::from(keys.max(1))).to_string());
        let value = match self.value_prefix {
            Some(prefix) => format!("{prefix}.{number}"),
            None => number.to_string(),
        };
        (key, value)
    }

    /// The time of a record that is sent so long after the first.
    fn timestamp(&self, after: Duration, now_ms: i64) -> i64 {
        match self.message_create_time {
            ..0 => now_ms,
            first => first.saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX)),
        }
    }
}

/// Tells the fate of each record, in the order in which they were sent, and gives the number of those that are there.
async fn tell_fates(topic: String, mut open: mpsc::Receiver<Open>) -> Result<u64, Failure> {
    let mut acked = 0;
    while let Some(Open { key, value, receipt }) = open.recv().await {
        acked += u64::from(tell_fate(&topic, key.as_deref(), &value, receipt.fate().await)?);
    }
    Ok(acked)
}

/// Tells the fate of a record, and whether it is there.
fn tell_fate(topic: &str, key: Option<&str>, value: &str, fate: Fate) -> Result<bool, Failure> {
    match fate {
        Ok(Delivery { partition, offset, .. }) => {
            tell("producer_send_success", Sent { key, value, topic, partition, offset })?;
            Ok(true)
        }
        Err(error) => {
            let (exception, message) = (class(error.code()), error.to_string());
            tell("producer_send_error", NotSent { key, value, topic, exception, message })?;
            Ok(false)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: VerifiableProducerArgs,
    }

    fn args(line: &str) -> VerifiableProducerArgs {
        let words = ["p", "--topic", "t", "--bootstrap-server", "h:1"].into_iter();
        Line::try_parse_from(words.chain(line.split_whitespace())).unwrap().args
    }

    #[test]
    fn records_are_numbers_with_a_prefix_and_keys_that_come_again() {
        assert_eq!(args("").key_and_value(7), (None, "7".to_owned()));
        let both = args("--value-prefix 3 --repeating-keys 5").key_and_value(7);
        assert_eq!(both, (Some("2".to_owned()), "3.7".to_owned()));
    }

    #[test]
    fn the_time_of_the_first_record_may_be_given() {
        let after = Duration::from_millis(30);
        assert_eq!(args("").timestamp(after, 1_000), 1_000);
        assert_eq!(args("--message-create-time 5").timestamp(after, 1_000), 35);
    }
}
