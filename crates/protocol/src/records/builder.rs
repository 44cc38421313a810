//! Making batches.

use bytes::Bytes;

use super::batch::checksum;
use super::cursor::{put_varint, put_varlong, varint_len};
use super::header::{CONTROL, CRC_AT, HEADER_BYTES, LOG_APPEND_TIME, MAGIC, TRANSACTIONAL};
use super::{
    BATCH_OVERHEAD, BatchHeader, Header, NO_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE,
    NO_TIMESTAMP,
};
use crate::compression::{Compression, Compressor, compress};

/// Makes one batch, for coordinators, the metadata log and clients.
///
/// ```
/// use protocol::compression::Compression;
/// use protocol::records::{BatchBuilder, verify};
///
/// let batch = BatchBuilder::new(7, Compression::None).append(1_000, Some(b"key"), Some(b"value"), &[]).build();
/// assert_eq!(verify(&batch).map(|header| header.last_offset()), Ok(7));
/// ```
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    compressor: Compressor,
    /// Room for the header, then the records, not compressed yet.
    buf: Vec<u8>,
}

impl BatchBuilder {
    /// A batch whose first record is to have this offset. Clients give 0.
    pub fn new(base_offset: i64, compressor: impl Into<Compressor>) -> BatchBuilder {
        let compressor = compressor.into();
        let header = BatchHeader {
            base_offset,
            batch_length: 0,
            partition_leader_epoch: NO_LEADER_EPOCH,
            magic: MAGIC,
            crc: 0,
            attributes: i16::from(compressor.compression.id()),
            last_offset_delta: -1,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            base_sequence: NO_SEQUENCE,
            records_count: 0,
        };
        BatchBuilder { header, compressor, buf: vec![0; HEADER_BYTES] }
    }

    /// Makes room for so many bytes of the batch, before compression, so that it does not move as it grows.
    pub fn with_room(mut self, bytes: usize) -> BatchBuilder {
        self.buf.reserve_exact(bytes.saturating_sub(self.buf.len()));
        self
    }

    /// The epoch of the leader that appends the batch; -1 if it is yet to be appended.
    pub fn leader_epoch(mut self, leader_epoch: i32) -> BatchBuilder {
        self.header.partition_leader_epoch = leader_epoch;
        self
    }

    /// The idempotent producer, and the sequence of the first record.
    pub fn producer(mut self, producer_id: i64, producer_epoch: i16, base_sequence: i32) -> BatchBuilder {
        self.header.producer_id = producer_id;
        self.header.producer_epoch = producer_epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    /// Makes the batch part of a transaction.
    pub fn transactional(self) -> BatchBuilder {
        self.with_attribute(TRANSACTIONAL)
    }

    /// Makes the records ones for brokers: see [`ControlRecord`](super::ControlRecord).
    pub fn control(self) -> BatchBuilder {
        self.with_attribute(CONTROL)
    }

    /// Makes the timestamps the ones of the append.
    pub fn log_append_time(self) -> BatchBuilder {
        self.with_attribute(LOG_APPEND_TIME)
    }

    fn with_attribute(mut self, flag: i16) -> BatchBuilder {
        self.header.attributes |= flag;
        self
    }

    /// Adds a record at the next offset, and gives the builder on.
    pub fn append(
        mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> BatchBuilder {
        self.push(timestamp, key, value, headers);
        self
    }

    /// Adds a record at the next offset.
    ///
    /// # Panics
    /// If the batch would pass 2 GiB; [`size_in_bytes`](BatchBuilder::size_in_bytes) tells in time.
    pub fn push(&mut self, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) {
        let offset = self.header.next_offset();
        self.push_at(offset, timestamp, key, value, headers);
    }

    /// Adds a record at an offset, which must lie after that of the record before, as compaction leaves them.
    ///
    /// # Panics
    /// If the offset lies before that of the last record or more than 2147483647 after the first, or if the batch would
    /// pass 2 GiB.
    pub fn push_at(
        &mut self,
        offset: i64,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) {
        assert!(offset > self.header.last_offset(), "offsets ascend within a batch");
        let delta = i32::try_from(offset - self.header.base_offset).expect("offsets of a batch are close");
        if self.header.records_count == 0 {
            self.header.base_timestamp = timestamp;
        }
        self.header.records_count += 1;
        self.header.last_offset_delta = delta;
        self.header.max_timestamp = self.header.max_timestamp.max(timestamp);
        let timestamp_delta = timestamp.wrapping_sub(self.header.base_timestamp);
        let body_len = body_len(timestamp_delta, delta, key, value, headers);
        put_varlong(&mut self.buf, body_len as i64);
        self.put_body(timestamp_delta, delta, key, value, headers);
        assert!(self.buf.len() <= i32::MAX as usize, "a batch stays below 2 GiB");
    }

    fn put_body(
        &mut self,
        timestamp_delta: i64,
        offset_delta: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) {
        let buf = &mut self.buf;
        // The attributes of a record are not in use.
        buf.push(0);
        put_varlong(buf, timestamp_delta);
        put_varint(buf, offset_delta);
        put_nullable(buf, key);
        put_nullable(buf, value);
        put_varint(buf, headers.len() as i32);
        for header in headers {
            put_nullable(buf, Some(&header.key));
            put_nullable(buf, header.value.as_deref());
        }
    }

    /// Size of the batch so far, before compression.
    pub fn size_in_bytes(&self) -> usize {
        self.buf.len()
    }

    /// The most that a record of these sizes adds to a batch before compression, in bytes.
    pub fn record_bytes_max(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) -> usize {
        const NUMBERS_BYTES_MAX: usize = 5 + 1 + 10 + 5 + 5;
        NUMBERS_BYTES_MAX + contents_len(key, value, headers)
    }

    /// Number of records so far.
    pub fn records_count(&self) -> i32 {
        self.header.records_count
    }

    /// The offset that the next record gets.
    pub fn next_offset(&self) -> i64 {
        self.header.next_offset()
    }

    /// Whether there is no record yet. A batch without records is valid, but says nothing.
    pub fn is_empty(&self) -> bool {
        self.header.records_count == 0
    }

    /// The batch. Its records are left as they are if they cannot be compressed.
    pub fn build(mut self) -> Bytes {
        self.compress();
        // A batch without records takes up one offset, so that its header is valid.
        self.header.last_offset_delta = self.header.last_offset_delta.max(0);
        self.header.batch_length = (self.buf.len() - BATCH_OVERHEAD) as i32;
        self.buf[..HEADER_BYTES].copy_from_slice(&self.header.to_bytes());
        let crc = checksum(&self.buf);
        self.buf[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
        self.buf.into()
    }

    fn compress(&mut self) {
        if self.compressor.compression == Compression::None {
            return;
        }
        match compress(self.compressor, &self.buf[HEADER_BYTES..]) {
            Ok(compressed) if compressed.len() <= i32::MAX as usize - HEADER_BYTES => {
                self.buf.truncate(HEADER_BYTES);
                self.buf.extend_from_slice(&compressed);
            }
            _ => self.header.attributes &= !i16::from(self.compressor.compression.id()),
        }
    }
}

fn put_nullable(buf: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            put_varlong(buf, bytes.len() as i64);
            buf.extend_from_slice(bytes);
        }
        None => put_varint(buf, -1),
    }
}

/// Bytes of a record after the number that says how many they are.
fn body_len(
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[Header],
) -> usize {
    let numbers =
        varint_len(timestamp_delta) + varint_len(offset_delta.into()) + varint_len(headers.len() as i64);
    1 + numbers + contents_len(key, value, headers)
}

fn contents_len(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) -> usize {
    let header = |header: &Header| nullable_len(Some(&header.key)) + nullable_len(header.value.as_deref());
    nullable_len(key) + nullable_len(value) + headers.iter().map(header).sum::<usize>()
}

fn nullable_len(bytes: Option<&[u8]>) -> usize {
    let len = bytes.map_or(0, <[u8]>::len);
    varint_len(len as i64) + len
}
