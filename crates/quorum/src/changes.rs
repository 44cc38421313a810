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
use storage::StorageError;
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
    /// Of all its records: Kafka's quorum takes no others.
    timestamp_ms: i64,
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

    /// Decides a change on the metadata with all changes before it. If it cannot be made, nothing has changed. `no_room` says why
    /// there is none for records.
    pub(crate) fn decide<R>(
        &mut self,
        now_ms: i64,
        no_room: Option<StorageError>,
        decide: impl FnOnce(&Image, i64) -> (Vec<MetadataRecord>, R),
    ) -> Result<Decided<R>, QuorumError> {
        if let Some(error) = &self.closed {
            return Err(error.clone());
        }
        let (records, reply) = decide(self.pending.image(), self.next_offset);
        if !records.is_empty() {
            if let Some(error) = no_room {
                return Err(QuorumError::NoRoom(error));
            }
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
            self.start_batch(now_ms);
        }
        for value in encoded.values {
            if !self.batches.back().is_some_and(|last| fits(&last.builder, value_bytes_max(&value), 1)) {
                self.start_batch(now_ms);
            }
            if let Some(last) = self.batches.back_mut() {
                last.builder.push(last.timestamp_ms, None, Some(&value), &[]);
                self.next_offset = last.builder.next_offset();
            }
        }
    }

    fn start_batch(&mut self, timestamp_ms: i64) {
        let builder = BatchBuilder::new(self.next_offset, Compression::None);
        self.batches.push_back(Gathered { builder, timestamp_ms, waiters: Vec::new() });
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
        let Gathered { builder, waiters, .. } = self.batches.pop_front()?;
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

#[cfg(test)]
mod tests {
    use metadata::MetadataVersion;
    use protocol::Uuid;
    use protocol::messages::{FeatureLevelRecord, RemoveTopicRecord, TopicRecord};
    use protocol::records::{BatchHeader, records};

    use super::*;

    fn topic(number: u128) -> MetadataRecord {
        let topic_id = Uuid((number + 1_000).to_be_bytes());
        TopicRecord { name: format!("topic-{number}"), topic_id }.into()
    }

    /// On a cluster of this level.
    fn gathering(version: i16) -> Gathering {
        let mut committed = Loader::default();
        let level =
            FeatureLevelRecord { name: metadata::METADATA_VERSION.to_owned(), feature_level: version };
        committed.apply(&level.into()).unwrap();
        Gathering::new(committed, 50)
    }

    fn decide(gathering: &mut Gathering, records: Vec<MetadataRecord>) -> Result<Decided<i64>, QuorumError> {
        gathering.decide(1_000, None, |_, offset| (records, offset))
    }

    fn outcome(decided: &mut Decided<i64>) -> Option<bool> {
        decided.outcome.as_mut().and_then(|outcome| outcome.try_recv().ok()).map(|told| told.is_ok())
    }

    #[test]
    fn the_records_of_a_batch_have_one_timestamp_whenever_they_were_decided() {
        let mut gathering = gathering(30);
        for now_ms in [1_000, 1_001, 999] {
            gathering.decide(now_ms, None, |_, _| (vec![topic(now_ms as u128)], ())).unwrap();
        }
        let batch = gathering.take().unwrap();
        let all: Vec<i64> =
            records(&batch, 1 << 20).unwrap().map(|record| record.unwrap().timestamp).collect();
        assert_eq!(all, [1_000; 3]);
    }

    #[test]
    fn changes_gather_in_one_batch_and_are_told_together() {
        let mut gathering = gathering(30);
        let mut first = decide(&mut gathering, vec![topic(1), topic(2)]).unwrap();
        let mut second = decide(&mut gathering, vec![topic(3)]).unwrap();
        assert_eq!((first.reply, first.end_offset, second.reply, second.end_offset), (50, 52, 52, 53));
        let batch = gathering.take().unwrap();
        let header = BatchHeader::parse(&batch).unwrap();
        assert_eq!((header.base_offset, header.records_count, header.max_timestamp), (50, 3, 1_000));
        let mut third = decide(&mut gathering, vec![topic(4)]).unwrap();
        assert_eq!([&mut first, &mut second, &mut third].map(outcome), [None; 3]);
        gathering.committed();
        assert_eq!([&mut first, &mut second, &mut third].map(outcome), [Some(true), Some(true), None]);
        assert_eq!(BatchHeader::parse(&gathering.take().unwrap()).unwrap().base_offset, 53);
        assert!(gathering.take().is_none());
    }

    #[test]
    fn records_are_written_in_the_version_of_the_cluster() {
        for (version, expected) in [(7, 0), (17, 1), (30, 2)] {
            let mut gathering = gathering(version);
            let partition = protocol::messages::PartitionRecord {
                topic_id: Uuid(1_001_u128.to_be_bytes()),
                partition_id: 0,
                ..Default::default()
            };
            assert_eq!(MetadataVersion(version).record_version(&partition.clone().into()), expected);
            decide(&mut gathering, vec![topic(1), partition.into()]).unwrap();
            let batch = gathering.take().unwrap();
            let value = records(&batch, 1 << 20).unwrap().nth(1).unwrap().unwrap().value.unwrap();
            assert_eq!(value[2], expected as u8, "frame version, key, version");
        }
    }

    #[test]
    fn what_waits_fails_with_the_batch_before_it_and_is_forgotten() {
        let mut gathering = gathering(30);
        let mut first = decide(&mut gathering, vec![topic(1)]).unwrap();
        gathering.take().unwrap();
        let mut second = decide(&mut gathering, vec![topic(2)]).unwrap();
        let mut reader = decide(&mut gathering, vec![]).unwrap();
        gathering.failed(QuorumError::Failed("no disk".into()), Loader::default(), 50);
        assert_eq!([&mut first, &mut second, &mut reader].map(outcome), [Some(false); 3]);
        assert_eq!((gathering.pending.image(), gathering.next_offset), (&Image::default(), 50));
        assert!(gathering.take().is_none());
        assert!(matches!(decide(&mut gathering, vec![topic(3)]), Err(QuorumError::Failed(_))));
    }

    #[test]
    fn a_reader_waits_for_what_is_in_flight_only() {
        let mut gathering = gathering(30);
        assert!(decide(&mut gathering, vec![]).unwrap().outcome.is_none());
        decide(&mut gathering, vec![topic(1)]).unwrap();
        gathering.take().unwrap();
        let mut reader = decide(&mut gathering, vec![]).unwrap();
        assert_eq!((outcome(&mut reader), reader.end_offset), (None, 51));
        gathering.committed();
        assert_eq!(outcome(&mut reader), Some(true));
        assert!(decide(&mut gathering, vec![]).unwrap().outcome.is_none());
    }

    #[test]
    fn a_change_that_fails_half_way_is_not_made_at_all() {
        let mut gathering = gathering(30);
        let removal = RemoveTopicRecord { topic_id: Uuid([9; 16]) };
        assert!(matches!(decide(&mut gathering, vec![topic(1), removal.into()]), Err(QuorumError::Unfit(_))));
        assert!(gathering.take().is_none() && gathering.pending.image().topics.is_empty());
        assert_eq!(decide(&mut gathering, vec![topic(1)]).unwrap().reply, 50);
    }

    #[test]
    fn a_change_that_fits_no_batch_is_a_transaction_or_refused_where_there_are_none() {
        let many = || (0..10_001).map(topic).collect::<Vec<_>>();
        let refused = decide(&mut gathering(12), many());
        assert!(matches!(refused, Err(QuorumError::TooLarge { records: 10_001, .. })));
        let mut gathering = gathering(13);
        assert_eq!(decide(&mut gathering, many()).unwrap().end_offset, 50 + 10_003);
        assert_eq!(sizes(&mut gathering), [(10_000, true), (3, true)]);
        let long = |number: u128| {
            let topic_id = Uuid((number + 50_000).to_be_bytes());
            TopicRecord { name: format!("{number:030000}"), topic_id }.into()
        };
        decide(&mut gathering, (0..300).map(long).collect()).unwrap();
        let sizes = sizes(&mut gathering);
        assert_eq!((sizes.len(), sizes[0].0 + sizes[1].0), (2, 302));
        assert!(sizes.iter().all(|(_, fits)| *fits));
    }

    /// Number of records of each batch, and whether it is not too large.
    fn sizes(gathering: &mut Gathering) -> Vec<(i32, bool)> {
        let size = |batch: Bytes| {
            let header = BatchHeader::parse(&batch).unwrap();
            (header.records_count, batch.len() <= BATCH_BYTES_MAX)
        };
        std::iter::from_fn(|| gathering.take()).map(size).collect()
    }
}
