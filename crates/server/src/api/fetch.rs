//! Fetch (KIP-227, KIP-320, KIP-516, KIP-951): slices of logs, as soon as there is enough or the wait is over.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, PartitionData,
};
use protocol::messages::{FetchRequest, FetchResponse};
use protocol::records::BatchHeader;
use protocol::{ErrorCode, Records, Uuid};
use storage::{Log, LogSlice, ReadLimit, ReadRequest, SliceData};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::{Call, Handle};
use crate::Broker;
use crate::fetch_sessions::{PartitionKey, Plan, Told, TopicKey, Wanted};
use crate::meters::{Counted, Reader, SliceReads};
use crate::net::{Done, FileSlice, Served, Started};
use crate::partitions::Partition;

const READ_COMMITTED: i8 = 1;
/// Threads on which the partitions of one fetch are looked up in files.
const COLD_THREADS: usize = 4;

impl Handle for FetchRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let draw = broker.host.random.next_u64();
        let uptime_ms = broker.host.clock.uptime_ms();
        let plan = match broker.fetch_sessions.begin(&self, call.version, uptime_ms, draw) {
            Ok(plan) => plan,
            Err(error) => {
                return call.done(&FetchResponse { error_code: error.code(), ..Default::default() });
            }
        };
        let fetch = Fetch::new(broker, call, &self, plan);
        if !fetch.is_cold() {
            let reading = fetch.read();
            if fetch.is_answered_by(&reading) {
                return Started::Done(fetch.answer(reading));
            }
        }
        Started::Waiting(Box::pin(fetch.run()))
    }
}

/// A partition that is to be read.
struct Target {
    key: PartitionKey,
    wanted: Wanted,
    partition: Result<Arc<Partition>, ErrorCode>,
}

/// A fetch under way.
struct Fetch {
    broker: Arc<Broker>,
    call: Call,
    plan: Plan,
    targets: Arc<Vec<Target>>,
    bounds: Bounds,
    bytes_min: usize,
    wait_max: Duration,
    stopping: watch::Receiver<bool>,
    /// How long it has waited for records.
    awaited: Duration,
}

/// How much is read, and how far.
#[derive(Clone, Copy)]
struct Bounds {
    bytes_max: usize,
    up_to: ReadLimit,
}

/// What was read of one partition.
struct Read {
    slice: LogSlice,
    aborted: Option<Vec<AbortedTransaction>>,
    diverging: Option<EpochEndOffset>,
}

/// What was read of all of them.
#[derive(Default)]
struct Reading {
    partitions: Vec<Result<Read, ErrorCode>>,
    bytes: usize,
}

impl Fetch {
    fn new(broker: &Arc<Broker>, call: Call, request: &FetchRequest, mut plan: Plan) -> Fetch {
        let is_replica = request.replica_id >= 0 || request.replica_state.replica_id >= 0;
        let targets = std::mem::take(&mut plan.partitions).into_iter().map(|(key, wanted)| {
            // There are no other brokers that could follow this one.
            let partition =
                if is_replica { Err(ErrorCode::NotLeaderOrFollower) } else { find(broker, &key, &wanted) };
            Target { key, wanted, partition }
        });
        let size = |bytes: i32| usize::try_from(bytes).unwrap_or(0);
        let committed = request.isolation_level == READ_COMMITTED;
        Fetch {
            targets: Arc::new(targets.collect()),
            call,
            plan,
            bounds: Bounds {
                bytes_max: size(request.max_bytes).min(broker.config().limits.fetch_bytes_max),
                up_to: if committed { ReadLimit::LastStable } else { ReadLimit::HighWatermark },
            },
            bytes_min: size(request.min_bytes),
            wait_max: Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)),
            stopping: broker.stopping.clone(),
            awaited: Duration::ZERO,
            broker: Arc::clone(broker),
        }
    }

    fn logs(&self) -> impl Iterator<Item = (&Arc<Log>, &Wanted)> {
        let found = |target: &'_ Target| target.partition.is_ok();
        self.targets
            .iter()
            .filter(move |target| found(target))
            .filter_map(|target| Some((&target.partition.as_ref().ok()?.log, &target.wanted)))
    }

    /// Whether reading may have to wait for a disk.
    fn is_cold(&self) -> bool {
        self.logs().any(|(log, wanted)| log.is_cold(wanted.fetch_offset))
    }

    fn read(&self) -> Reading {
        read_all(&self.targets, self.bounds)
    }

    /// Reads where a thread may wait for the disk, if need be.
    async fn read_anywhere(&self) -> Reading {
        if !self.is_cold() {
            return self.read();
        }
        let wanted: usize = self.logs().map(|(_, wanted)| wanted.bytes_max).sum();
        // Who may get all that he asks for of one partition gets it of the others too, so that they need not wait for each other.
        let threads = if wanted <= self.bounds.bytes_max { COLD_THREADS } else { 1 };
        let share = self.targets.len().div_ceil(threads).max(1);
        let shares = (0..self.targets.len()).step_by(share).map(|from| {
            let (targets, bounds) = (Arc::clone(&self.targets), self.bounds);
            let to = targets.len().min(from + share);
            tokio::task::spawn_blocking(move || read_all(&targets[from..to], bounds))
        });
        let mut all = Reading { partitions: Vec::with_capacity(self.targets.len()), bytes: 0 };
        for read in futures::future::join_all(shares).await {
            let read = read.unwrap_or_default();
            all.bytes += read.bytes;
            all.partitions.extend(read.partitions);
        }
        all.partitions.resize_with(self.targets.len(), || Err(ErrorCode::UnknownServerError));
        all
    }

    /// Whether nothing is to be waited for.
    fn is_answered_by(&self, reading: &Reading) -> bool {
        let at_once = |read: &Result<Read, ErrorCode>| match read {
            Ok(read) => read.diverging.is_some(),
            Err(_) => true,
        };
        self.wait_max.is_zero()
            || self.targets.is_empty()
            || reading.bytes >= self.bytes_min
            || reading.partitions.iter().any(at_once)
    }

    async fn run(mut self) -> Done {
        let deadline = Instant::now() + self.wait_max;
        let mut reading = self.read_anywhere().await;
        if !self.is_answered_by(&reading) {
            let moved = Arc::new(Notify::new());
            // Before the next look, so that no append is missed.
            let watches: Vec<_> = self.logs().map(|(log, _)| watch_log(log, &moved)).collect();
            loop {
                reading = self.read_anywhere().await;
                if self.is_answered_by(&reading) || !self.waits_for(&moved, deadline).await {
                    break;
                }
            }
            drop(watches);
        }
        self.answer(reading)
    }

    /// Waits until something was appended. False if the time is up, or the broker stops.
    async fn waits_for(&mut self, moved: &Notify, deadline: Instant) -> bool {
        let _waiting = Counted::new(&self.broker.meters.waiting_fetches);
        let begun = Instant::now();
        let has_moved = tokio::select! {
            () = moved.notified() => true,
            () = tokio::time::sleep_until(deadline) => false,
            _ = self.stopping.wait_for(|stopping| *stopping) => false,
        };
        self.awaited += begun.elapsed();
        has_moved
    }

    fn answer(&self, reading: Reading) -> Done {
        let mut files = Vec::new();
        let mut response = FetchResponse { session_id: self.plan.session_id, ..Default::default() };
        let news = self.news(&reading);
        let reader = (reading.bytes > 0).then(|| self.reader(&reading));
        for ((target, read), news) in self.targets.iter().zip(reading.partitions).zip(news) {
            let served = self.note(target, &read, reader.as_ref());
            if news {
                let sent = Sent { past_the_cache: self.broker.past_the_cache, served };
                let data = match read {
                    Ok(read) => partition_data(target.key.1, read, sent, &mut files),
                    Err(error) => refused(target, error),
                };
                topic_of(&mut response, &target.key.0).partitions.push(data);
            }
        }
        self.call.answer_with_files(&response, &files).noting(|notes| {
            notes.subject = self.logs().next().map(|(log, _)| Arc::clone(&log.id().topic));
            notes.awaited = self.awaited;
        })
    }

    fn now_seconds(&self) -> u64 {
        self.broker.host.clock.monotonic().as_secs()
    }

    /// Who is about to be sent records.
    fn reader(&self, reading: &Reading) -> Arc<Reader> {
        let now = self.now_seconds();
        let address = self.call.peer.address.ip();
        let reader = self.broker.meters.readers.of(&self.call.client_id, address, now);
        reader.sources.answered(reading.partitions.iter().map(tail_bytes).sum(), now);
        reader
    }

    /// Counts what was read of a partition; what was only found in a file is counted when it is sent.
    fn note(
        &self,
        target: &Target,
        read: &Result<Read, ErrorCode>,
        reader: Option<&Arc<Reader>>,
    ) -> Option<Arc<dyn Served>> {
        let partition = target.partition.as_ref().ok()?;
        let meter = &partition.meter;
        let slice = match read {
            Ok(read) => &read.slice,
            Err(error) => {
                meter.fetch_failed(*error);
                return None;
            }
        };
        meter.fetched(slice.data.len());
        let in_file = match &slice.data {
            SliceData::Empty => return None,
            SliceData::Memory(_) => false,
            SliceData::File { .. } => true,
        };
        let (now, tail_bytes) = (self.now_seconds(), if in_file { 0 } else { slice.data.len() });
        meter.reads().answered(tail_bytes, now);
        let reader = Arc::clone(reader?);
        let of_both = self.broker.meters.readers.of_partition(&reader, partition.log.id(), now);
        of_both.iter().for_each(|both| both.answered(tail_bytes, now));
        let clock = Arc::clone(&self.broker.host.clock);
        let reads = SliceReads { partition: Arc::clone(meter), reader, of_both, clock };
        let sent = || SentSlice { log: Arc::clone(&partition.log), reads };
        in_file.then(|| Arc::new(sent()) as Arc<dyn Served>)
    }

    /// Which partitions the client must be told of.
    fn news(&self, reading: &Reading) -> Vec<bool> {
        let Some(session) = &self.plan.session else { return vec![true; self.targets.len()] };
        let told = self.targets.iter().zip(&reading.partitions);
        let told: Vec<_> = told.map(|(target, read)| (target.key.clone(), told_by(read))).collect();
        let news = session.lock().note(&told);
        if self.plan.is_incremental { news } else { vec![true; self.targets.len()] }
    }
}

fn find(
    broker: &Broker,
    (topic, number): &PartitionKey,
    wanted: &Wanted,
) -> Result<Arc<Partition>, ErrorCode> {
    let partition = match topic {
        TopicKey::Name(name) => broker.partition_by_name(name, *number),
        TopicKey::Id(id) => broker.partition_by_id(*id, *number),
    }?;
    partition.check_leader_epoch(wanted.current_leader_epoch)?;
    Ok(partition)
}

fn watch_log(log: &Arc<Log>, moved: &Arc<Notify>) -> storage::Watch {
    let moved = Arc::clone(moved);
    log.watch(Arc::new(move || moved.notify_one()))
}

/// Reads the partitions in their order, until enough is read.
fn read_all(targets: &[Target], bounds: Bounds) -> Reading {
    let mut reading = Reading { partitions: Vec::with_capacity(targets.len()), bytes: 0 };
    for target in targets {
        let read = read_one(target, bounds, reading.bytes);
        reading.bytes += read.as_ref().map_or(0, |read| read.slice.data.len());
        reading.partitions.push(read);
    }
    reading
}

fn read_one(target: &Target, bounds: Bounds, bytes_before: usize) -> Result<Read, ErrorCode> {
    let log = &target.partition.as_ref().map_err(|error| *error)?.log;
    let Wanted { fetch_offset: offset, bytes_max, last_fetched_epoch, .. } = target.wanted;
    let left = bounds.bytes_max.saturating_sub(bytes_before);
    if log.is_deleted() {
        return Err(ErrorCode::UnknownTopicOrPartition);
    }
    let diverging = diverging(log, last_fetched_epoch, offset)?;
    // Of a reader that is to go back, only the edges of the log are looked up.
    let max_bytes = if diverging.is_some() { 0 } else { bytes_max.min(left) };
    let offset = diverging.as_ref().map_or(offset, |diverging| diverging.end_offset);
    // However small the bounds are, the first batch of the response is whole, so that every reader gets on.
    let min_one_batch = bytes_before == 0 && diverging.is_none();
    let request = ReadRequest { offset, max_bytes, min_one_batch, up_to: bounds.up_to };
    let slice = log.read(request).map_err(|error| error.code())?;
    let committed = bounds.up_to == ReadLimit::LastStable;
    let aborted = if committed { Some(aborted(log, offset, &slice)?) } else { None };
    Ok(Read { slice, aborted, diverging })
}

/// Where a reader's last epoch ended, if it has read on behind that: those records are not of this log (KIP-595).
/// An epoch that the log cannot know yet is out of range.
fn diverging(
    log: &Log,
    last_fetched_epoch: i32,
    fetch_offset: i64,
) -> Result<Option<EpochEndOffset>, ErrorCode> {
    if last_fetched_epoch < 0 {
        return Ok(None);
    }
    let known = log.end_offset_for_epoch(last_fetched_epoch);
    let (epoch, end_offset) = known.ok_or(ErrorCode::OffsetOutOfRange)?;
    let agrees = epoch == last_fetched_epoch && end_offset >= fetch_offset;
    Ok((!agrees).then_some(EpochEndOffset { epoch, end_offset }))
}

fn aborted(log: &Log, offset: i64, slice: &LogSlice) -> Result<Vec<AbortedTransaction>, ErrorCode> {
    let end = match &slice.data {
        SliceData::Empty => return Ok(Vec::new()),
        SliceData::Memory(batches) => {
            let last = batches.last().and_then(|batch| BatchHeader::parse(batch).ok());
            last.map_or(slice.last_stable_offset, |header| header.next_offset())
        }
        SliceData::File { end_offset, .. } => *end_offset,
    };
    let found = log.aborted_transactions(offset, end).map_err(|error| error.code())?;
    let message = |entry: storage::AbortedTransaction| AbortedTransaction {
        producer_id: entry.producer_id,
        first_offset: entry.first_offset,
    };
    Ok(found.into_iter().map(message).collect())
}

fn told_by(read: &Result<Read, ErrorCode>) -> Told {
    match read {
        Ok(Read { slice, .. }) => Told {
            high_watermark: slice.high_watermark,
            log_start_offset: slice.log_start_offset,
            has_records: !slice.data.is_empty(),
            error: ErrorCode::None,
        },
        Err(error) => Told { high_watermark: -1, log_start_offset: -1, has_records: false, error: *error },
    }
}

/// The place of a topic in the response: partitions of one topic stand together where they were read one after the other.
fn topic_of<'a>(response: &'a mut FetchResponse, key: &TopicKey) -> &'a mut FetchableTopicResponse {
    let (topic, topic_id) = match key {
        TopicKey::Name(name) => (&**name, Uuid::ZERO),
        TopicKey::Id(id) => ("", *id),
    };
    let responses = &mut response.responses;
    if responses.last().is_none_or(|last| last.topic != topic || last.topic_id != topic_id) {
        let topic = topic.to_owned();
        responses.push(FetchableTopicResponse { topic, topic_id, ..Default::default() });
    }
    let last = responses.len() - 1;
    &mut responses[last]
}

/// Bytes that were read from memory.
fn tail_bytes(read: &Result<Read, ErrorCode>) -> usize {
    match read {
        Ok(Read { slice: LogSlice { data: SliceData::Memory(batches), .. }, .. }) => {
            batches.iter().map(bytes::Bytes::len).sum()
        }
        _ => 0,
    }
}

/// A part of a log's file on its way to a reader.
struct SentSlice {
    log: Arc<Log>,
    reads: SliceReads,
}

impl Served for SentSlice {
    fn was_in_page_cache(&self, bytes: usize) {
        self.reads.was_in_page_cache(bytes);
    }

    fn was_on_disk(&self, bytes: usize, waited: Duration) {
        self.reads.was_on_disk(bytes, waited);
    }

    fn was_unreadable(&self, error: &io::Error) {
        self.log.note_unreadable(error);
    }
}

/// How what is in a file is sent.
struct Sent {
    past_the_cache: bool,
    served: Option<Arc<dyn Served>>,
}

fn partition_data(partition_index: i32, read: Read, sent: Sent, files: &mut Vec<FileSlice>) -> PartitionData {
    let Read { slice, aborted, diverging } = read;
    PartitionData {
        partition_index,
        high_watermark: slice.high_watermark,
        last_stable_offset: slice.last_stable_offset,
        log_start_offset: slice.log_start_offset,
        diverging_epoch: diverging.unwrap_or_default(),
        aborted_transactions: aborted,
        records: records(slice.data, sent, files),
        ..Default::default()
    }
}

fn refused(target: &Target, error: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index: target.key.1,
        error_code: error.code(),
        high_watermark: -1,
        // As Kafka has it: null unless there never was a log to look at.
        aborted_transactions: (target.partition.is_err() && is_unknown(error)).then(Vec::new),
        records: Records::Bytes(bytes::Bytes::new()),
        ..Default::default()
    }
}

fn is_unknown(error: ErrorCode) -> bool {
    matches!(error, ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId)
}

fn records(data: SliceData, sent: Sent, files: &mut Vec<FileSlice>) -> Records {
    match data {
        SliceData::Empty => Records::Bytes(bytes::Bytes::new()),
        SliceData::Memory(batches) => Records::Chunks(batches),
        SliceData::File { file, position, len, cold_reads, .. } => {
            let id = u32::try_from(files.len()).unwrap_or(u32::MAX);
            let Sent { past_the_cache, served } = sent;
            let cold_reads = past_the_cache.then_some(cold_reads);
            files.push(FileSlice { file, position, len, cold_reads, served });
            Records::External { len, id }
        }
    }
}
