//! The records inside of a batch.

use bytes::Bytes;

use super::cursor::Cursor;
use super::header::HEADER_BYTES;
use super::{BatchError, BatchHeader, TimestampType};
use crate::compression::{Compression, decompress};

/// A record, as slices of its batch or of what its batch was decompressed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its offset in the partition.
    pub offset: i64,
    /// Milliseconds since 1970, or -1.
    pub timestamp: i64,
    /// What decides its partition and what compaction keeps the last of.
    pub key: Option<Bytes>,
    /// Its content; null is a tombstone on a compacted topic.
    pub value: Option<Bytes>,
    /// In the order in which they were added; keys may repeat.
    pub headers: Vec<Header>,
}

/// A header of a record (KIP-82).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name, in UTF-8 if the producer kept to the protocol.
    pub key: Bytes,
    /// Its content.
    pub value: Option<Bytes>,
}

/// A record as it lies in the bytes, relative to its batch.
#[derive(Clone, Copy, Debug)]
pub struct RecordRef<'a> {
    /// Milliseconds after the batch's base timestamp.
    pub timestamp_delta: i64,
    /// Places after the batch's base offset.
    pub offset_delta: i32,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value.
    pub value: Option<&'a [u8]>,
    headers_count: i32,
    headers: &'a [u8],
}

impl<'a> RecordRef<'a> {
    /// Its headers.
    pub fn headers(&self) -> HeaderRefs<'a> {
        HeaderRefs { left: self.headers_count, cursor: Cursor(self.headers) }
    }

    fn read(cursor: &mut Cursor<'a>) -> Result<RecordRef<'a>, BatchError> {
        let len = cursor.varint()?;
        let mut body = Cursor(cursor.sized(len)?);
        // The attributes of a record are not in use.
        body.byte()?;
        let record = RecordRef {
            timestamp_delta: body.varlong()?,
            offset_delta: body.varint()?,
            key: body.nullable()?,
            value: body.nullable()?,
            headers_count: body.varint()?,
            headers: body.0,
        };
        record.check_headers()?;
        Ok(record)
    }

    fn check_headers(&self) -> Result<(), BatchError> {
        if self.headers_count < 0 {
            return Err(BatchError::InvalidRecord("its number of headers is negative"));
        }
        let mut headers = self.headers();
        for header in headers.by_ref() {
            header?;
        }
        match headers.cursor.0 {
            [] => Ok(()),
            _ => Err(BatchError::InvalidRecord("it is shorter than its length says")),
        }
    }
}

/// The headers of a record: name and content. None of those of a [`RecordRef`] fails, for they were checked with it.
#[derive(Clone, Debug)]
pub struct HeaderRefs<'a> {
    left: i32,
    cursor: Cursor<'a>,
}

impl<'a> Iterator for HeaderRefs<'a> {
    type Item = Result<(&'a [u8], Option<&'a [u8]>), BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            return None;
        }
        let item = self.read();
        self.left = if item.is_ok() { self.left - 1 } else { 0 };
        Some(item)
    }
}

impl<'a> HeaderRefs<'a> {
    fn read(&mut self) -> Result<(&'a [u8], Option<&'a [u8]>), BatchError> {
        let len = self.cursor.varint()?;
        Ok((self.cursor.sized(len)?, self.cursor.nullable()?))
    }
}

/// The records of a batch as they lie in its decompressed bytes; allocates nothing.
///
/// Every length is checked. An error ends it; so do bytes after the last record, with an error.
#[derive(Clone, Debug)]
pub struct RecordRefs<'a> {
    left: i32,
    cursor: Cursor<'a>,
}

impl<'a> RecordRefs<'a> {
    /// Over so many records in these bytes, which are not compressed.
    pub fn new(records_count: i32, payload: &'a [u8]) -> RecordRefs<'a> {
        RecordRefs { left: records_count, cursor: Cursor(payload) }
    }

    /// Bytes that were not read yet.
    pub(super) fn remaining(&self) -> usize {
        self.cursor.0.len()
    }
}

impl<'a> Iterator for RecordRefs<'a> {
    type Item = Result<RecordRef<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            let rest = std::mem::take(&mut self.cursor.0);
            return (!rest.is_empty()).then_some(Err(TOO_FEW));
        }
        let item = RecordRef::read(&mut self.cursor);
        if item.is_ok() {
            self.left -= 1;
        } else {
            *self = RecordRefs::new(0, &[]);
        }
        Some(item)
    }
}

const TOO_FEW: BatchError = BatchError::InvalidRecord("bytes follow the last record of the batch");

impl BatchHeader {
    /// The timestamp of a record of this batch, in milliseconds.
    pub fn timestamp_of(&self, record: &RecordRef<'_>) -> i64 {
        self.timestamp_at(record.timestamp_delta)
    }

    /// The timestamp of a record that says so many milliseconds.
    pub(super) fn timestamp_at(&self, timestamp_delta: i64) -> i64 {
        match self.timestamp_type() {
            TimestampType::CreateTime => self.base_timestamp.wrapping_add(timestamp_delta),
            TimestampType::LogAppendTime => self.max_timestamp,
        }
    }
}

/// The records of one batch, which is decompressed first if it has to be, into at most `inflated_bytes_max` bytes.
///
/// The batch should have been [verified](super::verify); if not, what comes out is an error or nonsense, but no panic.
pub fn records(batch: &Bytes, inflated_bytes_max: usize) -> Result<RecordIter, BatchError> {
    let header = BatchHeader::parse(batch)?;
    let size = header.size_in_bytes();
    if batch.len() < size {
        return Err(BatchError::Short { needed: size, remaining: batch.len() });
    }
    let payload = batch.slice(HEADER_BYTES..size);
    let payload = match header.compression()? {
        Compression::None => payload,
        compression => decompress(compression, &payload, inflated_bytes_max)?.into(),
    };
    Ok(RecordIter { header, left: header.records_count, payload, at: 0 })
}

/// The records of a batch, each with its offset and timestamp. An error ends it.
#[derive(Clone, Debug)]
pub struct RecordIter {
    header: BatchHeader,
    left: i32,
    payload: Bytes,
    /// Where in it the next record begins.
    at: usize,
}

impl RecordIter {
    /// The header of the batch.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    fn record(&self, raw: RecordRef<'_>) -> Record {
        let owned = |slice: &[u8]| self.payload.slice_ref(slice);
        let header =
            |(key, value): (&[u8], Option<&[u8]>)| Header { key: owned(key), value: value.map(owned) };
        Record {
            offset: self.header.base_offset.wrapping_add(i64::from(raw.offset_delta)),
            timestamp: self.header.timestamp_of(&raw),
            key: raw.key.map(owned),
            value: raw.value.map(owned),
            headers: raw.headers().flatten().map(header).collect(),
        }
    }
}

impl Iterator for RecordIter {
    type Item = Result<Record, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut raw = RecordRefs::new(self.left, &self.payload[self.at..]);
        let item = raw.next()?.map(|record| self.record(record));
        self.left = raw.left;
        self.at = self.payload.len() - raw.remaining();
        Some(item)
    }
}
