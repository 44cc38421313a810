//! What a broker changes in a batch that it appends, in place.

use super::TimestampType;
use super::batch::checksum;
use super::header::{ATTRIBUTES_AT, CRC_AT, EPOCH_AT, LOG_APPEND_TIME, MAX_TIMESTAMP_AT};

/// Sets the offset of the first record and the epoch of the leader. The checksum covers neither.
///
/// # Panics
/// If the slice is shorter than a header. It is meant for batches that were verified.
pub fn set_base_offset_and_epoch(batch: &mut [u8], base_offset: i64, leader_epoch: i32) {
    batch[..8].copy_from_slice(&base_offset.to_be_bytes());
    batch[EPOCH_AT..EPOCH_AT + 4].copy_from_slice(&leader_epoch.to_be_bytes());
}

/// Sets what the timestamps mean and the largest of them, in milliseconds, and the checksum if that changed anything.
/// The slice is exactly one batch.
///
/// # Panics
/// If the slice is shorter than a header. It is meant for batches that were verified.
pub fn set_max_timestamp(batch: &mut [u8], timestamp_type: TimestampType, max_timestamp: i64) {
    let before = [batch[ATTRIBUTES_AT], batch[ATTRIBUTES_AT + 1]];
    let attributes = match timestamp_type {
        TimestampType::CreateTime => i16::from_be_bytes(before) & !LOG_APPEND_TIME,
        TimestampType::LogAppendTime => i16::from_be_bytes(before) | LOG_APPEND_TIME,
    };
    let timestamp = &mut batch[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8];
    if before == attributes.to_be_bytes() && timestamp == max_timestamp.to_be_bytes() {
        return;
    }
    timestamp.copy_from_slice(&max_timestamp.to_be_bytes());
    batch[ATTRIBUTES_AT..ATTRIBUTES_AT + 2].copy_from_slice(&attributes.to_be_bytes());
    let crc = checksum(batch);
    batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
}
