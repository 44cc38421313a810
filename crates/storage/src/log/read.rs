//! Reading.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{Log, LogSlice, ReadLimit, ReadRequest, SliceData};
use crate::segment::{ReadEnd, Segment, SegmentRange};
use crate::{ReadError, StorageError};

/// Bytes read at once where batches are only looked at.
const RUN_BYTES: usize = 1024 * 1024;

impl Log {
    /// Reads whole batches from the one that holds an offset on. What is in memory is not copied; of what is in a file, it is only
    /// said where. May wait for a disk if the offset [is cold](Log::is_cold).
    pub fn read(&self, request: ReadRequest) -> Result<LogSlice, ReadError> {
        let high_watermark = self.high_watermark();
        let last_stable_offset = self.last_stable_offset().min(high_watermark);
        let log_end_offset = self.log_end_offset();
        let log_start_offset = self.log_start_offset();
        let offset = request.offset;
        if self.is_deleted() {
            return Err(StorageError::Closed.into());
        }
        if offset < log_start_offset || offset > log_end_offset {
            return Err(ReadError::OffsetOutOfRange { offset, log_start_offset, log_end_offset });
        }
        let limit = match request.up_to {
            ReadLimit::LogEnd => log_end_offset,
            ReadLimit::HighWatermark => high_watermark,
            ReadLimit::LastStable => last_stable_offset,
        };
        let data = if offset < limit { self.read_below(&request, limit) } else { Ok(SliceData::Empty) };
        // The segment may have been deleted meanwhile, and another one or none been found.
        let log_start_offset = self.log_start_offset();
        if offset < log_start_offset {
            return Err(ReadError::OffsetOutOfRange { offset, log_start_offset, log_end_offset });
        }
        let data = data.inspect_err(|error| self.note_error(error))?;
        Ok(LogSlice { high_watermark, last_stable_offset, log_start_offset, log_end_offset, data })
    }

    fn read_below(&self, request: &ReadRequest, limit: i64) -> Result<SliceData, StorageError> {
        let ReadRequest { offset, max_bytes, min_one_batch, .. } = *request;
        {
            let tail = self.tail.read();
            if offset >= tail.start_offset() {
                let batches = tail.read(offset, limit, max_bytes, min_one_batch);
                return Ok(if batches.is_empty() { SliceData::Empty } else { SliceData::Memory(batches) });
            }
        }
        self.in_segments(|| self.read_file(request, limit))
    }

    /// What is before the tail is in the segments.
    fn read_file(&self, request: &ReadRequest, limit: i64) -> Result<SliceData, StorageError> {
        let mut segment = self.segment_holding(request.offset);
        while let Some(current) = segment {
            let end = ReadEnd { offset: limit, position: current.size() };
            let range = current.range(request.offset, request.max_bytes, request.min_one_batch, end)?;
            if let Some(range) = range {
                let SegmentRange { position, len, end_offset, .. } = range;
                let (file, cold_reads) = (current.log_file()?, Arc::clone(&self.context.cold_reads));
                return Ok(SliceData::File { file, position, len, end_offset, cold_reads });
            }
            if current.locate(request.offset, end.position)?.is_some() {
                break;
            }
            segment = self.segment_after(&current);
        }
        Ok(SliceData::Empty)
    }

    /// The segment in which an offset belongs.
    pub(super) fn segment_holding(&self, offset: i64) -> Option<Arc<Segment>> {
        let segments = self.segments.read();
        let after = segments.partition_point(|segment| segment.base_offset() <= offset);
        segments.get(after.saturating_sub(1)).cloned()
    }

    pub(super) fn segment_after(&self, segment: &Segment) -> Option<Arc<Segment>> {
        let segments = self.segments.read();
        let after = segments.partition_point(|known| known.base_offset() <= segment.base_offset());
        segments.get(after).cloned()
    }

    /// Some whole batches from an offset on, copied if they are in a file; none if there are none below the limit.
    pub(super) fn read_run(&self, offset: i64, limit: i64) -> Result<Option<Bytes>, StorageError> {
        let request =
            ReadRequest { offset, max_bytes: RUN_BYTES, min_one_batch: true, up_to: ReadLimit::LogEnd };
        match self.read_below(&request, limit)? {
            SliceData::Empty => Ok(None),
            SliceData::Memory(batches) => {
                let mut run = BytesMut::new();
                batches.iter().for_each(|batch| run.extend_from_slice(batch));
                Ok(Some(run.freeze()))
            }
            SliceData::File { file, position, len, .. } => {
                let mut bytes = vec![0; len];
                let read = file.read_exact_at(&mut bytes, position);
                read.map_err(|source| StorageError::io(&self.home.dir, source))?;
                Ok(Some(bytes.into()))
            }
        }
    }
}
