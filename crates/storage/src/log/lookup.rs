//! Finding offsets by time.

use protocol::records::records;

use super::config::INFLATED_BYTES_MAX;
use super::{Log, NO_TRANSACTION, OffsetSpec, TimestampOffset};
use crate::files::transaction_index::AbortedTransaction;
use crate::segment::Segment;
use crate::tail::TailBatch;
use crate::{ReadError, StorageError};
use std::sync::Arc;

impl Log {
    /// The offset that is asked for, as ListOffsets has it; none if there is no such record. `Latest` is the high watermark. May
    /// wait for a disk.
    pub fn offset_for_timestamp(&self, spec: OffsetSpec) -> Result<Option<TimestampOffset>, ReadError> {
        match spec {
            OffsetSpec::Timestamp(timestamp) => self.first_at_or_after(timestamp),
            OffsetSpec::Latest => Ok(Some(self.edge(self.high_watermark()))),
            OffsetSpec::Earliest | OffsetSpec::EarliestLocal => Ok(Some(self.edge(self.log_start_offset()))),
            OffsetSpec::MaxTimestamp => self.with_max_timestamp(),
            OffsetSpec::LatestTiered => Ok(None),
        }
    }

    /// An offset at either end, with the epoch of the record there or before it.
    fn edge(&self, offset: i64) -> TimestampOffset {
        let epochs = self.epochs.read();
        let leader_epoch = epochs.epoch_at(offset).or(epochs.latest().map(|latest| latest.epoch));
        TimestampOffset { timestamp: -1, offset, leader_epoch: leader_epoch.unwrap_or(-1) }
    }

    fn first_at_or_after(&self, timestamp: i64) -> Result<Option<TimestampOffset>, ReadError> {
        let from = self.log_start_offset();
        // Before the segments, for what is evicted from the tail is in them by then.
        let in_tail = self.in_tail(|batch| batch.max_timestamp >= timestamp);
        for segment in self.all_segments() {
            if segment.max_timestamp()?.is_none_or(|max| max.timestamp < timestamp) {
                continue;
            }
            let found = segment.find_timestamp(timestamp, from, segment.size(), INFLATED_BYTES_MAX)?;
            if let Some(found) = found {
                let (timestamp, offset, leader_epoch) = (found.timestamp, found.offset, found.leader_epoch);
                return Ok(Some(TimestampOffset { timestamp, offset, leader_epoch }));
            }
        }
        for batch in &in_tail {
            if let Some(found) = find_in(batch, |found| found.timestamp >= timestamp && found.offset >= from)?
            {
                return Ok(Some(self.with_epoch(found)));
            }
        }
        Ok(None)
    }

    /// The batches in memory that pass a test.
    fn in_tail(&self, wanted: impl Fn(&TailBatch) -> bool) -> Vec<TailBatch> {
        self.tail.read().since(i64::MIN).filter(|batch| wanted(batch)).cloned().collect()
    }

    fn all_segments(&self) -> Vec<Arc<Segment>> {
        self.segments.read().clone()
    }

    fn with_epoch(&self, found: TimestampOffset) -> TimestampOffset {
        let leader_epoch = self.epochs.read().epoch_at(found.offset).unwrap_or(-1);
        TimestampOffset { leader_epoch, ..found }
    }

    fn with_max_timestamp(&self) -> Result<Option<TimestampOffset>, ReadError> {
        let mut max = self.in_tail(|_| true).iter().map(|batch| batch.max_timestamp).max().unwrap_or(-1);
        for segment in self.all_segments() {
            max = max.max(segment.max_timestamp()?.map_or(-1, |known| known.timestamp));
        }
        if max < 0 { Ok(None) } else { self.first_at_or_after(max) }
    }

    /// The transactions that were aborted and have records between two offsets, the second exclusive. May wait for a disk.
    pub fn aborted_transactions(&self, from: i64, to: i64) -> Result<Vec<AbortedTransaction>, ReadError> {
        use std::sync::atomic::Ordering;
        let mut aborted = Vec::new();
        for segment in self.all_segments() {
            if segment.next_offset() > from {
                aborted.extend(segment.aborted()?);
            }
        }
        if self.first_unstable.load(Ordering::Acquire) != NO_TRANSACTION || self.is_tail_undestaged() {
            aborted.extend_from_slice(&self.writer.lock().aborted);
        }
        aborted.retain(|entry| entry.last_offset >= from && entry.first_offset < to);
        aborted.dedup();
        Ok(aborted)
    }

    fn is_tail_undestaged(&self) -> bool {
        self.destaged_end.load(std::sync::atomic::Ordering::Acquire) < self.log_end_offset()
    }
}

/// The first record of a batch that passes a test.
fn find_in(
    batch: &TailBatch,
    wanted: impl Fn(&TimestampOffset) -> bool,
) -> Result<Option<TimestampOffset>, ReadError> {
    let corrupt = |error: protocol::records::BatchError| StorageError::Failing(error.to_string().into());
    for record in records(&batch.bytes, INFLATED_BYTES_MAX).map_err(corrupt)? {
        let record = record.map_err(corrupt)?;
        let found = TimestampOffset { timestamp: record.timestamp, offset: record.offset, leader_epoch: -1 };
        if wanted(&found) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
