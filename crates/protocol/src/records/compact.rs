//! What compaction leaves of a batch: some of its records, at the offsets that they had.

use std::ops::Range;

use bytes::Bytes;

use super::batch::checksum;
use super::cursor::{Cursor, put_varint, put_varlong};
use super::header::{COMPRESSION_MASK, CRC_AT, DELETE_HORIZON, HEADER_BYTES};
use super::{BATCH_OVERHEAD, BatchError, BatchHeader, NO_TIMESTAMP, RecordRef, RecordRefs};
use crate::compression::{Compression, compress};

/// The records of a batch that are kept, as places in its decompressed bytes.
#[derive(Clone, Debug)]
pub struct KeptRecords {
    /// Ascending; neighbours are one.
    ranges: Vec<Range<usize>>,
    count: i32,
    max_timestamp: i64,
}

impl Default for KeptRecords {
    fn default() -> KeptRecords {
        KeptRecords { ranges: Vec::new(), count: 0, max_timestamp: NO_TIMESTAMP }
    }
}

impl KeptRecords {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.ranges.clear();
        self.count = 0;
        self.max_timestamp = NO_TIMESTAMP;
    }

    /// Keeps the record that lies here. They are added in the order of their places.
    pub fn add(&mut self, place: Range<usize>, timestamp: i64) {
        self.count += 1;
        self.max_timestamp = self.max_timestamp.max(timestamp);
        match self.ranges.last_mut() {
            Some(last) if last.end == place.start => last.end = place.end,
            _ => self.ranges.push(place),
        }
    }

    /// How many are kept.
    pub fn count(&self) -> i32 {
        self.count
    }

    /// The batch with these records alone. Its offsets, producer and sequences stay, and so does its codec. A delete horizon is set
    /// if it is given (KIP-534); one that is there stays.
    pub fn rebuild(
        &self,
        header: &BatchHeader,
        payload: &[u8],
        delete_horizon_ms: Option<i64>,
    ) -> Result<Bytes, BatchError> {
        let mut records = self.records(header, payload, delete_horizon_ms)?;
        let mut header = BatchHeader {
            records_count: self.count,
            max_timestamp: self.max_timestamp,
            base_timestamp: delete_horizon_ms.unwrap_or(header.base_timestamp),
            ..*header
        };
        if delete_horizon_ms.is_some() {
            header.attributes |= DELETE_HORIZON;
        }
        let compression = header.compression()?;
        if compression != Compression::None {
            records = compress(compression, &records)?;
        }
        Ok(assemble(header, &records))
    }

    fn records(
        &self,
        header: &BatchHeader,
        payload: &[u8],
        delete_horizon_ms: Option<i64>,
    ) -> Result<Vec<u8>, BatchError> {
        let mut records = Vec::with_capacity(self.ranges.iter().map(ExactSizeIterator::len).sum());
        for range in &self.ranges {
            match delete_horizon_ms {
                None => records.extend_from_slice(&payload[range.clone()]),
                Some(base) => rebase(header, &payload[range.clone()], base, &mut records)?,
            }
        }
        Ok(records)
    }
}

/// The same batch without records and without compression: what is left to tell of a producer's last sequence.
pub fn empty_batch(header: &BatchHeader) -> Bytes {
    let header = BatchHeader {
        attributes: header.attributes & !(COMPRESSION_MASK | DELETE_HORIZON),
        base_timestamp: NO_TIMESTAMP,
        records_count: 0,
        ..*header
    };
    assemble(header, &[])
}

fn assemble(header: BatchHeader, records: &[u8]) -> Bytes {
    let size = HEADER_BYTES + records.len();
    let header = BatchHeader { batch_length: (size - BATCH_OVERHEAD) as i32, ..header };
    let mut batch = Vec::with_capacity(size);
    batch.extend_from_slice(&header.to_bytes());
    batch.extend_from_slice(records);
    let crc = checksum(&batch);
    batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
    batch.into()
}

/// Writes records again whose timestamps are to be relative to another one.
fn rebase(
    header: &BatchHeader,
    mut records: &[u8],
    base_timestamp: i64,
    out: &mut Vec<u8>,
) -> Result<(), BatchError> {
    let mut body = Vec::new();
    while !records.is_empty() {
        let mut cursor = Cursor(records);
        let len = cursor.varint()?;
        let mut record = Cursor(cursor.sized(len)?);
        records = cursor.0;
        body.clear();
        body.push(record.byte()?);
        let timestamp = header.timestamp_at(record.varlong()?);
        put_varlong(&mut body, timestamp.wrapping_sub(base_timestamp));
        body.extend_from_slice(record.0);
        put_varint(out, body.len() as i32);
        out.extend_from_slice(&body);
    }
    Ok(())
}

/// The records of a batch, each with its place in the decompressed bytes. An error ends it.
pub fn placed_records(
    records_count: i32,
    payload: &[u8],
) -> impl Iterator<Item = Result<(Range<usize>, RecordRef<'_>), BatchError>> {
    let mut records = RecordRefs::new(records_count, payload);
    let mut start = 0;
    std::iter::from_fn(move || {
        let record = records.next()?;
        let place = start..payload.len() - records.remaining();
        start = place.end;
        Some(record.map(|record| (place, record)))
    })
}
