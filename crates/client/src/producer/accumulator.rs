//! Where records gather (pure): a batch of each partition that takes them, and those that take no more.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use protocol::ErrorCode;
use tokio::time::Instant;

use super::batch::{Batch, size};
use super::receipt::Receipt;
use super::{Place, ProducerOptions, ProducerRecord, ended};
use crate::error::ClientError;
use crate::partitioner::{Partitioner, Sticky};

/// What has come of a record.
#[derive(Debug)]
pub(super) enum Appended {
    /// It is part of a batch, or its fate is known.
    Taken(Receipt),
    /// It must wait.
    NoRoom,
    /// The number of its topic's partitions must be [told](Accumulator::set_partitions) first.
    UnknownTopic,
}

#[derive(Debug)]
pub(super) struct Accumulator {
    options: ProducerOptions,
    topics: Vec<Gathering>,
    by_name: HashMap<Arc<str>, usize>,
    /// The topic of the last record: the next has mostly the same.
    last: usize,
    /// Batches that take no more records, in their order.
    sealed: Vec<(Place, Batch)>,
    /// Bytes of all records whose fate is open.
    buffered: usize,
    /// Whether somebody knows when the batches that take records are due.
    is_watched: bool,
    /// Whether a caller waits for room.
    is_exhausted: bool,
    /// Whether there is something that nobody was told of yet.
    has_work: bool,
    /// Whether nobody will send anything any more.
    is_closed: bool,
}

/// The batches of a topic that take records.
#[derive(Debug)]
struct Gathering {
    name: Arc<str>,
    partitions: i32,
    sticky: Sticky,
    open: Vec<Option<Batch>>,
}

impl Accumulator {
    pub(super) fn new(options: ProducerOptions) -> Accumulator {
        Accumulator {
            options,
            topics: Vec::new(),
            by_name: HashMap::new(),
            last: 0,
            sealed: Vec::new(),
            buffered: 0,
            is_watched: false,
            is_exhausted: false,
            has_work: false,
            is_closed: false,
        }
    }

    /// Tells the number of a topic's partitions.
    pub(super) fn set_partitions(&mut self, topic: &Arc<str>, partitions: i32) {
        let next = self.topics.len();
        let at = *self.by_name.entry(topic.clone()).or_insert(next);
        if at == next {
            let (name, sticky) = (topic.clone(), Sticky::starting_anywhere());
            self.topics.push(Gathering { name, partitions: 0, sticky, open: Vec::new() });
        }
        let gathering = &mut self.topics[at];
        gathering.partitions = partitions;
        let count = usize::try_from(partitions).unwrap_or(0).max(gathering.open.len());
        gathering.open.resize_with(count, || None);
    }

    /// Whether another record is taken.
    pub(super) fn has_room(&self) -> bool {
        self.buffered < self.options.buffer_bytes || self.is_closed
    }

    /// Adds a record to a batch of its partition.
    pub(super) fn append(&mut self, record: &ProducerRecord, now: impl FnOnce() -> Instant) -> Appended {
        if self.is_closed {
            return Appended::Taken(Receipt::of_failure(ended()));
        }
        let size = size(record);
        let bytes_max = self.options.request_bytes_max.min(self.options.buffer_bytes);
        if size > bytes_max {
            return Appended::Taken(Receipt::of_failure(too_large(size, bytes_max)));
        }
        if !self.has_room() {
            self.has_work |= !std::mem::replace(&mut self.is_exhausted, true);
            return Appended::NoRoom;
        }
        let Some(topic) = self.topic(&record.topic) else { return Appended::UnknownTopic };
        let Some(partition) = self.partition(topic, record, size) else {
            let unknown = ClientError::refused(ErrorCode::UnknownTopicOrPartition);
            return Appended::Taken(Receipt::of_failure(unknown));
        };
        Appended::Taken(self.push(topic, partition, record, size, now))
    }

    /// Which of the topics this is.
    fn topic(&mut self, name: &Arc<str>) -> Option<usize> {
        let is_the_last = self.topics.get(self.last).is_some_and(|topic| topic.name == *name);
        if !is_the_last {
            self.last = *self.by_name.get(name)?;
        }
        Some(self.last)
    }

    /// The partition that a record goes to; none if there is none of the number that it names.
    fn partition(&mut self, topic: usize, record: &ProducerRecord, size: usize) -> Option<i32> {
        let topic = &mut self.topics[topic];
        let partitioner = self.options.partitioner;
        let named =
            record.partition.or_else(|| partitioner.partition(record.key.as_deref(), topic.partitions));
        if named.is_some() {
            return named.filter(|partition| (0..topic.partitions).contains(partition));
        }
        // Who goes round goes on at once, others once the partition has got a batch.
        let counted = match partitioner {
            Partitioner::RoundRobin => self.options.batch_bytes,
            _ => size,
        };
        let partition = topic.sticky.partition(topic.partitions);
        topic.sticky.count(counted, self.options.batch_bytes);
        (topic.partitions > 0).then_some(partition)
    }

    fn push(
        &mut self,
        topic: usize,
        partition: i32,
        record: &ProducerRecord,
        size: usize,
        now: impl FnOnce() -> Instant,
    ) -> Receipt {
        let Gathering { name, open, .. } = &mut self.topics[topic];
        let open = &mut open[partition as usize];
        if let Some(full) = open.take_if(|batch| batch.bytes + size > self.options.batch_bytes) {
            self.sealed.push(((name.clone(), partition), full));
            self.has_work = true;
        }
        let batch = open.get_or_insert_with(|| {
            self.has_work |= !std::mem::replace(&mut self.is_watched, true);
            Batch::open(now(), self.options.compression, self.options.batch_bytes.max(size))
        });
        let before = if batch.count() == 0 { 0 } else { batch.bytes };
        let receipt = batch.push(record);
        self.buffered += batch.bytes - before;
        receipt
    }

    /// Whether there is something to do since this was asked last.
    pub(super) fn take_has_work(&mut self) -> bool {
        std::mem::take(&mut self.has_work)
    }

    /// The batches that are to be sent: the full ones, and of the partitions that can have one sent those that have lingered, or all.
    pub(super) fn take_due(
        &mut self,
        now: Instant,
        all: bool,
        can_send: impl Fn(&Place) -> bool,
    ) -> Vec<(Place, Batch)> {
        // Who waits for room would wait for the batches to linger.
        let linger = if self.is_exhausted { Duration::ZERO } else { self.options.linger };
        for topic in &mut self.topics {
            for (partition, open) in (0..).zip(&mut topic.open) {
                let is_due = |batch: &Batch| all || batch.opened + linger <= now;
                let place = || (topic.name.clone(), partition);
                if open.as_ref().is_some_and(is_due) && (all || can_send(&place())) {
                    self.sealed.extend(open.take().map(|batch| (place(), batch)));
                }
            }
        }
        std::mem::take(&mut self.sealed)
    }

    /// When the next batch of the partitions that can have one sent has lingered. Who asks is told of no batch that is due later.
    pub(super) fn watch(&mut self, can_send: impl Fn(&Place) -> bool) -> Option<Instant> {
        let open = self.topics.iter().flat_map(|topic| {
            let opened =
                (0..).zip(&topic.open).filter_map(|(partition, open)| Some((partition, open.as_ref()?)));
            opened.filter(|(partition, _)| can_send(&(topic.name.clone(), *partition)))
        });
        let due = open.map(|(_, batch)| batch.opened + self.options.linger).min();
        self.is_watched = due.is_some();
        due
    }

    /// Makes room: the fate of so many bytes is known.
    pub(super) fn release(&mut self, bytes: usize) {
        self.buffered -= bytes;
        self.is_exhausted = false;
    }

    /// Whether no batch waits here.
    pub(super) fn is_empty(&self) -> bool {
        self.sealed.is_empty() && self.topics.iter().all(|topic| topic.open.iter().all(Option::is_none))
    }

    /// Takes no more records, and lets go of those that are there.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.sealed.clear();
        self.topics.clear();
        self.by_name.clear();
    }
}

/// Why a record cannot even be tried: no request, or not the buffer, has room for it.
fn too_large(bytes: usize, bytes_max: usize) -> ClientError {
    ClientError::Refused {
        code: ErrorCode::MessageTooLarge,
        message: Some(format!("the record takes {bytes} bytes, there is room for {bytes_max}")),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const BATCH_BYTES: usize = 400;

    fn accumulator() -> Accumulator {
        let linger = Duration::from_millis(5);
        let options =
            ProducerOptions { batch_bytes: BATCH_BYTES, buffer_bytes: 1_000, linger, ..Default::default() };
        let mut accumulator = Accumulator::new(ProducerOptions { request_bytes_max: 600, ..options });
        accumulator.set_partitions(&"t".into(), 2);
        accumulator
    }

    fn record(partition: i32, bytes: usize) -> ProducerRecord {
        let value = Some(Bytes::from(vec![0; bytes]));
        ProducerRecord { topic: "t".into(), partition: Some(partition), value, ..ProducerRecord::default() }
    }

    fn error(appended: &Appended) -> Option<ErrorCode> {
        match appended {
            Appended::Taken(receipt) => receipt.known_fate().and_then(|fate| fate.err()?.code()),
            _ => None,
        }
    }

    /// The partition and number of records of each.
    fn told(batches: &[(Place, Batch)]) -> Vec<(i32, i32)> {
        batches.iter().map(|((_, partition), batch)| (*partition, batch.count())).collect()
    }

    #[test]
    fn a_batch_that_is_full_is_due_at_once_and_one_that_lingers_in_time() {
        let (mut accumulator, now) = (accumulator(), Instant::now());
        for _ in 0..5 {
            accumulator.append(&record(1, 100), || now);
        }
        assert_eq!(told(&accumulator.take_due(now, false, |_| true)), [(1, 2), (1, 2)]);
        let due = accumulator.watch(|_| true).unwrap();
        assert_eq!(due, now + Duration::from_millis(5));
        assert_eq!(told(&accumulator.take_due(due, false, |_| true)), [(1, 1)]);
        assert!(accumulator.is_empty());
    }

    #[test]
    fn a_partition_that_has_a_batch_on_its_way_lets_the_next_one_grow() {
        let (mut accumulator, now) = (accumulator(), Instant::now());
        accumulator.append(&record(0, 1), || now);
        accumulator.append(&record(1, 1), || now);
        let later = now + Duration::from_secs(1);
        assert_eq!(accumulator.watch(|_| false), None);
        assert_eq!(told(&accumulator.take_due(later, false, |place| place.1 == 1)), [(1, 1)]);
        assert_eq!(told(&accumulator.take_due(later, true, |_| false)), [(0, 1)]);
    }

    #[test]
    fn there_is_work_when_a_batch_is_full_or_begins_to_linger_unwatched() {
        let (mut accumulator, now) = (accumulator(), Instant::now());
        let mut has_work = |partition, bytes| {
            accumulator.append(&record(partition, bytes), || now);
            accumulator.take_has_work()
        };
        assert!(has_work(0, 10));
        assert!(!has_work(0, 10), "it is known to linger");
        assert!(!has_work(1, 10), "one that is due sooner is watched");
        assert!(has_work(0, 390));
    }

    #[test]
    fn what_has_no_room_waits_until_some_is_made() {
        let (mut accumulator, now) = (accumulator(), Instant::now());
        let mut taken = 0;
        while let Appended::Taken(_) = accumulator.append(&record(0, 300), || now) {
            taken += 1;
        }
        assert!(taken > 2 && !accumulator.has_room());
        let bytes = accumulator.take_due(now, true, |_| true).iter().map(|(_, batch)| batch.bytes).sum();
        assert!(!accumulator.has_room(), "what is on its way takes room");
        accumulator.release(bytes);
        assert!(accumulator.has_room() && accumulator.buffered == 0);
    }

    #[test]
    fn nobody_waits_for_room_until_batches_have_lingered() {
        let (mut accumulator, now) = (accumulator(), Instant::now());
        while let Appended::Taken(_) = accumulator.append(&record(0, 300), || now) {}
        accumulator.take_due(now, false, |_| true);
        assert!(accumulator.is_empty(), "the open batch is due");
        accumulator.release(accumulator.buffered);
        accumulator.append(&record(0, 1), || now);
        assert!(accumulator.take_due(now, false, |_| true).is_empty(), "there is room again");
    }

    #[test]
    fn what_the_buffer_never_has_room_for_is_refused_at_once() {
        let options = ProducerOptions { buffer_bytes: 100, ..Default::default() };
        let refused = Accumulator::new(options).append(&record(0, 101), Instant::now);
        assert_eq!(error(&refused), Some(ErrorCode::MessageTooLarge));
    }

    #[test]
    fn what_cannot_be_sent_is_refused_at_once() {
        let (mut accumulator, now) = (accumulator(), Instant::now());
        let mut append = |record: &ProducerRecord| accumulator.append(record, || now);
        assert_eq!(error(&append(&record(0, 700))), Some(ErrorCode::MessageTooLarge));
        assert_eq!(error(&append(&record(2, 1))), Some(ErrorCode::UnknownTopicOrPartition));
        let elsewhere = ProducerRecord { topic: "u".into(), ..record(0, 1) };
        assert!(matches!(append(&elsewhere), Appended::UnknownTopic));
        accumulator.close();
        let late = accumulator.append(&record(0, 1), || now);
        assert_eq!(error(&late), Some(ErrorCode::UnknownServerError));
    }

    #[test]
    fn a_batch_that_is_given_up_tells_its_records() {
        let (mut accumulator, now) = (accumulator(), Instant::now());
        let appended = accumulator.append(&record(0, 1), || now);
        accumulator.close();
        assert_eq!(error(&appended), Some(ErrorCode::UnknownServerError));
    }
}
