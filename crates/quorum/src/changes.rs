//! Changes that are decided and not committed yet.
//!
//! While a batch is on its way to the disk, what is decided meanwhile gathers in the next one: so changes share flushes, as they do in
//! Kafka's controllers.

use std::collections::VecDeque;

use bytes::Bytes;
use metadata::{Image, Loader};
use protocol::compression::Compression;
use protocol::messages::{BeginTransactionRecord, EndTransactionRecord, MetadataRecord};
use protocol::metadata_record;
use protocol::records::BatchBuilder;
use tokio::sync::oneshot;

use crate::QuorumError;

/// The most bytes of a batch of the metadata log.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The most records of a batch.
const BATCH_RECORDS_MAX: usize = 10_000;
/// 3.6-IV1, the first `metadata.version` with transactions (KIP-868).
const TRANSACTIONS_SINCE: i16 = 13;

type Waiter = oneshot::Sender<Result<(), QuorumError>>;
/// Says whether a change was committed.
pub(crate) type Outcome = oneshot::Receiver<Result<(), QuorumError>>;

/// A change that was decided.
#[derive(Debug)]
pub(crate) struct Decided<R> {
    pub(crate) reply: R,
    /// The offset after its last record.
    pub(crate) end_offset: i64,
    /// Says whether it, and all that it rests on, was committed. None if that is so already.
    pub(crate) outcome: Option<Outcome>,
}

/// A batch that is not appended yet, and who waits for it.
struct Gathered {
    builder: BatchBuilder,
    waiters: Vec<Waiter>,
}

/// Changes that are decided and not committed yet.
pub(crate) struct Gathering {
    /// The metadata with all of them.
    pending: Loader,
    next_offset: i64,
    batches: VecDeque<Gathered>,
    /// Who waits for the batch that is being appended, if one is.
    in_flight: Option<Vec<Waiter>>,
    /// Why no more are taken.
    closed: Option<QuorumError>,
}

impl Gathering {
    /// On top of what is committed.
    pub(crate) fn new(committed: Loader, next_offset: i64) -> Gathering {
        Gathering { pending: committed, next_offset, batches: VecDeque::new(), in_flight: None, closed: None }
    }

    /// Decides a change on the metadata with all changes before it. If it cannot be made, nothing has changed.
    pub(crate) fn decide<R>(
        &mut self,
        now_ms: i64,
        decide: impl FnOnce(&Image, i64) -> (Vec<MetadataRecord>, R),
    ) -> Result<Decided<R>, QuorumError> {
        if let Some(error) = &self.closed {
            return Err(error.clone());
        }
        let (records, reply) = decide(self.pending.image(), self.next_offset);
        if !records.is_empty() {
            let encoded = Encoded::new(&records, self.pending.image())?;
            self.apply(&records)?;
            self.add(encoded, now_ms);
        }
        let outcome = self.wait_for_last();
        Ok(Decided { reply, end_offset: self.next_offset, outcome })
    }

    /// Applies all or none.
    fn apply(&mut self, records: &[MetadataRecord]) -> Result<(), QuorumError> {
        let mut applied = self.pending.clone();
        records.iter().try_for_each(|record| applied.apply(record))?;
        applied.take_delta();
        self.pending = applied;
        Ok(())
    }

    /// Adds records to the last batch, or new ones: they are never seen in part.
    fn add(&mut self, encoded: Encoded, now_ms: i64) {
        if !self.batches.back().is_some_and(|last| encoded.fits(&last.builder)) {
            self.start_batch();
        }
        for value in encoded.values {
            if !self.batches.back().is_some_and(|last| fits(&last.builder, value_bytes_max(&value), 1)) {
                self.start_batch();
            }
            if let Some(last) = self.batches.back_mut() {
                last.builder.push(now_ms, None, Some(&value), &[]);
                self.next_offset = last.builder.next_offset();
            }
        }
    }

    fn start_batch(&mut self) {
        let builder = BatchBuilder::new(self.next_offset, Compression::None);
        self.batches.push_back(Gathered { builder, waiters: Vec::new() });
    }

    /// The outcome of all there is so far: a reply may rest on it even if it needs no records of its own.
    fn wait_for_last(&mut self) -> Option<Outcome> {
        let gathered = self.batches.back_mut().map(|last| &mut last.waiters);
        let waiters = gathered.or(self.in_flight.as_mut())?;
        let (waiter, outcome) = oneshot::channel();
        waiters.push(waiter);
        Some(outcome)
    }

    /// The next batch to append, of which the outcome is to be told.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        let Gathered { builder, waiters } = self.batches.pop_front()?;
        self.in_flight = Some(waiters);
        Some(builder.build())
    }

    /// The batch that was taken is committed.
    pub(crate) fn committed(&mut self) {
        tell(self.in_flight.take(), &Ok(()));
    }

    /// The batch that was taken will not be committed, nor anything after it. What was decided on top of it is void.
    pub(crate) fn failed(&mut self, error: QuorumError, committed: Loader, next_offset: i64) {
        let outcome = Err(error.clone());
        tell(self.in_flight.take(), &outcome);
        for gathered in self.batches.drain(..) {
            tell(Some(gathered.waiters), &outcome);
        }
        self.pending = committed;
        self.next_offset = next_offset;
        self.closed = Some(error);
    }

    /// Takes no more changes; what is decided is still to be appended.
    pub(crate) fn close(&mut self) {
        self.closed.get_or_insert(QuorumError::Stopped);
    }

    /// Whether no more changes are taken.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Whether a transaction was begun and not ended, by a leader that failed meanwhile.
    pub(crate) fn in_transaction(&self) -> bool {
        self.pending.in_transaction()
    }
}

fn tell(waiters: Option<Vec<Waiter>>, outcome: &Result<(), QuorumError>) {
    for waiter in waiters.into_iter().flatten() {
        // Who does not wait any more need not know.
        let _ = waiter.send(outcome.clone());
    }
}

/// The records of one change as they will be in the log.
struct Encoded {
    values: Vec<Bytes>,
    /// The most that they add to a batch.
    bytes_max: usize,
}

impl Encoded {
    /// In the versions that every node of the cluster can read. Records that do not fit one batch become a transaction.
    fn new(records: &[MetadataRecord], image: &Image) -> Result<Encoded, QuorumError> {
        let version = image.features.metadata_version();
        let encode =
            |record: &MetadataRecord| metadata_record::encode(record, version.record_version(record));
        let values = records.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
        let encoded = Encoded::of(values);
        if encoded.fits(&BatchBuilder::new(0, Compression::None)) {
            return Ok(encoded);
        }
        if version.0 < TRANSACTIONS_SINCE {
            return Err(QuorumError::TooLarge { records: records.len(), bytes: encoded.bytes_max });
        }
        let begin = metadata_record::encode(&BeginTransactionRecord { name: None }.into(), 0)?;
        let end = metadata_record::encode(&EndTransactionRecord {}.into(), 0)?;
        Ok(Encoded::of(std::iter::once(begin).chain(encoded.values).chain([end]).collect()))
    }

    fn of(values: Vec<Bytes>) -> Encoded {
        let bytes_max = values.iter().map(value_bytes_max).sum();
        Encoded { values, bytes_max }
    }

    fn fits(&self, builder: &BatchBuilder) -> bool {
        fits(builder, self.bytes_max, self.values.len())
    }
}

fn value_bytes_max(value: &Bytes) -> usize {
    BatchBuilder::record_bytes_max(None, Some(value), &[])
}

fn fits(builder: &BatchBuilder, bytes_max: usize, records: usize) -> bool {
    let count = usize::try_from(builder.records_count()).unwrap_or(usize::MAX);
    builder.size_in_bytes() + bytes_max <= BATCH_BYTES_MAX
        && count.saturating_add(records) <= BATCH_RECORDS_MAX
}
