//! Writing what is durable to the segments, and flushing those.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use host::{AlignedBuffer, BLOCK_BYTES, File, OpenMode};
use protocol::records::BatchHeader;

use super::{DESTAGE_BYTES, Log};
use crate::StorageError;
use crate::files::leader_epochs::{self, EpochStart};
use crate::files::{names, partition_metadata};
use crate::log_dir::Pace;
use crate::segment::Segment;
use crate::tail::TailBatch;

/// From how many bytes on a write goes past the page cache.
const DIRECT_BYTES_MIN: usize = 16 * 1024;
/// Steps in which the disk's room for a segment is taken, in bytes.
const ALLOCATION_BYTES: u64 = 16 * 1024 * 1024;

/// What is known of the end of the segments.
#[derive(Default)]
pub(super) struct Destage {
    /// Segments written to since they were flushed.
    pub(super) unsynced: Vec<Arc<Segment>>,
    /// Names in the directory were added since it was flushed.
    pub(super) dir_unsynced: bool,
    /// `partition.metadata` is there but was not flushed.
    pub(super) metadata_unsynced: bool,
    /// What the epochs' file says first and last.
    pub(super) stored_epochs: Option<(EpochStart, EpochStart)>,
    /// Up to where in the active segment's file the disk's room is taken.
    pub(super) allocated_end: u64,
    pub(super) written_bytes: usize,
    /// Up to where the segments know of aborted transactions.
    pub(super) aborted_end: i64,
    /// The files are as Kafka leaves them.
    pub(super) finished: bool,
}

/// Writes batches to segments' files. Holds the one buffer for all logs.
pub(crate) struct SegmentWriter {
    buffer: AlignedBuffer,
    filled: usize,
    /// From how many bytes on in the buffer they are written: whole blocks.
    piece_bytes: usize,
    pace: Pace,
    direct: bool,
}

impl SegmentWriter {
    /// With or without going past the page cache.
    pub(crate) fn new(direct: bool) -> SegmentWriter {
        SegmentWriter {
            buffer: AlignedBuffer::zeroed(DESTAGE_BYTES),
            filled: 0,
            piece_bytes: DESTAGE_BYTES,
            pace: Pace::default(),
            direct,
        }
    }

    /// Writes batches at the end of a segment. What lies behind them in the last block, if anything, is zeroes.
    fn write(
        &mut self,
        log: &Log,
        segment: &Segment,
        batches: &[TailBatch],
        allocated_end: &mut u64,
    ) -> Result<(), StorageError> {
        let (position, path) = (segment.size(), segment.path(names::LOG));
        let size: usize = batches.iter().map(|batch| batch.bytes.len()).sum();
        let mut write = || {
            if self.direct && size >= DIRECT_BYTES_MIN {
                let file = log.home.disk.open(&path, OpenMode::Direct)?;
                if file.is_direct() {
                    allocate(&*file, position + size as u64, allocated_end)?;
                    return self.write_direct(log, &*file, position, batches);
                }
            }
            let file = segment.log_file().map_err(io::Error::other)?;
            self.write_buffered(log, &*file, position, batches)
        };
        write().map_err(|source| StorageError::io(&path, source))
    }

    /// Whole blocks, the first of which may begin with what is in the file already.
    fn write_direct(
        &mut self,
        log: &Log,
        file: &dyn File,
        position: u64,
        batches: &[TailBatch],
    ) -> io::Result<()> {
        self.filled = position as usize % BLOCK_BYTES;
        let mut at = position - self.filled as u64;
        if self.filled > 0 {
            let read = file.read_at(&mut self.buffer.as_mut_slice()[..BLOCK_BYTES], at)?;
            if read < self.filled {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        for batch in batches {
            self.fill(log, file, &batch.bytes, &mut at)?;
        }
        let end = self.filled.next_multiple_of(BLOCK_BYTES);
        self.buffer.as_mut_slice()[self.filled..end].fill(0);
        self.filled = end;
        self.flush(log, file, &mut at)
    }

    fn write_buffered(
        &mut self,
        log: &Log,
        file: &dyn File,
        position: u64,
        batches: &[TailBatch],
    ) -> io::Result<()> {
        self.filled = 0;
        let mut at = position;
        for batch in batches {
            self.fill(log, file, &batch.bytes, &mut at)?;
        }
        self.flush(log, file, &mut at)
    }

    /// Adds bytes to the buffer, and writes it whenever it holds as much as should be written at once.
    fn fill(&mut self, log: &Log, file: &dyn File, mut bytes: &[u8], at: &mut u64) -> io::Result<()> {
        while !bytes.is_empty() {
            let len = bytes.len().min(self.piece_bytes - self.filled);
            self.buffer.as_mut_slice()[self.filled..self.filled + len].copy_from_slice(&bytes[..len]);
            self.filled += len;
            bytes = &bytes[len..];
            if self.filled == self.piece_bytes {
                self.flush(log, file, at)?;
            }
        }
        Ok(())
    }

    /// Writes what the buffer holds, and lets the journal have the disk after that.
    fn flush(&mut self, log: &Log, file: &dyn File, at: &mut u64) -> io::Result<()> {
        let written = std::mem::take(&mut self.filled);
        file.write_all_at(&self.buffer.as_slice()[..written], *at)?;
        *at += written as u64;
        log.context.give_way(&mut self.pace, written);
        self.piece_bytes = self.pace.piece_bytes(self.buffer.len());
        Ok(())
    }
}

/// Takes room on the disk ahead of a growing file, so that its blocks lie together.
fn allocate(file: &dyn File, end: u64, allocated_end: &mut u64) -> io::Result<()> {
    if end <= *allocated_end {
        return Ok(());
    }
    let target = end + ALLOCATION_BYTES;
    match file.allocate(*allocated_end, target - *allocated_end) {
        // Then only the room that is needed is taken, if there is.
        Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
        allocated => allocated?,
    }
    *allocated_end = target;
    Ok(())
}

impl Log {
    /// Writes all that is durable to the segments.
    pub(crate) fn destage(&self, writer: &mut SegmentWriter) -> Result<(), StorageError> {
        let mut state = self.destage.lock();
        self.queued.store(false, Ordering::Release);
        while !self.is_deleted() {
            let limit = self.durable_end_offset();
            let run = self.tail.read().next_to_destage(limit, DESTAGE_BYTES);
            if run.is_empty() {
                return Ok(());
            }
            self.destage_run(&mut state, writer, &run)?;
        }
        Ok(())
    }

    fn destage_run(
        &self,
        state: &mut Destage,
        writer: &mut SegmentWriter,
        run: &[TailBatch],
    ) -> Result<(), StorageError> {
        state.finished = false;
        let segment = self.segment_for(state, &run[0])?;
        if !state.unsynced.iter().any(|known| Arc::ptr_eq(known, &segment)) {
            state.unsynced.push(segment.clone());
        }
        writer.write(self, &segment, run, &mut state.allocated_end)?;
        // Readers may look for the batches in the file from here on.
        let index_interval_bytes = self.config.load().index_interval_bytes;
        let mut bytes = 0;
        for batch in run {
            let header = BatchHeader::parse(&batch.bytes).map_err(|source| broken_batch(&source))?;
            segment.append(&header, index_interval_bytes);
            bytes += batch.bytes.len();
        }
        let end = run.last().map_or(0, |last| last.last_offset + 1);
        self.destaged_end.store(end, Ordering::Release);
        self.tail.write().note_destaged(run.len());
        state.written_bytes += bytes;
        let ready = self.ready_bytes.load(Ordering::Acquire);
        self.ready_bytes.fetch_sub(bytes.min(ready), Ordering::AcqRel);
        Ok(())
    }

    /// The segment that a batch belongs to: the last one, or a new one.
    fn segment_for(&self, state: &mut Destage, first: &TailBatch) -> Result<Arc<Segment>, StorageError> {
        let active = self.segments.read().last().cloned();
        match active {
            Some(active) if !first.rolls || active.base_offset() == first.base_offset => return Ok(active),
            Some(active) => trim(&active, true)?,
            None => {}
        }
        let created_ms = self.context.host.clock.now_ms();
        let segment = Arc::new(Segment::create(self.home.clone(), first.base_offset, created_ms)?);
        state.dir_unsynced = true;
        state.allocated_end = 0;
        self.segments.write().push(segment.clone());
        Ok(segment)
    }

    /// Flushes what was destaged and all that belongs to it. The recovery point moves, in memory.
    pub(crate) fn flush(&self) -> Result<(), StorageError> {
        if self.destage.lock().finished && self.is_flushed() {
            return Ok(());
        }
        self.checkpoint_producers()?;
        let mut state = self.destage.lock();
        if self.is_deleted() {
            return Ok(());
        }
        let recovery_point = self.destaged_end.load(Ordering::Acquire);
        self.hand_over_aborted(&mut state, recovery_point);
        let flushed = self.flush_segments(&mut state);
        if flushed.is_err() {
            // What the kernel could not write it has forgotten: a second flush would succeed and be a lie.
            self.rewind(&mut state)?;
        }
        flushed?;
        self.flush_names(&mut state)?;
        self.flush_epochs(&mut state)?;
        self.recovery_point.store(recovery_point, Ordering::Release);
        self.forget_aborted_below(recovery_point);
        Ok(())
    }

    fn flush_segments(&self, state: &mut Destage) -> Result<(), StorageError> {
        let active = self.segments.read().last().map(|segment| segment.base_offset());
        let idle = state.written_bytes < DESTAGE_BYTES;
        for segment in &state.unsynced {
            state.dir_unsynced |= segment.flush_indexes(false)?;
            let synced = segment.log_file()?.sync_data();
            synced.map_err(|source| StorageError::io(&segment.path(names::LOG), source))?;
            if idle || active != Some(segment.base_offset()) {
                segment.release_file();
            }
        }
        state.unsynced = Vec::new();
        state.written_bytes = 0;
        Ok(())
    }

    fn flush_names(&self, state: &mut Destage) -> Result<(), StorageError> {
        if state.metadata_unsynced {
            let path = self.home.dir.join(partition_metadata::NAME);
            partition_metadata::store(&*self.home.disk, &path, self.id.topic_id)?;
            state.metadata_unsynced = false;
            self.context.work.name_added();
        }
        if state.dir_unsynced {
            let synced = self.home.disk.sync_dir(&self.home.dir);
            synced.map_err(|source| StorageError::io(&self.home.dir, source))?;
            state.dir_unsynced = false;
        }
        Ok(())
    }

    fn flush_epochs(&self, state: &mut Destage) -> Result<(), StorageError> {
        let epochs = self.epochs.read().clone();
        if epochs.ends() != state.stored_epochs {
            leader_epochs::store(&*self.home.disk, &self.home.dir.join(leader_epochs::NAME), &epochs)?;
            state.stored_epochs = epochs.ends();
        }
        Ok(())
    }

    /// Ends the segments as Kafka leaves them: no zeroes behind the last batch, whole indexes, everything on disk. All must be
    /// destaged.
    pub(crate) fn finish(&self) -> Result<(), StorageError> {
        if self.segments.read().is_empty() {
            return self.create_first_segment();
        }
        if self.destage.lock().finished {
            return Ok(());
        }
        self.flush()?;
        let active = self.segments.read().last().cloned();
        if let Some(active) = active {
            trim(&active, active.size() > 0)?;
            let synced = active.log_file()?.sync_data();
            synced.map_err(|source| StorageError::io(&active.path(names::LOG), source))?;
            active.release_file();
        }
        self.store_last_snapshot()?;
        self.destage.lock().finished = true;
        Ok(())
    }

    /// An empty partition has its files too. They need no flush: if they are lost, they are made again.
    fn create_first_segment(&self) -> Result<(), StorageError> {
        let mut state = self.destage.lock();
        let (base_offset, now_ms) = (self.log_end_offset(), self.context.host.clock.now_ms());
        let segment = Segment::create(self.home.clone(), base_offset, now_ms)?;
        segment.release_file();
        self.segments.write().push(Arc::new(segment));
        state.finished = true;
        Ok(())
    }

    /// Whether nothing was appended since the log was flushed.
    pub(crate) fn is_flushed(&self) -> bool {
        self.recovery_point() == self.log_end_offset()
    }
}

/// Cuts off what lies behind the last batch, and ends the indexes if the segment has something.
pub(super) fn trim(segment: &Segment, seal: bool) -> Result<(), StorageError> {
    let trimmed = segment.log_file()?.set_len(segment.size());
    trimmed.map_err(|source| StorageError::io(&segment.path(names::LOG), source))?;
    if seal {
        segment.seal()?;
    }
    Ok(())
}

fn broken_batch(source: &protocol::records::BatchError) -> StorageError {
    StorageError::Failing(source.to_string().into())
}
