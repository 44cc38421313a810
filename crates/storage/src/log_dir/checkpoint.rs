//! Checkpoints: the segments are flushed, the recovery points written down, and the journal freed.

use std::sync::Arc;

use super::context::Context;
use super::pace::{Pace, RingFill};
use crate::StorageError;
use crate::files::offset_checkpoint;
use crate::journal::Lsn;
use crate::log::{Log, SegmentWriter};

impl Context {
    /// Brings all that is durable now into the segments and frees the journal of it. Logs that fail stay dirty, and the journal
    /// is not freed.
    pub(super) fn checkpoint(&self, writer: &mut SegmentWriter) -> Result<(), StorageError> {
        let up_to = self.journal.durable();
        let (dirty, names_unsynced) = self
            .work
            .with(|todo| (std::mem::take(&mut todo.dirty), std::mem::take(&mut todo.names_unsynced)));
        let flushed = self.flush_logs(&dirty, writer);
        let named = flushed.and_then(|()| self.sync_names(names_unsynced));
        let done = named.and_then(|()| self.write_down(up_to));
        match &done {
            Ok(()) => dirty.iter().for_each(|log| self.budget.may_evict(log, log.recovery_point())),
            Err(_) => {
                dirty.iter().for_each(Log::mark_dirty_again);
                self.work.with(|todo| todo.names_unsynced |= names_unsynced);
            }
        }
        self.budget.evict();
        done
    }

    fn flush_logs(&self, dirty: &[Arc<Log>], writer: &mut SegmentWriter) -> Result<(), StorageError> {
        let mut result = Ok(());
        for log in dirty.iter().filter(|log| !log.is_deleted()) {
            // Before it is read, so that nothing that comes meanwhile is missed.
            log.clear_dirty();
            let flushed = log.destage(writer).and_then(|()| log.flush());
            // Of one that was deleted meanwhile there is nothing to flush.
            if !log.is_deleted() {
                result = result.and(flushed);
            }
        }
        result
    }

    /// Pauses after a write of so many bytes to a segment, unless there is a hurry.
    pub(crate) fn give_way(&self, pace: &mut Pace, written: usize) {
        let (used, capacity) = self.journal.ring_usage();
        let now = self.host.clock.monotonic();
        pace.note(now, self.journal.written_bytes(), RingFill { used, capacity });
        let pause = pace.pause_after(written);
        if !pause.is_zero() && self.journal.failure().is_none() {
            self.work.give_way(pause);
        }
    }

    fn sync_names(&self, unsynced: bool) -> Result<(), StorageError> {
        let unsynced = self.work.with(|todo| std::mem::take(&mut todo.names_unsynced)) || unsynced;
        if !unsynced {
            return Ok(());
        }
        let synced = self.host.disk.sync_dir(&self.dir);
        if synced.is_err() {
            self.work.name_added();
        }
        synced.map_err(|source| StorageError::io(&self.dir, source))
    }

    fn write_down(&self, up_to: Lsn) -> Result<(), StorageError> {
        self.store_recovery_points()?;
        self.journal.release(up_to)
    }

    /// Writes the recovery points and log starts of all logs. They are on disk when this returns.
    pub(crate) fn store_recovery_points(&self) -> Result<(), StorageError> {
        let _guard = self.checkpointing.lock();
        self.store_offsets(offset_checkpoint::RECOVERY_POINT, Log::recovery_point, |_| true)?;
        // A start that has moved since is in the journal still.
        let start = |log: &Log| log.log_start_offset().min(log.recovery_point());
        self.store_offsets(offset_checkpoint::LOG_START, start, Log::starts_within_segment)
    }

    /// Writes the high watermarks of all logs.
    pub(super) fn store_high_watermarks(&self) -> Result<(), StorageError> {
        let _guard = self.checkpointing.lock();
        self.store_offsets(offset_checkpoint::HIGH_WATERMARK, Log::high_watermark, |_| true)
    }

    fn store_offsets(
        &self,
        name: &str,
        offset: impl Fn(&Log) -> i64,
        wanted: impl Fn(&Log) -> bool,
    ) -> Result<(), StorageError> {
        let mut logs = self.all_logs();
        logs.retain(|log| wanted(log));
        logs.sort_by(|a, b| (&a.id().topic, a.id().partition).cmp(&(&b.id().topic, b.id().partition)));
        let entries = logs.iter().map(|log| (&*log.id().topic, log.id().partition, offset(log)));
        let path = self.dir.join(name);
        if entries.len() == 0 && !self.host.disk.exists(&path) {
            return Ok(());
        }
        Ok(offset_checkpoint::store(&*self.host.disk, &path, entries)?)
    }
}
