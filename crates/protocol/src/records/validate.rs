//! What a broker demands of batches that clients send.

use std::fmt;

use super::batch::verify;
use super::header::HEADER_BYTES;
use super::{BatchError, BatchHeader, NO_TIMESTAMP, RecordRef, RecordRefs, TimestampType};
use crate::ErrorCode;
use crate::compression::{Compression, decompress};

/// The most records whose faults are listed; a batch could hold millions.
const LISTED_MAX: usize = 100;

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
    TimestampOutOfRange(i64),
    /// The client says that its timestamps are those of the append.
    LogAppendTime,
    /// The offset is not the one after that of the record before.
    OffsetNotSequential,
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordFault::NoKey => f.write_str("a compacted topic takes no record without a key"),
            RecordFault::TimestampOutOfRange(timestamp) => {
                write!(f, "timestamp {timestamp} is further from now than the topic allows")
            }
            RecordFault::LogAppendTime => {
                f.write_str("a client may not set the timestamp type LogAppendTime")
            }
            RecordFault::OffsetNotSequential => {
                f.write_str("the offsets within the batch are not sequential")
            }
        }
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
            |fault| matches!(fault, RecordFault::TimestampOutOfRange(_) | RecordFault::LogAppendTime);
        let timestamp = record_errors.iter().any(|record| about_time(record.fault));
        let error = if timestamp { ErrorCode::InvalidTimestamp } else { ErrorCode::InvalidRecord };
        let first =
            record_errors.first().map(|first| format!(": record {}: {}", first.batch_index, first.fault));
        let message = format!("{count} records were refused{}", first.unwrap_or_default());
        InvalidRecords { error, message, record_errors }
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
/// Records are walked without being copied. Those of a compressed batch are only looked at if the rules say so.
pub fn validate_records(
    batch: &[u8],
    rules: &ClientRules,
    now_ms: i64,
) -> Result<ValidBatch, InvalidRecords> {
    let header = verify(batch)?;
    validate_header(&header)?;
    let mut walk = Walk::new(&header, rules, now_ms);
    match header.compression()? {
        Compression::None => walk.all(&batch[HEADER_BYTES..])?,
        compression if rules.compacted || rules.open_compressed => {
            walk.all(
                &decompress(compression, &batch[HEADER_BYTES..], rules.inflated_bytes_max)
                    .map_err(BatchError::from)?,
            )?;
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

    fn all(&mut self, payload: &[u8]) -> Result<(), BatchError> {
        for (index, record) in (0..).zip(RecordRefs::new(self.header.records_count, payload)) {
            let record = record?;
            let timestamp = self.header.timestamp_of(&record);
            self.max_timestamp = self.max_timestamp.max(timestamp);
            if let Some(fault) = self.fault(&record, index, timestamp) {
                self.add(index, fault);
            }
        }
        Ok(())
    }

    /// As Kafka has it, a record counts for its first fault only.
    fn fault(&self, record: &RecordRef<'_>, index: i32, timestamp: i64) -> Option<RecordFault> {
        if record.offset_delta != index {
            return Some(RecordFault::OffsetNotSequential);
        }
        if self.rules.compacted && record.key.is_none() {
            return Some(RecordFault::NoKey);
        }
        self.timestamp_fault(timestamp)
    }

    fn timestamp_fault(&self, timestamp: i64) -> Option<RecordFault> {
        if self.rules.timestamp_type == TimestampType::CreateTime && timestamp != NO_TIMESTAMP {
            let age_ms = self.now_ms.saturating_sub(timestamp);
            let in_range = age_ms <= self.rules.timestamp_before_max_ms
                && age_ms.saturating_neg() <= self.rules.timestamp_after_max_ms;
            return (!in_range).then_some(RecordFault::TimestampOutOfRange(timestamp));
        }
        (self.header.timestamp_type() == TimestampType::LogAppendTime).then_some(RecordFault::LogAppendTime)
    }

    fn header_alone(&mut self) {
        self.max_timestamp = self.header.max_timestamp;
        if let Some(fault) = self.timestamp_fault(self.header.max_timestamp) {
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
