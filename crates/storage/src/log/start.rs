//! Where a log starts. It moves by way of the journal, so that no crash moves it back.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::Log;
use crate::journal::{Entry, EntryKind, Lsn};
use crate::retention::requested_start;
use crate::{DeletionError, StorageError};

impl Log {
    /// Deletes a client's records below an offset, or all that is committed if it is -1 (DeleteRecords, KIP-107). They are gone, and
    /// no crash brings them back, once the journal has reached the place that is returned; none if the log starts there already.
    pub fn delete_records(self: &Arc<Self>, offset: i64) -> Result<Option<Lsn>, DeletionError> {
        let config = self.config.load();
        let compacted_only = config.compacted && !config.retention.delete;
        let start = requested_start(offset, compacted_only, self.high_watermark())?;
        Ok(self.submit_start(start)?)
    }

    /// Lets the log start at an offset, if it starts before it, and removes segments of which nothing is left. Waits for the disk. What
    /// stands for the records that go, a snapshot, lies in the log's directory: that must not be lost when they are.
    pub fn advance_log_start(self: &Arc<Self>, offset: i64) -> Result<(), StorageError> {
        let named = self.home.disk.sync_dir(&self.context.dir);
        named.map_err(|source| StorageError::io(&self.context.dir, source))?;
        if let Some(lsn) = self.submit_start(offset.min(self.high_watermark()))? {
            self.context.journal.wait_durable(lsn)?;
        }
        self.drop_segments_below_start().map(drop)
    }

    /// Tells the journal that the log starts at an offset that is committed.
    pub(super) fn submit_start(self: &Arc<Self>, offset: i64) -> Result<Option<Lsn>, StorageError> {
        self.check_usable()?;
        if self.log_start_offset() >= offset {
            return Ok(None);
        }
        let entry = Entry {
            kind: EntryKind::Start,
            owner: self.clone(),
            offset,
            end_offset: i64::MIN,
            leader_epoch: -1,
            records: Bytes::new(),
        };
        self.context.journal.submit(entry).map(Some)
    }

    /// The log starts at this offset, unless it starts behind it.
    pub(super) fn raise_start(&self, offset: i64) {
        if self.log_start.fetch_max(offset, Ordering::AcqRel) < offset {
            self.epochs.write().truncate_from_start(offset);
        }
    }
}
