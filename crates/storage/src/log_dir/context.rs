//! What the logs of a directory share.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use host::Host;
use parking_lot::{Mutex, RwLock};

use super::health::Health;
use super::removals::Removals;
use super::work::Work;
use super::{ColdReads, LogDirOptions};
use crate::TopicPartition;
use crate::journal::Journal;
use crate::log::Log;

/// What the logs of a directory share.
pub(crate) struct Context {
    pub(crate) host: Host,
    pub(crate) dir: PathBuf,
    pub(crate) options: LogDirOptions,
    pub(crate) journal: Journal,
    pub(crate) cold_reads: Arc<ColdReads>,
    pub(crate) work: Arc<Work>,
    pub(super) health: Health,
    pub(crate) budget: Budget,
    pub(crate) removals: Removals,
    pub(crate) logs: RwLock<HashMap<TopicPartition, Arc<Log>>>,
    /// Copies that are being made of logs in other directories.
    pub(crate) futures: RwLock<HashMap<TopicPartition, Arc<Log>>>,
    /// Held while a checkpoint file is written.
    pub(super) checkpointing: Mutex<()>,
}

impl Context {
    /// Has files or directories removed in so long.
    pub(crate) fn remove_after(&self, paths: Vec<PathBuf>, delay: Duration) {
        self.removals.add(paths, self.host.clock.monotonic().saturating_add(delay));
    }

    /// All logs, the copies that are being made too, in no order.
    pub(crate) fn all_logs(&self) -> Vec<Arc<Log>> {
        let logs = self.logs.read();
        logs.values().chain(self.futures.read().values()).cloned().collect()
    }
}

/// The memory that all tails take together.
pub(crate) struct Budget {
    used_bytes: AtomicUsize,
    bytes_max: usize,
    /// What may be let go of, the oldest first: batches of a log below an offset.
    evictable: Mutex<VecDeque<(Weak<Log>, i64)>>,
}

impl Budget {
    pub(super) fn new(bytes_max: usize) -> Budget {
        Budget { used_bytes: AtomicUsize::new(0), bytes_max, evictable: Mutex::default() }
    }

    pub(crate) fn take(&self, bytes: usize) {
        self.used_bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.used_bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Bytes that are taken, and how many there are.
    pub(super) fn usage(&self) -> (usize, usize) {
        (self.used_bytes.load(Ordering::Acquire), self.bytes_max)
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.used_bytes.load(Ordering::Acquire) > self.bytes_max
    }

    /// Batches of a log below an offset are on disk in its segments.
    pub(super) fn may_evict(&self, log: &Arc<Log>, below: i64) {
        self.evictable.lock().push_back((Arc::downgrade(log), below));
    }

    /// Lets go of the oldest until the budget is kept, or nothing is left that may go.
    pub(super) fn evict(&self) {
        while self.is_exceeded() {
            let Some((log, below)) = self.evictable.lock().pop_front() else { return };
            if let Some(log) = log.upgrade() {
                log.evict_below(below);
            }
        }
    }
}
