//! A segment: the part of a partition's log that begins at one offset, in one log file with its indexes.
//!
//! What is in a segment grows in three steps, each at its own pace: batches are [appended](Segment::append), which only notes
//! where they will lie; the log writes their bytes to the [file](Segment::log_file); and [`flush_indexes`](Segment::flush_indexes)
//! writes the index entries that gathered. Entries on disk are not kept in memory, so that a segment costs some hundred bytes
//! whatever its size, and opening one costs a few reads.
//!
//! Readers share a short lock for looking at numbers, never across a read of the disk. Whoever reads says where the bytes in
//! the file end for him: what lies behind may be in memory still.

mod index;
mod open;
mod place;
mod read;
mod recover;
mod resume;
mod roll;
mod scan;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use host::{Disk, File, OpenMode};
use parking_lot::{Mutex, RwLock};
use protocol::records::{BatchError, BatchHeader};
use thiserror::Error;

pub use place::Place;
pub use read::{FoundTimestamp, Located, ReadEnd, SegmentRange};
pub use recover::SegmentRecovery;
pub use roll::{Incoming, RollReason, RollRules, SegmentFacts, must_roll};

use crate::files::names;
use crate::files::offset_index::OffsetEntry;
use crate::files::time_index::TimeEntry;
use crate::files::transaction_index::{self, AbortedTransaction};
use crate::files::{load_whole, remove_if_there};
use index::SparseIndex;
use resume::ResumePlaces;

/// Where the segments of a log are.
pub struct SegmentHome {
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// The partition's directory.
    pub dir: PathBuf,
}

impl SegmentHome {
    fn path(&self, base_offset: i64, suffix: &str) -> PathBuf {
        self.dir.join(names::of_offset(base_offset, suffix))
    }
}

/// A segment could not be read or written.
#[derive(Debug, Error)]
pub enum SegmentError {
    /// The disk failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the disk says.
        source: io::Error,
    },
    /// A batch in the log file is not valid: the segment needs [recovery](Segment::recover).
    #[error("{}: at {position}: {source}", path.display())]
    Corrupt {
        /// The log file.
        path: PathBuf,
        /// Where the batch begins.
        position: u64,
        /// What is wrong with it.
        source: BatchError,
    },
    /// An index file makes no sense, or could not be replaced.
    #[error(transparent)]
    Index(#[from] crate::files::FileError),
}

/// A timestamp, and the offset of the last record of the batch that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// Offset of the batch's last record.
    pub offset: i64,
}

/// One segment.
pub struct Segment {
    home: Arc<SegmentHome>,
    base_offset: i64,
    created_ms: i64,
    /// Whether batches may be appended or removed.
    writable: bool,
    place: RwLock<Place>,
    state: RwLock<State>,
    resume: ResumePlaces,
    /// Held by who writes to the index files.
    flushing: Mutex<()>,
}

struct State {
    /// Bytes appended, in the file or not yet.
    size: u64,
    next_offset: i64,
    bytes_since_index: u64,
    /// Max timestamp of the first batch; none if there is no batch, or it was not looked at.
    first_timestamp: Option<i64>,
    /// None if there is no batch with a timestamp, or the segment was not looked at.
    max_timestamp: Option<TimestampOffset>,
    offsets: SparseIndex<OffsetEntry>,
    times: SparseIndex<TimeEntry>,
    /// Aborted transactions that are not in their file yet.
    aborted: Vec<AbortedTransaction>,
    /// None if nobody has looked yet.
    has_transaction_index: Option<bool>,
    log_file: Option<Arc<dyn File>>,
}

impl State {
    fn new(size: u64, next_offset: i64) -> State {
        State {
            size,
            next_offset,
            bytes_since_index: 0,
            first_timestamp: None,
            max_timestamp: None,
            offsets: SparseIndex::default(),
            times: SparseIndex::default(),
            aborted: Vec::new(),
            has_transaction_index: None,
            log_file: None,
        }
    }

    /// Notes a batch at the end, and an index entry for it if there was none for so many bytes.
    fn append(&mut self, base_offset: i64, batch: &BatchHeader, index_interval_bytes: u32) -> u64 {
        let position = self.size;
        self.note_timestamp(batch);
        if self.bytes_since_index > u64::from(index_interval_bytes) {
            self.index(base_offset, batch, position);
            self.bytes_since_index = 0;
        }
        self.bytes_since_index += batch.size_in_bytes() as u64;
        self.size += batch.size_in_bytes() as u64;
        self.next_offset = batch.next_offset();
        position
    }

    fn note_timestamp(&mut self, batch: &BatchHeader) {
        self.first_timestamp.get_or_insert(batch.max_timestamp);
        // What compaction left without records has no timestamp that could be found.
        if batch.records_count > 0 && batch.max_timestamp > self.max_timestamp.map_or(-1, |max| max.timestamp)
        {
            self.max_timestamp =
                Some(TimestampOffset { timestamp: batch.max_timestamp, offset: batch.last_offset() });
        }
    }

    fn index(&mut self, base_offset: i64, batch: &BatchHeader, position: u64) {
        // The log rolls before either would not fit.
        let relative_offset = u32::try_from(batch.last_offset() - base_offset);
        if let (Ok(relative_offset), Ok(position)) = (relative_offset, u32::try_from(position)) {
            self.offsets.push(OffsetEntry { relative_offset, position });
            self.index_time(base_offset);
        }
    }

    /// Adds an entry for the largest timestamp so far, unless it has one.
    fn index_time(&mut self, base_offset: i64) {
        let Some(max) = self.max_timestamp else { return };
        let Ok(relative_offset) = u32::try_from(max.offset - base_offset) else { return };
        let entry = TimeEntry { timestamp: max.timestamp, relative_offset };
        if entry.may_follow(self.times.last()) {
            self.times.push(entry);
        }
    }
}

impl Segment {
    /// A segment that has nothing yet. Its log file is made, or emptied; remains of its indexes are removed. The directory is
    /// not flushed.
    pub fn create(
        home: Arc<SegmentHome>,
        base_offset: i64,
        created_ms: i64,
    ) -> Result<Segment, SegmentError> {
        let segment = Segment::with(home, base_offset, created_ms, State::new(0, base_offset));
        let made = segment.home.disk.open(&segment.path(names::LOG), OpenMode::ReadWrite);
        let made = made.and_then(|file| file.set_len(0));
        made.map_err(|source| segment.io_error(names::LOG, source))?;
        for suffix in [names::OFFSET_INDEX, names::TIME_INDEX, names::TRANSACTION_INDEX] {
            remove_if_there(&*segment.home.disk, &segment.path(suffix))?;
        }
        Ok(segment)
    }

    fn with(home: Arc<SegmentHome>, base_offset: i64, created_ms: i64, state: State) -> Segment {
        let (place, state) = (RwLock::default(), RwLock::new(state));
        let (resume, flushing) = (ResumePlaces::default(), Mutex::new(()));
        Segment { home, base_offset, created_ms, writable: true, place, state, resume, flushing }
    }

    /// Offset in the name of its files. Its first record is there or later.
    pub fn base_offset(&self) -> i64 {
        self.base_offset
    }

    /// The offset after its last record.
    pub fn next_offset(&self) -> i64 {
        self.state.read().next_offset
    }

    /// Bytes appended to its log file, in the file or not yet.
    pub fn size(&self) -> u64 {
        self.state.read().size
    }

    /// Its [size](Segment::size) and the [offset](Segment::next_offset) after it, of one moment.
    pub fn extent(&self) -> (u64, i64) {
        let state = self.state.read();
        (state.size, state.next_offset)
    }

    /// The log file; open for writing too, unless the segment was opened as [sealed](Segment::sealed). It is opened when it is
    /// first needed.
    pub fn log_file(&self) -> Result<Arc<dyn File>, SegmentError> {
        if let Some(file) = &self.state.read().log_file {
            return Ok(file.clone());
        }
        // A file that is gone must not come back.
        let mode = if self.writable { OpenMode::Existing } else { OpenMode::Read };
        let opened = self.open_file(names::LOG, mode);
        let file = opened.map_err(|source| self.io_error(names::LOG, source))?;
        Ok(self.state.write().log_file.get_or_insert(file).clone())
    }

    /// Lets go of the log file until it is needed again. Readers that have it keep it.
    pub fn release_file(&self) {
        self.state.write().log_file = None;
    }

    /// Notes a batch at the end, with its final offsets and timestamps, and returns the position at which its bytes belong. Only
    /// one may append at a time, and not to a segment that was opened as [sealed](Segment::sealed).
    pub fn append(&self, batch: &BatchHeader, index_interval_bytes: u32) -> u64 {
        self.state.write().append(self.base_offset, batch, index_interval_bytes)
    }

    /// Notes that a marker which was appended aborted a transaction.
    pub fn append_aborted(&self, transaction: AbortedTransaction) {
        self.state.write().aborted.push(transaction);
    }

    /// The aborted transactions of this segment, in the order of their ends. May wait for a disk, once if there are none.
    pub fn aborted(&self) -> Result<Vec<AbortedTransaction>, SegmentError> {
        // Before the file, for what goes from here is there by then.
        let recent = self.state.read().aborted.clone();
        let mut entries = self.aborted_in_file()?;
        entries.extend(recent);
        entries.sort_unstable_by_key(|entry| entry.last_offset);
        entries.dedup();
        Ok(entries)
    }

    fn aborted_in_file(&self) -> Result<Vec<AbortedTransaction>, SegmentError> {
        if self.state.read().has_transaction_index == Some(false) {
            return Ok(Vec::new());
        }
        let place = self.place.read();
        let bytes = load_whole(&*self.home.disk, &self.path_in(*place, names::TRANSACTION_INDEX))?;
        self.state.write().has_transaction_index.get_or_insert(bytes.is_some());
        // Of one that is being written the end may be missing; it is in memory then.
        Ok(transaction_index::decode_prefix(&bytes.unwrap_or_default(), self.base_offset))
    }

    /// Writes the index entries that gathered to their files, and the files to the disk if asked to. With that, a later start
    /// finds its way in the part of the log that lies below the recovery point: flush before moving that. The transaction index is
    /// on disk in any case, for nothing else says which records were aborted; true if its name was added to the directory.
    pub fn flush_indexes(&self, sync: bool) -> Result<bool, SegmentError> {
        let _guard = self.flushing.lock();
        self.flush_guarded(sync)
    }

    /// The caller holds `flushing`.
    fn flush_guarded(&self, sync: bool) -> Result<bool, SegmentError> {
        self.flush_index(names::OFFSET_INDEX, sync, |state| &mut state.offsets)?;
        self.flush_index(names::TIME_INDEX, sync, |state| &mut state.times)?;
        self.flush_aborted()
    }

    fn flush_index<E: index::Entry>(
        &self,
        suffix: &str,
        sync: bool,
        index: impl Fn(&mut State) -> &mut SparseIndex<E>,
    ) -> Result<(), SegmentError> {
        let (at, bytes) = index(&mut self.state.write()).unflushed();
        if bytes.is_empty() && !sync {
            return Ok(());
        }
        let written = self.write_index(suffix, at, &bytes, sync);
        written.map_err(|source| self.io_error(suffix, source))?;
        index(&mut self.state.write()).flushed(bytes.len());
        Ok(())
    }

    fn flush_aborted(&self) -> Result<bool, SegmentError> {
        let entries = self.state.read().aborted.clone();
        if entries.is_empty() {
            return Ok(false);
        }
        let before = self.aborted_in_file()?.len() * transaction_index::ENTRY_BYTES;
        let suffix = names::TRANSACTION_INDEX;
        let written = self.write_index(suffix, before as u64, &transaction_index::encode(&entries), true);
        written.map_err(|source| self.io_error(suffix, source))?;
        let mut state = self.state.write();
        state.aborted.drain(..entries.len());
        state.has_transaction_index = Some(true);
        Ok(before == 0)
    }

    fn write_index(&self, suffix: &str, at: u64, bytes: &[u8], sync: bool) -> io::Result<()> {
        let file = self.open_file(suffix, OpenMode::ReadWrite)?;
        file.write_all_at(bytes, at)?;
        if sync { file.sync_data() } else { Ok(()) }
    }

    /// Ends the indexes as Kafka does when a segment is rolled or closed: the largest timestamp gets an entry. They are on disk
    /// when this returns.
    pub fn seal(&self) -> Result<(), SegmentError> {
        self.state.write().index_time(self.base_offset);
        self.flush_indexes(true).map(drop)
    }

    /// What decides about the next roll.
    pub fn facts(&self) -> SegmentFacts {
        let state = self.state.read();
        SegmentFacts {
            base_offset: self.base_offset,
            size: state.size,
            created_ms: self.created_ms,
            first_timestamp: state.first_timestamp,
            offset_entries: state.offsets.len(),
            time_entries: state.times.len(),
        }
    }

    fn io_error(&self, suffix: &str, source: io::Error) -> SegmentError {
        SegmentError::Io { path: self.path(suffix), source }
    }
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Segment({} {}+{})", self.home.dir.display(), self.base_offset, self.size())
    }
}

#[cfg(test)]
mod tests;
