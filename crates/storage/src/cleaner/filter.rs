//! What is kept of a batch. Pure: the rules of Kafka's `Cleaner` and `MemoryRecords.filterTo`.

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::Bytes;
use protocol::compression::{Compression, decompress};
use protocol::records::{
    BatchError, BatchHeader, HEADER_BYTES, KeptRecords, RecordRef, empty_batch, placed_records, read_end_txn,
};

use super::offset_map::OffsetMap;
use super::transactions::CleanedTransactions;
use crate::files::transaction_index::AbortedTransaction;
use crate::log::INFLATED_BYTES_MAX;
use crate::producers::LastRecord;

/// What holds for one cleaning of a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    /// When it began, in milliseconds.
    pub(super) now_ms: i64,
    /// `delete.retention.ms`.
    pub(super) delete_retention_ms: i64,
    /// Where it ends, exclusive.
    pub(super) end_offset: i64,
}

/// What becomes of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It stays as it is.
    Same,
    /// This takes its place.
    Changed(Bytes),
    /// Nothing is left.
    Gone,
}

/// Decides about the batches of a log, one after the other.
pub(super) struct Filter<'a> {
    map: &'a OffsetMap,
    /// The last records of producers, whose batches have to stay.
    producers: &'a HashMap<i64, LastRecord>,
    round: Round,
    transactions: CleanedTransactions,
    kept: KeptRecords,
}

/// What is known of a batch before its records are looked at.
struct Verdict {
    /// Its records may go.
    discards: bool,
    /// It is a marker of which nobody needs to know any more.
    is_idle_marker: bool,
    index_entry: Option<AbortedTransaction>,
}

impl<'a> Filter<'a> {
    pub(super) fn new(
        map: &'a OffsetMap,
        producers: &'a HashMap<i64, LastRecord>,
        transactions: CleanedTransactions,
        round: Round,
    ) -> Filter<'a> {
        Filter { map, producers, round, transactions, kept: KeptRecords::default() }
    }

    /// Decides about the next batch, which was verified; and gives the entry that the transaction index has to have for it.
    pub(super) fn filter(
        &mut self,
        header: &BatchHeader,
        batch: &[u8],
    ) -> Result<(Outcome, Option<AbortedTransaction>), BatchError> {
        let verdict = self.judge(header, batch)?;
        let outcome = if verdict.discards || header.records_count == 0 {
            self.without_records(header)
        } else {
            self.thin(header, batch, verdict.is_idle_marker)?
        };
        Ok((outcome, verdict.index_entry))
    }

    fn judge(&mut self, header: &BatchHeader, batch: &[u8]) -> Result<Verdict, BatchError> {
        if !header.is_control() {
            let discards = self.transactions.see_records(header);
            return Ok(Verdict { discards, is_idle_marker: false, index_entry: None });
        }
        let marker = self.transactions.see_control(header, read_end_txn(batch)?);
        let horizon_passed = header.delete_horizon_ms().is_some_and(|horizon| horizon <= self.round.now_ms);
        Ok(Verdict {
            discards: marker.is_idle && horizon_passed,
            is_idle_marker: marker.is_idle,
            index_entry: marker.index_entry,
        })
    }

    fn without_records(&self, header: &BatchHeader) -> Outcome {
        match (self.must_stay(header), header.records_count) {
            (false, _) => Outcome::Gone,
            (true, 0) => Outcome::Same,
            (true, _) => Outcome::Changed(empty_batch(header)),
        }
    }

    /// Whether at least the header has to stay: it tells of a producer's last sequence or epoch, or where the cleaned part ends.
    fn must_stay(&self, header: &BatchHeader) -> bool {
        let last_of_producer = || {
            let Some(last) = self.producers.get(&header.producer_id) else { return false };
            match last.data_offset {
                Some(offset) => offset == header.last_offset(),
                None => header.is_control() && header.producer_epoch == last.epoch,
            }
        };
        header.next_offset() == self.round.end_offset || (header.has_producer_id() && last_of_producer())
    }

    /// Looks at the records.
    fn thin(
        &mut self,
        header: &BatchHeader,
        batch: &[u8],
        is_idle_marker: bool,
    ) -> Result<Outcome, BatchError> {
        let payload = match header.compression()? {
            Compression::None => Cow::Borrowed(&batch[HEADER_BYTES..]),
            compression => decompress(compression, &batch[HEADER_BYTES..], INFLATED_BYTES_MAX)?.into(),
        };
        let has_tombstone = self.choose(header, &payload)?;
        if self.kept.count() == 0 {
            return Ok(self.without_records(header));
        }
        let unmarked = header.delete_horizon_ms().is_none() && (has_tombstone || is_idle_marker);
        let horizon = unmarked.then(|| self.round.now_ms.saturating_add(self.round.delete_retention_ms));
        if horizon.is_none() && self.kept.count() == header.records_count {
            return Ok(Outcome::Same);
        }
        Ok(Outcome::Changed(self.kept.rebuild(header, &payload, horizon)?))
    }

    /// Chooses what to keep, and says whether there is a tombstone among it.
    fn choose(&mut self, header: &BatchHeader, payload: &[u8]) -> Result<bool, BatchError> {
        let mut has_tombstone = false;
        self.kept.clear();
        for placed in placed_records(header.records_count, payload) {
            let (place, record) = placed?;
            if header.is_control() || self.keeps(header, &record) {
                has_tombstone |= record.value.is_none();
                self.kept.add(place, header.timestamp_of(&record));
            }
        }
        Ok(has_tombstone)
    }

    /// Whether a record stays: it is the last of its key, and no tombstone that has been there for long enough.
    fn keeps(&self, header: &BatchHeader, record: &RecordRef<'_>) -> bool {
        let offset = header.base_offset + i64::from(record.offset_delta);
        if offset > self.map.latest_offset() {
            return true;
        }
        let Some(key) = record.key else { return false };
        let expired = || header.delete_horizon_ms().is_some_and(|horizon| horizon <= self.round.now_ms);
        (record.value.is_some() || !expired()) && self.map.get(key).is_none_or(|last| offset >= last)
    }
}

#[cfg(test)]
mod tests;
