//! Producer snapshots of a log: when they are taken, where they are kept, and the way back from them.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use protocol::records::{BatchHeader, Batches, read_end_txn};

use super::{Log, Writer};
use crate::StorageError;
use crate::files::{names, producer_snapshot};
use crate::producers::Producers;
use crate::segment::SegmentHome;

/// `producer.id.expiration.ms`, Kafka's default.
const EXPIRATION_MS: i64 = 24 * 60 * 60 * 1000;

/// What is known of producers at an offset that is not in the segments yet.
pub(super) struct PendingSnapshot {
    pub(super) offset: i64,
    /// Whether a segment begins there: then the snapshot stays.
    pub(super) at_roll: bool,
    entries: Vec<producer_snapshot::ProducerEntry>,
}

impl PendingSnapshot {
    pub(super) fn at_roll(offset: i64, producers: &Producers) -> PendingSnapshot {
        PendingSnapshot { offset, at_roll: true, entries: producers.to_snapshot() }
    }

    fn at_checkpoint(offset: i64, producers: &Producers) -> PendingSnapshot {
        PendingSnapshot { offset, at_roll: false, entries: producers.to_snapshot() }
    }

    /// Writes the file. It is not flushed: a snapshot that is lost or torn is only a longer way at the next start.
    fn store(&self, home: &SegmentHome) -> Result<(), StorageError> {
        let path = snapshot_path(home, self.offset);
        let write = || {
            let file = home.disk.open(&path, host::OpenMode::ReadWrite)?;
            file.set_len(0)?;
            file.write_all_at(&producer_snapshot::encode(self.entries.clone()), 0)
        };
        write().map_err(|source| StorageError::io(&path, source))
    }
}

impl Writer {
    /// Takes a snapshot at the log's end, to be written once all below is in the segments.
    fn take_snapshot(&mut self, end_offset: i64) {
        if self.snapshots.last().is_none_or(|last| last.offset < end_offset) {
            self.snapshots.push(PendingSnapshot::at_checkpoint(end_offset, &self.producers));
        }
    }
}

impl Log {
    /// Writes the snapshots whose offsets are in the segments now, and takes the next one at the log's end. The newest
    /// on disk that belongs to no segment goes when a newer one is there.
    pub(super) fn checkpoint_producers(&self) -> Result<(), StorageError> {
        let destaged_end = self.destaged_end.load(Ordering::Acquire);
        let due: Vec<PendingSnapshot> = {
            let mut writer = self.writer.lock();
            let end_offset = self.log_end_offset();
            writer.take_snapshot(end_offset);
            let count = writer.snapshots.partition_point(|snapshot| snapshot.offset <= destaged_end);
            writer.snapshots.drain(..count).collect()
        };
        for snapshot in due {
            snapshot.store(&self.home)?;
            if !snapshot.at_roll {
                self.keep_snapshot(snapshot.offset);
            }
        }
        Ok(())
    }

    /// Of the snapshots that belong to no segment two are kept: until the recovery point is on disk that covers the newer one, a
    /// start needs the older.
    fn keep_snapshot(&self, offset: i64) {
        let oldest = {
            let mut kept = self.kept_snapshots.lock();
            if kept[1] == offset {
                return;
            }
            let oldest = kept[0];
            *kept = [kept[1], offset];
            oldest
        };
        self.remove_snapshot(oldest);
    }

    pub(super) fn remove_snapshot(&self, offset: i64) {
        let is_segment = self.segments.read().iter().any(|segment| segment.base_offset() == offset);
        if offset >= 0 && !is_segment {
            // One too many does no harm.
            let _ = self.home.disk.remove_file(&snapshot_path(&self.home, offset));
        }
    }

    /// Writes the snapshot at the log's end that a clean start looks for. It is on disk when this returns.
    pub(super) fn store_last_snapshot(&self) -> Result<(), StorageError> {
        let (end_offset, entries) = {
            let writer = self.writer.lock();
            (self.log_end_offset(), writer.producers.to_snapshot())
        };
        if end_offset == 0 {
            return Ok(());
        }
        producer_snapshot::store(&*self.home.disk, &snapshot_path(&self.home, end_offset), entries)?;
        let before = std::mem::replace(&mut *self.kept_snapshots.lock(), [-1, end_offset]);
        before
            .into_iter()
            .filter(|offset| *offset != end_offset)
            .for_each(|offset| self.remove_snapshot(offset));
        Ok(())
    }

    /// What was known of producers at an offset, from the snapshots and the batches after them.
    pub(super) fn rebuild_producers(&self, end_offset: i64) -> Result<Producers, StorageError> {
        let entries = self.home.disk.list(&self.home.dir);
        let entries = entries.map_err(|source| StorageError::io(&self.home.dir, source))?;
        let offsets = snapshot_offsets(entries.iter().map(|entry| entry.name.as_str()));
        let now_ms = self.context.host.clock.now_ms();
        let (start, mut producers) = newest_snapshot(&self.home, &offsets, end_offset, now_ms)
            .unwrap_or((self.log_start_offset(), Producers::default()));
        self.for_each_batch(start, end_offset, &mut |header, bytes| {
            let marker = read_end_txn(bytes).ok().flatten();
            producers.record(header, marker);
        })?;
        producers.high_watermark_moved(end_offset);
        Ok(producers)
    }

    /// Shows the batches between two offsets, from wherever they are.
    pub(super) fn for_each_batch(
        &self,
        from: i64,
        to: i64,
        show: &mut dyn FnMut(&BatchHeader, &[u8]),
    ) -> Result<(), StorageError> {
        let mut next = from;
        while next < to {
            let Some(run) = self.read_run(next, to)? else { break };
            for batch in Batches::new(&run) {
                let Ok((header, bytes)) = batch else { break };
                if header.last_offset() >= next {
                    show(&header, bytes);
                    next = header.next_offset();
                }
            }
        }
        Ok(())
    }
}

/// The offsets of the snapshots among some files, ascending.
pub(super) fn snapshot_offsets<'a>(file_names: impl Iterator<Item = &'a str>) -> Vec<i64> {
    let mut offsets: Vec<i64> =
        file_names.filter_map(|name| names::offset_in(name, names::PRODUCER_SNAPSHOT)).collect();
    offsets.sort_unstable();
    offsets
}

/// The newest snapshot that is whole and not above an offset.
pub(super) fn newest_snapshot(
    home: &SegmentHome,
    offsets: &[i64],
    at_most: i64,
    now_ms: i64,
) -> Option<(i64, Producers)> {
    offsets.iter().rev().filter(|offset| **offset <= at_most).find_map(|offset| {
        let entries = producer_snapshot::load(&*home.disk, &snapshot_path(home, *offset)).ok()??;
        Some((*offset, Producers::from_snapshot(&entries, now_ms, EXPIRATION_MS)))
    })
}

/// Removes snapshots above an offset: after a crash nobody knows whether they belong to what is there.
pub(super) fn remove_snapshots_above(home: &SegmentHome, offsets: &[i64], above: i64) {
    for offset in offsets.iter().filter(|offset| **offset > above) {
        let _ = home.disk.remove_file(&snapshot_path(home, *offset));
    }
}

pub(super) fn snapshot_path(home: &SegmentHome, offset: i64) -> PathBuf {
    home.dir.join(names::of_offset(offset, names::PRODUCER_SNAPSHOT))
}
