//! Carrying out what retention decided: the log's start moves, an empty segment takes the active one's place, files go.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::destage::trim;
use super::producer_files::{PendingSnapshot, snapshot_path};
use super::{Log, SEGMENT_FILES};
use crate::StorageError;
use crate::files::names;
use crate::journal::Lsn;
use crate::retention::{Bounds, Expired, Extent, expired};
use crate::segment::{Place, Segment};

/// What is to be done for a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RetentionPlan {
    pub(crate) expired: Expired,
    /// Where the log is to start.
    pub(crate) start: i64,
    /// Nothing of the log stays.
    pub(crate) empties: bool,
    /// Something of what goes is not on disk in its segment yet.
    pub(crate) needs_flush: bool,
}

/// What decides about a log.
struct Snapshot {
    segments: Vec<Arc<Segment>>,
    waiting: Waiting,
    bounds: Bounds,
}

/// Batches that are not in their segment yet.
struct Waiting {
    /// Where that segment ends, exclusive.
    end_offset: i64,
    bytes: u64,
    /// None if there is no batch.
    max_timestamp: Option<i64>,
    /// Another segment begins behind them.
    is_followed: bool,
}

impl Log {
    /// What has expired by now, if anything.
    pub(crate) fn plan_retention(&self, now_ms: i64) -> Result<Option<RetentionPlan>, StorageError> {
        let Snapshot { segments, waiting, bounds } = self.retention_snapshot(now_ms);
        let extents = extents(&segments, &waiting);
        let largest = |number: usize| match waiting.max_timestamp {
            Some(waiting) if number + 1 == segments.len() => {
                Ok::<i64, StorageError>(waiting.max(segments[number].largest_timestamp()?))
            }
            _ => Ok(segments[number].largest_timestamp()?),
        };
        let expired = expired(&extents, &self.config.load().retention, &bounds, now_ms, largest)?;
        if expired.then_future {
            let segment = segments.get(expired.count()).map(|segment| segment.base_offset());
            tracing::warn!(log = %self.id, segment, "records of the future keep a segment from being deleted for its age");
        }
        let Some(last) = expired.count().checked_sub(1) else { return Ok(None) };
        let start = extents[last].end_offset;
        Ok(Some(RetentionPlan {
            expired,
            start,
            empties: last + 1 == extents.len(),
            needs_flush: start > self.recovery_point() || waiting.is_followed,
        }))
    }

    /// All of it from one moment: nothing goes to a segment meanwhile.
    fn retention_snapshot(&self, now_ms: i64) -> Snapshot {
        let _state = self.destage.lock();
        let segments = self.segments.read().clone();
        let active = segments.last().map(|segment| segment.base_offset());
        Snapshot {
            waiting: self.waiting(active, now_ms),
            segments,
            bounds: Bounds {
                log_start: self.log_start_offset(),
                high_watermark: self.high_watermark(),
                size: self.size_bytes(),
            },
        }
    }

    /// What belongs to the last segment that is there, and is not in it yet.
    fn waiting(&self, active: Option<i64>, now_ms: i64) -> Waiting {
        let tail = self.tail.read();
        let mut waiting =
            Waiting { end_offset: tail.end_offset(), bytes: 0, max_timestamp: None, is_followed: false };
        for batch in tail.since(self.destaged_end.load(Ordering::Acquire)) {
            if batch.rolls && active != Some(batch.base_offset) {
                waiting.end_offset = batch.base_offset;
                waiting.is_followed = true;
                break;
            }
            waiting.bytes += batch.bytes.len() as u64;
            // Without a time it is as young as can be.
            let timestamp = if batch.max_timestamp < 0 { now_ms } else { batch.max_timestamp };
            waiting.max_timestamp = waiting.max_timestamp.max(Some(timestamp));
        }
        waiting
    }

    /// Has the log start where the plan says, and says what to wait for. None if it starts there already, or if something was
    /// appended meanwhile that belongs to the active segment.
    pub(crate) fn begin_retention(
        self: &Arc<Self>,
        plan: &RetentionPlan,
    ) -> Result<Option<Lsn>, StorageError> {
        if plan.empties && !self.begin_empty_segment(plan.start)? {
            return Ok(None);
        }
        self.submit_start(plan.start)
    }

    /// Begins an empty segment at the log's end, and says whether one begins there now. It is on disk, and with it what is known of
    /// producers.
    fn begin_empty_segment(&self, end: i64) -> Result<bool, StorageError> {
        if !self.roll_at(end) {
            return Ok(false);
        }
        if !self.create_empty_segment(end)? {
            return Ok(false);
        }
        self.checkpoint_producers()?;
        Ok(true)
    }

    /// Has the next append begin a segment, if that is where the log ends.
    fn roll_at(&self, end: i64) -> bool {
        let mut writer = self.writer.lock();
        let at_end = self.log_end_offset() == end && self.destaged_end.load(Ordering::Acquire) == end;
        if at_end && self.check_usable().is_ok() {
            let snapshot = PendingSnapshot::at_roll(end, &writer.producers);
            writer.snapshots.push(snapshot);
            writer.rolls_next = true;
        }
        at_end
    }

    fn create_empty_segment(&self, end: i64) -> Result<bool, StorageError> {
        let mut state = self.destage.lock();
        let Some(active) = self.segments.read().last().cloned() else { return Ok(false) };
        if active.base_offset() >= end || self.is_deleted() {
            return Ok(active.base_offset() == end);
        }
        if self.destaged_end.load(Ordering::Acquire) != end {
            return Ok(false);
        }
        trim(&active, true)?;
        let segment = Segment::create(self.home.clone(), end, self.context.host.clock.now_ms())?;
        segment.release_file();
        self.sync_home()?;
        state.allocated_end = 0;
        state.finished = false;
        self.segments.write().push(Arc::new(segment));
        Ok(true)
    }

    /// Takes segments out of the log that lie below its start, and has their files removed after `file.delete.delay.ms`. Readers
    /// that have one keep it. Says how many there were.
    pub(crate) fn drop_segments_below_start(&self) -> Result<usize, StorageError> {
        let mut state = self.destage.lock();
        let gone = self.segments_below_start();
        if gone.is_empty() || self.is_deleted() {
            return Ok(0);
        }
        self.sync_first_snapshot(gone.len())?;
        let mut files = Vec::new();
        gone.iter().try_for_each(|segment| self.mark_deleted(segment, &mut files))?;
        self.sync_home()?;
        self.segments.write().drain(..gone.len());
        let is_gone = |segment: &Arc<Segment>| gone.iter().any(|gone| Arc::ptr_eq(gone, segment));
        state.unsynced.retain(|segment| !is_gone(segment));
        let delay_ms = u64::try_from(self.config.load().file_delete_delay_ms).unwrap_or(0);
        self.context.remove_after(files, Duration::from_millis(delay_ms));
        Ok(gone.len())
    }

    /// Those of which nothing is left, and whose successors are on disk.
    fn segments_below_start(&self) -> Vec<Arc<Segment>> {
        let start = self.log_start_offset().min(self.recovery_point());
        let segments = self.segments.read();
        let count = segments.windows(2).take_while(|pair| pair[1].base_offset() <= start).count();
        segments[..count].to_vec()
    }

    /// Flushes what was known of producers where the first segment begins that stays: it cannot be found out from records any more.
    fn sync_first_snapshot(&self, gone: usize) -> Result<(), StorageError> {
        let Some(first) = self.segments.read().get(gone).cloned() else { return Ok(()) };
        let path = snapshot_path(&self.home, first.base_offset());
        let synced = match self.home.disk.open(&path, host::OpenMode::Existing) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.and_then(|file| file.sync_data()),
        };
        synced.map_err(|source| StorageError::io(&path, source))
    }

    /// Gives the files of a segment, and the producer snapshot where it begins, the suffix of deleted ones.
    fn mark_deleted(&self, segment: &Segment, files: &mut Vec<PathBuf>) -> Result<(), StorageError> {
        let snapshot = snapshot_path(&self.home, segment.base_offset());
        let mut target = snapshot.clone().into_os_string();
        target.push(names::DELETED);
        let target = PathBuf::from(target);
        match self.home.disk.rename(&snapshot, &target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed.map_err(|source| StorageError::io(&snapshot, source))?,
        }
        segment.move_to(Place::Deleted)?;
        files.extend(SEGMENT_FILES.map(|suffix| segment.path(suffix)));
        files.push(target);
        Ok(())
    }

    fn sync_home(&self) -> Result<(), StorageError> {
        let synced = self.home.disk.sync_dir(&self.home.dir);
        synced.map_err(|source| StorageError::io(&self.home.dir, source))
    }
}

fn extents(segments: &[Arc<Segment>], waiting: &Waiting) -> Vec<Extent> {
    let ends = segments.iter().skip(1).map(|segment| segment.base_offset()).chain([waiting.end_offset]);
    let extent = |(segment, end_offset): (&Arc<Segment>, i64)| Extent { size: segment.size(), end_offset };
    let mut extents: Vec<Extent> = segments.iter().zip(ends).map(extent).collect();
    if let Some(active) = extents.last_mut() {
        active.size += waiting.bytes;
    }
    if waiting.is_followed {
        // There are no files of it yet that could go.
        extents.push(Extent { size: 0, end_offset: i64::MAX });
    }
    extents
}
