//! Copying a log to another log directory while it is written to (KIP-113).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use protocol::records::{Batches, read_end_txn, verify};

use super::validate::CheckedBatch;
use super::{Log, Writer};
use crate::journal::{Entry, EntryKind, Lsn};
use crate::{AppendError, StorageError};

impl Log {
    /// Lets no appends in until the log is [thawed](Log::thaw), and says what to wait for until all that it holds is on disk. Those
    /// under way are waited for.
    pub fn freeze(&self) -> Lsn {
        *self.frozen.write() = true;
        let writer = self.writer.lock();
        self.closed.store(true, Ordering::Release);
        writer.last_lsn
    }

    /// Lets appends in again. Those who [watch](Log::watch) the log are told.
    pub fn thaw(&self) {
        let writer = self.writer.lock();
        self.closed.store(self.is_deleted(), Ordering::Release);
        drop(writer);
        *self.frozen.write() = false;
        self.watchers.call();
    }

    /// Whether the log is held still: appends are let in again soon, or another log takes its place.
    pub fn is_frozen(&self) -> bool {
        *self.frozen.read() && !self.is_deleted()
    }

    /// Some whole batches from an offset on that are on disk, about 1 MiB of them; none if there are no more. Waits for the disk.
    pub fn read_durable(&self, offset: i64) -> Result<Option<Bytes>, StorageError> {
        let read = self.read_run(offset, self.durable_end_offset());
        read.inspect_err(|error| self.note_error(error))
    }

    /// Appends whole batches of the log that this is a copy of, as they are there. Those that it has are left out.
    pub fn append_copy(self: &Arc<Self>, records: &Bytes) -> Result<Lsn, AppendError> {
        let mut writer = self.writer.lock();
        self.check_usable()?;
        let (records, batches) = missing(records, self.log_end_offset())?;
        let Some((first, last)) = batches.first().zip(batches.last()) else { return Ok(writer.last_lsn) };
        let (offset, leader_epoch) = (first.header.base_offset, last.header.partition_leader_epoch);
        let end_offset = last.header.next_offset();
        let now_ms = self.context.host.clock.now_ms();
        let tail_batches = writer.cut_into_batches(&records, &batches, &self.config.load(), now_ms);
        self.push(tail_batches);
        let kind = EntryKind::Append;
        let entry = Entry { kind, owner: self.clone(), offset, end_offset, leader_epoch, records };
        let submitted = self.context.journal.submit(entry).inspect_err(|_| self.take_back(offset))?;
        writer.last_lsn = submitted;
        self.record_copied(&mut writer, &batches);
        Ok(submitted)
    }

    fn record_copied(&self, writer: &mut Writer, batches: &[CheckedBatch]) {
        for batch in batches {
            self.aborted.add(writer.producers.record(&batch.header, batch.marker));
            self.epochs.write().assign(batch.header.partition_leader_epoch, batch.header.base_offset);
        }
        self.settle_transactions(writer);
    }
}

/// The batches that end at an offset or later, each of them intact.
fn missing(records: &Bytes, offset: i64) -> Result<(Bytes, Vec<CheckedBatch>), AppendError> {
    let (mut start, mut batches) = (0, Vec::new());
    for batch in Batches::new(records) {
        let (_, bytes) = batch?;
        let header = verify(bytes)?;
        if header.last_offset() < offset {
            start += bytes.len();
            continue;
        }
        let marker = if header.is_control() { read_end_txn(bytes)? } else { None };
        batches.push(CheckedBatch { header, marker });
    }
    Ok((records.slice(start..), batches))
}
