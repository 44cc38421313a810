//! Opening segments that are there.

use std::io;
use std::sync::Arc;

use host::OpenMode;
use protocol::records::BatchError;

use super::index::{Entry, SparseIndex, entry_in_file};
use super::scan::Headers;
use super::{Segment, SegmentError, SegmentHome, State, TimestampOffset};
use crate::files::names;
use crate::files::offset_index::OffsetEntry;
use crate::files::time_index::TimeEntry;

impl Segment {
    /// A segment that will not be appended to, whose size and end are known from elsewhere: the file's length, and the base offset
    /// of the segment after it. Nothing is read. To cut it, [recover](Segment::recover) it first.
    pub fn sealed(home: Arc<SegmentHome>, base_offset: i64, size: u64, next_offset: i64) -> Segment {
        let mut state = State::new(size, next_offset);
        state.offsets = SparseIndex::all_in_file();
        state.times = SparseIndex::all_in_file();
        Segment { writable: false, ..Segment::with(home, base_offset, 0, state) }
    }

    /// A segment that was closed in order, to be appended to. Its indexes are trusted as far as they make sense; the headers after
    /// their last entry are read, and without an index all of them.
    pub fn open(
        home: Arc<SegmentHome>,
        base_offset: i64,
        created_ms: i64,
        index_interval_bytes: u32,
    ) -> Result<Segment, SegmentError> {
        let segment = Segment::with(home, base_offset, created_ms, State::new(0, base_offset));
        let file = segment.log_file()?;
        let len = file.len().map_err(|source| segment.io_error(names::LOG, source))?;
        let offsets =
            segment.load_index(names::OFFSET_INDEX, |entry: &OffsetEntry| u64::from(entry.position) < len)?;
        let times = segment.load_index(names::TIME_INDEX, |entry: &TimeEntry| entry.timestamp >= 0)?;
        segment.set_indexes(offsets, times)?;
        segment.walk(len, index_interval_bytes)?;
        let size = segment.size();
        if size < len {
            let remaining = (len - size) as usize;
            let source = BatchError::Short { needed: remaining + 1, remaining };
            return Err(segment.corrupt(size, source));
        }
        Ok(segment)
    }

    /// What an index file says without reading all of it; nothing, if it does not look as Kafka leaves it.
    fn load_index<E: Entry>(
        &self,
        suffix: &str,
        plausible: impl Fn(&E) -> bool,
    ) -> Result<SparseIndex<E>, SegmentError> {
        let file = match self.home.disk.open(&self.path(suffix), OpenMode::ReadWrite) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(SparseIndex::default()),
            file => file.map_err(|source| self.io_error(suffix, source))?,
        };
        let load = || {
            let len = file.len()?;
            let entry_bytes = E::BYTES as u64;
            let count = u32::try_from(len / entry_bytes).unwrap_or(0);
            let last = if count == 0 { None } else { Some(entry_in_file(&*file, u64::from(count) - 1)?) };
            if len % entry_bytes != 0 || !last.as_ref().is_none_or(&plausible) {
                file.set_len(0)?;
                return Ok(SparseIndex::default());
            }
            Ok(SparseIndex::of_file(count, last))
        };
        load().map_err(|source| self.io_error(suffix, source))
    }

    /// Takes over both indexes; both are dropped if there is no time index, for it is made along with the other.
    pub(super) fn set_indexes(
        &self,
        offsets: SparseIndex<OffsetEntry>,
        times: SparseIndex<TimeEntry>,
    ) -> Result<(), SegmentError> {
        let usable = times.last().is_some();
        if !usable && offsets.last().is_some() {
            self.cut_file(names::OFFSET_INDEX, 0)?;
        }
        let mut state = self.state.write();
        state.offsets = if usable { offsets } else { SparseIndex::default() };
        state.times = times;
        Ok(())
    }

    /// Reads the headers after the last index entry up to the end, as if they were appended again.
    pub(super) fn walk(&self, end_position: u64, index_interval_bytes: u32) -> Result<(), SegmentError> {
        let start = self.start_at_last_entry();
        let mut headers = Headers::new(self, start, end_position)?;
        while let Some((_, header)) = headers.next()? {
            // The batch of the last entry is the first to be read, and not indexed again, for nothing lies before it.
            self.state.write().append(self.base_offset, &header, index_interval_bytes);
        }
        let first = Headers::new(self, 0, end_position)?.next()?;
        self.state.write().first_timestamp = first.map(|(_, header)| header.max_timestamp);
        Ok(())
    }

    /// Sets size and largest timestamp to what they were before the batch of the last index entry, and returns its position.
    fn start_at_last_entry(&self) -> u64 {
        let mut state = self.state.write();
        let last = state.times.last();
        state.max_timestamp = last.map(|entry| TimestampOffset {
            timestamp: entry.timestamp,
            offset: self.base_offset + i64::from(entry.relative_offset),
        });
        let start = state.offsets.last().map_or(0, |entry| u64::from(entry.position));
        state.bytes_since_index = 0;
        state.size = start;
        start
    }
}
