//! One producer.

use protocol::records::{BatchHeader, EndTxn, NO_SEQUENCE};

use super::{LastRecord, ProducerError};
use crate::files::producer_snapshot::ProducerEntry;

/// How many of a producer's last batches are known again; as many as it may have in flight.
pub const BATCHES_MAX: usize = 5;

/// Where a batch lies that came a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// Offset of its first record.
    pub base_offset: i64,
    /// Offset of its last record.
    pub last_offset: i64,
    /// Its largest timestamp, in milliseconds; the time of the append on topics of LogAppendTime.
    pub timestamp: i64,
}

/// A batch that was appended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RecordedBatch {
    last_offset: i64,
    timestamp: i64,
    last_sequence: i32,
    offset_delta: i32,
}

impl RecordedBatch {
    fn of(batch: &BatchHeader) -> RecordedBatch {
        RecordedBatch {
            last_offset: batch.last_offset(),
            timestamp: batch.max_timestamp,
            last_sequence: batch.last_sequence(),
            offset_delta: batch.last_offset_delta,
        }
    }

    /// Sequences wrap around at 2^31.
    fn first_sequence(&self) -> i32 {
        self.last_sequence.wrapping_sub(self.offset_delta) & i32::MAX
    }

    fn duplicate(&self) -> Duplicate {
        let RecordedBatch { last_offset, timestamp, .. } = *self;
        Duplicate { base_offset: last_offset - i64::from(self.offset_delta), last_offset, timestamp }
    }
}

/// What is known of a producer.
#[derive(Clone, Debug)]
pub(super) struct ProducerState {
    epoch: i16,
    /// How many of `batches` are in use, the oldest first.
    batches_len: u8,
    coordinator_epoch: i32,
    last_timestamp: i64,
    /// -1 if no transaction is open.
    transaction_first_offset: i64,
    batches: [RecordedBatch; BATCHES_MAX],
}

impl ProducerState {
    /// Of a producer whose first batch this is.
    pub(super) fn new(batch: &BatchHeader) -> ProducerState {
        ProducerState {
            epoch: batch.producer_epoch,
            batches_len: 0,
            coordinator_epoch: -1,
            last_timestamp: batch.max_timestamp,
            transaction_first_offset: -1,
            batches: Default::default(),
        }
    }

    pub(super) fn from_entry(entry: &ProducerEntry) -> ProducerState {
        let mut state = ProducerState {
            epoch: entry.epoch,
            batches_len: 0,
            coordinator_epoch: entry.coordinator_epoch,
            last_timestamp: entry.timestamp,
            transaction_first_offset: entry.current_txn_first_offset,
            batches: Default::default(),
        };
        if entry.last_offset >= 0 {
            state.push(RecordedBatch {
                last_offset: entry.last_offset,
                timestamp: entry.timestamp,
                last_sequence: entry.last_sequence,
                offset_delta: entry.offset_delta,
            });
        }
        state
    }

    pub(super) fn to_entry(&self, producer_id: i64) -> ProducerEntry {
        let last = self.last();
        ProducerEntry {
            producer_id,
            epoch: self.epoch,
            last_sequence: self.last_sequence(),
            last_offset: last.map_or(-1, |batch| batch.last_offset),
            offset_delta: last.map_or(0, |batch| batch.offset_delta),
            timestamp: self.last_timestamp,
            coordinator_epoch: self.coordinator_epoch,
            current_txn_first_offset: self.transaction_first_offset,
        }
    }

    pub(super) fn last_record(&self) -> LastRecord {
        LastRecord { data_offset: self.last().map(|batch| batch.last_offset), epoch: self.epoch }
    }

    /// Offset of the first record of the transaction that is open.
    pub(super) fn transaction(&self) -> Option<i64> {
        (self.transaction_first_offset >= 0).then_some(self.transaction_first_offset)
    }

    pub(super) fn is_expired(&self, now_ms: i64, expiration_ms: i64) -> bool {
        self.transaction().is_none() && now_ms.saturating_sub(self.last_timestamp) >= expiration_ms
    }

    /// The batch that this one repeats: of the same epoch and the same sequences.
    pub(super) fn duplicate(&self, batch: &BatchHeader) -> Option<Duplicate> {
        let same = |known: &&RecordedBatch| {
            known.last_sequence == batch.last_sequence() && known.first_sequence() == batch.base_sequence
        };
        if batch.producer_epoch != self.epoch {
            return None;
        }
        self.batches().iter().find(same).map(RecordedBatch::duplicate)
    }

    pub(super) fn check_epoch(&self, batch: &BatchHeader) -> Result<(), ProducerError> {
        if batch.producer_epoch >= self.epoch {
            return Ok(());
        }
        let BatchHeader { producer_id, producer_epoch: epoch, .. } = *batch;
        Err(ProducerError::StaleEpoch { producer_id, epoch, current: self.epoch })
    }

    /// A new epoch starts at 0, or the sequence goes on where it was.
    pub(super) fn check_sequence(&self, batch: &BatchHeader) -> Result<(), ProducerError> {
        let last = if batch.producer_epoch == self.epoch { self.last_sequence() } else { NO_SEQUENCE };
        // -1 goes on with 0, and so does the largest.
        let expected = last.wrapping_add(1) & i32::MAX;
        if batch.base_sequence == expected {
            return Ok(());
        }
        let BatchHeader { producer_id, base_sequence: sequence, .. } = *batch;
        Err(ProducerError::OutOfOrderSequence { producer_id, sequence, last })
    }

    pub(super) fn check_transactional(&self, batch: &BatchHeader) -> Result<(), ProducerError> {
        match self.transaction() {
            Some(_) if !batch.is_transactional() => Err(ProducerError::NotTransactional(batch.producer_id)),
            _ => Ok(()),
        }
    }

    pub(super) fn check_marker(&self, batch: &BatchHeader, marker: EndTxn) -> Result<(), ProducerError> {
        self.check_epoch(batch)?;
        if marker.coordinator_epoch >= self.coordinator_epoch {
            return Ok(());
        }
        let (epoch, current) = (marker.coordinator_epoch, self.coordinator_epoch);
        Err(ProducerError::CoordinatorFenced { epoch, current })
    }

    /// Notes a batch of records, and says whether it begins a transaction.
    pub(super) fn record(&mut self, batch: &BatchHeader) -> bool {
        self.enter_epoch(batch.producer_epoch);
        self.last_timestamp = batch.max_timestamp;
        self.push(RecordedBatch::of(batch));
        let begins = batch.is_transactional() && self.transaction().is_none();
        if begins {
            self.transaction_first_offset = batch.base_offset;
        }
        begins
    }

    /// Notes a marker, and gives the first offset of the transaction that it ends. There may be none: coordinators repeat
    /// themselves.
    pub(super) fn record_marker(&mut self, batch: &BatchHeader, marker: EndTxn) -> Option<i64> {
        self.enter_epoch(batch.producer_epoch);
        self.coordinator_epoch = marker.coordinator_epoch;
        self.last_timestamp = batch.max_timestamp;
        let ended = self.transaction();
        self.transaction_first_offset = -1;
        ended
    }

    fn enter_epoch(&mut self, epoch: i16) {
        if epoch != self.epoch {
            self.epoch = epoch;
            self.batches_len = 0;
        }
    }

    fn batches(&self) -> &[RecordedBatch] {
        &self.batches[..usize::from(self.batches_len)]
    }

    fn last(&self) -> Option<&RecordedBatch> {
        self.batches().last()
    }

    fn last_sequence(&self) -> i32 {
        self.last().map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }

    fn push(&mut self, batch: RecordedBatch) {
        if usize::from(self.batches_len) == BATCHES_MAX {
            self.batches.rotate_left(1);
        } else {
            self.batches_len += 1;
        }
        self.batches[usize::from(self.batches_len) - 1] = batch;
    }
}
