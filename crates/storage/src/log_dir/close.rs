//! The clean end.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use host::Host;

use super::{DestageMode, LogDir, LogDirOptions, RecoveryReport};
use crate::StorageError;
use crate::files::{clean_shutdown, remove_if_there};
use crate::journal;
use crate::log::{Log, SegmentWriter};

/// Threads that end logs.
const FINISHING_THREADS: usize = 8;

impl LogDir {
    /// Ends in order: takes no more appends, writes all there is to the segments, flushes everything, and removes the journal. Then
    /// the directory is plain Kafka's. If this fails nothing is lost: the next start recovers. Waits for the disk.
    pub fn close(&self) -> Result<(), StorageError> {
        let logs = self.context.all_logs();
        logs.iter().for_each(|log| log.close());
        self.stop_threads(self.failure().is_none());
        if let Some(error) = self.context.journal.failure() {
            return Err(error);
        }
        self.finish_logs(&logs)?;
        self.context.checkpoint(&mut self.segment_writer())?;
        self.context.store_high_watermarks()?;
        let disk = &*self.context.host.disk;
        // In this order: a marker beside a journal is not believed.
        let epoch = self.broker_epoch.load(Ordering::Acquire);
        clean_shutdown::store(disk, &self.context.dir.join(clean_shutdown::NAME), epoch)?;
        remove_if_there(disk, &self.context.dir.join(journal::NAME))?;
        self.context.logs.write().clear();
        self.context.futures.write().clear();
        *self.lock.lock() = None;
        tracing::info!(dir = %self.context.dir.display(), logs = logs.len(), "log directory closed");
        Ok(())
    }

    fn segment_writer(&self) -> SegmentWriter {
        SegmentWriter::new(self.context.options.destage == DestageMode::Direct)
    }

    /// Several at a time, for each is mostly waiting for the disk, which flushes many files in about the time of one.
    fn finish_logs(&self, logs: &[Arc<Log>]) -> Result<(), StorageError> {
        let next = AtomicUsize::new(0);
        let finish = || {
            let mut writer = self.segment_writer();
            let mut result = Ok(());
            while let Some(log) = logs.get(next.fetch_add(1, Ordering::Relaxed)) {
                result = result.and(log.destage(&mut writer).and_then(|()| log.finish()));
            }
            result
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                (1..FINISHING_THREADS.min(logs.len())).map(|_| scope.spawn(finish)).collect();
            let own = finish();
            let joined = threads.into_iter().map(|thread| thread.join().unwrap_or(Err(StorageError::Closed)));
            joined.fold(own, Result::and)
        })
    }

    /// Ends the threads; the journal's when all is written that waits, if asked to.
    pub(super) fn stop_threads(&self, drain: bool) {
        self.context.journal.stop(drain);
        let mut threads = self.threads.lock();
        if drain && let Some(journal) = threads.pop() {
            // It may need room in the ring, which the other makes.
            let _ = journal.join();
        }
        self.context.work.stop();
        self.context.removals.stop();
        for thread in threads.drain(..) {
            let _ = thread.join();
        }
        drop(threads);
    }
}

/// Makes a log directory that was left by a crash plain Kafka's again. No broker may use it.
pub fn recover(host: Host, path: &Path, options: LogDirOptions) -> Result<RecoveryReport, StorageError> {
    let (log_dir, report) = LogDir::open(host, path, options)?;
    log_dir.close()?;
    Ok(report)
}
