//! Produce (KIP-98, KIP-219, KIP-467, KIP-516): each partition's batch goes to its log, and the answer waits for the disk once.

mod rules;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::messages::produce_request::TopicProduceData;
use protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use protocol::messages::{ProduceRequest, ProduceResponse};
use protocol::{ErrorCode, Records, Uuid};
use storage::{AppendError, AppendInfo, Appended, Log, Lsn, Origin};
use tokio::sync::{Notify, oneshot};

use self::rules::{Rules, is_transactional};
use super::{Call, Handle};
use crate::Broker;
use crate::flushes::Flushes;
use crate::net::{CloseReason, Done, Started};
use crate::partitions::Partition;

impl Handle for ProduceRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let mut work = Work::new(broker, &call, self);
        work.append();
        if work.is_held_up() {
            return Started::Working(Box::pin(work.finish_when_ready(call)));
        }
        match work.into_unflushed() {
            (response, acks, unflushed) if unflushed.is_empty() => {
                Started::Done(finish(&call, acks, &response, unflushed.topic))
            }
            (response, acks, unflushed) => {
                Started::Settling(Box::pin(settle(call, response, acks, unflushed)))
            }
        }
    }
}

/// A partition's batch and what became of it.
struct Piece {
    topic: usize,
    index: i32,
    fate: Fate,
}

enum Fate {
    /// It waits for room in the journal, or for the end of a move to another log directory.
    HeldUp(Arc<Partition>, Bytes),
    Appended(Arc<Partition>, Appended),
    Refused(PartitionProduceResponse),
}

/// A request while its batches are being appended.
struct Work {
    broker: Arc<Broker>,
    acks: i16,
    timeout: Duration,
    /// Names and ids, in the request's order.
    topics: Vec<(String, Uuid)>,
    pieces: Vec<Piece>,
}

impl Work {
    fn new(broker: &Arc<Broker>, call: &Call, request: ProduceRequest) -> Work {
        let rules = Rules::of(call, &request);
        let mut topics = Vec::with_capacity(request.topic_data.len());
        let mut pieces = Vec::new();
        // A topic without partitions is not answered.
        for topic in request.topic_data.into_iter().filter(|topic| !topic.partition_data.is_empty()) {
            let place = topics.len();
            topics.push((topic.name.clone(), topic.topic_id));
            pieces.extend(split(broker, &rules, topic, place));
        }
        let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
        Work { broker: Arc::clone(broker), acks: request.acks, timeout, topics, pieces }
    }

    fn is_held_up(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece.fate, Fate::HeldUp(..)))
    }

    /// Appends what is to be appended. Some may be held up, since the journal is busy or the log moves.
    fn append(&mut self) {
        let now_ms = self.broker.host.clock.now_ms();
        for piece in &mut self.pieces {
            let held = std::mem::replace(&mut piece.fate, Fate::Refused(PartitionProduceResponse::default()));
            piece.fate = match held {
                Fate::HeldUp(partition, records) => append(partition, records, piece.index, now_ms),
                settled => settled,
            };
        }
    }

    /// Appends as soon as it is possible, as long as the client is willing to wait.
    async fn finish_when_ready(mut self, call: Call) -> Done {
        let deadline = tokio::time::Instant::now() + self.timeout;
        while let Some(partition) = self.first_held_up() {
            if tokio::time::timeout_at(deadline, ready(&partition)).await.is_err() {
                self.give_up();
            }
            self.find_moved();
            self.append();
        }
        let (response, acks, unflushed) = self.into_unflushed();
        settle(call, response, acks, unflushed).await
    }

    /// Partitions whose logs have moved meanwhile are in another directory now.
    fn find_moved(&mut self) {
        for piece in &mut self.pieces {
            if let Fate::HeldUp(partition, _) = &mut piece.fate {
                let id = partition.log.id();
                let found = self.broker.partitions.get(id.topic_id, id.partition);
                *partition = found.unwrap_or_else(|| Arc::clone(partition));
            }
        }
    }

    fn first_held_up(&self) -> Option<Arc<Partition>> {
        self.pieces.iter().find_map(|piece| match &piece.fate {
            Fate::HeldUp(partition, _) => Some(Arc::clone(partition)),
            _ => None,
        })
    }

    fn give_up(&mut self) {
        for piece in &mut self.pieces {
            if matches!(piece.fate, Fate::HeldUp(..)) {
                piece.fate = Fate::Refused(refused(piece.index, ErrorCode::RequestTimedOut));
            }
        }
    }

    /// The response, as it is if the disk does its part, and what it waits for.
    fn into_unflushed(self) -> (ProduceResponse, i16, Unflushed) {
        let mut unflushed = Unflushed::default();
        let mut responses: Vec<TopicProduceResponse> = self
            .topics
            .into_iter()
            .map(|(name, topic_id)| TopicProduceResponse { name, topic_id, ..Default::default() })
            .collect();
        for piece in self.pieces {
            let response = match piece.fate {
                Fate::Appended(partition, appended) => {
                    unflushed.add(self.acks, &partition, &appended);
                    accepted(piece.index, &appended)
                }
                Fate::Refused(response) => response,
                Fate::HeldUp(..) => refused(piece.index, ErrorCode::RequestTimedOut),
            };
            responses[piece.topic].partition_responses.push(response);
        }
        (ProduceResponse { responses, ..Default::default() }, self.acks, unflushed)
    }
}

/// A topic's partitions with their batches, or why not.
fn split(broker: &Broker, rules: &Rules, mut topic: TopicProduceData, place: usize) -> Vec<Piece> {
    let data = std::mem::take(&mut topic.partition_data);
    let pieces = data.into_iter().map(|data| {
        let records = contiguous(data.records);
        let fate = match rules.find(broker, &topic, data.index, &records) {
            Ok(partition) => Fate::HeldUp(partition, records),
            Err(error) => Fate::Refused(refused(data.index, error)),
        };
        Piece { topic: place, index: data.index, fate }
    });
    pieces.collect()
}

/// What was decoded lies in one piece; null is no batch at all.
fn contiguous(records: Records) -> Bytes {
    match records {
        Records::Bytes(bytes) => bytes,
        _ => Bytes::new(),
    }
}

fn append(partition: Arc<Partition>, records: Bytes, index: i32, now_ms: i64) -> Fate {
    if is_transactional(&records) {
        // No transaction can be under way, for nobody coordinates them here.
        return Fate::Refused(refused(index, ErrorCode::InvalidTxnState));
    }
    let info = AppendInfo { leader_epoch: partition.leader_epoch, now_ms, origin: Origin::Client };
    if partition.log_dir.journal().is_busy() {
        return Fate::HeldUp(partition, records);
    }
    let size = records.len();
    let appended = match partition.log.append(records, info) {
        Err(AppendError::Frozen(records)) => return Fate::HeldUp(partition, records),
        done => done,
    };
    partition.meter.produced();
    match appended {
        Ok(appended) => Fate::Appended(partition, appended),
        Err(error) => {
            partition.meter.produce_failed(error.code(), size);
            Fate::Refused(unappended(&partition.log, index, &error))
        }
    }
}

/// Waits until a partition may take batches again.
async fn ready(partition: &Partition) {
    let moved = Arc::new(Notify::new());
    let notice = Arc::clone(&moved);
    let _watch = partition.log.watch(Arc::new(move || notice.notify_one()));
    if partition.log.is_frozen() {
        return moved.notified().await;
    }
    let (sender, ready) = oneshot::channel();
    // Whoever has given up waiting needs no word.
    let tell = move || sender.send(()).unwrap_or_default();
    partition.log_dir.journal().when_ready(Box::new(tell));
    let _ = ready.await;
}

fn accepted(index: i32, appended: &Appended) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        base_offset: appended.base_offset,
        log_append_time_ms: appended.log_append_time_ms,
        log_start_offset: appended.log_start_offset,
        ..Default::default()
    }
}

fn refused(index: i32, error: ErrorCode) -> PartitionProduceResponse {
    PartitionProduceResponse { index, error_code: error.code(), base_offset: -1, ..Default::default() }
}

fn unappended(log: &Log, index: i32, error: &AppendError) -> PartitionProduceResponse {
    let faults = error.record_errors().iter();
    let record_errors = faults.map(|fault| BatchIndexAndErrorMessage {
        batch_index: fault.batch_index,
        batch_index_error_message: Some(fault.told(log.id())),
    });
    let log_start_offset = if is_told_the_start(error.code()) { log.log_start_offset() } else { -1 };
    PartitionProduceResponse {
        log_start_offset,
        record_errors: record_errors.collect(),
        error_message: Some(error.told(log.id())),
        ..refused(index, error.code())
    }
}

/// Whether Kafka says where the log starts to who gets this error.
fn is_told_the_start(error: ErrorCode) -> bool {
    !matches!(
        error,
        ErrorCode::CorruptMessage
            | ErrorCode::MessageTooLarge
            | ErrorCode::RecordListTooLarge
            | ErrorCode::KafkaStorageError
    )
}

/// The last place in each journal that has to be on disk before the answer leaves.
#[derive(Default)]
struct Unflushed {
    /// The first of those that were appended to.
    topic: Option<Arc<str>>,
    last: Vec<(Arc<Flushes>, Lsn)>,
}

impl Unflushed {
    fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    fn add(&mut self, acks: i16, partition: &Partition, appended: &Appended) {
        self.topic.get_or_insert_with(|| Arc::clone(&partition.log.id().topic));
        let from_memory = acks == 0 || partition.log.config().ack_from_memory;
        if !from_memory {
            let flushes = &partition.flushes;
            match self.last.iter_mut().find(|(known, _)| Arc::ptr_eq(known, flushes)) {
                Some((_, last)) => *last = appended.position.max(*last),
                None => self.last.push((Arc::clone(flushes), appended.position)),
            }
        }
    }

    /// Whether all of it got on disk.
    async fn flushed(&self) -> bool {
        let waits: Vec<_> = self.last.iter().map(|(flushes, lsn)| flushes.wait(*lsn)).collect();
        let mut all = true;
        for wait in waits {
            all &= wait.await.unwrap_or(false);
        }
        all
    }
}

/// Answers once the disk has done its part.
async fn settle(call: Call, mut response: ProduceResponse, acks: i16, unflushed: Unflushed) -> Done {
    if !unflushed.flushed().await {
        let partitions = response.responses.iter_mut().flat_map(|topic| &mut topic.partition_responses);
        for partition in partitions.filter(|partition| partition.error_code == 0) {
            *partition = refused(partition.index, ErrorCode::KafkaStorageError);
        }
    }
    finish(&call, acks, &response, unflushed.topic)
}

/// A client that wants no answer learns of a failure by the end of its connection.
fn finish(call: &Call, acks: i16, response: &ProduceResponse, topic: Option<Arc<str>>) -> Done {
    if acks != 0 {
        return call.answer(response).noting(|notes| notes.subject = topic);
    }
    let mut partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    match partitions.find(|partition| partition.error_code != 0) {
        None => Done::Silent,
        Some(failed) => {
            let error = ErrorCode::from(failed.error_code);
            Done::Close(CloseReason(format!("a batch was refused with {} and acks=0", error.name())))
        }
    }
}
