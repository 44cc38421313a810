//! Reading segments from end to end, in large pieces, past the page cache where that is possible: what is read here would only push
//! out what consumers want.

use std::io;
use std::sync::Arc;

use host::{AlignedBuffer, BLOCK_BYTES, File};
use protocol::records::{BatchError, BatchHeader, HEADER_BYTES, verify};

use super::CleanError;
use crate::StorageError;
use crate::files::names;
use crate::segment::Segment;

/// The least that is read at once.
const READ_BYTES_MIN: usize = 64 * 1024;

/// What has to be told of every read: how many bytes it was. It may wait, or call the work off.
pub(super) type Pace<'a> = &'a dyn Fn(usize) -> Result<(), CleanError>;

/// What is done with each batch; false ends the reading.
pub(super) type Show<'a> = &'a mut dyn FnMut(&BatchHeader, &[u8]) -> Result<bool, CleanError>;

/// Reads segments with one buffer for all.
pub(super) struct SegmentReader {
    buffer: AlignedBuffer,
    direct: bool,
}

/// A stretch of a file, of which a piece is in the buffer.
struct Window<'a> {
    buffer: &'a mut AlignedBuffer,
    file: Arc<dyn File>,
    /// Where the next read begins in the file.
    next: u64,
    /// Where the segment ends in the file.
    end: u64,
    /// What of the buffer was not looked at yet.
    from: usize,
    to: usize,
}

impl SegmentReader {
    /// Reads so many bytes at once; past the page cache if asked to.
    pub(super) fn new(read_bytes: usize, direct: bool) -> SegmentReader {
        SegmentReader { buffer: AlignedBuffer::zeroed(read_bytes.max(READ_BYTES_MIN)), direct }
    }

    /// Shows the batches of a segment from a position on, which is a batch's. Each is verified. The file is not kept open.
    pub(super) fn read(
        &mut self,
        segment: &Segment,
        position: u64,
        pace: Pace<'_>,
        show: Show<'_>,
    ) -> Result<(), CleanError> {
        let read = self.read_open(segment, position, pace, show);
        segment.release_file();
        read
    }

    fn read_open(
        &mut self,
        segment: &Segment,
        position: u64,
        pace: Pace<'_>,
        show: Show<'_>,
    ) -> Result<(), CleanError> {
        let file = segment.log_file()?;
        let file = if self.direct { file.direct().unwrap_or(file) } else { file };
        let mut window = Window::new(&mut self.buffer, file, position, segment.size());
        let mut offset = segment.base_offset();
        let io = |source| StorageError::io(&segment.path(names::LOG), source);
        loop {
            let corrupt = |source| CleanError::Corrupt { offset, source };
            window.fill_at_pace(HEADER_BYTES, pace, io)?;
            if window.bytes().is_empty() {
                return Ok(());
            }
            let size = BatchHeader::parse(window.bytes()).map_err(corrupt)?.size_in_bytes();
            if size as u64 > window.left() {
                let remaining = usize::try_from(window.left()).unwrap_or(usize::MAX);
                return Err(corrupt(BatchError::Short { needed: size, remaining }));
            }
            window.fill_at_pace(size, pace, io)?;
            let batch = window.bytes().get(..size).unwrap_or_default();
            let header = verify(batch).map_err(corrupt)?;
            if header.base_offset < offset {
                return Err(corrupt(BatchError::InvalidRecord(
                    "its offset lies before the end of the batch before",
                )));
            }
            if !show(&header, batch)? {
                return Ok(());
            }
            offset = header.next_offset();
            window.from += size;
        }
    }
}

impl<'a> Window<'a> {
    fn new(buffer: &'a mut AlignedBuffer, file: Arc<dyn File>, position: u64, end: u64) -> Window<'a> {
        let within = position % BLOCK_BYTES as u64;
        // The bytes before the position are passed over once they are there.
        let from = within as usize;
        Window { buffer, file, next: position - within, end, from, to: 0 }
    }

    fn bytes(&self) -> &[u8] {
        self.buffer.as_slice().get(self.from..self.to).unwrap_or_default()
    }

    /// Bytes up to the segment's end, in the buffer or not.
    fn left(&self) -> u64 {
        self.bytes().len() as u64 + self.end.saturating_sub(self.next)
    }

    /// The same as [`fill`](Window::fill), and tells of it if anything had to be read.
    fn fill_at_pace(
        &mut self,
        wanted: usize,
        pace: Pace<'_>,
        failed: impl Fn(io::Error) -> StorageError,
    ) -> Result<(), CleanError> {
        match self.fill(wanted).map_err(failed)? {
            0 => Ok(()),
            read => pace(read),
        }
    }

    /// Sees to it that so many bytes are there, unless the segment ends before; and says how many were read.
    fn fill(&mut self, wanted: usize) -> io::Result<usize> {
        if self.to.saturating_sub(self.from) >= wanted || self.next >= self.end {
            return Ok(0);
        }
        let kept = self.make_room(wanted);
        let read = self.read_into(kept)?;
        let left = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
        self.to = kept + read.min(left);
        self.next += read as u64;
        Ok(read)
    }

    /// Moves what is left to the front, so that it ends at a block, and returns where.
    fn make_room(&mut self, wanted: usize) -> usize {
        if self.to == 0 {
            return 0;
        }
        let left = self.to - self.from;
        let kept = left.next_multiple_of(BLOCK_BYTES);
        let needed = kept + (wanted - left).next_multiple_of(BLOCK_BYTES);
        if needed > self.buffer.len() {
            let mut larger = AlignedBuffer::zeroed(needed);
            larger.as_mut_slice()[kept - left..kept].copy_from_slice(self.bytes());
            *self.buffer = larger;
        } else {
            self.buffer.as_mut_slice().copy_within(self.from..self.to, kept - left);
        }
        (self.from, self.to) = (kept - left, kept);
        kept
    }

    /// Fills the buffer from a place on; less at the file's end.
    fn read_into(&mut self, at: usize) -> io::Result<usize> {
        let buffer = &mut self.buffer.as_mut_slice()[at..];
        let mut filled = 0;
        while filled < buffer.len() {
            let read = self.file.read_at(&mut buffer[filled..], self.next + filled as u64)?;
            filled += read;
            // A read past the page cache cannot go on within a block, and need not: that was the end.
            if read == 0 || !filled.is_multiple_of(BLOCK_BYTES) {
                break;
            }
        }
        if filled == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(filled) }
    }
}
