//! Record batches of version 2, viewed, checked and edited in place, and built where there are none yet.
//!
//! A batch is 61 bytes of header and then its records, which may be compressed together. The layout, big-endian, at these places:
//!
//! | at | field | | at | field |
//! |---|---|---|---|---|
//! | 0 | base offset, i64 | | 23 | last offset delta, i32 |
//! | 8 | length of what follows, i32 | | 27 | base timestamp, i64 |
//! | 12 | partition leader epoch, i32 | | 35 | max timestamp, i64 |
//! | 16 | magic 2, i8 | | 43 | producer id, i64 |
//! | 17 | CRC-32C from 21 to the end, u32 | | 51 | producer epoch, i16 |
//! | 21 | attributes, i16 | | 53 | base sequence, i32 |
//! | | | | 57 | number of records, i32 |
//!
//! The broker sets base offset and leader epoch, which is why the checksum does not cover them (KIP-98).

mod batch;
mod builder;
mod compact;
mod control;
mod cursor;
mod edit;
mod error;
mod header;
mod record;
mod stream;
mod validate;

pub use batch::{Batches, verify};
pub use builder::BatchBuilder;
pub use compact::{KeptRecords, empty_batch, placed_records};
pub use control::{ControlRecord, ControlType, EndTxn, control_batch, end_txn_marker, read_end_txn};
pub use edit::{set_base_offset_and_epoch, set_max_timestamp};
pub use error::BatchError;
pub use header::{BATCH_OVERHEAD, BatchHeader, HEADER_BYTES, LENGTH_END, MAGIC, TimestampType};
pub use record::{Header, HeaderRefs, Record, RecordIter, RecordRef, RecordRefs, records};
pub use validate::{
    ClientRules, InvalidRecords, RecordError, RecordFault, RecordOutline, ValidBatch, validate_header,
    validate_records,
};

/// The timestamp of a record that has none.
pub const NO_TIMESTAMP: i64 = -1;
/// The producer id of a batch whose producer is neither idempotent nor transactional.
pub const NO_PRODUCER_ID: i64 = -1;
/// The producer epoch that goes with [`NO_PRODUCER_ID`].
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// The sequence of a batch without one: of a plain producer, or a control batch.
pub const NO_SEQUENCE: i32 = -1;
/// The leader epoch of a batch that no leader has seen yet.
pub const NO_LEADER_EPOCH: i32 = -1;
