//! What waits to be written.

use std::collections::VecDeque;

use super::{Entry, Lsn};
use crate::StorageError;

/// Entries in the order of their numbers.
pub(super) struct Queue {
    pub(super) entries: VecDeque<Entry>,
    /// Their bytes.
    pub(super) bytes: usize,
    next_lsn: u64,
    /// Why no more entries are taken, since a failure.
    pub(super) refusal: Option<StorageError>,
    pub(super) closing: bool,
    /// Called when there is room again.
    pub(super) ready: Vec<Box<dyn FnOnce() + Send>>,
}

impl Queue {
    pub(super) fn starting_after(durable: Lsn) -> Queue {
        Queue {
            entries: VecDeque::new(),
            bytes: 0,
            next_lsn: durable.0 + 1,
            refusal: None,
            closing: false,
            ready: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, entry: Entry) -> Result<Lsn, StorageError> {
        if self.closing {
            return Err(StorageError::Closed);
        }
        if let Some(error) = &self.refusal {
            return Err(error.clone());
        }
        self.bytes += entry.size();
        self.entries.push_back(entry);
        self.next_lsn += 1;
        Ok(self.last_lsn())
    }

    pub(super) fn last_lsn(&self) -> Lsn {
        Lsn(self.next_lsn - 1)
    }

    /// Number of the first entry that waits.
    pub(super) fn first_lsn(&self) -> u64 {
        self.next_lsn - self.entries.len() as u64
    }

    /// Takes as many entries as have so many bytes, and at least one.
    pub(super) fn take(&mut self, bytes_max: usize, group: &mut Vec<Entry>) {
        let mut bytes = 0;
        while let Some(entry) = self.entries.front() {
            bytes += entry.size();
            if bytes > bytes_max && !group.is_empty() {
                break;
            }
            self.bytes -= entry.size();
            group.extend(self.entries.pop_front());
        }
        if self.entries.is_empty() && self.entries.capacity() > 1024 {
            self.entries.shrink_to(64);
        }
    }

    /// Takes no more entries, and gives up those that wait.
    pub(super) fn refuse(&mut self, error: StorageError) -> VecDeque<Entry> {
        if !matches!(self.refusal, Some(StorageError::Offline { .. })) {
            self.refusal = Some(error);
        }
        self.bytes = 0;
        std::mem::take(&mut self.entries)
    }

    /// Takes entries again. Their numbers go on, so that what was lost is never taken for what comes now.
    pub(super) fn resume(&mut self) {
        self.refusal = None;
    }

    pub(super) fn close(&mut self, drain: bool) {
        self.closing = true;
        if !drain {
            self.entries.clear();
            self.bytes = 0;
        }
    }
}
