//! What is checked of records before they are appended, without looking at the log.

use bytes::{Bytes, BytesMut};
use protocol::compression::Compressor;
use protocol::records::{
    BatchBuilder, BatchError, BatchHeader, Batches, EndTxn, HEADER_BYTES, TimestampType, read_end_txn,
    records, set_max_timestamp, validate_records, verify,
};

use super::config::INFLATED_BYTES_MAX;
use super::{AppendInfo, LogConfig, Origin};
use crate::AppendError;

/// Records that may be appended.
#[derive(Debug)]
pub(super) struct Checked {
    /// The batches, to be given their offsets.
    pub(super) bytes: BytesMut,
    /// Their headers, in order.
    pub(super) batches: Vec<CheckedBatch>,
    /// -1 unless the records have the time of their append.
    pub(super) log_append_time_ms: i64,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct CheckedBatch {
    pub(super) header: BatchHeader,
    /// What it says if it ends a transaction.
    pub(super) marker: Option<EndTxn>,
}

impl CheckedBatch {
    fn of(header: BatchHeader, bytes: &[u8]) -> Result<CheckedBatch, AppendError> {
        let marker = if header.is_control() { read_end_txn(bytes)? } else { None };
        Ok(CheckedBatch { header, marker })
    }
}

/// Checks records as their origin demands, and sets their timestamps as the topic does.
pub(super) fn check(records: Bytes, info: &AppendInfo, config: &LogConfig) -> Result<Checked, AppendError> {
    let checked = match info.origin {
        Origin::Client => check_client(records, info, config)?,
        Origin::Coordinator | Origin::Raft => check_internal(records)?,
    };
    let (size, size_max) = (checked.bytes.len(), config.segment_bytes as usize);
    if info.origin != Origin::Raft {
        check_sizes(&checked, config)?;
    }
    if size > size_max {
        return Err(AppendError::RecordListTooLarge { size, size_max });
    }
    Ok(checked)
}

fn check_sizes(checked: &Checked, config: &LogConfig) -> Result<(), AppendError> {
    let size_max = config.batch_bytes_max as usize;
    let largest = checked.batches.iter().map(|batch| batch.header.size_in_bytes()).max().unwrap_or(0);
    if largest > size_max { Err(AppendError::MessageTooLarge { size: largest, size_max }) } else { Ok(()) }
}

fn check_client(bytes: Bytes, info: &AppendInfo, config: &LogConfig) -> Result<Checked, AppendError> {
    // Before anything is opened, and as the client compressed it: what it becomes is looked at too.
    let size_max = config.batch_bytes_max as usize;
    if bytes.len() > size_max {
        verify(&bytes)?;
        return Err(AppendError::MessageTooLarge { size: bytes.len(), size_max });
    }
    let valid = validate_records(&bytes, &config.client_rules(), info.now_ms)?;
    let bytes = recompress(bytes, &valid.header, config)?;
    let mut bytes = bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    set_max_timestamp(&mut bytes, config.timestamp_type, valid.max_timestamp);
    let append_time = config.timestamp_type == TimestampType::LogAppendTime;
    let header = BatchHeader::parse(&bytes)?;
    Ok(Checked {
        batches: vec![CheckedBatch::of(header, &bytes)?],
        bytes,
        log_append_time_ms: if append_time { info.now_ms } else { -1 },
    })
}

/// The batch as the topic wants it compressed.
fn recompress(batch: Bytes, header: &BatchHeader, config: &LogConfig) -> Result<Bytes, AppendError> {
    match config.compression {
        Some(wanted) if wanted.compression != header.compression()? => rebuild(&batch, header, wanted),
        _ => Ok(batch),
    }
}

fn rebuild(batch: &Bytes, header: &BatchHeader, wanted: Compressor) -> Result<Bytes, AppendError> {
    let mut builder = BatchBuilder::new(header.base_offset, wanted);
    if header.has_producer_id() {
        builder = builder.producer(header.producer_id, header.producer_epoch, header.base_sequence);
    }
    if header.is_transactional() {
        builder = builder.transactional();
    }
    for record in records(batch, INFLATED_BYTES_MAX)? {
        let record = record?;
        builder.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), &record.headers);
    }
    Ok(builder.build())
}

fn check_internal(bytes: Bytes) -> Result<Checked, AppendError> {
    if bytes.is_empty() {
        return Err(BatchError::Short { needed: HEADER_BYTES, remaining: 0 }.into());
    }
    let mut batches = Vec::with_capacity(1);
    for batch in Batches::new(&bytes) {
        let (_, batch) = batch?;
        batches.push(CheckedBatch::of(verify(batch)?, batch)?);
    }
    let bytes = bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    Ok(Checked { bytes, batches, log_append_time_ms: -1 })
}
