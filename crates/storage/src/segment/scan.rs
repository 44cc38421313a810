//! Going along a log file from batch to batch.

use std::sync::Arc;

use host::File;
use protocol::records::{BatchError, BatchHeader, HEADER_BYTES, LENGTH_END, verify};

use super::{Segment, SegmentError};
use crate::files::names;

/// Bytes read at once where only headers matter.
const HEADERS_BYTES: usize = 4 * 1024;
/// Bytes read at once where all matter.
const BATCHES_BYTES: usize = 1024 * 1024;

/// A stretch of a log file, read through a window.
struct Window<'a> {
    segment: &'a Segment,
    file: Arc<dyn File>,
    /// What the window holds begins here.
    start: u64,
    bytes: Vec<u8>,
    read_bytes: usize,
    /// Nothing is read from here on.
    end: u64,
}

impl<'a> Window<'a> {
    fn new(segment: &'a Segment, end: u64, read_bytes: usize) -> Result<Window<'a>, SegmentError> {
        let file = segment.log_file()?;
        Ok(Window { segment, file, start: 0, bytes: Vec::new(), read_bytes, end })
    }

    /// So many bytes from a position, or fewer if the end comes first.
    fn get(&mut self, position: u64, len: usize) -> Result<&[u8], SegmentError> {
        let left = self.end.saturating_sub(position);
        let len = len.min(usize::try_from(left).unwrap_or(usize::MAX));
        let held = self.start..self.start + self.bytes.len() as u64;
        if position < held.start || position + len as u64 > held.end {
            let want = (len.max(self.read_bytes) as u64).min(left) as usize;
            self.bytes.resize(want, 0);
            let read = match self.read_bytes {
                HEADERS_BYTES => self.file.read_alone_exact_at(&mut self.bytes, position),
                _ => self.file.read_exact_at(&mut self.bytes, position),
            };
            read.map_err(|source| self.segment.io_error(names::LOG, source))?;
            self.start = position;
        }
        let from = (position - self.start) as usize;
        Ok(&self.bytes[from..from + len])
    }
}

/// The headers of batches, from a position that is a batch's up to an end. A batch that passes the end is not given.
pub(super) struct Headers<'a> {
    window: Window<'a>,
    position: u64,
}

impl<'a> Headers<'a> {
    pub(super) fn new(segment: &'a Segment, position: u64, end: u64) -> Result<Headers<'a>, SegmentError> {
        Ok(Headers { window: Window::new(segment, end, HEADERS_BYTES)?, position })
    }

    /// Where the next batch begins.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next batch's position and header.
    pub(super) fn next(&mut self) -> Result<Option<(u64, BatchHeader)>, SegmentError> {
        let position = self.position;
        let bytes = self.window.get(position, HEADER_BYTES)?;
        if bytes.len() < LENGTH_END {
            return Ok(None);
        }
        let header = match BatchHeader::parse(bytes) {
            Err(BatchError::Short { .. }) => return Ok(None),
            header => header.map_err(|source| self.window.segment.corrupt(position, source))?,
        };
        let next = position + header.size_in_bytes() as u64;
        if next > self.window.end {
            return Ok(None);
        }
        self.position = next;
        Ok(Some((position, header)))
    }
}

/// Whole batches, each verified.
pub(super) struct Verified<'a> {
    window: Window<'a>,
    position: u64,
}

impl<'a> Verified<'a> {
    pub(super) fn new(segment: &'a Segment, position: u64, end: u64) -> Result<Verified<'a>, SegmentError> {
        Ok(Verified { window: Window::new(segment, end, BATCHES_BYTES)?, position })
    }

    /// The next batch, or what is wrong with it.
    #[expect(clippy::type_complexity, reason = "either the disk fails, or the batch does")]
    pub(super) fn next(&mut self) -> Result<Option<Result<(BatchHeader, &[u8]), BatchError>>, SegmentError> {
        let bytes = self.window.get(self.position, HEADER_BYTES)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let header = match BatchHeader::parse(bytes) {
            Ok(header) => header,
            Err(error) => return Ok(Some(Err(error))),
        };
        // A length that passes the end finds no more bytes than there are.
        let batch = self.window.get(self.position, header.size_in_bytes())?;
        let verified = verify(batch);
        if verified.is_ok() {
            self.position += batch.len() as u64;
        }
        Ok(Some(verified.map(|header| (header, batch))))
    }
}

impl Segment {
    pub(super) fn corrupt(&self, position: u64, source: BatchError) -> SegmentError {
        SegmentError::Corrupt { path: self.path(names::LOG), position, source }
    }
}
