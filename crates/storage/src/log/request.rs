//! What is asked of a log, and what it answers.

use std::sync::Arc;

use bytes::Bytes;
use host::File;

use crate::journal::Lsn;
use crate::log_dir::ColdReads;

/// Who appends, which decides how strictly the records are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A producer: one batch, checked in every respect.
    Client,
    /// A coordinator of this cluster: batches that are intact.
    Coordinator,
    /// The quorum: batches that are intact.
    Raft,
}

/// What goes with records that are to be appended.
#[derive(Clone, Copy, Debug)]
pub struct AppendInfo {
    /// Epoch of the partition's leader.
    pub leader_epoch: i32,
    /// The time, in milliseconds since 1970.
    pub now_ms: i64,
    /// Who appends.
    pub origin: Origin,
}

/// Records were appended, to memory so far: they are on disk once the journal has reached `position`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Offset of the last record.
    pub last_offset: i64,
    /// The time of the append in milliseconds, or -1 if the records keep the time that the client gave them.
    pub log_append_time_ms: i64,
    /// Where the log starts.
    pub log_start_offset: i64,
    /// What to wait for, see [`Journal::when_durable`](crate::Journal::when_durable).
    pub position: Lsn,
    /// Whether the batch was there already.
    pub duplicate: bool,
}

/// How far a reader may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadLimit {
    /// All that was appended: followers, and the quorum.
    LogEnd,
    /// What is committed.
    HighWatermark,
    /// What is committed and belongs to no open transaction.
    LastStable,
}

/// What to read.
#[derive(Clone, Copy, Debug)]
pub struct ReadRequest {
    /// Offset of the first record. Its whole batch is read.
    pub offset: i64,
    /// The most to read.
    pub max_bytes: usize,
    /// Whether to read one batch even if it is larger than that.
    pub min_one_batch: bool,
    /// How far to read.
    pub up_to: ReadLimit,
}

/// What was read, and the log's offsets at that moment; all ends are exclusive.
pub struct LogSlice {
    /// Up to where the log is committed.
    pub high_watermark: i64,
    /// Up to where it is committed and without open transactions.
    pub last_stable_offset: i64,
    /// Where it starts.
    pub log_start_offset: i64,
    /// Where it ends.
    pub log_end_offset: i64,
    /// Whole batches.
    pub data: SliceData,
}

/// Whole batches, where they are.
pub enum SliceData {
    /// None.
    Empty,
    /// In memory.
    Memory(Vec<Bytes>),
    /// A part of a file.
    File {
        /// The file.
        file: Arc<dyn File>,
        /// Where the part begins.
        position: u64,
        /// Its size in bytes.
        len: usize,
        /// The offset after its last record; it may be larger if compaction took records away.
        end_offset: i64,
        /// What is to be read with, if it is read past the page cache, so that producers do not wait for it.
        cold_reads: Arc<ColdReads>,
    },
}

impl SliceData {
    /// Size in bytes.
    pub fn len(&self) -> usize {
        match self {
            SliceData::Empty => 0,
            SliceData::Memory(batches) => batches.iter().map(Bytes::len).sum(),
            SliceData::File { len, .. } => *len,
        }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What offset is asked for (ListOffsets).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// Of the first record whose timestamp, in milliseconds, is not below this.
    Timestamp(i64),
    /// The log's end as the limit has it; -1 on the wire.
    Latest,
    /// The log's start; -2 on the wire.
    Earliest,
    /// Of the record with the largest timestamp; -3 on the wire.
    MaxTimestamp,
    /// Where the part of the log starts that is on this broker; -4 on the wire.
    EarliestLocal,
    /// Where the part ends that was moved to other storage; -5 on the wire. None so far.
    LatestTiered,
}

/// An offset with what is known about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// Timestamp in milliseconds, or -1.
    pub timestamp: i64,
    /// The offset.
    pub offset: i64,
    /// Epoch of the leader that appended it, or -1.
    pub leader_epoch: i32,
}
