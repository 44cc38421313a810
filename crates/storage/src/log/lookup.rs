//! Finding offsets by time.

use protocol::records::{NO_TIMESTAMP, records};

use super::config::INFLATED_BYTES_MAX;
use super::{Log, OffsetSpec, TimestampOffset};
use crate::StorageError;
use crate::segment::Segment;
use crate::tail::TailBatch;
use std::sync::Arc;

impl Log {
    /// The offset that is asked for, as ListOffsets has it; none if there is no such record. `Latest` is the high watermark. May
    /// wait for a disk.
    pub fn offset_for_timestamp(&self, spec: OffsetSpec) -> Result<Option<TimestampOffset>, StorageError> {
        let found = match spec {
            OffsetSpec::Timestamp(timestamp) => self.in_segments(|| self.first_at_or_after(timestamp)),
            OffsetSpec::Latest => Ok(Some(self.latest())),
            OffsetSpec::Earliest | OffsetSpec::EarliestLocal => Ok(Some(self.earliest())),
            OffsetSpec::MaxTimestamp => self.in_segments(|| self.with_max_timestamp()),
            OffsetSpec::LatestTiered => Ok(None),
        };
        found.inspect_err(|error| self.note_error(error))
    }

    /// The end, with the epoch of the leader.
    fn latest(&self) -> TimestampOffset {
        let leader_epoch = self.latest_epoch().unwrap_or(-1);
        TimestampOffset { timestamp: -1, offset: self.high_watermark(), leader_epoch }
    }

    /// The start, with the epoch of the record there.
    fn earliest(&self) -> TimestampOffset {
        self.with_epoch(TimestampOffset { timestamp: -1, offset: self.log_start_offset(), leader_epoch: -1 })
    }

    fn first_at_or_after(&self, timestamp: i64) -> Result<Option<TimestampOffset>, StorageError> {
        self.with_start(|from| self.first_from(from, timestamp))
    }

    /// What is found from the log's start on; looked for again if the start moved meanwhile, for then segments may have gone.
    fn with_start<T>(&self, look: impl Fn(i64) -> Result<T, StorageError>) -> Result<T, StorageError> {
        loop {
            let start = self.log_start_offset();
            let found = look(start);
            if start == self.log_start_offset() {
                return found;
            }
        }
    }

    fn first_from(&self, from: i64, timestamp: i64) -> Result<Option<TimestampOffset>, StorageError> {
        // Before the segments, for what is evicted from the tail is in them by then.
        let in_tail = self.in_tail(|batch| batch.max_timestamp >= timestamp);
        for segment in self.segments_from(from) {
            if segment.max_timestamp()?.map_or(NO_TIMESTAMP, |max| max.timestamp) < timestamp {
                continue;
            }
            let found = segment.find_timestamp(timestamp, from, segment.size(), INFLATED_BYTES_MAX)?;
            if let Some(found) = found {
                let (timestamp, offset, leader_epoch) = (found.timestamp, found.offset, found.leader_epoch);
                return Ok(Some(TimestampOffset { timestamp, offset, leader_epoch }));
            }
        }
        for batch in &in_tail {
            let wanted = |found: &TimestampOffset| found.timestamp >= timestamp && found.offset >= from;
            if let Some(found) = find_in(batch, wanted)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The batches in memory that pass a test.
    fn in_tail(&self, wanted: impl Fn(&TailBatch) -> bool) -> Vec<TailBatch> {
        self.tail.read().since(i64::MIN).filter(|batch| wanted(batch)).cloned().collect()
    }

    /// The segments that have something at an offset or later.
    fn segments_from(&self, offset: i64) -> Vec<Arc<Segment>> {
        self.segments.read().iter().filter(|segment| segment.next_offset() > offset).cloned().collect()
    }

    fn with_epoch(&self, found: TimestampOffset) -> TimestampOffset {
        let leader_epoch = self.epochs.read().epoch_at(found.offset).unwrap_or(-1);
        TimestampOffset { leader_epoch, ..found }
    }

    fn with_max_timestamp(&self) -> Result<Option<TimestampOffset>, StorageError> {
        self.with_start(|from| self.max_from(from))
    }

    /// Looked for in all of the segment with the log's start, as in Kafka: what is found may lie before the start.
    fn max_from(&self, start: i64) -> Result<Option<TimestampOffset>, StorageError> {
        let from = self.segment_holding(start).map_or(0, |segment| segment.base_offset());
        let in_tail = self.in_tail(|batch| batch.last_offset >= from);
        let mut max = in_tail.iter().map(|batch| batch.max_timestamp).max();
        for segment in self.segments_from(from) {
            max = max.max(segment.max_timestamp()?.map(|known| known.timestamp));
        }
        self.first_from(from, max.unwrap_or(NO_TIMESTAMP))
    }
}

/// The first record of a batch that passes a test.
fn find_in(
    batch: &TailBatch,
    wanted: impl Fn(&TimestampOffset) -> bool,
) -> Result<Option<TimestampOffset>, StorageError> {
    let corrupt = |error: protocol::records::BatchError| StorageError::Failing(error.to_string().into());
    let records = records(&batch.bytes, INFLATED_BYTES_MAX).map_err(corrupt)?;
    let leader_epoch = records.header().partition_leader_epoch;
    for record in records {
        let record = record.map_err(corrupt)?;
        let found = TimestampOffset { timestamp: record.timestamp, offset: record.offset, leader_epoch };
        if wanted(&found) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
