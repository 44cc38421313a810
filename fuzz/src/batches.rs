//! Record batches, as they come in requests and as they lie in files.

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::compression::Compression;
use protocol::records::{
    BatchBuilder, Batches, ClientRules, ControlRecord, HEADER_BYTES, Header, TimestampType, records,
    validate_records, verify,
};

use crate::wire::{Encoded, Source};

/// What decompressing a batch may produce here, in bytes.
const INFLATED_MAX: usize = 128 << 10;
/// Bytes of memory that an input may take: what LZ4 keeps, and a record of nothing but headers of two bytes, 64 each.
pub const MEMORY_MAX: usize = 32 << 20;

/// Where the fields are that a mutation would otherwise always be caught by.
const LENGTH_AT: std::ops::Range<usize> = 8..12;
const CRC_AT: std::ops::Range<usize> = 17..21;

/// One to three batches, of any compression.
pub fn seed(source: &mut Source) -> Encoded {
    let mut encoded = Encoded::default();
    for _ in 0..=source.below(3) {
        let start = encoded.bytes.len();
        encoded.bytes.extend_from_slice(&batch(source));
        // Length, attributes, last offset delta, count, the first record's length and what follows it.
        encoded.lengths.extend([8, 21, 23, 57, 61, 62, 63, 64, 65, 66].map(|at| start + at));
    }
    encoded
}

fn batch(source: &mut Source) -> Bytes {
    let compression = Compression::ALL[source.below(Compression::ALL.len())];
    let mut builder = BatchBuilder::new(0, compression);
    if source.one_in(3) {
        builder = builder.producer(source.below(9) as i64, 0, source.below(9) as i32);
    }
    if source.one_in(6) {
        builder = builder.transactional().control();
    }
    let value = [7; 100];
    for _ in 0..=source.below(5) {
        let headers = vec![
            Header { key: Bytes::from_static(b"name"), value: Some(Bytes::from_static(b"x")) };
            source.below(3)
        ];
        let key = source.one_in(2).then_some(&b"\0\0\0\x01"[..]);
        builder.push(source.below(1000) as i64, key, Some(&value[..source.below(value.len())]), &headers);
    }
    builder.build()
}

/// Reads the input as it is, and again with the length and the checksum that its content asks for.
pub fn run(input: &[u8]) -> String {
    let outcome = read(input);
    match repaired(input) {
        Some(repaired) => format!("{outcome}; {}", read(&repaired)),
        None => outcome,
    }
}

fn repaired(input: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = input.to_vec();
    let len = u32::try_from(bytes.len().checked_sub(LENGTH_AT.end)?).ok()?;
    bytes.get_mut(LENGTH_AT)?.copy_from_slice(&len.to_be_bytes());
    let crc = crc32c::crc32c(bytes.get(CRC_AT.end..)?);
    bytes.get_mut(CRC_AT)?.copy_from_slice(&crc.to_be_bytes());
    (bytes.len() >= HEADER_BYTES).then_some(bytes)
}

fn read(input: &[u8]) -> String {
    let valid = validate_records(input, &RULES, 1000);
    let verified = verify(input).map(|_| ());
    let walked: Vec<String> = Batches::new(input)
        .map(|batch| match batch {
            Ok((_, batch)) => walk(&Bytes::copy_from_slice(batch)),
            Err(error) => error.to_string(),
        })
        .collect();
    let valid = valid.map(|_| ErrorCode::None).unwrap_or_else(|invalid| invalid.error);
    format!("{valid:?} {verified:?} {}", walked.last().map_or("", String::as_str))
}

fn walk(batch: &Bytes) -> String {
    let iter = match records(batch, INFLATED_MAX) {
        Ok(iter) => iter,
        Err(error) => return error.to_string(),
    };
    let mut outcome = "ok".to_owned();
    for record in iter {
        match record {
            Ok(record) => {
                let (key, value) = (record.key.unwrap_or_default(), record.value.unwrap_or_default());
                let _ = ControlRecord::decode(&key, &value);
            }
            Err(error) => outcome = error.to_string(),
        }
    }
    outcome
}

const RULES: ClientRules = ClientRules {
    compacted: true,
    timestamp_type: TimestampType::CreateTime,
    timestamp_before_max_ms: 500,
    timestamp_after_max_ms: 500,
    open_compressed: true,
    inflated_bytes_max: INFLATED_MAX,
};
