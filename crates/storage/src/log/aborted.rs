//! Aborted transactions: in memory from their markers on until a segment's index has them on disk.

use std::sync::atomic::Ordering;

use parking_lot::RwLock;

use super::Log;
use super::destage::Destage;
use crate::StorageError;
use crate::files::transaction_index::AbortedTransaction;

/// Those whose markers lie above the recovery point, in the order of their ends. A lock of its own, so that readers do not wait for
/// who appends.
#[derive(Default)]
pub(super) struct RecentlyAborted(RwLock<Vec<AbortedTransaction>>);

impl RecentlyAborted {
    pub(super) fn add(&self, aborted: Option<AbortedTransaction>) {
        if let Some(aborted) = aborted {
            self.0.write().push(aborted);
        }
    }

    /// Forgets what ended at an offset or later: the log is cut there.
    pub(super) fn cut(&self, offset: i64) {
        self.0.write().retain(|entry| entry.last_offset < offset);
    }

    /// Forgets what is on disk.
    fn forget_below(&self, recovery_point: i64) {
        let mut entries = self.0.write();
        entries.retain(|entry| entry.last_offset >= recovery_point);
        entries.shrink_to_fit();
    }

    /// Those that ended between two offsets, the second exclusive.
    fn between(&self, from: i64, to: i64) -> Vec<AbortedTransaction> {
        let within = |entry: &&AbortedTransaction| (from..to).contains(&entry.last_offset);
        self.0.read().iter().filter(within).copied().collect()
    }
}

impl Log {
    /// Gives the segments the aborted transactions whose markers are in them, each once. They are kept here too until they are on
    /// disk, for a flush that fails cuts the segments back.
    pub(super) fn hand_over_aborted(&self, state: &mut Destage, destaged_end: i64) {
        for aborted in self.aborted.between(state.aborted_end, destaged_end) {
            if let Some(segment) = self.segment_holding(aborted.last_offset) {
                segment.append_aborted(aborted);
            }
        }
        state.aborted_end = destaged_end;
    }

    /// All below is on disk with its indexes.
    pub(super) fn forget_aborted_below(&self, recovery_point: i64) {
        self.aborted.forget_below(recovery_point);
    }

    /// The transactions that were aborted and have records between two offsets, the second exclusive, in the order of their ends.
    /// May wait for a disk.
    pub fn aborted_transactions(&self, from: i64, to: i64) -> Result<Vec<AbortedTransaction>, StorageError> {
        let found = self.aborted_between(from, to);
        found.inspect_err(|error| self.note_error(error))
    }

    fn aborted_between(&self, from: i64, to: i64) -> Result<Vec<AbortedTransaction>, StorageError> {
        // Before the segments, for what goes from here is there by then.
        let mut aborted = self.aborted.between(from, i64::MAX);
        let segments = self.segments.read().clone();
        for segment in segments.iter().filter(|segment| segment.next_offset() > from) {
            let entries = segment.aborted()?;
            // What ends later concerns later records only.
            let is_complete = entries.iter().any(|entry| entry.last_stable_offset >= to);
            aborted.extend(entries);
            if is_complete {
                break;
            }
        }
        aborted.retain(|entry| entry.last_offset >= from && entry.first_offset < to);
        aborted.sort_unstable_by_key(|entry| entry.last_offset);
        aborted.dedup();
        Ok(aborted)
    }

    /// The offset after the last record that consumers may see who only read what is committed.
    pub fn last_stable_offset(&self) -> i64 {
        let first_unstable = self.first_unstable.load(Ordering::Acquire).max(self.log_start_offset());
        self.high_watermark().min(first_unstable)
    }
}
