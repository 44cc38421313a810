//! The batches and records of a segment or a snapshot as lines.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use protocol::records::{BatchHeader, ControlRecord, ControlType, Record, TimestampType, records};

use super::batches::{Batch, batch_at};
use super::{at, titled};
use crate::commands::internal_topics::{
    self, Coordinator, CoordinatorRecord, Members, Unreadable, metadata_record, remote_log_record,
};
use crate::commands::java_text;
use crate::failure::Failure;

/// What a batch may take when decompressed, in bytes.
const INFLATED_BYTES_MAX: usize = 1 << 30;

/// What stands for the value of a record of a coordinator that has none.
const TOMBSTONE: &str = "<DELETE>";

/// How keys or values are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoder {
    Text,
    Integer,
    Long,
    Coordinator(Coordinator),
    Metadata,
    RemoteLog,
}

impl Decoder {
    /// By the name of a class of Kafka's, with or without its package.
    pub fn parse(class: &str) -> Result<Decoder, Failure> {
        match class.rsplit('.').next() {
            Some("StringDecoder" | "DefaultDecoder") => Ok(Decoder::Text),
            Some("IntegerDecoder") => Ok(Decoder::Integer),
            Some("LongDecoder") => Ok(Decoder::Long),
            _ => Err(Failure::Failed(format!(
                "{class}: there is no such decoder; there are StringDecoder, IntegerDecoder and LongDecoder"
            ))),
        }
    }

    fn tell(self, bytes: &Bytes) -> Result<String, String> {
        let short = |_| format!("{} bytes are no number", bytes.len());
        match self {
            Decoder::Integer => Ok(i32::from_be_bytes(bytes[..].try_into().map_err(short)?).to_string()),
            Decoder::Long => Ok(i64::from_be_bytes(bytes[..].try_into().map_err(short)?).to_string()),
            _ => Ok(java_text::utf8(bytes).into_owned()),
        }
    }
}

/// What is told of records.
#[derive(Clone, Copy, Debug)]
pub struct Contents {
    pub key: Decoder,
    pub value: Decoder,
    /// Records at all.
    pub with_records: bool,
    /// Their keys and values.
    pub with_data: bool,
    /// Nothing but these.
    pub without_metadata: bool,
}

/// Tells of all batches, at most `bytes_max` from the front. Returns what does not fit.
pub fn dump(
    file: &Path,
    bytes: &[u8],
    bytes_max: Option<usize>,
    contents: &Contents,
    out: &mut impl Write,
) -> Result<Vec<String>, Failure> {
    let slice = bytes.get(..bytes_max.unwrap_or(usize::MAX)).unwrap_or(bytes);
    let mut position = 0;
    let mut gaps = Gaps::default();
    while let Some(batch) = batch_at(slice, position).map_err(|why| at(file, &why))? {
        write_batch(&batch, position, out)?;
        if contents.with_records {
            write_records(&batch, contents, &mut gaps, out)?;
        }
        position += batch.bytes.len();
    }
    let rest = bytes.len() - position;
    if rest > 0 && bytes_max.is_none() {
        let name = file.file_name().unwrap_or_default().display();
        writeln!(out, "Found {rest} invalid bytes at the end of {name}")?;
    }
    Ok(titled(gaps.found, || format!("Non-consecutive offsets in {}", file.display())))
}

/// Offsets that do not follow each other.
#[derive(Default)]
struct Gaps {
    last_offset: Option<i64>,
    found: Vec<String>,
}

impl Gaps {
    fn add(&mut self, offset: i64) {
        if let Some(last) = self.last_offset.filter(|last| last.checked_add(1) != Some(offset)) {
            self.found.push(format!("  {last} is followed by {offset}"));
        }
        self.last_offset = Some(offset);
    }
}

fn write_records(
    batch: &Batch<'_>,
    contents: &Contents,
    gaps: &mut Gaps,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let bytes = Bytes::copy_from_slice(&batch.bytes);
    for record in records(&bytes, INFLATED_BYTES_MAX).map_err(Failure::failed)? {
        let record = record.map_err(Failure::failed)?;
        gaps.add(record.offset);
        write_record(&batch.header, &record, contents, out)?;
    }
    Ok(())
}

/// A batch in a line. What was told before its compression turned out to be none stays.
fn write_batch(batch: &Batch<'_>, position: usize, out: &mut impl Write) -> Result<(), Failure> {
    let header = &batch.header;
    let horizon = header.delete_horizon_ms();
    let horizon = horizon.map_or("OptionalLong.empty".to_owned(), |time| format!("OptionalLong[{time}]"));
    write!(
        out,
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} \
         partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {horizon}",
        header.base_offset,
        header.last_offset(),
        header.records_count,
        header.base_sequence,
        header.last_sequence(),
        header.producer_id,
        header.producer_epoch,
        header.partition_leader_epoch,
        header.is_transactional(),
        header.is_control(),
    )?;
    let codec = header.compression().map_err(Failure::failed)?.name();
    Ok(writeln!(
        out,
        " position: {position} {}: {} size: {} magic: {} compresscodec: {codec} crc: {} isvalid: {}",
        time_name(header),
        header.max_timestamp,
        header.size_in_bytes(),
        header.magic,
        header.crc,
        batch.is_valid(),
    )?)
}

fn time_name(header: &BatchHeader) -> &'static str {
    match header.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

/// Tells of a record: what is around it, then what is in it. What was told before it turned out to be unreadable stays.
fn write_record(
    header: &BatchHeader,
    record: &Record,
    contents: &Contents,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut words = Vec::new();
    let read = words_of(header, record, contents, &mut words);
    if !words.is_empty() {
        write!(out, "| {}", words.join(" "))?;
    }
    read.map_err(Failure::Failed)?;
    Ok(writeln!(out)?)
}

fn words_of(
    header: &BatchHeader,
    record: &Record,
    contents: &Contents,
    words: &mut Vec<String>,
) -> Result<(), String> {
    if !contents.without_metadata {
        words.push(metadata(header, record));
        if header.is_control() {
            words.extend(control(record)?);
        }
    }
    if contents.with_data && !header.is_control() {
        words.extend(data(record, contents)?);
    }
    Ok(())
}

fn metadata(header: &BatchHeader, record: &Record) -> String {
    let size = |bytes: &Option<Bytes>| bytes.as_ref().map_or(-1, |bytes| bytes.len() as i64);
    let sequence = match header.base_sequence {
        -1 => -1,
        base => sequence(base, record.offset - header.base_offset),
    };
    let keys: Vec<_> = record.headers.iter().map(|header| java_text::utf8(&header.key)).collect();
    format!(
        "offset: {} {}: {} keySize: {} valueSize: {} sequence: {sequence} headerKeys: [{}]",
        record.offset,
        time_name(header),
        record.timestamp,
        size(&record.key),
        size(&record.value),
        keys.join(",")
    )
}

/// Sequences begin again at 0 behind the largest.
fn sequence(base: i32, delta: i64) -> i64 {
    (i64::from(base) + delta) % (i64::from(i32::MAX) + 1)
}

/// The texts of key and value, each with what it is.
fn data(record: &Record, contents: &Contents) -> Result<Vec<String>, String> {
    let (key, value) = match contents.value {
        Decoder::Coordinator(of) => coordinator_data(record, of)?,
        Decoder::Metadata => (None, Some(readable(record, "at", metadata_record))),
        Decoder::RemoteLog => (None, Some(readable(record, "at offset", remote_log_record))),
        decoder => (
            record.key.as_ref().map(|key| contents.key.tell(key)).transpose()?,
            record.value.as_ref().map(|value| decoder.tell(value)).transpose()?,
        ),
    };
    let key = key.map(|key| format!("key: {key}"));
    Ok(key.into_iter().chain(value.map(|value| format!("payload: {value}"))).collect())
}

/// The value of a record, or what is wrong with it.
fn readable(record: &Record, at: &str, read: fn(&Bytes) -> Result<String, String>) -> String {
    let read = record.value.as_ref().ok_or_else(|| "the record has no value".to_owned()).and_then(read);
    read.unwrap_or_else(|why| format!("Error {at} {}, skipping. {why}", record.offset))
}

/// The key and the value of a record of a coordinator; of one that cannot be read why, in place of the key.
fn coordinator_data(record: &Record, of: Coordinator) -> Result<(Option<String>, Option<String>), String> {
    let offset = record.offset;
    let Some(key) = &record.key else {
        return Err(format!(
            "Failed to decode message at offset {offset} using the specified decoder (message had a missing key)"
        ));
    };
    Ok(match of.record(key, record.value.as_ref(), Members::AsConsumers) {
        Ok(CoordinatorRecord { kind, key, value }) => {
            let value = value.map(|(version, value)| format!(r#"{{"version":"{version}","data":{value}}}"#));
            let key = format!(r#"{{"type":"{kind}","data":{key}}}"#);
            (Some(key), Some(value.unwrap_or_else(|| TOMBSTONE.to_owned())))
        }
        Err(Unreadable::UnknownType(kind)) => {
            (Some(format!("Unknown record type {kind} at offset {offset}, skipping.")), None)
        }
        Err(Unreadable::Malformed(why)) => (Some(format!("Error at offset {offset}, skipping. {why}")), None),
    })
}

fn control(record: &Record) -> Result<Option<String>, String> {
    let (Some(key), Some(value)) = (&record.key, &record.value) else {
        return Err("a control record lacks its key or its value".to_owned());
    };
    let kind = ControlType::of_key(key).map_err(|error| error.to_string())?;
    let json = |intro: &str, message: &str| {
        internal_topics::control(message, value).map(|json| Some(format!("{intro} {json}")))
    };
    match kind {
        Some(ControlType::Commit | ControlType::Abort) => end_txn(key, value).map(Some),
        Some(ControlType::LeaderChange) => json("LeaderChange:", "LeaderChangeMessage"),
        Some(ControlType::SnapshotHeader) => json("SnapshotHeader", "SnapshotHeaderRecord"),
        Some(ControlType::SnapshotFooter) => json("SnapshotFooter", "SnapshotFooterRecord"),
        Some(ControlType::KRaftVersion) => json("KRaftVersion", "KRaftVersionRecord"),
        Some(ControlType::KRaftVoters) => json("KRaftVoters", "VotersRecord"),
        None => {
            let mut number = String::new();
            // Writing to a text does not fail.
            let _ = key.get(2..4).map(|bytes| write!(number, "{}", i16::from_be_bytes([bytes[0], bytes[1]])));
            Ok(Some(format!("controlType: UNKNOWN({number})")))
        }
    }
}

fn end_txn(key: &Bytes, value: &Bytes) -> Result<String, String> {
    match ControlRecord::decode(key, value).map_err(|error| error.to_string())? {
        ControlRecord::EndTxn { committed, coordinator_epoch } => {
            let marker = if committed { "COMMIT" } else { "ABORT" };
            Ok(format!("endTxnMarker: {marker} coordinatorEpoch: {coordinator_epoch}"))
        }
        other => Err(format!("{other:?} is no marker")),
    }
}

#[cfg(test)]
mod tests {
    use protocol::compression::Compression;
    use protocol::records::{BatchBuilder, end_txn_marker};

    use super::*;

    const ALL: Contents = Contents {
        key: Decoder::Text,
        value: Decoder::Text,
        with_records: true,
        with_data: true,
        without_metadata: false,
    };

    fn told(bytes: &[u8], contents: &Contents) -> (Vec<String>, Vec<String>) {
        let mut out = Vec::new();
        let faults = dump(Path::new("/d/7.log"), bytes, None, contents, &mut out).unwrap();
        (String::from_utf8(out).unwrap().lines().map(str::to_owned).collect(), faults)
    }

    fn batch(base_offset: i64) -> Vec<u8> {
        let mut builder = BatchBuilder::new(base_offset, Compression::None).leader_epoch(3).producer(9, 0, 4);
        builder.push(1_000, Some(b"k"), Some(b"v"), &[]);
        builder.push(1_001, None, None, &[]);
        builder.build().to_vec()
    }

    #[test]
    fn batches_and_records_are_told_as_apache_kafka_tells_them() {
        let (lines, faults) = told(&batch(7), &ALL);
        assert!(lines[0].starts_with(
            "baseOffset: 7 lastOffset: 8 count: 2 baseSequence: 4 lastSequence: 5 producerId: 9 producerEpoch: 0 \
             partitionLeaderEpoch: 3 isTransactional: false isControl: false deleteHorizonMs: OptionalLong.empty \
             position: 0 CreateTime: 1001 size: "
        ));
        assert!(lines[0].ends_with(" isvalid: true"));
        assert_eq!(
            lines[1],
            "| offset: 7 CreateTime: 1000 keySize: 1 valueSize: 1 sequence: 4 headerKeys: [] key: k payload: v"
        );
        assert_eq!(
            lines[2],
            "| offset: 8 CreateTime: 1001 keySize: -1 valueSize: -1 sequence: 5 headerKeys: []"
        );
        assert!(faults.is_empty());
        let bare = Contents { without_metadata: true, ..ALL };
        assert_eq!(told(&batch(7), &bare).0[1..], ["| key: k payload: v", ""]);
    }

    #[test]
    fn a_record_of_a_coordinator_is_told_as_json_and_a_tombstone_as_one() {
        let mut builder = BatchBuilder::new(0, Compression::None);
        builder.push(1, Some(b"\0\x02\0\x01g"), None, &[]);
        let contents =
            Contents { value: Decoder::Coordinator(Coordinator::Group), without_metadata: true, ..ALL };
        let line = told(&builder.build(), &contents).0.pop().unwrap();
        assert_eq!(line, "| key: {\"type\":\"2\",\"data\":{\"group\":\"g\"}} payload: <DELETE>");
    }

    #[test]
    fn gaps_and_bytes_that_are_no_batch_are_told() {
        let mut bytes = batch(0);
        bytes.extend(batch(9));
        bytes.extend([1, 2, 3]);
        let (lines, faults) = told(&bytes, &ALL);
        assert_eq!(lines.last().unwrap(), "Found 3 invalid bytes at the end of 7.log");
        assert_eq!(faults, ["Non-consecutive offsets in /d/7.log", "  1 is followed by 9"]);
        let last = bytes.len() - 4;
        bytes[last] ^= 1;
        let shallow = Contents { with_records: false, ..ALL };
        assert!(told(&bytes, &shallow).0[1].ends_with("isvalid: false"));
    }

    #[test]
    fn the_end_of_a_transaction_is_told() {
        let marker = end_txn_marker(1_000, 9, 1, true, 5);
        let line = told(&marker, &ALL).0.pop().unwrap();
        assert!(line.ends_with("headerKeys: [] endTxnMarker: COMMIT coordinatorEpoch: 5"), "{line}");
    }

    #[test]
    fn numbers_are_told_as_numbers_and_sequences_begin_again() {
        assert_eq!(Decoder::parse("org.apache.kafka.tools.api.LongDecoder"), Ok(Decoder::Long));
        assert_eq!(Decoder::Integer.tell(&Bytes::from_static(&[0, 0, 1, 0])), Ok("256".to_owned()));
        assert!(Decoder::Integer.tell(&Bytes::from_static(b"k")).is_err());
        assert_eq!(sequence(i32::MAX, 1), 0);
    }
}
