//! A partition's log: what is appended to it goes to memory and the journal first, and to its segments later.
//!
//! | lock | protects | held |
//! |---|---|---|
//! | `writer` | the order of appends, producers | while a batch gets its offsets; never over a disk, but for cutting the log |
//! | `tail` | the newest batches | for pushing and cloning pointers |
//! | `segments` | the list of segments | for looking something up in it |
//! | `destage` | the end of the segments | while batches are written to them |
//!
//! Whoever holds one of them may take those below it. Readers take `tail` and `segments` only.

mod append;
mod config;
mod cut;
mod destage;
mod lookup;
mod open;
mod producer_files;
mod read;
mod request;
mod roll;
mod validate;
mod watch;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};

pub use config::LogConfig;
pub(crate) use destage::SegmentWriter;
pub(crate) use open::{LogFiles, LogRecovery, Replay};
pub use request::{
    AppendInfo, Appended, LogSlice, OffsetSpec, Origin, ReadLimit, ReadRequest, SliceData, TimestampOffset,
};
pub use watch::Watch;

use crate::files::leader_epochs::LeaderEpochs;
use crate::files::transaction_index::AbortedTransaction;
use crate::journal::{Lsn, Owner};
use crate::log_dir::Context;
use crate::producers::Producers;
use crate::segment::{Segment, SegmentHome};
use crate::tail::Tail;
use crate::{StorageError, TopicIdPartition};
use destage::Destage;
use producer_files::PendingSnapshot;
use roll::ActiveFacts;
use watch::Watchers;

/// From how many bytes on a log's batches are written to its segment, if nothing else asks for it earlier.
const DESTAGE_BYTES: usize = 1024 * 1024;
/// Stands for no open transaction.
const NO_TRANSACTION: i64 = i64::MAX;

/// A partition's log.
pub struct Log {
    id: TopicIdPartition,
    home: Arc<SegmentHome>,
    context: Arc<Context>,
    config: ArcSwap<LogConfig>,
    writer: Mutex<Writer>,
    tail: RwLock<Tail>,
    segments: RwLock<Vec<Arc<Segment>>>,
    destage: Mutex<Destage>,
    epochs: RwLock<LeaderEpochs>,
    watchers: Watchers,
    log_start: AtomicI64,
    /// All below is in the journal or the segments, on disk.
    durable_end: AtomicI64,
    /// All below is in the segments, perhaps not on disk yet.
    destaged_end: AtomicI64,
    /// All below is in the segments, on disk.
    recovery_point: AtomicI64,
    /// Where the first open transaction begins.
    first_unstable: AtomicI64,
    /// The last two producer snapshots that belong to no segment, or -1.
    kept_snapshots: Mutex<[i64; 2]>,
    /// Bytes that are durable and not in a segment.
    ready_bytes: AtomicUsize,
    /// It waits to be destaged.
    queued: AtomicBool,
    /// Something was appended since the last checkpoint.
    dirty: AtomicBool,
    /// Watchers are about to be called.
    notifying: AtomicBool,
    /// Appends were lost, and the log must go back to its durable end before it takes more.
    broken: AtomicBool,
    closed: AtomicBool,
    deleted: AtomicBool,
}

/// What only those see who append.
struct Writer {
    producers: Producers,
    active: ActiveFacts,
    /// The last append.
    last_lsn: Lsn,
    /// Producer snapshots for offsets that are not in the segments yet.
    snapshots: Vec<PendingSnapshot>,
    /// Aborted transactions whose markers are not in the segments yet.
    aborted: Vec<AbortedTransaction>,
}

impl Log {
    /// The partition.
    pub fn id(&self) -> &TopicIdPartition {
        &self.id
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.home.dir
    }

    /// The offset of the first record that may be read.
    pub fn log_start_offset(&self) -> i64 {
        self.log_start.load(Ordering::Acquire)
    }

    /// The offset after the last record, in memory or on disk.
    pub fn log_end_offset(&self) -> i64 {
        self.tail.read().end_offset()
    }

    /// The offset after the last record that is on disk.
    pub fn durable_end_offset(&self) -> i64 {
        self.durable_end.load(Ordering::Acquire)
    }

    /// All below this offset is in the segments, on disk.
    pub fn recovery_point(&self) -> i64 {
        self.recovery_point.load(Ordering::Acquire)
    }

    /// The offset after the last record that consumers may see. With one replica that is what is on disk, or all that there is
    /// if the topic's answers do not wait for the disk.
    pub fn high_watermark(&self) -> i64 {
        if self.config.load().ack_from_memory { self.log_end_offset() } else { self.durable_end_offset() }
    }

    /// The offset after the last record that consumers may see who only read what is committed.
    pub fn last_stable_offset(&self) -> i64 {
        self.high_watermark().min(self.first_unstable.load(Ordering::Acquire))
    }

    /// The newest epoch of a leader that appended something.
    pub fn latest_epoch(&self) -> Option<i32> {
        self.epochs.read().latest().map(|latest| latest.epoch)
    }

    /// The largest epoch not above the one asked for, and where it ends, exclusive (OffsetForLeaderEpoch).
    pub fn end_offset_for_epoch(&self, epoch: i32) -> Option<(i32, i64)> {
        self.epochs.read().end_offset_for(epoch, self.log_end_offset())
    }

    /// Bytes of its batches, on disk or only in memory.
    pub fn size_bytes(&self) -> u64 {
        let in_memory: usize = {
            let tail = self.tail.read();
            let destaged_end = self.destaged_end.load(Ordering::Acquire);
            tail.since(destaged_end).map(|batch| batch.bytes.len()).sum()
        };
        self.segments.read().iter().map(|segment| segment.size()).sum::<u64>() + in_memory as u64
    }

    /// Its settings.
    pub fn config(&self) -> Arc<LogConfig> {
        self.config.load_full()
    }

    /// Sets its settings; they hold from the next append on.
    pub fn update_config(&self, config: LogConfig) {
        self.config.store(Arc::new(config));
    }

    /// Whether reading at this offset may have to wait for the disk.
    pub fn is_cold(&self, offset: i64) -> bool {
        offset < self.tail.read().start_offset()
    }

    /// Registers a callback for every move of the high watermark, until the handle is dropped. To miss none, register first and
    /// read then. It may be called from any thread, without need too, and must not block.
    pub fn watch(self: &Arc<Self>, callback: Arc<dyn Fn() + Send + Sync>) -> Watch {
        Watch { id: self.watchers.add(callback), log: self.clone() }
    }

    fn check_usable(&self) -> Result<(), StorageError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StorageError::Closed);
        }
        if self.broken.load(Ordering::Acquire) {
            let failure = self.context.journal.failure();
            return Err(failure.unwrap_or(StorageError::Failing("appends were lost".into())));
        }
        Ok(())
    }

    /// Lets no more appends in.
    pub(crate) fn close(&self) {
        let _writer = self.writer.lock();
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    /// Whether the log starts elsewhere than its first segment.
    pub(crate) fn starts_within_segment(&self) -> bool {
        let first = self.segments.read().first().map(|segment| segment.base_offset());
        first.is_some_and(|first| first < self.log_start_offset())
    }

    /// Says that a checkpoint is about to take in what was appended.
    pub(crate) fn clear_dirty(&self) {
        self.dirty.store(false, Ordering::Release);
    }

    /// The checkpoint failed.
    pub(crate) fn mark_dirty_again(self: &Arc<Self>) {
        self.mark_dirty();
    }

    /// Lets go of everything in memory, for the log is deleted, and does away with its directory while nobody writes there.
    pub(crate) fn delete<T>(&self, do_away: impl FnOnce() -> T) -> T {
        let _state = self.destage.lock();
        self.deleted.store(true, Ordering::Release);
        let cost = self.tail.write().clear();
        self.context.budget.give_back(cost);
        do_away()
    }

    /// Notes what ended below the high watermark, so that the last stable offset may move on.
    fn settle_transactions(&self, writer: &mut Writer) {
        writer.producers.high_watermark_moved(self.high_watermark());
        let first = writer.producers.first_unstable_offset();
        self.first_unstable.store(first.unwrap_or(NO_TRANSACTION), Ordering::Release);
    }

    fn mark_dirty(self: &Arc<Self>) {
        if !self.dirty.swap(true, Ordering::AcqRel) {
            self.context.work.add_dirty(self.clone());
        }
    }
}

impl Owner for Log {
    fn id(&self) -> &TopicIdPartition {
        &self.id
    }

    fn advance(self: Arc<Self>, end_offset: i64, bytes: usize) -> bool {
        self.durable_end.fetch_max(end_offset, Ordering::AcqRel);
        let ready = self.ready_bytes.fetch_add(bytes, Ordering::AcqRel) + bytes;
        self.mark_dirty();
        if ready >= DESTAGE_BYTES && !self.queued.swap(true, Ordering::AcqRel) {
            self.context.work.add_ready(self.clone());
        }
        !self.notifying.swap(true, Ordering::AcqRel)
    }

    fn notify(&self) {
        self.notifying.store(false, Ordering::Release);
        if self.first_unstable.load(Ordering::Acquire) != NO_TRANSACTION
            // Whoever holds the lock does it himself.
            && let Some(mut writer) = self.writer.try_lock()
        {
            self.settle_transactions(&mut writer);
        }
        self.watchers.call();
    }

    fn fail(self: Arc<Self>) {
        if !self.broken.swap(true, Ordering::AcqRel) {
            self.context.work.add_broken(self.clone());
        }
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Log({} {}..{})", self.id, self.log_start_offset(), self.log_end_offset())
    }
}
