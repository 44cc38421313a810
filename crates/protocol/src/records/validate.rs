//! What a broker demands of batches that clients send.

use std::fmt;

use super::batch::verify;
use super::header::HEADER_BYTES;
use super::stream::{Glance, RecordStream};
use super::{BatchError, BatchHeader, NO_TIMESTAMP, RecordRefs, TimestampType};
use crate::ErrorCode;
use crate::compression::{Compression, decoder};

/// The most records whose faults are listed; a batch could hold millions.
const LISTED_MAX: usize = 100;
/// The most that are shown in a sentence.
const SHOWN_MAX: usize = 3;

/// What a topic demands of the records that clients send to it.
#[derive(Clone, Copy, Debug)]
pub struct ClientRules {
    /// `cleanup.policy` has `compact`: every record needs a key.
    pub compacted: bool,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far a timestamp may lie in the past.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far it may lie in the future.
    pub timestamp_after_max_ms: i64,
    /// Whether compressed batches are opened even where the topic is not compacted. If not, their header is taken at its word.
    pub open_compressed: bool,
    /// What decompression may produce, in bytes.
    pub inflated_bytes_max: usize,
}

/// A batch that was found valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidBatch {
    /// Its header, as the client sent it.
    pub header: BatchHeader,
    /// The max timestamp to be [set](super::set_max_timestamp): that of the records if they were looked at, or of the append.
    pub max_timestamp: i64,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// No key, on a compacted topic.
    NoKey,
    /// The timestamp, in milliseconds, is further from now than the topic allows.
    TimestampOutOfRange {
        /// That of the record.
        timestamp: i64,
        /// The smallest that is allowed.
        earliest: i64,
        /// The largest.
        latest: i64,
    },
    /// The client says that its timestamps are those of the append.
    LogAppendTime(RecordOutline),
    /// The offset is not the one after that of the record before.
    OffsetNotSequential(RecordOutline),
}

/// What is told of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordOutline {
    /// From the batch's base offset.
    pub offset_delta: i32,
    /// In milliseconds since 1970.
    pub timestamp: i64,
    /// Of the key; 0 for none.
    pub key_bytes: usize,
    /// Of the value; 0 for none.
    pub value_bytes: usize,
}

impl fmt::Display for RecordOutline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RecordOutline { offset_delta, timestamp, key_bytes, value_bytes } = self;
        write!(
            f,
            "DefaultRecord(offset={offset_delta}, timestamp={timestamp}, key={key_bytes} bytes, value={value_bytes} bytes)"
        )
    }
}

/// A record that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Place of the record in its batch, from 0; field `batch_index` of the Produce response.
    pub batch_index: i32,
    /// Why.
    pub fault: RecordFault,
}

impl RecordError {
    /// What to answer of a record for a partition, in Kafka's words.
    pub fn told(&self, partition: &dyn fmt::Display) -> String {
        let place = self.batch_index;
        match self.fault {
            RecordFault::NoKey => {
                format!("Compacted topic cannot accept message without key in topic partition {partition}")
            }
            RecordFault::TimestampOutOfRange { timestamp, earliest, latest } => format!(
                "Timestamp {timestamp} of message with offset {place} is out of range. The timestamp should be within \
                 [{earliest}, {latest}]"
            ),
            RecordFault::LogAppendTime(record) => format!(
                "Invalid timestamp type in message {record}. Producer should not set timestamp type to LogAppendTime."
            ),
            RecordFault::OffsetNotSequential(record) => format!(
                "Inner record {record} inside the compressed record batch does not have incremental offsets, expected offset is \
                 {place} in topic partition {partition}."
            ),
        }
    }
}

/// Why a batch was refused. All of it is: not one of its records is appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRecords {
    /// What to answer.
    pub error: ErrorCode,
    /// More about it.
    pub message: String,
    /// The records at fault, the first hundred of them; empty if the batch as a whole is.
    pub record_errors: Vec<RecordError>,
}

impl InvalidRecords {
    fn batch(error: ErrorCode, message: impl Into<String>) -> InvalidRecords {
        InvalidRecords { error, message: message.into(), record_errors: Vec::new() }
    }

    fn records(record_errors: Vec<RecordError>, count: usize) -> InvalidRecords {
        let about_time =
            |fault| matches!(fault, RecordFault::TimestampOutOfRange { .. } | RecordFault::LogAppendTime(_));
        let (error, why) = if record_errors.iter().any(|record| about_time(record.fault)) {
            (ErrorCode::InvalidTimestamp, "invalid timestamp".to_owned())
        } else {
            (ErrorCode::InvalidRecord, format!("{count} record errors in total"))
        };
        let message = format!("One or more records have been rejected due to {why}");
        InvalidRecords { error, message, record_errors }
    }

    /// What to answer for a partition, in Kafka's words where it has some.
    pub fn told(&self, partition: &dyn fmt::Display) -> String {
        let told = |error: &RecordError| {
            let RecordError { batch_index, .. } = error;
            format!("RecordError(batchIndex={batch_index}, message='{}')", error.told(partition))
        };
        match &self.record_errors[..] {
            [] => self.message.clone(),
            _ if self.error == ErrorCode::InvalidTimestamp => self.message.clone(),
            errors => {
                let first: Vec<String> = errors.iter().take(SHOWN_MAX).map(told).collect();
                format!(
                    "{}, and only showing the first three errors at most: [{}]",
                    self.message,
                    first.join(", ")
                )
            }
        }
    }
}

impl From<BatchError> for InvalidRecords {
    fn from(error: BatchError) -> InvalidRecords {
        // The codes that Apache Kafka 4.3.1 answers with.
        let code = match &error {
            BatchError::InvalidRecord(_)
            | BatchError::InvalidCount { .. }
            | BatchError::TrailingBytes(_)
            | BatchError::Short { .. }
            | BatchError::UnsupportedMagic(0 | 1) => ErrorCode::InvalidRecord,
            BatchError::UnknownCompression(_) | BatchError::Compression(_) => ErrorCode::UnknownServerError,
            BatchError::TooLarge { .. } => ErrorCode::MessageTooLarge,
            BatchError::InvalidLength(_)
            | BatchError::UnsupportedMagic(_)
            | BatchError::CorruptCrc { .. } => ErrorCode::CorruptMessage,
        };
        InvalidRecords::batch(code, error.to_string())
    }
}

/// Checks what a client sent for one partition: exactly one batch, intact, with records that the topic takes.
///
/// Records are walked without being copied, and compressed ones without being held in memory; those are only looked at if the rules
/// say so.
pub fn validate_records(
    batch: &[u8],
    rules: &ClientRules,
    now_ms: i64,
) -> Result<ValidBatch, InvalidRecords> {
    let header = verify(batch)?;
    validate_header(&header)?;
    let mut walk = Walk::new(&header, rules, now_ms);
    match header.compression()? {
        Compression::None => {
            let records = RecordRefs::new(header.records_count, &batch[HEADER_BYTES..]);
            walk.all(records.map(|record| record.map(|record| Glance::of(&record))))?;
        }
        compression if rules.compacted || rules.open_compressed => {
            let decoder = decoder(compression, &batch[HEADER_BYTES..], rules.inflated_bytes_max);
            walk.all(RecordStream::new(header.records_count, decoder.map_err(BatchError::from)?))?;
        }
        _ => walk.header_alone(),
    }
    walk.finish()
}

/// Checks the header of a client's batch: that it starts at offset 0, counts its records rightly, has a sequence if it has a
/// producer id, and is no control batch.
pub fn validate_header(header: &BatchHeader) -> Result<(), InvalidRecords> {
    let refuse = |message: &str| Err(InvalidRecords::batch(ErrorCode::InvalidRecord, message));
    if header.base_offset != 0 {
        return refuse("the base offset of a client's batch must be 0");
    }
    if header.records_count <= 0 || i64::from(header.records_count) != i64::from(header.last_offset_delta) + 1
    {
        return refuse("the number of records is not that of the offsets");
    }
    if header.has_producer_id() && header.base_sequence < 0 {
        return refuse("a batch with a producer id needs a sequence");
    }
    if header.is_control() {
        return refuse("clients may not write control records");
    }
    Ok(())
}

/// A walk along the records of a batch, which gathers what is wrong with them.
struct Walk<'a> {
    header: &'a BatchHeader,
    rules: &'a ClientRules,
    now_ms: i64,
    max_timestamp: i64,
    faults: Vec<RecordError>,
    faults_count: usize,
}

impl<'a> Walk<'a> {
    fn new(header: &'a BatchHeader, rules: &'a ClientRules, now_ms: i64) -> Walk<'a> {
        Walk { header, rules, now_ms, max_timestamp: NO_TIMESTAMP, faults: Vec::new(), faults_count: 0 }
    }

    fn all(&mut self, records: impl Iterator<Item = Result<Glance, BatchError>>) -> Result<(), BatchError> {
        for (index, record) in (0..).zip(records) {
            let record = record?;
            let timestamp = self.header.timestamp_at(record.timestamp_delta);
            self.max_timestamp = self.max_timestamp.max(timestamp);
            if let Some(fault) = self.fault(&record, index, timestamp) {
                self.add(index, fault);
            }
        }
        Ok(())
    }

    /// As Kafka has it, a record counts for its first fault only.
    fn fault(&self, record: &Glance, index: i32, timestamp: i64) -> Option<RecordFault> {
        let outline = || RecordOutline {
            offset_delta: record.offset_delta,
            timestamp,
            key_bytes: record.key_bytes.unwrap_or(0),
            value_bytes: record.value_bytes.unwrap_or(0),
        };
        if record.offset_delta != index {
            return Some(RecordFault::OffsetNotSequential(outline()));
        }
        if self.rules.compacted && record.key_bytes.is_none() {
            return Some(RecordFault::NoKey);
        }
        self.timestamp_fault(timestamp, outline)
    }

    fn timestamp_fault(&self, timestamp: i64, record: impl FnOnce() -> RecordOutline) -> Option<RecordFault> {
        if self.rules.timestamp_type == TimestampType::CreateTime && timestamp != NO_TIMESTAMP {
            let earliest = self.now_ms.saturating_sub(self.rules.timestamp_before_max_ms);
            let latest = self.now_ms.saturating_add(self.rules.timestamp_after_max_ms);
            let in_range = (earliest..=latest).contains(&timestamp);
            return (!in_range).then_some(RecordFault::TimestampOutOfRange { timestamp, earliest, latest });
        }
        (self.header.timestamp_type() == TimestampType::LogAppendTime)
            .then(|| RecordFault::LogAppendTime(record()))
    }

    fn header_alone(&mut self) {
        self.max_timestamp = self.header.max_timestamp;
        let timestamp = self.header.max_timestamp;
        let last = || RecordOutline {
            offset_delta: self.header.last_offset_delta,
            timestamp,
            key_bytes: 0,
            value_bytes: 0,
        };
        if let Some(fault) = self.timestamp_fault(timestamp, last) {
            self.add(0, fault);
        }
    }

    fn add(&mut self, batch_index: i32, fault: RecordFault) {
        self.faults_count += 1;
        if self.faults.len() < LISTED_MAX {
            self.faults.push(RecordError { batch_index, fault });
        }
    }

    fn finish(self) -> Result<ValidBatch, InvalidRecords> {
        if self.faults_count > 0 {
            return Err(InvalidRecords::records(self.faults, self.faults_count));
        }
        let max_timestamp = match self.rules.timestamp_type {
            TimestampType::CreateTime => self.max_timestamp,
            TimestampType::LogAppendTime => self.now_ms,
        };
        Ok(ValidBatch { header: *self.header, max_timestamp })
    }
}
