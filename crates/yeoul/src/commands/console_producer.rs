//! `yeoul console-producer`: lines of standard input become records, as with `kafka-console-producer`.

mod arguments;
mod input;
mod lines;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use client::{ClientError, Fate, Producer, ProducerRecord, Receipt};
use protocol::ErrorCode;

pub use arguments::ConsoleProducerArgs;
use arguments::Plan;

use super::cluster::{block_on, connect, now_ms};
use crate::failure::Failure;
use crate::interrupt::{Interrupt, insist};

/// Sends every line, and fails unless all of them were delivered.
pub fn run(args: ConsoleProducerArgs) -> Result<(), Failure> {
    block_on(produce(args.plan()?))
}

async fn produce(plan: Plan) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen()?;
    insist(arguments::grace(&plan))?;
    let cluster = tokio::select! {
        cluster = connect(&plan.servers, plan.client.clone()) => cluster?,
        code = interrupt.told() => return Err(Failure::Interrupted(code)),
    };
    let mut sender = Sender::new(Producer::new(cluster, plan.producer.clone()), plan);
    let end = sender.send_input(&mut interrupt).await;
    sender.finish().await?;
    end
}

/// A producer, and the records whose fate is not known yet.
struct Sender {
    producer: Producer,
    plan: Plan,
    lines: u64,
    receipts: VecDeque<(Sketch, Receipt)>,
    failed: u64,
    last_error: Option<String>,
    /// Whether more records would fail the same way.
    is_hopeless: bool,
}

/// What is told of a record that was not delivered.
struct Sketch {
    key_bytes: Option<usize>,
    value_bytes: Option<usize>,
}

impl Sender {
    fn new(producer: Producer, plan: Plan) -> Sender {
        Sender {
            producer,
            plan,
            lines: 0,
            receipts: VecDeque::new(),
            failed: 0,
            last_error: None,
            is_hopeless: false,
        }
    }

    /// Sends what comes, until the input ends or a signal does.
    async fn send_input(&mut self, interrupt: &mut Interrupt) -> Result<(), Failure> {
        let mut input = input::lines()?;
        let mut interrupted = Ok(());
        while !self.is_hopeless {
            let lines = tokio::select! {
                lines = input.recv() => lines,
                code = interrupt.told(), if interrupted.is_ok() => {
                    interrupted = Err(Failure::Interrupted(code));
                    // What was read already is sent; no more is read.
                    input.close();
                    continue;
                }
                () = self.next_fate(), if !self.receipts.is_empty() => continue,
            };
            let Some(lines) = lines else { break };
            self.send_lines(&lines?).await?;
        }
        interrupted
    }

    async fn send_lines(&mut self, lines: &[Bytes]) -> Result<(), Failure> {
        for line in lines {
            self.send_line(line).await?;
            if self.is_hopeless {
                break;
            }
        }
        Ok(())
    }

    async fn send_line(&mut self, line: &Bytes) -> Result<(), Failure> {
        if let Some(refusal) = self.plan.refusal.take() {
            return Err(refusal);
        }
        self.lines += 1;
        let parts = self.plan.format.parse(line, self.lines).map_err(Failure::Failed)?;
        let parts =
            parts.typed(self.plan.key_type, self.plan.value_type, self.lines).map_err(Failure::Failed)?;
        let sketch = Sketch {
            key_bytes: parts.key.as_ref().map(Bytes::len),
            value_bytes: parts.value.as_ref().map(Bytes::len),
        };
        let record = ProducerRecord {
            topic: self.plan.topic.clone(),
            partition: None,
            key: parts.key,
            value: parts.value,
            headers: parts.headers,
            timestamp: now_ms(),
        };
        self.receipts.push_back((sketch, self.producer.send(record).await));
        if self.plan.sync {
            self.producer.flush().await;
        }
        self.take_known_fates();
        Ok(())
    }

    /// Waits for the fate of the oldest record.
    async fn next_fate(&mut self) {
        let Some((_, receipt)) = self.receipts.front() else { return };
        let fate = receipt.fate().await;
        self.judge_first(fate);
    }

    fn take_known_fates(&mut self) {
        while let Some(fate) = self.receipts.front().and_then(|(_, receipt)| receipt.known_fate()) {
            self.judge_first(fate);
        }
    }

    fn judge_first(&mut self, fate: Fate) {
        let sketch = self.receipts.pop_front().map(|(sketch, _)| sketch);
        self.judge(sketch, fate.err());
    }

    fn judge(&mut self, sketch: Option<Sketch>, error: Option<Arc<ClientError>>) {
        let (Some(sketch), Some(error)) = (sketch, error) else { return };
        let error_text = error.to_string();
        // A batch fails as a whole; how many records that makes is told in the end.
        if self.last_error.as_ref() != Some(&error_text) {
            let told =
                |bytes: Option<usize>| bytes.map_or("null".to_owned(), |bytes| format!("{bytes} bytes"));
            tracing::error!(
                "Error when sending message to topic {} with key: {}, value: {} with error: {error_text}",
                self.plan.topic,
                told(sketch.key_bytes),
                told(sketch.value_bytes),
            );
            self.last_error = Some(error_text);
        }
        self.failed += 1;
        self.is_hopeless |= self.plan.sync || !is_about_the_record(&error);
    }

    /// Waits until everything that was sent is delivered or lost.
    async fn finish(mut self) -> Result<(), Failure> {
        self.producer.flush().await;
        while !self.receipts.is_empty() {
            self.next_fate().await;
        }
        self.producer.close().await;
        match self.failed {
            0 => Ok(()),
            failed => Err(Failure::Failed(format!("{failed} of {} records were not delivered", self.lines))),
        }
    }
}

/// Whether another record may fare better.
fn is_about_the_record(error: &ClientError) -> bool {
    let codes = [ErrorCode::MessageTooLarge, ErrorCode::RecordListTooLarge, ErrorCode::InvalidRecord];
    error.code().is_some_and(|code| codes.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_is_too_large_does_not_stop_the_others() {
        assert!(is_about_the_record(&ClientError::refused(ErrorCode::MessageTooLarge)));
        assert!(!is_about_the_record(&ClientError::refused(ErrorCode::TopicAuthorizationFailed)));
        assert!(!is_about_the_record(&ClientError::Disconnected("h:1".to_owned())));
    }
}
