//! Taking back what was appended.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use protocol::records::BatchHeader;

use super::destage::Destage;
use super::roll::ActiveFacts;
use super::{Log, Writer};
use crate::StorageError;
use crate::files::{names, remove_if_there};
use crate::journal::{Entry, EntryKind, Lsn};
use crate::segment::Segment;

/// The suffixes of a segment's files.
pub(super) const SEGMENT_FILES: [&str; 4] =
    [names::LOG, names::OFFSET_INDEX, names::TIME_INDEX, names::TRANSACTION_INDEX];

impl Log {
    /// Removes all records from an offset on, which must be the first of a batch or the log's end. It is on disk when this returns:
    /// no crash brings them back. For the quorum, when its leader has other records there. Waits for the disk.
    pub fn truncate(self: &Arc<Self>, offset: i64) -> Result<(), StorageError> {
        let Some(lsn) = self.announce_cut(offset)? else { return Ok(()) };
        // Without the lock: a checkpoint, for which the journal may have to wait, needs it.
        self.context.journal.wait_durable(lsn)?;
        let mut writer = self.writer.lock();
        writer.last_lsn = lsn;
        self.cut_to(&mut writer, offset)?;
        self.broken.store(false, Ordering::Release);
        drop(writer);
        self.context.store_recovery_points()
    }

    /// Tells the journal, and lets no appends in until the log is cut. None if there is nothing to cut.
    fn announce_cut(self: &Arc<Self>, offset: i64) -> Result<Option<Lsn>, StorageError> {
        let _writer = self.writer.lock();
        self.check_usable()?;
        if offset >= self.log_end_offset() {
            return Ok(None);
        }
        let lsn = self.context.journal.submit(Entry {
            kind: EntryKind::Truncate,
            owner: self.clone(),
            offset,
            end_offset: i64::MIN,
            leader_epoch: -1,
            records: Bytes::new(),
        })?;
        self.broken.store(true, Ordering::Release);
        Ok(Some(lsn))
    }

    /// Cuts segments, tail, producers and epochs.
    pub(super) fn cut_to(&self, writer: &mut Writer, offset: i64) -> Result<(), StorageError> {
        {
            let mut state = self.destage.lock();
            state.finished = false;
            self.durable_end.fetch_min(offset, Ordering::AcqRel);
            self.cut_segments(&mut state, offset)?;
        }
        self.recovery_point.fetch_min(offset, Ordering::AcqRel);
        self.forget_above(writer, offset)
    }

    /// Brings a log of which appends were lost back to what is on disk.
    pub(crate) fn reset(&self) -> Result<(), StorageError> {
        let mut writer = self.writer.lock();
        let durable_end = self.durable_end_offset();
        self.forget_above(&mut writer, durable_end)?;
        self.broken.store(false, Ordering::Release);
        Ok(())
    }

    /// Forgets what memory knows of records from an offset on.
    fn forget_above(&self, writer: &mut Writer, offset: i64) -> Result<(), StorageError> {
        let cost = self.tail.write().cut(offset);
        self.context.budget.give_back(cost);
        self.epochs.write().truncate_from_end(offset);
        writer.snapshots.retain(|snapshot| snapshot.offset <= offset);
        self.aborted.cut(offset);
        writer.producers = self.rebuild_producers(offset)?;
        writer.active = self.active_facts();
        self.settle_transactions(writer);
        Ok(())
    }

    /// The active segment as it will be with the batches that are not in it yet.
    pub(super) fn active_facts(&self) -> ActiveFacts {
        let (config, now_ms) = (self.config.load(), self.context.host.clock.now_ms());
        let active = self.segments.read().last().cloned();
        let mut facts = match active {
            Some(active) => ActiveFacts::of(active.facts(), self.jitter_seed),
            None => ActiveFacts::starting_at(self.tail.read().start_offset(), now_ms, self.jitter_seed),
        };
        let destaged_end = self.destaged_end.load(Ordering::Acquire);
        for batch in self.tail.read().since(destaged_end) {
            if batch.rolls {
                facts = ActiveFacts::starting_at(batch.base_offset, now_ms, self.jitter_seed);
            }
            if let Ok(header) = BatchHeader::parse(&batch.bytes) {
                facts.note(&header, &config);
            }
        }
        facts
    }

    /// Cuts what is in the segments.
    pub(super) fn cut_segments(&self, state: &mut Destage, offset: i64) -> Result<(), StorageError> {
        if self.destaged_end.load(Ordering::Acquire) <= offset {
            return Ok(());
        }
        let dropped = {
            let mut segments = self.segments.write();
            let kept = segments.partition_point(|segment| segment.base_offset() < offset);
            segments.split_off(kept)
        };
        for segment in &dropped {
            self.remove_segment(segment)?;
        }
        state.unsynced.retain(|segment| segment.base_offset() < offset);
        state.aborted_end = state.aborted_end.min(offset);
        self.cut_last_segment(offset, !dropped.is_empty())?;
        self.destaged_end.store(offset, Ordering::Release);
        Ok(())
    }

    fn cut_last_segment(&self, offset: i64, reopen: bool) -> Result<(), StorageError> {
        let Some(mut last) = self.segments.read().last().cloned() else { return Ok(()) };
        let index_interval_bytes = self.config.load().index_interval_bytes;
        if reopen {
            // It may have been opened for reading only.
            let now_ms = self.context.host.clock.now_ms();
            last.flush_indexes(false)?;
            let base_offset = last.base_offset();
            last = Arc::new(Segment::open(self.home.clone(), base_offset, now_ms, index_interval_bytes)?);
            if let Some(slot) = self.segments.write().last_mut() {
                *slot = last.clone();
            }
        }
        if last.next_offset() > offset {
            last.truncate(offset, index_interval_bytes)?;
        }
        Ok(())
    }

    pub(super) fn remove_segment(&self, segment: &Segment) -> Result<(), StorageError> {
        for suffix in SEGMENT_FILES {
            remove_if_there(&*self.home.disk, &segment.path(suffix))?;
        }
        Ok(())
    }

    /// Goes back to the recovery point, after a flush that failed: what lies behind is in memory still, and is written again.
    pub(super) fn rewind(&self, state: &mut Destage) -> Result<(), StorageError> {
        let recovery_point = self.recovery_point();
        self.cut_segments(state, recovery_point)?;
        self.tail.write().undestage_from(recovery_point);
        Ok(())
    }

    /// Lets go of batches in memory below an offset that are on disk in the segments.
    pub(crate) fn evict_below(&self, offset: i64) {
        let freed = self.tail.write().evict_below(offset.min(self.recovery_point()));
        self.context.budget.give_back(freed);
    }
}
