//! The journal of a log directory: one file through which every append of every partition becomes durable.
//!
//! One thread takes what has gathered since its last write, of all logs, and writes it with one direct and synchronous write: a
//! [frame]. Frames follow each other in a [ring] whose space is used again once the segments hold what they hold. The ring starts
//! small and grows by zeroed steps, for writing into blocks that were written before is what makes these writes cheap.
//!
//! What is in the ring after a crash is [read back](scan) in order; the first frame that is not whole ends it.

mod entry;
mod file;
mod frame;
mod queue;
mod ring;
mod scan;
mod waiters;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use host::{Disk, File, Random};
use meter::{Histogram, HistogramReading, Scale};
use parking_lot::{Condvar, Mutex};

pub(crate) use entry::{Entry, EntryKind, Owner, ReadEntry};
pub(crate) use file::NAME;
pub(crate) use scan::Recovered;

use crate::StorageError;
use queue::Queue;
use ring::Ring;
use waiters::Waiters;

/// A place in the journal: the number of an append, counted from 1 over all logs of a log directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

/// How large the journal and what waits for it may get.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JournalLimits {
    /// Size of the ring at first, in bytes.
    pub(crate) ring_bytes_min: u64,
    /// The most that it may grow to.
    pub(crate) ring_bytes_max: u64,
    /// From how many queued bytes on clients are told to wait.
    pub(crate) queue_bytes_max: usize,
}

/// The journal of a log directory.
pub struct Journal {
    file: Arc<dyn File>,
    path: std::path::PathBuf,
    limits: JournalLimits,
    queue: Mutex<Queue>,
    /// Signals the writer that the queue has something.
    arrived: Condvar,
    ring: Mutex<RingState>,
    /// Signals the writer that the ring has room, or never will.
    room: Condvar,
    waiters: Waiters,
    /// Since it was opened.
    written_bytes: AtomicU64,
    /// How long writes took.
    writes: Histogram,
    /// Held while a failure is told to all whom it concerns. Who is told first must not resume before the last one is: a log that
    /// is failed late would lose what it took since.
    failing: Mutex<()>,
    heard: Heard,
}

/// Who hears of the journal, and must not block.
pub(crate) struct Heard {
    /// Called when the ring is half full or more.
    pub(crate) pressure: Box<dyn Fn() + Send + Sync>,
    /// Called after each write, with its size in bytes and how long it took until it was on disk.
    pub(crate) written: Box<dyn Fn(u64, Duration) + Send + Sync>,
}

struct RingState {
    ring: Ring,
    superblock: file::Superblock,
    /// This life of the broker.
    session: u64,
    /// Why the ring gets no room.
    stuck: Option<StorageError>,
    closing: bool,
}

/// What a new or recovered journal needs.
pub(crate) struct JournalParts {
    /// Its file.
    file: Arc<dyn File>,
    path: std::path::PathBuf,
    superblock: file::Superblock,
    ring: Ring,
    session: u64,
    durable: Lsn,
}

impl JournalParts {
    /// An empty journal in a new file, whose name is not flushed.
    pub(crate) fn format(
        disk: &dyn Disk,
        dir: &Path,
        random: &dyn Random,
        limits: &JournalLimits,
    ) -> Result<JournalParts, StorageError> {
        let path = dir.join(NAME);
        let formatted = file::format(disk, &path, random, limits.ring_bytes_min);
        let (file, superblock) = formatted.map_err(|source| StorageError::io(&path, source))?;
        let ring = Ring::empty(limits.ring_bytes_min, superblock.tail_position, superblock.tail_sequence);
        let (session, durable) = (superblock.session, Lsn(superblock.tail_lsn - 1));
        Ok(JournalParts { file, path, superblock, ring, session, durable })
    }

    /// What a crash left, if the file is there and was formatted; the journal goes on where it ends.
    pub(crate) fn recover(
        disk: &dyn Disk,
        dir: &Path,
    ) -> Result<Option<(JournalParts, Recovered)>, StorageError> {
        let path = dir.join(NAME);
        let recovered = scan::recover(disk, &path).map_err(|source| StorageError::io(&path, source))?;
        let Some((file, superblock, recovered)) = recovered else { return Ok(None) };
        let ring = Ring::with(recovered.ring_bytes, &superblock, recovered.marks.clone());
        let durable = Lsn(recovered.marks.last().map_or(superblock.tail_lsn - 1, |mark| mark.last_lsn));
        let session = recovered.next_session;
        Ok(Some((JournalParts { file, path, superblock, ring, session, durable }, recovered)))
    }
}

impl Journal {
    /// A journal whose [`run`](Journal::run) is yet to be called.
    pub(crate) fn new(parts: JournalParts, limits: JournalLimits, heard: Heard) -> Journal {
        let JournalParts { file, path, superblock, ring, session, durable } = parts;
        let ring = RingState { ring, superblock, session, stuck: None, closing: false };
        Journal {
            file,
            path,
            limits,
            queue: Mutex::new(Queue::starting_after(durable)),
            arrived: Condvar::new(),
            ring: Mutex::new(ring),
            room: Condvar::new(),
            waiters: Waiters::starting_at(durable),
            written_bytes: AtomicU64::new(0),
            writes: Histogram::new(Scale::DURATION),
            failing: Mutex::new(()),
            heard,
        }
    }

    /// Calls back once all up to this place is on disk, at once if it is; with an error if it will not be. The callback is called
    /// by the thread that writes the journal and must not block.
    pub fn when_durable(&self, lsn: Lsn, callback: Box<dyn FnOnce(Result<(), StorageError>) + Send>) {
        self.waiters.add(lsn, callback);
    }

    /// Whether all up to this place got on disk; none while that is not known.
    pub fn outcome(&self, lsn: Lsn) -> Option<Result<(), StorageError>> {
        self.waiters.outcome(lsn)
    }

    /// Up to where all is on disk, inclusive.
    pub fn durable(&self) -> Lsn {
        self.waiters.durable()
    }

    /// Blocks until all up to this place is on disk.
    pub fn wait_durable(&self, lsn: Lsn) -> Result<(), StorageError> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.when_durable(
            lsn,
            Box::new(move |result| {
                let _ = sender.send(result);
            }),
        );
        receiver.recv().unwrap_or(Err(StorageError::Closed))
    }

    /// Whether clients are to wait before they append.
    pub fn is_busy(&self) -> bool {
        self.queue.lock().bytes >= self.limits.queue_bytes_max
    }

    /// Calls back once the journal is not busy any more, at once if it is not. The callback must not block.
    pub fn when_ready(&self, callback: Box<dyn FnOnce() + Send>) {
        let mut queue = self.queue.lock();
        if queue.bytes < self.limits.queue_bytes_max || queue.refusal.is_some() || queue.closing {
            drop(queue);
            callback();
        } else {
            queue.ready.push(callback);
        }
    }

    /// The most bytes that an append may have.
    pub(crate) fn entry_bytes_max(&self) -> usize {
        // Frames may leave a gap at the ring's end.
        (self.limits.ring_bytes_max as usize).saturating_sub(2 * frame::FRAME_BYTES_MAX)
    }

    /// Queues an entry. Entries of one log must come in the order of their offsets.
    pub(crate) fn submit(&self, entry: Entry) -> Result<Lsn, StorageError> {
        let mut queue = self.queue.lock();
        let lsn = queue.push(entry)?;
        drop(queue);
        self.arrived.notify_one();
        Ok(lsn)
    }

    /// Bytes of entries that wait to be written.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queue.lock().bytes
    }

    /// How long its writes took until they were on disk.
    pub(crate) fn write_times(&self) -> HistogramReading {
        self.writes.read()
    }

    /// The last place that was given out.
    pub(crate) fn submitted(&self) -> Lsn {
        self.queue.lock().last_lsn()
    }

    /// Bytes of the ring that are in use, and its size.
    pub(crate) fn ring_usage(&self) -> (u64, u64) {
        let state = self.ring.lock();
        (state.ring.used_bytes(), state.ring.capacity())
    }

    /// Bytes that were written since it was opened.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.written_bytes.load(Ordering::Relaxed)
    }

    /// Lets the ring's space be used again up to this place, inclusive: the segments hold all of it, durably.
    pub(crate) fn release(&self, up_to: Lsn) -> Result<(), StorageError> {
        let mut state = self.ring.lock();
        let Some(superblock) = state.ring.superblock_after(up_to, &state.superblock) else { return Ok(()) };
        // Frames may be written meanwhile, for they only need what is free already.
        drop(state);
        self.store_superblock(&superblock)?;
        state = self.ring.lock();
        state.ring.release(up_to);
        state.superblock = superblock;
        state.stuck = None;
        drop(state);
        self.room.notify_all();
        Ok(())
    }

    fn store_superblock(&self, superblock: &file::Superblock) -> Result<(), StorageError> {
        superblock.store(&*self.file).map_err(|source| StorageError::io(&self.path, source))
    }

    /// Makes the ring larger by a zeroed step if it may be, and says whether it did.
    pub(crate) fn grow(&self) -> Result<bool, StorageError> {
        let capacity = self.ring.lock().ring.capacity();
        let target = (capacity * 2).min(capacity + file::GROWTH_BYTES_MAX).min(self.limits.ring_bytes_max);
        if target <= capacity {
            return Ok(false);
        }
        let zeroed = file::zero(&*self.file, capacity, target);
        zeroed.map_err(|source| StorageError::io(&self.path, source))?;
        self.ring.lock().ring.grow(target);
        self.room.notify_all();
        Ok(true)
    }

    /// Says that the ring gets no room for now, because the segments cannot be written. What waits for room fails.
    pub(crate) fn give_up_waiting(&self, error: StorageError) {
        self.ring.lock().stuck = Some(error);
        self.room.notify_all();
    }

    /// Takes no entries any more, and gives up all that is queued or waits for room.
    pub(crate) fn abandon(&self, error: StorageError) {
        self.give_up_waiting(error.clone());
        self.refuse(std::iter::empty(), error);
    }

    /// Why entries are refused, since a failure.
    pub fn failure(&self) -> Option<StorageError> {
        self.queue.lock().refusal.clone()
    }

    /// Takes entries again after a failure. All that is durable must have been [released](Journal::release), and every log gone
    /// back to its durable end. The frames from before are void.
    pub(crate) fn resume(&self, random: &dyn Random) -> Result<(), StorageError> {
        let _failing = self.failing.lock();
        if let Some(error @ StorageError::Offline { .. }) = self.failure() {
            return Err(error);
        }
        let mut state = self.ring.lock();
        let submitted = self.submitted();
        let superblock = state.superblock.successor(random.next_u64(), submitted);
        self.store_superblock(&superblock)?;
        state.ring = Ring::empty(state.ring.capacity(), superblock.tail_position, superblock.tail_sequence);
        state.superblock = superblock;
        state.session = superblock.session;
        state.stuck = None;
        drop(state);
        self.waiters.resume_after(submitted);
        self.queue.lock().resume();
        Ok(())
    }

    /// Lets the writer end: at once, or when it has written all that is queued.
    pub(crate) fn stop(&self, drain: bool) {
        self.queue.lock().close(drain);
        self.arrived.notify_all();
        if !drain {
            self.ring.lock().closing = true;
            self.room.notify_all();
        }
    }
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Journal({}, durable up to {})", self.path.display(), self.durable().0)
    }
}
