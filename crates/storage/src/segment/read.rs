//! Finding batches.

use std::io;

use bytes::Bytes;
use host::OpenMode;
use protocol::records::{BatchHeader, Record, records};

use super::index::{Entry, Floor, floor_in_file};
use super::scan::Headers;
use super::{Segment, SegmentError, TimestampOffset};
use crate::files::names;
use crate::files::offset_index::OffsetEntry;
use crate::files::time_index::TimeEntry;

/// A batch in the log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located {
    /// Where it begins.
    pub position: u64,
    /// Its header.
    pub header: BatchHeader,
}

/// Where a reader has to stop, both exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadEnd {
    /// The offset that he may not see any more: the high watermark or another. It is the first of a batch, or lies behind all.
    pub offset: i64,
    /// Where the bytes end that are in the file; the end of a batch.
    pub position: u64,
}

/// Whole batches in the log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentRange {
    /// Where the first of them begins.
    pub position: u64,
    /// Their size in bytes; at least that of one batch.
    pub len: usize,
    /// Offset at which the first of them begins, which may lie before the one asked for.
    pub base_offset: i64,
    /// The offset after the last of them, or a later one before that of the batch behind them.
    pub end_offset: i64,
}

/// Where a range ends.
struct Stop {
    position: u64,
    /// Offset of the batch that begins there, if it was looked at.
    next_offset: Option<i64>,
}

/// A record found by its timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundTimestamp {
    /// Its timestamp, in milliseconds.
    pub timestamp: i64,
    /// Its offset.
    pub offset: i64,
    /// Epoch of the leader that appended it.
    pub leader_epoch: i32,
}

impl Segment {
    /// The first batch that ends at this offset or later, which is the one that holds it unless compaction removed it. None if
    /// there is none before the end of the file, which is given as a position.
    pub fn locate(&self, offset: i64, end_position: u64) -> Result<Option<Located>, SegmentError> {
        let hint = self.offset_floor(|entry| self.offset_of(entry) <= offset)?;
        let start = hint.map_or(0, |entry| u64::from(entry.position));
        match self.scan_for(start, end_position, offset) {
            // The index may be wrong where the log is not; the log is the truth.
            Err(SegmentError::Corrupt { .. }) if start > 0 => self.scan_for(0, end_position, offset),
            located => located,
        }
    }

    fn scan_for(&self, start: u64, end: u64, offset: i64) -> Result<Option<Located>, SegmentError> {
        let mut headers = Headers::new(self, start, end)?;
        while let Some((position, header)) = headers.next()? {
            if header.last_offset() >= offset {
                return Ok(Some(Located { position, header }));
            }
        }
        Ok(None)
    }

    /// The batches from the one that holds an offset on, of at most so many bytes altogether; one more than fits if `min_one`. None
    /// if there is nothing to read.
    pub fn range(
        &self,
        offset: i64,
        max_bytes: usize,
        min_one: bool,
        end: ReadEnd,
    ) -> Result<Option<SegmentRange>, SegmentError> {
        let cuts = self.resume.cuts();
        let Some((position, base_offset)) = self.begin(offset, end.position)? else { return Ok(None) };
        if base_offset >= end.offset {
            return Ok(None);
        }
        let end_position = self.end_position(end)?;
        let stop = self.whole_batches(position, max_bytes as u64, end_position)?;
        if let Some(next_offset) = stop.next_offset {
            self.resume.note(cuts, next_offset, stop.position);
        }
        if stop.position > position {
            let len = (stop.position - position) as usize;
            let end_offset = stop.next_offset.unwrap_or_else(|| end.offset.min(self.next_offset()));
            return Ok(Some(SegmentRange { position, len, base_offset, end_offset }));
        }
        if !min_one {
            return Ok(None);
        }
        let first = Headers::new(self, position, end_position)?.next()?;
        Ok(first.map(|(_, header)| SegmentRange {
            position,
            len: header.size_in_bytes(),
            base_offset,
            end_offset: header.next_offset(),
        }))
    }

    /// Position and offset of the first batch that ends at an offset or later.
    fn begin(&self, offset: i64, end_position: u64) -> Result<Option<(u64, i64)>, SegmentError> {
        if let Some(position) = self.resume.get(offset)
            && position < end_position
        {
            return Ok(Some((position, offset)));
        }
        let located = self.locate(offset, end_position)?;
        Ok(located.map(|first| (first.position, first.header.base_offset)))
    }

    /// Where the batches end that lie below the end offset.
    fn end_position(&self, end: ReadEnd) -> Result<u64, SegmentError> {
        if end.offset >= self.next_offset() {
            return Ok(end.position);
        }
        Ok(self.locate(end.offset, end.position)?.map_or(end.position, |located| located.position))
    }

    /// Where whole batches of at most `max_bytes` end that begin at a batch's position.
    fn whole_batches(&self, position: u64, max_bytes: u64, end_position: u64) -> Result<Stop, SegmentError> {
        let limit = position.saturating_add(max_bytes);
        if end_position <= limit {
            return Ok(Stop { position: end_position, next_offset: None });
        }
        let hint = self.offset_floor(|entry| u64::from(entry.position) <= limit)?;
        let start = hint.map_or(0, |entry| u64::from(entry.position)).max(position);
        let mut headers = Headers::new(self, start, end_position)?;
        loop {
            let stop = headers.position();
            match headers.next()? {
                Some(_) if headers.position() <= limit => {}
                beyond => {
                    let next_offset = beyond.map(|(_, header)| header.base_offset);
                    return Ok(Stop { position: stop, next_offset });
                }
            }
        }
    }

    /// The first record at an offset or later whose timestamp is not below the one asked for.
    pub fn find_timestamp(
        &self,
        timestamp: i64,
        from_offset: i64,
        end_position: u64,
        inflated_bytes_max: usize,
    ) -> Result<Option<FoundTimestamp>, SegmentError> {
        let below = self.time_floor(|entry| entry.timestamp < timestamp)?;
        let start_offset = below.map_or(from_offset, |entry| from_offset.max(self.time_offset(&entry)));
        let Some(start) = self.locate(start_offset, end_position)? else { return Ok(None) };
        let mut headers = Headers::new(self, start.position, end_position)?;
        while let Some((position, header)) = headers.next()? {
            if header.max_timestamp < timestamp || header.last_offset() < from_offset {
                continue;
            }
            let wanted = |record: &Record| record.timestamp >= timestamp && record.offset >= from_offset;
            if let Some(record) = self.find_record(position, &header, inflated_bytes_max, wanted)? {
                let (timestamp, offset) = (record.timestamp, record.offset);
                let leader_epoch = header.partition_leader_epoch;
                return Ok(Some(FoundTimestamp { timestamp, offset, leader_epoch }));
            }
        }
        Ok(None)
    }

    fn find_record(
        &self,
        position: u64,
        header: &BatchHeader,
        inflated_bytes_max: usize,
        wanted: impl Fn(&Record) -> bool,
    ) -> Result<Option<Record>, SegmentError> {
        let corrupt = |source| self.corrupt(position, source);
        let batch = self.read(position, header.size_in_bytes())?;
        for record in records(&batch, inflated_bytes_max).map_err(corrupt)? {
            let record = record.map_err(corrupt)?;
            if wanted(&record) {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// So many bytes of the log file, copied.
    pub fn read(&self, position: u64, len: usize) -> Result<Bytes, SegmentError> {
        let mut bytes = vec![0; len];
        let read = self.log_file()?.read_exact_at(&mut bytes, position);
        read.map_err(|source| self.io_error(names::LOG, source))?;
        Ok(bytes.into())
    }

    /// The largest timestamp, if any record has one. A sealed segment is asked once.
    pub fn max_timestamp(&self) -> Result<Option<TimestampOffset>, SegmentError> {
        let (known, size) = {
            let state = self.state.read();
            (state.max_timestamp, state.size)
        };
        if known.is_some() || size == 0 {
            return Ok(known);
        }
        let last = self.time_floor(|_| true)?;
        let of_entry = |entry: TimeEntry| TimestampOffset {
            timestamp: entry.timestamp,
            offset: self.time_offset(&entry),
        };
        let max = match last {
            Some(entry) => Some(of_entry(entry)),
            None => self.scan_max_timestamp(size)?,
        };
        self.state.write().max_timestamp = max;
        Ok(max)
    }

    /// The largest timestamp in milliseconds, or when its file was last written if no record has one (Kafka's rule).
    pub fn largest_timestamp(&self) -> Result<i64, SegmentError> {
        match self.max_timestamp()? {
            Some(max) if max.timestamp >= 0 => Ok(max.timestamp),
            _ => self.log_file()?.modified_ms().map_err(|source| self.io_error(names::LOG, source)),
        }
    }

    /// Max timestamp of the first batch, if there is one. A sealed segment is asked once.
    pub fn first_timestamp(&self) -> Result<Option<i64>, SegmentError> {
        let (known, size) = {
            let state = self.state.read();
            (state.first_timestamp, state.size)
        };
        if known.is_some() || size == 0 {
            return Ok(known);
        }
        let first = Headers::new(self, 0, size)?.next()?.map(|(_, header)| header.max_timestamp);
        self.state.write().first_timestamp = first;
        self.release_file();
        Ok(first)
    }

    /// The header of the last batch, if there is one.
    pub fn last_batch(&self) -> Result<Option<BatchHeader>, SegmentError> {
        let start = self.offset_floor(|_| true)?.map_or(0, |entry| u64::from(entry.position));
        let mut headers = Headers::new(self, start, self.size())?;
        let mut last = None;
        while let Some((_, header)) = headers.next()? {
            last = Some(header);
        }
        Ok(last)
    }

    fn scan_max_timestamp(&self, end_position: u64) -> Result<Option<TimestampOffset>, SegmentError> {
        let mut headers = Headers::new(self, 0, end_position)?;
        let mut max: Option<TimestampOffset> = None;
        while let Some((_, header)) = headers.next()? {
            if header.records_count > 0 && header.max_timestamp > max.map_or(-1, |max| max.timestamp) {
                max = Some(TimestampOffset { timestamp: header.max_timestamp, offset: header.last_offset() });
            }
        }
        Ok(max)
    }

    fn offset_of(&self, entry: &OffsetEntry) -> i64 {
        self.base_offset + i64::from(entry.relative_offset)
    }

    fn time_offset(&self, entry: &TimeEntry) -> i64 {
        self.base_offset + i64::from(entry.relative_offset)
    }

    pub(super) fn offset_floor(
        &self,
        holds: impl Fn(&OffsetEntry) -> bool,
    ) -> Result<Option<OffsetEntry>, SegmentError> {
        let floor = self.state.read().offsets.floor(&holds);
        self.floor(names::OFFSET_INDEX, floor, holds)
    }

    fn time_floor(&self, holds: impl Fn(&TimeEntry) -> bool) -> Result<Option<TimeEntry>, SegmentError> {
        let floor = self.state.read().times.floor(&holds);
        self.floor(names::TIME_INDEX, floor, holds)
    }

    fn floor<E: Entry>(
        &self,
        suffix: &str,
        floor: Floor<E>,
        holds: impl Fn(&E) -> bool,
    ) -> Result<Option<E>, SegmentError> {
        let count = match floor {
            Floor::Found(entry) => return Ok(Some(entry)),
            Floor::InFile(0) => return Ok(None),
            Floor::InFile(count) => count,
        };
        let searched = match self.open_file(suffix, OpenMode::Read) {
            // An index that is missing only makes the way longer.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.and_then(|file| floor_in_file(&*file, count, holds)),
        };
        searched.map_err(|source| self.io_error(suffix, source))
    }
}
