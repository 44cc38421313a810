//! Reading the log at a start: the newest whole snapshot, and what lies behind it.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use host::{Disk, Host};
use metadata::Loader;
use protocol::metadata_record;
use protocol::records::{BatchHeader, Batches, ControlRecord, records, verify};
use storage::files::{names, quorum_state, remove_if_there, snapshot};
use storage::{Log, LogDir, ReadLimit, ReadRequest, SliceData, StorageError};

use crate::QuorumError;
use crate::index_map::IndexMap;
use crate::voters::VotersInLog;

/// What is read of the log at once, in bytes; a batch may be larger.
const READ_BYTES: usize = 1024 * 1024;
/// What a batch may inflate to, in bytes. Neither Kafka nor this program compresses them; Kafka's have at most 8 MiB.
pub(crate) const INFLATED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The metadata as the directory has it.
pub(crate) struct Loaded {
    pub(crate) loader: Loader,
    /// The batches behind the snapshot.
    pub(crate) index: IndexMap,
    /// End offset, exclusive, and epoch of the snapshot.
    pub(crate) snapshot: (i64, i32),
    /// What is known of the voters.
    pub(crate) voters: VotersInLog,
    /// Values of the records that formatting left in the first snapshot, as Kafka does from 4.4 on.
    pub(crate) formatted: Vec<Bytes>,
    /// Timestamp of the last batch in milliseconds, or -1.
    pub(crate) last_timestamp_ms: i64,
    /// Bytes of batches behind the snapshot.
    pub(crate) bytes_since_snapshot: u64,
    /// The newest epoch that a leader had or that this node voted in.
    pub(crate) epoch: i32,
}

/// Reads what is there. Waits for the disk.
pub(crate) fn load(host: &Host, log: &Log) -> Result<Loaded, QuorumError> {
    let disk = &*host.disk;
    let mut reading = Reading { dir: log.dir().to_owned(), loaded: load_snapshot(disk, log.dir())? };
    let (start, end) = (log.log_start_offset(), log.log_end_offset());
    let (snapshot_end, _) = reading.loaded.snapshot;
    if snapshot_end < start || snapshot_end > end {
        return Err(QuorumError::Gap { dir: reading.dir, start, end, snapshot: snapshot_end });
    }
    let mut offset = snapshot_end;
    while let Some(bytes) = read_batches(log, offset)? {
        offset = reading.batches(&bytes, offset)?;
    }
    let mut loaded = reading.loaded;
    let voted = quorum_state::load(disk, &log.dir().join(quorum_state::NAME))?;
    let last = loaded.index.last().map_or(0, |(_, epoch)| epoch);
    loaded.epoch = voted.map_or(0, |state| state.leader_epoch).max(last);
    Ok(loaded)
}

/// The records that `kafka-storage format` left in the root of the log directory.
pub(crate) fn load_bootstrap(host: &Host, log_dir: &LogDir) -> Result<Vec<Bytes>, QuorumError> {
    let found = snapshot::load(&*host.disk, &log_dir.path().join(snapshot::BOOTSTRAP))?;
    Ok(found.map(|snapshot| snapshot.values).unwrap_or_default())
}

/// Reads the newest snapshot that is whole. Those that were never finished or are about to go are removed.
fn load_snapshot(disk: &dyn Disk, dir: &Path) -> Result<Loaded, QuorumError> {
    let io_error = |source| StorageError::Io { path: dir.to_owned(), source: std::sync::Arc::new(source) };
    let entries = disk.list(dir).map_err(io_error)?;
    for entry in &entries {
        if is_leftover(&entry.name) {
            remove_if_there(disk, &dir.join(&entry.name))?;
        }
    }
    let mut ids: Vec<_> = entries.iter().filter_map(|entry| names::snapshot_in(&entry.name)).collect();
    ids.sort_unstable();
    for (end_offset, epoch) in ids.into_iter().rev() {
        let path = dir.join(names::of_snapshot(end_offset, epoch));
        match snapshot::load(disk, &path) {
            Ok(Some(snapshot)) => return from_snapshot(snapshot, end_offset, epoch, dir),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, "a snapshot of the metadata is left out; an older one is taken")
            }
        }
    }
    from_snapshot(snapshot::Snapshot::default(), 0, 0, dir)
}

fn is_leftover(name: &str) -> bool {
    let of_snapshot =
        |suffix| name.strip_suffix(suffix).is_some_and(|name| names::snapshot_in(name).is_some());
    of_snapshot(".part") || of_snapshot(names::DELETED)
}

fn from_snapshot(
    snapshot: snapshot::Snapshot,
    end_offset: i64,
    epoch: i32,
    dir: &Path,
) -> Result<Loaded, QuorumError> {
    let mut loader = Loader::default();
    let mut formatted = Vec::new();
    if end_offset == 0 {
        formatted = snapshot.values;
    } else {
        for value in &snapshot.values {
            apply(&mut loader, value).map_err(|reason| damaged(dir, end_offset, reason))?;
        }
        loader.take_delta();
    }
    Ok(Loaded {
        loader,
        index: IndexMap::behind_snapshot(end_offset, epoch),
        snapshot: (end_offset, epoch),
        voters: VotersInLog {
            kraft_version: snapshot.kraft_version,
            record: snapshot.voters,
            in_log: end_offset > 0,
        },
        formatted,
        last_timestamp_ms: if end_offset > 0 { snapshot.last_contained_log_timestamp } else { -1 },
        bytes_since_snapshot: 0,
        epoch: 0,
    })
}

/// Applies the value of a record.
pub(crate) fn apply(loader: &mut Loader, value: &Bytes) -> Result<(), String> {
    let record = metadata_record::decode(value).map_err(|error| error.to_string())?;
    loader.apply(&record).map_err(|error| error.to_string())
}

fn damaged(dir: &Path, offset: i64, reason: String) -> QuorumError {
    QuorumError::Damaged { dir: dir.to_owned(), offset, reason }
}

/// Some batches from the one on that holds an offset; none at the log's end.
pub(crate) fn read_batches(log: &Log, offset: i64) -> Result<Option<Bytes>, StorageError> {
    let request =
        ReadRequest { offset, max_bytes: READ_BYTES, min_one_batch: true, up_to: ReadLimit::LogEnd };
    let read = log.read(request).map_err(|error| match error {
        storage::ReadError::Storage(error) => error,
        storage::ReadError::OffsetOutOfRange { .. } => StorageError::Closed,
    })?;
    match read.data {
        SliceData::Empty => Ok(None),
        SliceData::Memory(mut batches) if batches.len() == 1 => Ok(batches.pop()),
        SliceData::Memory(batches) => Ok(Some(batches.concat().into())),
        SliceData::File { file, position, len, .. } => {
            let mut bytes = vec![0; len];
            let read = file.read_exact_at(&mut bytes, position);
            read.map_err(|source| StorageError::Io {
                path: log.dir().to_owned(),
                source: std::sync::Arc::new(source),
            })?;
            Ok(Some(bytes.into()))
        }
    }
}

struct Reading {
    dir: PathBuf,
    loaded: Loaded,
}

impl Reading {
    /// Takes in all batches that do not lie before an offset, and gives the offset after the last.
    fn batches(&mut self, bytes: &Bytes, from: i64) -> Result<i64, QuorumError> {
        let mut next_offset = from;
        for batch in Batches::new(bytes) {
            let (header, batch) =
                batch.map_err(|error| damaged(&self.dir, next_offset, error.to_string()))?;
            if header.base_offset >= from {
                let taken = self.batch(&header, &bytes.slice_ref(batch));
                taken.map_err(|reason| damaged(&self.dir, header.base_offset, reason))?;
            }
            next_offset = header.next_offset();
        }
        Ok(next_offset)
    }

    fn batch(&mut self, header: &BatchHeader, batch: &Bytes) -> Result<(), String> {
        verify(batch).map_err(|error| error.to_string())?;
        for record in records(batch, INFLATED_BYTES_MAX).map_err(|error| error.to_string())? {
            let record = record.map_err(|error| error.to_string())?;
            let value = record.value.ok_or("a record has no value")?;
            if header.is_control() {
                let key = record.key.unwrap_or_default();
                let control = ControlRecord::decode(&key, &value).map_err(|error| error.to_string())?;
                self.loaded.voters.note(control);
            } else {
                apply(&mut self.loaded.loader, &value)?;
            }
        }
        let loaded = &mut self.loaded;
        loaded.index.push(header.base_offset, header.next_offset(), header.partition_leader_epoch);
        loaded.last_timestamp_ms = header.max_timestamp;
        loaded.bytes_since_snapshot += header.size_in_bytes() as u64;
        Ok(())
    }
}
