//! Making a segment whole after a crash, and cutting it.

use std::sync::Arc;

use host::OpenMode;
use protocol::records::{BatchError, BatchHeader};

use super::index::{Entry, SparseIndex};
use super::scan::{Headers, Verified};
use super::{Segment, SegmentError, SegmentHome, State};
use crate::files::offset_index::{self, OffsetEntry};
use crate::files::time_index::{self, TimeEntry};
use crate::files::transaction_index;
use crate::files::{load_whole, names};

/// What recovery did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentRecovery {
    /// Batches that were verified.
    pub batches: u64,
    /// Their bytes.
    pub verified_bytes: u64,
    /// Bytes that were cut off.
    pub truncated_bytes: u64,
    /// What was wrong with the first of them.
    pub fault: Option<BatchError>,
}

impl Segment {
    /// Opens a segment that was not closed in order. What lies below the recovery point, an offset, is on disk and not verified
    /// again; every batch from there on is, and the file is cut before the first that is not valid. The indexes are made anew from
    /// there on. `verified` sees each batch with its bytes, in order.
    pub fn recover(
        home: Arc<SegmentHome>,
        base_offset: i64,
        created_ms: i64,
        recovery_point: i64,
        index_interval_bytes: u32,
        verified: &mut dyn FnMut(&BatchHeader, &[u8]),
    ) -> Result<(Segment, SegmentRecovery), SegmentError> {
        let segment = Segment::with(home, base_offset, created_ms, State::new(0, base_offset));
        let len = segment.file_len()?;
        // Unlike the other indexes it was flushed, and nothing below the recovery point is looked at that could say it again.
        segment.cut_aborted(recovery_point)?;
        let trusted = segment.trust_below(recovery_point, len, index_interval_bytes);
        if trusted.is_err() {
            // Then nothing is trusted; if the disk fails, it will fail again.
            segment.trust_below(base_offset, len, index_interval_bytes)?;
        }
        let recovery = segment.verify_rest(len, index_interval_bytes, verified)?;
        Ok((segment, recovery))
    }

    fn file_len(&self) -> Result<u64, SegmentError> {
        // Its name may have been lost with the power.
        let opened = self.home.disk.open(&self.path(names::LOG), OpenMode::ReadWrite);
        opened.and_then(|file| file.len()).map_err(|source| self.io_error(names::LOG, source))
    }

    /// Takes over what the indexes and headers say below an offset, and forgets the rest.
    fn trust_below(&self, offset: i64, len: u64, index_interval_bytes: u32) -> Result<(), SegmentError> {
        self.cut_indexes(offset, len)?;
        let end = if offset <= self.base_offset { 0 } else { self.scan_below(offset, len)? };
        self.state.write().next_offset = self.base_offset;
        self.walk(end, index_interval_bytes)
    }

    /// Where the batches end that lie below an offset, by their headers from the last index entry on.
    fn scan_below(&self, offset: i64, len: u64) -> Result<u64, SegmentError> {
        let start = self.state.read().offsets.last().map_or(0, |entry| u64::from(entry.position));
        let mut headers = Headers::new(self, start, len)?;
        let mut reached = self.base_offset;
        // What lies above may be torn, and is not looked at here.
        while reached < offset {
            match headers.next()? {
                Some((position, header)) if header.last_offset() >= offset => return Ok(position),
                Some((_, header)) => reached = header.next_offset(),
                None => break,
            }
        }
        Ok(headers.position())
    }

    fn verify_rest(
        &self,
        len: u64,
        index_interval_bytes: u32,
        sink: &mut dyn FnMut(&BatchHeader, &[u8]),
    ) -> Result<SegmentRecovery, SegmentError> {
        let start = self.size();
        let mut recovery = SegmentRecovery { batches: 0, verified_bytes: 0, truncated_bytes: 0, fault: None };
        let mut batches = Verified::new(self, start, len)?;
        while let Some(batch) = batches.next()? {
            let checked =
                batch.and_then(|(header, bytes)| self.check_order(&header).map(|()| (header, bytes)));
            match checked {
                Ok((header, bytes)) => {
                    sink(&header, bytes);
                    self.append(&header, index_interval_bytes);
                    recovery.batches += 1;
                }
                Err(fault) => {
                    recovery.fault = Some(fault);
                    break;
                }
            }
        }
        recovery.verified_bytes = self.size() - start;
        recovery.truncated_bytes = len - self.size();
        if recovery.truncated_bytes > 0 {
            self.cut_log(self.size())?;
        }
        Ok(recovery)
    }

    /// Offsets ascend, and stay close enough to the base offset for the indexes.
    fn check_order(&self, batch: &BatchHeader) -> Result<(), BatchError> {
        let relative = batch.last_offset().checked_sub(self.base_offset);
        let close = relative.is_some_and(|relative| relative <= i64::from(i32::MAX));
        if batch.base_offset >= self.next_offset() && close {
            return Ok(());
        }
        Err(BatchError::InvalidRecord("the offsets of the batch do not follow those before it"))
    }

    /// Removes all batches from the one that holds this offset on, and returns how many bytes those were. All of the segment must
    /// be in its file. Nobody may append meanwhile.
    pub fn truncate(&self, offset: i64, index_interval_bytes: u32) -> Result<u64, SegmentError> {
        let _guard = self.flushing.lock();
        let before = self.size();
        let Some(located) = self.locate(offset, before)? else { return Ok(0) };
        self.flush_guarded(false)?;
        self.cut_aborted(located.header.base_offset)?;
        self.trust_below(located.header.base_offset, before, index_interval_bytes)?;
        self.cut_log(located.position)?;
        Ok(before - located.position)
    }

    fn cut_log(&self, len: u64) -> Result<(), SegmentError> {
        let file = self.log_file()?;
        self.resume.forget();
        let cut = file.set_len(len).and_then(|()| file.sync_data());
        cut.map_err(|source| self.io_error(names::LOG, source))
    }

    /// Drops the entries of the two sparse indexes at or above an offset, in files and memory, and those of batches beyond the log's
    /// end. What does not ascend is dropped too.
    fn cut_indexes(&self, offset: i64, len: u64) -> Result<(), SegmentError> {
        let end = u32::try_from(offset.saturating_sub(self.base_offset).max(0)).unwrap_or(u32::MAX);
        let within = |entry: &OffsetEntry| entry.relative_offset < end && u64::from(entry.position) < len;
        let offsets = self.cut_index(names::OFFSET_INDEX, offset_index::decode_prefix, within)?;
        // A largest timestamp is only that if the offset index covers its batch too; what is above is found again by walking.
        let indexed = offsets.last().map_or(0, |entry| entry.relative_offset + 1);
        let times = self.cut_index(names::TIME_INDEX, time_index::decode_prefix, |entry: &TimeEntry| {
            entry.relative_offset < indexed.min(end)
        })?;
        self.set_indexes(offsets, times)?;
        if self.last_time_holds(len)? { Ok(()) } else { self.forget_indexes() }
    }

    /// Whether the batch of the last entry of the time index says the same. An entry that was torn when the power went may ascend and lie
    /// below the recovery point by chance.
    fn last_time_holds(&self, len: u64) -> Result<bool, SegmentError> {
        let Some(last) = self.state.read().times.last() else { return Ok(true) };
        let located = self.locate(self.base_offset + i64::from(last.relative_offset), len)?;
        Ok(located.is_some_and(|batch| batch.header.max_timestamp == last.timestamp))
    }

    /// Has both sparse indexes made anew from the headers.
    fn forget_indexes(&self) -> Result<(), SegmentError> {
        self.cut_file(names::OFFSET_INDEX, 0)?;
        self.cut_file(names::TIME_INDEX, 0)?;
        self.set_indexes(SparseIndex::default(), SparseIndex::default())
    }

    fn cut_index<E: Entry>(
        &self,
        suffix: &str,
        decode: impl Fn(&[u8]) -> Vec<E>,
        keep: impl Fn(&E) -> bool,
    ) -> Result<SparseIndex<E>, SegmentError> {
        let path = self.path(suffix);
        let Some(bytes) = load_whole(&*self.home.disk, &path)? else { return Ok(SparseIndex::default()) };
        let mut entries = decode(&bytes);
        entries.truncate(entries.partition_point(keep));
        let len = (entries.len() * E::BYTES) as u64;
        if len < bytes.len() as u64 {
            self.cut_file(suffix, len)?;
        }
        Ok(SparseIndex::of_file(entries.len() as u32, entries.last().copied()))
    }

    /// Drops the aborted transactions that end at an offset or above.
    fn cut_aborted(&self, offset: i64) -> Result<(), SegmentError> {
        let path = self.path(names::TRANSACTION_INDEX);
        self.state.write().aborted.retain(|entry| entry.last_offset < offset);
        let Some(bytes) = load_whole(&*self.home.disk, &path)? else { return Ok(()) };
        let entries = transaction_index::decode_prefix(&bytes, self.base_offset);
        let kept = transaction_index::count_below(&entries, offset) * transaction_index::ENTRY_BYTES;
        if kept < bytes.len() { self.cut_file(names::TRANSACTION_INDEX, kept as u64) } else { Ok(()) }
    }

    pub(super) fn cut_file(&self, suffix: &str, len: u64) -> Result<(), SegmentError> {
        let opened = self.home.disk.open(&self.path(suffix), OpenMode::ReadWrite);
        let cut = opened.and_then(|file| file.set_len(len));
        cut.map_err(|source| self.io_error(suffix, source))
    }
}
