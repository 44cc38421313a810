//! Writing the segment that is to take the place of others: in large pieces, past the page cache where that is possible.

use std::io;
use std::sync::Arc;

use host::{AlignedBuffer, BLOCK_BYTES, File, OpenMode};
use protocol::records::{BatchError, BatchHeader};

use super::CleanError;
use super::input::Pace;
use crate::StorageError;
use crate::files::names;
use crate::files::transaction_index::AbortedTransaction;
use crate::segment::{Segment, SegmentHome};

/// Bytes written at once.
const WRITE_BYTES: usize = 1024 * 1024;

/// A segment whose files are `.cleaned`.
pub(super) struct Output {
    segment: Segment,
    file: Arc<dyn File>,
    buffer: AlignedBuffer,
    filled: usize,
    /// Where the buffer belongs in the file.
    at: u64,
    index_interval_bytes: u32,
}

impl Output {
    /// Makes the files.
    pub(super) fn create(
        home: &Arc<SegmentHome>,
        base_offset: i64,
        index_interval_bytes: u32,
        direct: bool,
    ) -> Result<Output, CleanError> {
        let segment = Segment::create_cleaned(home.clone(), base_offset)?;
        let path = segment.path(names::LOG);
        let mode = if direct { OpenMode::Direct } else { OpenMode::ReadWrite };
        let file = home.disk.open(&path, mode).map_err(|source| StorageError::io(&path, source))?;
        let buffer = AlignedBuffer::zeroed(WRITE_BYTES);
        Ok(Output { segment, file, buffer, filled: 0, at: 0, index_interval_bytes })
    }

    /// Adds a batch.
    pub(super) fn push(
        &mut self,
        header: &BatchHeader,
        mut batch: &[u8],
        pace: Pace<'_>,
    ) -> Result<(), CleanError> {
        let position = self.segment.append(header, self.index_interval_bytes);
        if position + batch.len() as u64 > i32::MAX as u64 {
            // Compressed anew, batches may have become larger than they were.
            let source = BatchError::InvalidRecord("the segment passes 2 GiB when it is cleaned");
            return Err(CleanError::Corrupt { offset: header.base_offset, source });
        }
        while !batch.is_empty() {
            let len = batch.len().min(self.buffer.len() - self.filled);
            self.buffer.as_mut_slice()[self.filled..self.filled + len].copy_from_slice(&batch[..len]);
            self.filled += len;
            batch = &batch[len..];
            if self.filled == self.buffer.len() {
                pace(self.filled)?;
                self.write()?;
            }
        }
        Ok(())
    }

    /// Notes that a marker which was added aborted a transaction.
    pub(super) fn push_aborted(&mut self, entry: AbortedTransaction) {
        self.segment.append_aborted(entry);
    }

    /// Writes what is left. The log file is on disk when this returns; the indexes are in memory still.
    pub(super) fn finish(&mut self) -> Result<(), CleanError> {
        self.write()?;
        let ended = self.file.set_len(self.segment.size()).and_then(|()| self.file.sync_data());
        ended.map_err(|source| self.error(source))
    }

    /// The segment.
    pub(super) fn into_segment(self) -> Segment {
        self.segment
    }

    fn write(&mut self) -> Result<(), CleanError> {
        let mut len = self.filled;
        if self.file.is_direct() {
            len = len.next_multiple_of(BLOCK_BYTES);
            self.buffer.as_mut_slice()[self.filled..len].fill(0);
        }
        let written = self.file.write_all_at(&self.buffer.as_slice()[..len], self.at);
        written.map_err(|source| self.error(source))?;
        self.at += self.filled as u64;
        self.filled = 0;
        Ok(())
    }

    fn error(&self, source: io::Error) -> CleanError {
        StorageError::io(&self.segment.path(names::LOG), source).into()
    }
}
