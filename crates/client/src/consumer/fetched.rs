//! Records that were fetched and not given yet: they stay as they came, and are read one after the other as they are asked for (pure).

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use protocol::Records;
use protocol::messages::fetch_response::{AbortedTransaction, PartitionData};
use protocol::records::{
    BatchError, BatchHeader, Batches, Record, RecordIter, read_end_txn, records, verify,
};

use super::{ConsumerRecord, Place};
use crate::error::ClientError;

/// What a batch may grow to when it is decompressed.
const INFLATED_BYTES_MAX: usize = 256 << 20;

/// What came of one partition, as far as it has not been given.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) place: Place,
    topic: Arc<str>,
    /// The offset that comes next.
    next: i64,
    /// The offset after the last whole batch.
    end: i64,
    /// Batches that were not opened yet.
    rest: Bytes,
    /// The batch whose records are being given.
    open: Option<RecordIter>,
    aborted: Aborted,
}

impl Fetched {
    /// What an answer has of a partition, which was asked for from an offset on.
    pub(super) fn new(place: Place, from: i64, read_committed: bool, data: PartitionData) -> Fetched {
        let rest = match data.records {
            Records::Bytes(bytes) => bytes,
            _ => Bytes::new(),
        };
        let topic = place.0.as_str().into();
        let aborted = Aborted::new(read_committed, data.aborted_transactions);
        let whole = Batches::new(&rest).map_while(Result::ok);
        let end = whole.last().map_or(from, |(header, _)| header.next_offset());
        Fetched { place, topic, next: from, end, rest, open: None, aborted }
    }

    /// The offset up to which records were given.
    pub(super) fn next(&self) -> i64 {
        self.next
    }

    /// The offset after the last whole batch, which is where the next fetch goes on.
    pub(super) fn end(&self) -> i64 {
        self.end
    }

    /// Whether nothing came.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes of batches that were not opened yet.
    pub(super) fn bytes(&self) -> usize {
        self.rest.len()
    }

    /// Adds records until so many were found; whether that was all. After an error it goes on where it was.
    pub(super) fn give(
        &mut self,
        found: &mut Vec<ConsumerRecord>,
        count_max: usize,
    ) -> Result<bool, ClientError> {
        self.read(found, count_max).map_err(|error| ClientError::Corrupt {
            topic: self.place.0.clone(),
            partition: self.place.1,
            why: error.to_string(),
        })
    }

    fn read(&mut self, found: &mut Vec<ConsumerRecord>, count_max: usize) -> Result<bool, BatchError> {
        while found.len() < count_max {
            let Some(open) = &mut self.open else {
                if !self.open_next()? {
                    return Ok(true);
                }
                continue;
            };
            match open.next() {
                Some(record) => {
                    let record = record?;
                    // A batch may begin before the place that was asked for.
                    if record.offset >= self.next {
                        self.next = record.offset + 1;
                        found.push(self.owned(record));
                    }
                }
                None => {
                    self.next = open.header().next_offset();
                    self.open = None;
                }
            }
        }
        Ok(false)
    }

    fn owned(&self, record: Record) -> ConsumerRecord {
        ConsumerRecord {
            topic: self.topic.clone(),
            partition: self.place.1,
            offset: record.offset,
            timestamp: record.timestamp,
            timestamp_type: self.open.as_ref().map(|open| open.header().timestamp_type()).unwrap_or_default(),
            key: record.key,
            value: record.value,
            headers: record.headers,
        }
    }

    /// Opens the next batch that is for the caller; false if there is none.
    fn open_next(&mut self) -> Result<bool, BatchError> {
        let rest = self.rest.clone();
        let mut batches = Batches::new(&rest);
        let (header, batch) = match batches.next() {
            // The last batch of a fetch may be cut off.
            None | Some(Err(BatchError::Short { .. })) => return Ok(false),
            Some(batch) => batch?,
        };
        verify(batch)?;
        if self.aborted.hides(&header, batch)? {
            self.next = header.next_offset();
        } else {
            self.open = Some(records(&rest.slice_ref(batch), INFLATED_BYTES_MAX)?);
        }
        self.rest = rest.slice_ref(batches.rest());
        Ok(true)
    }
}

/// Which producers' transactions are aborted at the place that has been read up to.
#[derive(Debug)]
struct Aborted {
    /// Still to come, by descending first offset.
    ahead: Vec<AbortedTransaction>,
    now: HashSet<i64>,
}

impl Aborted {
    fn new(read_committed: bool, listed: Option<Vec<AbortedTransaction>>) -> Aborted {
        let mut ahead = listed.filter(|_| read_committed).unwrap_or_default();
        ahead.sort_by_key(|transaction| std::cmp::Reverse(transaction.first_offset));
        Aborted { ahead, now: HashSet::new() }
    }

    /// Whether a batch is not for the caller: a marker, or part of an aborted transaction.
    fn hides(&mut self, header: &BatchHeader, batch: &[u8]) -> Result<bool, BatchError> {
        while self.ahead.last().is_some_and(|next| next.first_offset <= header.last_offset()) {
            self.now.extend(self.ahead.pop().map(|transaction| transaction.producer_id));
        }
        if header.is_control() {
            if read_end_txn(batch)?.is_some_and(|end| !end.committed) {
                self.now.remove(&header.producer_id);
            }
            return Ok(true);
        }
        Ok(header.is_transactional() && self.now.contains(&header.producer_id))
    }
}

#[cfg(test)]
mod tests {
    use protocol::compression::Compression;
    use protocol::records::{BatchBuilder, end_txn_marker};

    use super::*;

    fn batch(offset: i64, values: &[&'static str], producer: Option<i64>) -> Bytes {
        let mut builder = BatchBuilder::new(offset, Compression::Lz4);
        if let Some(id) = producer {
            builder = builder.producer(id, 0, 0).transactional();
        }
        for value in values {
            builder.push(1, None, Some(value.as_bytes()), &[]);
        }
        builder.build()
    }

    fn marker(offset: i64, producer_id: i64, committed: bool) -> Bytes {
        let mut marker = end_txn_marker(1, producer_id, 0, committed, 0).to_vec();
        // The offset comes first, and the checksum does not cover it.
        marker[..8].copy_from_slice(&offset.to_be_bytes());
        marker.into()
    }

    /// What is read of these bytes from an offset on, where reading goes on, and whether all of it could be read.
    fn values(
        read_committed: bool,
        from: i64,
        batches: &[Bytes],
        aborted: &[(i64, i64)],
    ) -> (Vec<String>, i64, bool) {
        let aborted = aborted
            .iter()
            .map(|(producer_id, first_offset)| AbortedTransaction {
                producer_id: *producer_id,
                first_offset: *first_offset,
            })
            .collect();
        let data = PartitionData {
            records: Records::Bytes(batches.concat().into()),
            aborted_transactions: Some(aborted),
            ..PartitionData::default()
        };
        let mut fetched = Fetched::new(("t".to_owned(), 0), from, read_committed, data);
        let mut found = Vec::new();
        let given = fetched.give(&mut found, usize::MAX);
        let text = |record: ConsumerRecord| String::from_utf8_lossy(&record.value.unwrap()).into_owned();
        (found.into_iter().map(text).collect(), fetched.next(), given.is_ok())
    }

    #[test]
    fn records_before_the_position_are_part_of_the_batch_and_not_given() {
        let batches = [batch(10, &["a", "b", "c"], None), batch(13, &["d"], None)];
        let (values, position, is_whole) = values(false, 11, &batches, &[]);
        assert_eq!((values, position, is_whole), (vec!["b".into(), "c".into(), "d".into()], 14, true));
    }

    #[test]
    fn a_batch_that_is_cut_off_comes_with_the_next_fetch() {
        let whole = batch(1, &["b"], None);
        let batches = [batch(0, &["a"], None), whole.slice(..whole.len() - 1)];
        assert_eq!(values(false, 0, &batches, &[]), (vec!["a".into()], 1, true));
    }

    #[test]
    fn what_comes_before_a_damaged_batch_is_given() {
        let mut damaged = batch(1, &["b"], None).to_vec();
        *damaged.last_mut().unwrap() ^= 1;
        let batches = [batch(0, &["a"], None), damaged.into()];
        assert_eq!(values(false, 0, &batches, &[]), (vec!["a".into()], 1, false));
    }

    #[test]
    fn what_was_aborted_is_hidden_from_who_reads_what_is_committed() {
        let batches = [
            batch(0, &["aborted"], Some(7)),
            batch(1, &["committed"], Some(8)),
            marker(2, 7, false),
            batch(3, &["committed later"], Some(7)),
            marker(4, 7, true),
            marker(5, 8, true),
        ];
        let committed = vec!["committed".to_owned(), "committed later".to_owned()];
        assert_eq!(values(true, 0, &batches, &[(7, 0)]), (committed, 6, true));
        let all = vec!["aborted".to_owned(), "committed".to_owned(), "committed later".to_owned()];
        assert_eq!(values(false, 0, &batches, &[(7, 0)]), (all, 6, true));
    }

    #[test]
    fn records_are_given_as_many_at_a_time_as_are_wanted() {
        let bytes = [batch(0, &["a", "b", "c"], None), batch(3, &["d"], None)].concat();
        let data = PartitionData { records: Records::Bytes(bytes.into()), ..PartitionData::default() };
        let mut fetched = Fetched::new(("t".to_owned(), 0), 0, false, data);
        let (mut offsets, mut steps) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let mut found = Vec::new();
            let is_all = fetched.give(&mut found, 2).unwrap();
            offsets.extend(found.iter().map(|record| record.offset));
            steps.push((fetched.next(), is_all));
        }
        assert_eq!((offsets, steps), (vec![0, 1, 2, 3], vec![(2, false), (4, false), (4, true)]));
        assert_eq!(fetched.end(), 4);
    }
}
