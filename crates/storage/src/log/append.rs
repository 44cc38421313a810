//! Appending: checks, offsets, the tail, the journal.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use protocol::records::{BatchHeader, set_base_offset_and_epoch};

use super::producer_files::PendingSnapshot;
use super::validate::{Checked, CheckedBatch, check};
use super::{AppendInfo, Appended, Log, LogConfig, Origin, Writer};
use crate::AppendError;
use crate::journal::{Entry, EntryKind, Owner};
use crate::producers::{Admission, BatchSource, Duplicate};
use crate::tail::TailBatch;

impl Log {
    /// Appends batches: they get the next offsets, can be read up to the log's end at once, and are on disk once the journal has
    /// reached the position that is returned. Never waits for a disk. If it fails, nothing was appended.
    ///
    /// The bytes are used in place if nobody else holds on to their memory, and else copied. Whoever appends for a client looks
    /// first whether the journal [is busy](crate::Journal::is_busy), and waits then.
    pub fn append(self: &Arc<Self>, records: Bytes, info: AppendInfo) -> Result<Appended, AppendError> {
        let frozen = self.frozen.read();
        if *frozen && !self.is_deleted() {
            return Err(AppendError::Frozen(records));
        }
        let config = self.config.load();
        self.check_fits_journal(records.len())?;
        let checked = check(records, &info, &config)?;
        let mut writer = self.writer.lock();
        self.check_usable()?;
        if let Some(duplicate) = writer.admit(&checked.batches, info.origin)? {
            return Ok(self.answer_duplicate(&writer, duplicate));
        }
        let appended = self.append_checked(&mut writer, checked, &info, &config)?;
        drop(writer);
        drop(frozen);
        if config.ack_from_memory {
            self.watchers.call();
        }
        Ok(appended)
    }

    fn check_fits_journal(&self, size: usize) -> Result<(), AppendError> {
        let size_max = self.context.journal.entry_bytes_max();
        if size > size_max { Err(AppendError::MessageTooLarge { size, size_max }) } else { Ok(()) }
    }

    /// The answer to a batch that is there: it may be on its way to the disk still. Its own time stands for that of the append.
    fn answer_duplicate(&self, writer: &Writer, duplicate: Duplicate) -> Appended {
        Appended {
            base_offset: duplicate.base_offset,
            last_offset: duplicate.last_offset,
            log_append_time_ms: duplicate.timestamp,
            log_start_offset: self.log_start_offset(),
            position: writer.last_lsn,
            duplicate: true,
        }
    }

    fn append_checked(
        self: &Arc<Self>,
        writer: &mut Writer,
        checked: Checked,
        info: &AppendInfo,
        config: &LogConfig,
    ) -> Result<Appended, AppendError> {
        let Checked { bytes, mut batches, log_append_time_ms } = checked;
        let base_offset = self.log_end_offset();
        let bytes = assign_offsets(bytes, &mut batches, base_offset, info.leader_epoch);
        let byte_count = bytes.len();
        let tail_batches = writer.cut_into_batches(&bytes, &batches, config, info.now_ms);
        let last_offset = batches.last().map_or(base_offset, |batch| batch.header.last_offset());
        // Whoever is told that the records are on disk must find them.
        self.push(tail_batches);
        let submitted = self.context.journal.submit(Entry {
            kind: EntryKind::Append,
            owner: self.clone(),
            offset: base_offset,
            end_offset: last_offset + 1,
            leader_epoch: info.leader_epoch,
            records: bytes,
        });
        let position = match submitted {
            Ok(lsn) => lsn,
            Err(error) => {
                self.take_back(base_offset);
                return Err(error.into());
            }
        };
        writer.last_lsn = position;
        self.counts.add(last_offset + 1 - base_offset, byte_count);
        self.record(writer, &batches, info.leader_epoch, base_offset);
        let log_start_offset = self.log_start_offset();
        Ok(Appended {
            base_offset,
            last_offset,
            log_append_time_ms,
            log_start_offset,
            position,
            duplicate: false,
        })
    }

    pub(super) fn push(&self, batches: Vec<TailBatch>) {
        let mut tail = self.tail.write();
        let cost = batches.into_iter().map(|batch| tail.push(batch)).sum();
        drop(tail);
        self.context.budget.take(cost);
    }

    /// The journal takes nothing any more.
    pub(super) fn take_back(self: &Arc<Self>, end_offset: i64) {
        let cost = self.tail.write().cut(end_offset);
        self.context.budget.give_back(cost);
        self.clone().fail();
    }

    /// Notes producers, transactions and the epoch of batches that were appended.
    fn record(&self, writer: &mut Writer, batches: &[CheckedBatch], leader_epoch: i32, base_offset: i64) {
        for batch in batches {
            self.aborted.add(writer.producers.record(&batch.header, batch.marker));
        }
        if writer.producers.first_unstable_offset().is_some()
            || self.first_unstable.load(Ordering::Acquire) != super::NO_TRANSACTION
        {
            self.settle_transactions(writer);
        }
        let known = self.epochs.read().latest().is_some_and(|latest| latest.epoch == leader_epoch);
        if !known {
            self.epochs.write().assign(leader_epoch, base_offset);
        }
    }
}

impl Writer {
    /// Whether the batches may be appended; or where they are already.
    fn admit(&self, batches: &[CheckedBatch], origin: Origin) -> Result<Option<Duplicate>, AppendError> {
        let source = match origin {
            Origin::Client => BatchSource::Client,
            Origin::Coordinator | Origin::Raft => BatchSource::Coordinator,
        };
        for batch in batches {
            if let Admission::Duplicate(duplicate) =
                self.producers.check(&batch.header, batch.marker, source)?
            {
                return Ok(Some(duplicate));
            }
        }
        Ok(None)
    }

    /// Decides for each batch whether a segment begins with it.
    pub(super) fn cut_into_batches(
        &mut self,
        bytes: &Bytes,
        batches: &[CheckedBatch],
        config: &LogConfig,
        now_ms: i64,
    ) -> Vec<TailBatch> {
        let mut rest = bytes.clone();
        let cut = |batch: &CheckedBatch| {
            let bytes = rest.split_to(batch.header.size_in_bytes());
            self.tail_batch(&batch.header, bytes, config, now_ms)
        };
        batches.iter().map(cut).collect()
    }

    /// A batch for the tail, at the end of the active segment or the start of the next.
    pub(super) fn tail_batch(
        &mut self,
        header: &BatchHeader,
        bytes: Bytes,
        config: &LogConfig,
        now_ms: i64,
    ) -> TailBatch {
        let rolls = std::mem::take(&mut self.rolls_next) || self.active.must_roll(header, config, now_ms);
        if rolls {
            self.snapshots.push(PendingSnapshot::at_roll(header.base_offset, &self.producers));
            self.active = self.active.successor(header.base_offset, now_ms);
        }
        self.active.note(header, config);
        TailBatch {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            max_timestamp: header.max_timestamp,
            rolls,
            bytes,
        }
    }
}

/// Gives the batches their offsets and the epoch, in their bytes and headers.
fn assign_offsets(
    mut bytes: BytesMut,
    batches: &mut [CheckedBatch],
    base_offset: i64,
    leader_epoch: i32,
) -> Bytes {
    let (mut at, mut offset) = (0, base_offset);
    for CheckedBatch { header, .. } in batches {
        set_base_offset_and_epoch(&mut bytes[at..], offset, leader_epoch);
        header.base_offset = offset;
        header.partition_leader_epoch = leader_epoch;
        offset = header.next_offset();
        at += header.size_in_bytes();
    }
    bytes.freeze()
}
