//! The header of a batch.

use super::{BatchError, NO_PRODUCER_ID};
use crate::compression::Compression;

/// Bytes of a batch's header, up to where its records begin.
pub const HEADER_BYTES: usize = 61;
/// Bytes that the length field does not count: base offset and the length itself.
pub const BATCH_OVERHEAD: usize = LENGTH_END;
/// Where the length field ends: with so many bytes the size of a batch is known.
pub const LENGTH_END: usize = 12;
/// The version of the batches that this module knows.
pub const MAGIC: i8 = 2;

pub(super) const EPOCH_AT: usize = 12;
pub(super) const MAGIC_AT: usize = 16;
pub(super) const CRC_AT: usize = 17;
pub(super) const ATTRIBUTES_AT: usize = 21;
pub(super) const MAX_TIMESTAMP_AT: usize = 35;

pub(super) const COMPRESSION_MASK: i16 = 0x07;
pub(super) const LOG_APPEND_TIME: i16 = 0x08;
pub(super) const TRANSACTIONAL: i16 = 0x10;
pub(super) const CONTROL: i16 = 0x20;
pub(super) const DELETE_HORIZON: i16 = 0x40;

/// The least that a record takes: length, attributes, two deltas, two lengths and the number of headers.
const RECORD_BYTES_MIN: usize = 7;

/// What the timestamps of a batch mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// When the producer made the record.
    #[default]
    CreateTime,
    /// When the leader appended the batch: its max timestamp is that of each record.
    LogAppendTime,
}

/// The fields of a batch's header, as on the wire and on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record; survives compaction even if that record does not.
    pub base_offset: i64,
    /// Bytes after this field, so 12 fewer than the batch has.
    pub batch_length: i32,
    /// Epoch of the leader that appended the batch.
    pub partition_leader_epoch: i32,
    /// Always 2 here.
    pub magic: i8,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Compression, kind of timestamp and three flags.
    pub attributes: i16,
    /// Offset of the last record, relative to the base offset.
    pub last_offset_delta: i32,
    /// Timestamp of the first record in milliseconds, or the delete horizon.
    pub base_timestamp: i64,
    /// The largest timestamp of a record in milliseconds.
    pub max_timestamp: i64,
    /// Who produced the batch, or -1.
    pub producer_id: i64,
    /// The producer's epoch, or -1.
    pub producer_epoch: i16,
    /// Sequence of the first record, or -1.
    pub base_sequence: i32,
    /// Number of records.
    pub records_count: i32,
}

impl BatchHeader {
    /// Reads the header off the front of some bytes, which need not hold the records too.
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        let short = |needed| BatchError::Short { needed, remaining: bytes.len() };
        let magic = *bytes.get(MAGIC_AT).ok_or(short(HEADER_BYTES))? as i8;
        if magic != MAGIC {
            return Err(BatchError::UnsupportedMagic(magic));
        }
        let header = BatchHeader::read(bytes.first_chunk().ok_or(short(HEADER_BYTES))?);
        if header.batch_length < (HEADER_BYTES - BATCH_OVERHEAD) as i32 {
            return Err(BatchError::InvalidLength(header.batch_length));
        }
        Ok(header)
    }

    fn read(bytes: &[u8; HEADER_BYTES]) -> BatchHeader {
        let mut fields = Fields(bytes);
        BatchHeader {
            base_offset: i64::from_be_bytes(fields.take()),
            batch_length: i32::from_be_bytes(fields.take()),
            partition_leader_epoch: i32::from_be_bytes(fields.take()),
            magic: i8::from_be_bytes(fields.take()),
            crc: u32::from_be_bytes(fields.take()),
            attributes: i16::from_be_bytes(fields.take()),
            last_offset_delta: i32::from_be_bytes(fields.take()),
            base_timestamp: i64::from_be_bytes(fields.take()),
            max_timestamp: i64::from_be_bytes(fields.take()),
            producer_id: i64::from_be_bytes(fields.take()),
            producer_epoch: i16::from_be_bytes(fields.take()),
            base_sequence: i32::from_be_bytes(fields.take()),
            records_count: i32::from_be_bytes(fields.take()),
        }
    }

    /// The header as it stands in front of a batch.
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.partition_leader_epoch.to_be_bytes());
        bytes[16..17].copy_from_slice(&self.magic.to_be_bytes());
        bytes[17..21].copy_from_slice(&self.crc.to_be_bytes());
        bytes[21..23].copy_from_slice(&self.attributes.to_be_bytes());
        bytes[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        bytes[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        bytes[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        bytes[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        bytes[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        bytes[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        bytes[57..61].copy_from_slice(&self.records_count.to_be_bytes());
        bytes
    }

    /// Size of the whole batch, header included. At least 61.
    pub fn size_in_bytes(&self) -> usize {
        self.batch_length as usize + BATCH_OVERHEAD
    }

    /// Offset of the last record, inclusive.
    pub fn last_offset(&self) -> i64 {
        self.base_offset.wrapping_add(i64::from(self.last_offset_delta))
    }

    /// The offset after the last record.
    pub fn next_offset(&self) -> i64 {
        self.last_offset().wrapping_add(1)
    }

    /// Sequence of the last record, or -1 where there is none. After 2147483647 comes 0.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            -1
        } else {
            self.base_sequence.wrapping_add(self.last_offset_delta) & i32::MAX
        }
    }

    /// How the records are compressed.
    pub fn compression(&self) -> Result<Compression, BatchError> {
        let id = (self.attributes & COMPRESSION_MASK) as u8;
        Compression::from_id(id).ok_or(BatchError::UnknownCompression(id))
    }

    /// What the timestamps mean.
    pub fn timestamp_type(&self) -> TimestampType {
        if self.has(LOG_APPEND_TIME) { TimestampType::LogAppendTime } else { TimestampType::CreateTime }
    }

    /// Whether the batch is part of a transaction; end markers are too.
    pub fn is_transactional(&self) -> bool {
        self.has(TRANSACTIONAL)
    }

    /// Whether the records are for the brokers and not for the consumers.
    pub fn is_control(&self) -> bool {
        self.has(CONTROL)
    }

    /// Whether an idempotent or transactional producer wrote the batch.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id > NO_PRODUCER_ID
    }

    /// When tombstones and end markers of this batch may be dropped, in milliseconds, if compaction has set it (KIP-534).
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        self.has(DELETE_HORIZON).then_some(self.base_timestamp)
    }

    fn has(&self, flag: i16) -> bool {
        self.attributes & flag != 0
    }

    /// Whether the number of records can be true. Compaction leaves fewer records than offsets, and possibly none.
    pub(super) fn verify_count(&self) -> Result<(), BatchError> {
        let payload_bytes = self.size_in_bytes() - HEADER_BYTES;
        let count = i64::from(self.records_count);
        let within_offsets = self.last_offset_delta >= 0
            && (0..=i64::from(self.last_offset_delta) + 1).contains(&count)
            && self.base_offset.checked_add(i64::from(self.last_offset_delta)).is_some();
        let plain = self.attributes & COMPRESSION_MASK == 0;
        let within_bytes = !plain || count as usize <= payload_bytes / RECORD_BYTES_MIN;
        if within_offsets && within_bytes {
            return Ok(());
        }
        let (records_count, last_offset_delta) = (self.records_count, self.last_offset_delta);
        Err(BatchError::InvalidCount { records_count, last_offset_delta, payload_bytes })
    }
}

/// Takes fixed-size fields off a header, one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().expect("the fields add up to the size of a header");
        self.0 = rest;
        *field
    }
}
