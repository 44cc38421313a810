//! Batches in a row of bytes.

use super::header::{ATTRIBUTES_AT, HEADER_BYTES};
use super::{BatchError, BatchHeader};

/// Checks one whole batch: its length, version, checksum, and its counts against offsets and bytes.
///
/// The records themselves are not looked at: see [`validate_records`](super::validate_records). Bytes after the batch are an error.
pub fn verify(batch: &[u8]) -> Result<BatchHeader, BatchError> {
    let header = BatchHeader::parse(batch)?;
    let size = header.size_in_bytes();
    if batch.len() < size {
        return Err(BatchError::Short { needed: size, remaining: batch.len() });
    }
    let computed = checksum(&batch[..size]);
    if computed != header.crc {
        return Err(BatchError::CorruptCrc { stored: header.crc, computed });
    }
    if batch.len() > size {
        return Err(BatchError::TrailingBytes(batch.len() - size));
    }
    header.verify_count()?;
    Ok(header)
}

/// The checksum that a batch should carry. The batch must be as long as a header at least.
pub(super) fn checksum(batch: &[u8]) -> u32 {
    debug_assert!(batch.len() >= HEADER_BYTES, "a batch has a header");
    crc32c::crc32c(&batch[ATTRIBUTES_AT..])
}

/// The batches in a slice, one after the other, with their headers. Nothing is copied and no checksum computed.
///
/// An error ends it. [`BatchError::Short`] may only mean that a batch is cut off by the end of the slice, as at the end of
/// a fetch; [`rest`](Batches::rest) is what could not be read.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
    failed: bool,
}

impl<'a> Batches<'a> {
    /// Over all batches in these bytes.
    pub fn new(bytes: &'a [u8]) -> Batches<'a> {
        Batches { rest: bytes, failed: false }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn cut(&mut self) -> Result<(BatchHeader, &'a [u8]), BatchError> {
        let header = BatchHeader::parse(self.rest)?;
        let size = header.size_in_bytes();
        let split = self.rest.split_at_checked(size);
        let (batch, rest) = split.ok_or(BatchError::Short { needed: size, remaining: self.rest.len() })?;
        self.rest = rest;
        Ok((header, batch))
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<(BatchHeader, &'a [u8]), BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.rest.is_empty() {
            return None;
        }
        let item = self.cut();
        self.failed = item.is_err();
        Some(item)
    }
}

impl std::iter::FusedIterator for Batches<'_> {}
