//! `yeoul console-consumer`: records become lines of standard output, as with `kafka-console-consumer`.

mod arguments;
mod format;
mod internal;
mod json;

use std::io::{self, Write};
use std::time::Duration;

use client::{ClientError, Consumer, ConsumerRecord};
use tokio::time::timeout;

pub use arguments::ConsoleConsumerArgs;
use arguments::{Plan, Source, Writer};

use super::cluster::{block_on, expect};
use super::java_text;
use crate::failure::{Failure, say};
use crate::interrupt::{Interrupt, insist};

/// How long leaving the group and the last commit may take: others wait for the partitions, a user for the prompt.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// What Kafka's tool says on standard error to who does not ask for the newer protocol.
const ADVERT: &str = "The consumer rebalance protocol (KIP-848) is production-ready! Set group.protocol=consumer to try it out. \
     See https://kafka.apache.org/documentation/#consumer_rebalance_protocol";

/// Writes records until there are enough, no more come, nobody reads them, or a signal asks to stop.
pub fn run(args: ConsoleConsumerArgs) -> Result<(), Failure> {
    block_on(consume(args.plan()?))
}

async fn consume(plan: Plan) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen()?;
    insist(CLOSE_WITHIN * 2)?;
    if plan.advertises {
        say(format_args!("{ADVERT}"));
    }
    let mut printer = Printer { plan, written: 0 };
    let end = printer.print(&mut interrupt).await;
    say(format_args!("Processed a total of {} messages", printer.written));
    if printer.plan.tell_end {
        writeln!(io::stdout(), "shutdown_complete")?;
    }
    end
}

struct Printer {
    plan: Plan,
    written: u64,
}

/// Why no more records are waited for.
enum End {
    Enough,
    /// With the reason. Kafka's tool ends well all the same.
    CannotRead(String),
    Failed(Failure),
}

impl Printer {
    async fn print(&mut self, interrupt: &mut Interrupt) -> Result<(), Failure> {
        let mut consumer = tokio::select! {
            consumer = consumer(&self.plan) => consumer?,
            code = interrupt.told() => return Err(Failure::Interrupted(code)),
        };
        let end = tokio::select! {
            end = self.print_records(&mut consumer) => end,
            code = interrupt.told() => End::Failed(Failure::Interrupted(code)),
        };
        close(consumer).await;
        match end {
            End::Enough => Ok(()),
            End::CannotRead(why) => {
                tracing::error!("Error processing message, terminating consumer process: {why}");
                Ok(())
            }
            End::Failed(failure) => Err(failure),
        }
    }

    async fn print_records(&mut self, consumer: &mut Consumer) -> End {
        while self.plan.max_messages.is_none_or(|max| self.written < max) {
            let records = match next(consumer, self.plan.timeout).await {
                Ok(Some(records)) => records,
                Ok(None) => return End::CannotRead("no record in time".to_owned()),
                Err(error) if error.is_astray() => return End::Failed(error.into()),
                Err(error) => return End::CannotRead(error.to_string()),
            };
            if let Err(failure) = self.write(consumer, &records) {
                return End::Failed(failure);
            }
        }
        End::Enough
    }

    /// Writes records, and gives those back that are beyond the limit or could not be written.
    fn write(&mut self, consumer: &mut Consumer, records: &[ConsumerRecord]) -> Result<(), Failure> {
        let left = self.plan.max_messages.map_or(u64::MAX, |max| max - self.written);
        let wanted = records.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut lines = Vec::new();
        let mut formatted = 0;
        let mut result = Ok(());
        for record in &records[..wanted] {
            if let Err(failure) = self.format(record, &mut lines) {
                result = Err(failure);
                break;
            }
            formatted += 1;
        }
        let mut out = io::stdout().lock();
        let printed = out.write_all(&lines).and_then(|()| out.flush());
        let taken = if printed.is_ok() { formatted } else { 0 };
        self.written += taken as u64;
        // From the last to the first: the first that is given back of each partition is where reading goes on.
        for record in records[taken..].iter().rev() {
            consumer.seek(&record.topic, record.partition, record.offset);
        }
        if printed.is_err() {
            say(format_args!("Unable to write to standard out, closing consumer."));
        }
        printed?;
        result
    }

    fn format(&self, record: &ConsumerRecord, lines: &mut Vec<u8>) -> Result<(), Failure> {
        let written = match &self.plan.writer {
            Writer::Lines(writer) => writer.write(record, lines),
            Writer::LinesAndLog(writer) => {
                log(record);
                writer.write(record, lines)
            }
            Writer::Json(writer) => writer.write(record, lines),
            Writer::Internal(internal) => internal.write(record, lines),
            Writer::Nothing => Ok(()),
        };
        match written {
            Err(why) if self.plan.skip_errors => {
                tracing::error!("Error processing message, skipping this message: {why}");
                Ok(())
            }
            written => written.map_err(Failure::Failed),
        }
    }
}

fn log(record: &ConsumerRecord) {
    let text = |bytes: &Option<bytes::Bytes>| {
        bytes.as_ref().map_or("null".into(), |bytes| java_text::utf8(bytes).into_owned())
    };
    let (time, key, value) = (record.timestamp, text(&record.key), text(&record.value));
    tracing::info!("{:?}:{time}, key:{key}, value:{value}", record.timestamp_type);
}

async fn consumer(plan: &Plan) -> Result<Consumer, Failure> {
    let cluster = expect(&plan.servers, plan.client.clone()).await?;
    let options = plan.consumer.clone();
    Ok(match &plan.source {
        Source::Partition(topic, partition, start) => {
            Consumer::assign(cluster, options, vec![(topic.clone(), *partition, *start)])
        }
        Source::All(topics) => Consumer::read_all(cluster, options, topics.clone()),
        Source::Group(group, topics) => Consumer::subscribe(cluster, options, group.clone(), topics.clone()),
    })
}

/// The next records; none if none come in time.
async fn next(
    consumer: &mut Consumer,
    within: Option<Duration>,
) -> Result<Option<Vec<ConsumerRecord>>, ClientError> {
    let some_records = async {
        loop {
            let records = consumer.poll().await?;
            if !records.is_empty() {
                return Ok(records);
            }
        }
    };
    match within {
        Some(within) => timeout(within, some_records).await.ok().transpose(),
        None => some_records.await.map(Some),
    }
}

async fn close(consumer: Consumer) {
    match timeout(CLOSE_WITHIN, consumer.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("the group was not left in order: {error}"),
        Err(_) => tracing::warn!("the group was not left in order: no answer in time"),
    }
}
