//! What the cleaner sees of a log, and how it changes one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use protocol::Uuid;

use super::Log;
use crate::StorageError;
use crate::cleaner::{CleanError, InactiveSegment, LogFacts, deleted_files, exchange};
use crate::producers::LastRecord;
use crate::segment::{Segment, SegmentHome};

/// A segment that nobody writes to any more, and where the next one begins.
pub(crate) type Inactive = (Arc<Segment>, i64);

impl Log {
    /// Whether the log may be cleaned: its topic says so, and it is neither closed nor deleted. The metadata log never is.
    pub(crate) fn is_cleanable(&self) -> bool {
        self.config.load().compacted
            && !self.is_deleted()
            && !self.closed.load(Ordering::Acquire)
            && self.id.topic_id != Uuid::METADATA_TOPIC_ID
    }

    /// What decides about cleaning the log. May wait for a disk if the topic has bounds for the age of records.
    pub(crate) fn compaction_facts(&self, cleaned_offset: Option<i64>) -> Result<LogFacts, StorageError> {
        let rules = self.config.load().compaction;
        let settled_offset = self.last_stable_offset().min(self.recovery_point());
        let fact = |(segment, end_offset): Inactive| -> Result<InactiveSegment, StorageError> {
            let largest =
                if rules.min_compaction_lag_ms > 0 { Some(segment.largest_timestamp()?) } else { None };
            let first =
                if rules.max_compaction_lag_ms < i64::MAX { segment.first_timestamp()? } else { None };
            Ok(InactiveSegment {
                base_offset: segment.base_offset(),
                end_offset,
                size_bytes: segment.size(),
                largest_timestamp: largest,
                first_timestamp: first,
            })
        };
        Ok(LogFacts {
            rules,
            cleaned_offset,
            log_start_offset: self.log_start_offset(),
            log_end_offset: self.log_end_offset(),
            settled_offset,
            segments: self.inactive_segments().into_iter().map(fact).collect::<Result<_, _>>()?,
        })
    }

    /// All segments but the last.
    pub(crate) fn inactive_segments(&self) -> Vec<Inactive> {
        let segments = self.segments.read();
        segments.windows(2).map(|pair| (pair[0].clone(), pair[1].base_offset())).collect()
    }

    /// The last records of its producers.
    pub(crate) fn last_records(&self) -> HashMap<i64, LastRecord> {
        self.writer.lock().producers.last_records()
    }

    /// Where its segments are.
    pub(crate) fn home(&self) -> &Arc<SegmentHome> {
        &self.home
    }

    /// Sees to it that a start after a crash knows the recovery point. What lies below is not looked for in the journal then.
    pub(crate) fn persist_recovery_point(&self) -> Result<(), StorageError> {
        self.context.store_recovery_points()
    }

    /// Puts a segment in the place of some neighbours, up to where the next one begins. Their files are removed a while later, when
    /// their readers are done. Neither appends nor readers wait for it.
    pub(crate) fn replace_segments(
        &self,
        originals: &[Arc<Segment>],
        cleaned: &Segment,
        end_offset: i64,
    ) -> Result<(), CleanError> {
        // Whoever removes segments or the whole log holds it too.
        let mut state = self.destage.lock();
        let place = self.place_of(originals).filter(|_| self.is_cleanable()).ok_or(CleanError::CalledOff)?;
        cleaned.seal()?;
        exchange(&self.home, originals, cleaned).map_err(CleanError::Exchange)?;
        let (base_offset, size) = (cleaned.base_offset(), cleaned.size());
        let sealed = Segment::sealed(self.home.clone(), base_offset, size, end_offset);
        self.segments.write().splice(place, [Arc::new(sealed)]);
        self.exchanges.fetch_add(1, Ordering::AcqRel);
        // After a crash some of them may wait to be flushed once more.
        let is_original = |segment: &Arc<Segment>| originals.iter().any(|known| Arc::ptr_eq(known, segment));
        state.unsynced.retain(|segment| !is_original(segment));
        for original in &originals[1..] {
            self.remove_snapshot(original.base_offset());
        }
        // What is in memory still is as it was written.
        self.evict_below(end_offset);
        let delay_ms = u64::try_from(self.config.load().file_delete_delay_ms).unwrap_or(0);
        self.context.remove_after(deleted_files(originals), Duration::from_millis(delay_ms));
        Ok(())
    }

    /// Looks for something in the segments, and again if that failed while some of them were exchanged: their files may be gone. The
    /// caller does not hold `destage`.
    pub(super) fn in_segments<T, E>(&self, look: impl Fn() -> Result<T, E>) -> Result<T, E> {
        loop {
            let before = self.exchanges.load(Ordering::Acquire);
            let found = look();
            if found.is_ok() || before == self.exchanges_that_ended() {
                return found;
            }
        }
    }

    /// How many exchanges there were, once the one that is under way has ended. An old file may go before the new one has its place:
    /// a removal that is due for an earlier file of the same name takes it along.
    fn exchanges_that_ended(&self) -> u64 {
        let _state = self.destage.lock();
        self.exchanges.load(Ordering::Acquire)
    }

    /// Where these segments are among all, if they are still.
    fn place_of(&self, originals: &[Arc<Segment>]) -> Option<std::ops::Range<usize>> {
        let segments = self.segments.read();
        let first = originals.first()?;
        let first = segments.iter().position(|known| Arc::ptr_eq(known, first))?;
        let place = first..first + originals.len();
        let there = segments.get(place.clone())?;
        there.iter().zip(originals).all(|(known, original)| Arc::ptr_eq(known, original)).then_some(place)
    }
}
