//! A partition's log: what is appended to it goes to memory and the journal first, and to its segments later.
//!
//! | lock | protects | held |
//! |---|---|---|
//! | `frozen` | whether appends are let in | while one is under way; never over a disk |
//! | `writer` | the order of appends, producers | while a batch gets its offsets; never over a disk, but for cutting the log |
//! | `tail` | the newest batches | for pushing and cloning pointers |
//! | `segments` | the list of segments | for looking something up in it |
//! | `destage` | the end of the segments | while batches are written to them |
//!
//! Whoever holds one of them may take those below it. Readers take `tail` and `segments` only.

mod aborted;
mod append;
mod compaction;
mod config;
mod copy;
mod counts;
mod cut;
mod destage;
mod lookup;
mod open;
mod producer_files;
mod read;
mod request;
mod retention;
mod roll;
mod start;
mod validate;
mod watch;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};

pub(crate) use compaction::Inactive;
pub(crate) use config::INFLATED_BYTES_MAX;
pub use config::LogConfig;
use counts::Counts;
pub use counts::{LogCounts, TailBytes};
pub(crate) use destage::SegmentWriter;
pub(crate) use open::{LogFiles, LogRecovery, Replay};
pub use request::{
    AppendInfo, Appended, LogSlice, OffsetSpec, Origin, ReadLimit, ReadRequest, SliceData, TimestampOffset,
};
pub(crate) use retention::RetentionPlan;
pub use watch::Watch;

use crate::files::leader_epochs::LeaderEpochs;
use crate::files::producer_snapshot::ProducerEntry;
use crate::journal::{Lsn, Owner};
use crate::log_dir::Context;
use crate::producers::Producers;
use crate::segment::{Segment, SegmentHome};
use crate::tail::Tail;
use crate::{StorageError, TopicIdPartition};
use aborted::RecentlyAborted;
use cut::SEGMENT_FILES;
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
    frozen: RwLock<bool>,
    writer: Mutex<Writer>,
    tail: RwLock<Tail>,
    segments: RwLock<Vec<Arc<Segment>>>,
    destage: Mutex<Destage>,
    epochs: RwLock<LeaderEpochs>,
    aborted: RecentlyAborted,
    watchers: Watchers,
    /// Random, so that the segments of all logs do not end at the same time.
    jitter_seed: u64,
    counts: Counts,
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
    /// How often segments took the place of others.
    exchanges: AtomicU64,
    /// It waits to be destaged.
    queued: AtomicBool,
    /// Something was appended since the last checkpoint, or the start has moved.
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
    /// A segment begins with the next batch, whatever it is.
    rolls_next: bool,
    /// The last append.
    last_lsn: Lsn,
    /// Producer snapshots for offsets that are not in the segments yet.
    snapshots: Vec<PendingSnapshot>,
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

    /// The newest epoch of a leader that appended something.
    pub fn latest_epoch(&self) -> Option<i32> {
        self.epochs.read().latest().map(|latest| latest.epoch)
    }

    /// The largest epoch not above the one asked for, and where it ends, exclusive (OffsetForLeaderEpoch).
    pub fn end_offset_for_epoch(&self, epoch: i32) -> Option<(i32, i64)> {
        self.epochs.read().end_offset_for(epoch, self.log_end_offset())
    }

    /// A leader begins an epoch: what it appends comes behind all that there is.
    pub fn begin_epoch(&self, leader_epoch: i32) {
        let _writer = self.writer.lock();
        let is_newer = self.latest_epoch().is_none_or(|latest| latest < leader_epoch);
        if is_newer {
            self.epochs.write().assign(leader_epoch, self.log_end_offset());
        }
    }

    /// What is known of the producers that have written to it, by their ids.
    pub fn producers(&self) -> Vec<ProducerEntry> {
        self.writer.lock().producers.to_snapshot()
    }

    /// Forgets producers that have not written for so many milliseconds and have no transaction open, and says how many (KIP-98).
    pub fn expire_producers(&self, now_ms: i64, expiration_ms: i64) -> usize {
        self.writer.lock().producers.expire(now_ms, expiration_ms)
    }

    /// Bytes of its batches, on disk or only in memory.
    pub fn size_bytes(&self) -> u64 {
        let (in_segments, segments_end) = self.segments_extent();
        let in_memory: usize = self.tail.read().since(segments_end).map(|batch| batch.bytes.len()).sum();
        in_segments + in_memory as u64
    }

    /// Bytes in segments, and the offset after them. The two belong together, or a batch that goes to a segment meanwhile counts twice.
    fn segments_extent(&self) -> (u64, i64) {
        let segments = self.segments.read();
        segments
            .iter()
            .map(|segment| segment.extent())
            .fold((0, i64::MIN), |(bytes, _), (size, end)| (bytes + size, end))
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

    /// Takes the log's directory offline if this says that its disk has failed, as Kafka does whatever it was about. By whoever holds
    /// no lock of the log.
    pub(crate) fn note_error(&self, error: &StorageError) {
        self.context.note_error(error);
    }

    /// The same for a part of its files that could not be read after [`read`](Log::read) had said where it is.
    pub fn note_unreadable(&self, error: &std::io::Error) {
        let code = error.raw_os_error();
        let source = code.map_or_else(|| error.kind().into(), std::io::Error::from_raw_os_error);
        self.note_error(&StorageError::io(&self.home.dir, source));
    }

    /// Lets no more appends in.
    pub(crate) fn close(&self) {
        let _writer = self.writer.lock();
        self.closed.store(true, Ordering::Release);
    }

    /// Whether the log was deleted. Those who wait for its high watermark are told.
    pub fn is_deleted(&self) -> bool {
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
        let done = do_away();
        self.watchers.call();
        done
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
        if self.first_unstable.load(Ordering::Acquire) != NO_TRANSACTION {
            // Whoever has the lock may have looked before the high watermark moved.
            self.settle_transactions(&mut self.writer.lock());
        }
        let ready = self.ready_bytes.fetch_add(bytes, Ordering::AcqRel) + bytes;
        self.mark_dirty();
        if ready >= DESTAGE_BYTES && !self.queued.swap(true, Ordering::AcqRel) {
            self.context.work.add_ready(self.clone());
        }
        !self.notifying.swap(true, Ordering::AcqRel)
    }

    fn start_at(self: Arc<Self>, offset: i64) {
        self.raise_start(offset);
        self.mark_dirty();
    }

    fn notify(&self) {
        self.notifying.store(false, Ordering::Release);
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
