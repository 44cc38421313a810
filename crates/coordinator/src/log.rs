//! Between records and the batches of a log: what to append, and how to load.

use std::collections::HashMap;

use bytes::Bytes;
use protocol::EncodeError;
use protocol::records::{BatchBuilder, BatchError, BatchHeader, read_end_txn, records};

use crate::{Coordinator, Record, Settings};

/// What the records of a batch may take when they are decompressed.
const INFLATED_BYTES_MAX: usize = 128 << 20;

/// The batches to append for an [`Effect::Append`](engine::Effect::Append), in order: one, unless the records take more than
/// `batch_bytes_max` before they are compressed, as deletions of a large group may. `now_ms` is the wall time in milliseconds since
/// 1970.
pub fn to_batches(records: &[Record], now_ms: i64, settings: &Settings) -> Result<Vec<Bytes>, EncodeError> {
    let new_builder = || BatchBuilder::new(0, settings.compression);
    let mut batches = Vec::new();
    let mut builder = new_builder();
    for record in records {
        let (key, value) = record.encode()?;
        let bytes = BatchBuilder::record_bytes_max(Some(&key), value.as_deref(), &[]);
        if !builder.is_empty() && builder.size_in_bytes() + bytes > settings.batch_bytes_max {
            let full = std::mem::replace(&mut builder, new_builder());
            batches.push(full.build());
        }
        builder.push(now_ms, Some(&key), value.as_deref(), &[]);
    }
    if !builder.is_empty() {
        batches.push(builder.build());
    }
    Ok(batches)
}

/// Feeds the batches of a partition's log to its coordinator while that is loading.
///
/// Offsets that were committed in a transaction, as Kafka's producers do, count from its commit marker on; those of a
/// transaction that was aborted never do.
#[derive(Debug, Default)]
pub struct Loader {
    /// What open transactions have written, by producer id.
    open: HashMap<i64, Vec<Record>>,
    broken_records: u64,
}

impl Loader {
    /// A loader at the start of a log.
    pub fn new() -> Loader {
        Loader::default()
    }

    /// Feeds one batch, in the log's order. The error says that the batch cannot be read; those after it may be.
    pub fn feed(&mut self, coordinator: &mut Coordinator, batch: &Bytes) -> Result<(), BatchError> {
        let header = BatchHeader::parse(batch)?;
        if header.is_control() {
            return self.end_transaction(coordinator, &header, batch);
        }
        for record in records(batch, INFLATED_BYTES_MAX)? {
            let record = record?;
            let Some(key) = record.key else { continue };
            match Record::decode(&key, record.value.as_ref()) {
                Ok(Some(record)) if header.is_transactional() => {
                    self.open.entry(header.producer_id).or_default().push(record);
                }
                Ok(Some(record)) => coordinator.replay(&record),
                Ok(None) => {}
                Err(_) => self.broken_records += 1,
            }
        }
        Ok(())
    }

    /// How many records were passed over because they could not be read.
    pub fn broken_records(&self) -> u64 {
        self.broken_records
    }

    fn end_transaction(
        &mut self,
        coordinator: &mut Coordinator,
        header: &BatchHeader,
        batch: &Bytes,
    ) -> Result<(), BatchError> {
        let Some(end) = read_end_txn(batch)? else { return Ok(()) };
        let written = self.open.remove(&header.producer_id).unwrap_or_default();
        if end.committed {
            written.iter().for_each(|record| coordinator.replay(record));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use protocol::compression::Compression;
    use protocol::records::end_txn_marker;

    use super::*;
    use crate::{CommittedOffset, GroupCoordinatorState};

    fn commit(partition: i32, offset: i64) -> Record {
        let value = CommittedOffset {
            offset,
            leader_epoch: 1,
            metadata: "note".to_owned(),
            commit_timestamp_ms: 9,
            expire_timestamp_ms: None,
            topic_id: protocol::Uuid::ZERO,
        };
        Record::Offset { group_id: "g".to_owned(), topic: "t".to_owned(), partition, value: Some(value) }
    }

    fn loading() -> Coordinator {
        Coordinator::new(GroupCoordinatorState::new(Settings::default()))
    }

    fn offset(coordinator: &Coordinator, partition: i32) -> Option<i64> {
        Some(coordinator.state().group("g")?.offsets.get("t", partition)?.offset)
    }

    #[test]
    fn what_takes_more_than_a_batch_is_split_and_loaded_again() {
        let records: Vec<Record> = (0..50).map(|partition| commit(partition, 7)).collect();
        for compression in Compression::ALL {
            let settings = Settings { batch_bytes_max: 512, compression, ..Settings::default() };
            let batches = to_batches(&records, 1_000, &settings).unwrap();
            assert!(batches.len() > 3 && batches.iter().all(|batch| batch.len() <= 512));
            assert_eq!(to_batches(&records, 1_000, &Settings::default()).unwrap().len(), 1);
            let header = BatchHeader::parse(&batches[0]).unwrap();
            assert_eq!(header.compression(), Ok(compression));

            let (mut coordinator, mut loader) = (loading(), Loader::new());
            batches.iter().for_each(|batch| loader.feed(&mut coordinator, batch).unwrap());
            assert!((0..50).all(|partition| offset(&coordinator, partition) == Some(7)));
            assert_eq!(loader.broken_records(), 0);
        }
    }

    #[test]
    fn offsets_of_a_transaction_count_when_it_is_committed_and_never_when_it_is_aborted() {
        let transactional = |producer_id, record: Record| {
            let (key, value) = record.encode().unwrap();
            let batch = BatchBuilder::new(0, Compression::None).producer(producer_id, 0, 0).transactional();
            batch.append(9, Some(&key), value.as_deref(), &[]).build()
        };
        let (mut coordinator, mut loader) = (loading(), Loader::new());
        let log = [
            transactional(1, commit(0, 10)),
            transactional(2, commit(1, 20)),
            end_txn_marker(9, 1, 0, true, 3),
            end_txn_marker(9, 2, 0, false, 3),
            transactional(2, commit(2, 30)),
        ];
        log.iter().for_each(|batch| loader.feed(&mut coordinator, batch).unwrap());
        assert_eq!([0, 1, 2].map(|partition| offset(&coordinator, partition)), [Some(10), None, None]);
    }

    #[test]
    fn what_cannot_be_read_is_passed_over_and_counted() {
        let batch = BatchBuilder::new(0, Compression::None)
            .append(9, Some(b"\0\x02\0\x09g"), None, &[])
            .append(9, None, Some(b"x"), &[])
            .append(9, Some(b"\0\x03\0\x01g"), None, &[])
            .build();
        let (mut coordinator, mut loader) = (loading(), Loader::new());
        assert_eq!(loader.feed(&mut coordinator, &batch), Ok(()));
        assert_eq!(loader.broken_records(), 1);
        assert!(loader.feed(&mut coordinator, &batch.slice(..40)).is_err());
    }
}
