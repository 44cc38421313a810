//! Making a log out of what is on disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;
use host::DirEntry;
use parking_lot::{Mutex, RwLock};
use protocol::records::{Batches, read_end_txn, verify};

use super::aborted::RecentlyAborted;
use super::counts::Counts;
use super::destage::Destage;
use super::producer_files::{newest_snapshot, remove_snapshots_above, snapshot_offsets};
use super::roll::ActiveFacts;
use super::watch::Watchers;
use super::{Log, LogConfig, NO_TRANSACTION, Writer};
use crate::files::leader_epochs::{self, LeaderEpochs};
use crate::files::names;
use crate::journal::{EntryKind, Lsn, ReadEntry};
use crate::log_dir::Context;
use crate::producers::Producers;
use crate::segment::{Segment, SegmentHome};
use crate::tail::Tail;
use crate::{StorageError, TopicIdPartition};

/// What the journal says about a log.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    /// The log was cut here.
    cut: Option<i64>,
    /// The log starts here.
    start: Option<i64>,
    /// The log was deleted.
    pub(crate) deleted: bool,
    /// What was appended and not taken back.
    appends: Vec<(i64, Bytes)>,
}

impl Replay {
    /// Takes in the next entry.
    pub(crate) fn add(&mut self, entry: ReadEntry) {
        match entry.kind {
            EntryKind::Append => {
                self.deleted = false;
                self.appends.push((entry.offset, entry.records));
            }
            EntryKind::Truncate => {
                self.appends.retain(|(offset, _)| *offset < entry.offset);
                self.cut = Some(self.cut.map_or(entry.offset, |cut| cut.min(entry.offset)));
            }
            EntryKind::Start => self.start = self.start.max(Some(entry.offset)),
            EntryKind::Delete => *self = Replay { deleted: true, ..Replay::default() },
            EntryKind::Create => self.deleted = false,
        }
    }
}

/// A log's directory, and what other files say about it.
pub(crate) struct LogFiles {
    pub(crate) id: TopicIdPartition,
    pub(crate) dir: PathBuf,
    pub(crate) entries: Vec<DirEntry>,
    pub(crate) recovery_point: i64,
    pub(crate) log_start: i64,
    /// The broker stopped in order.
    pub(crate) clean: bool,
    pub(crate) replay: Replay,
}

/// What was done to a log when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogRecovery {
    pub(crate) verified_bytes: u64,
    pub(crate) truncated_bytes: u64,
    pub(crate) replayed_batches: u64,
    pub(crate) replayed_bytes: u64,
}

/// What was read from the segments.
struct Loaded {
    segments: Vec<Arc<Segment>>,
    /// Those of which not everything may be on disk.
    unsynced: Vec<Arc<Segment>>,
    producers: Producers,
    epochs: LeaderEpochs,
    recovery: LogRecovery,
    /// Offset of the producer snapshot that belongs to no segment.
    snapshot: Option<i64>,
    /// The files are as Kafka leaves them.
    finished: bool,
}

impl LogFiles {
    /// Base offsets and sizes of the segments, ascending.
    fn segments(&self) -> Vec<(i64, u64)> {
        let of = |entry: &DirEntry| names::offset_in(&entry.name, names::LOG).map(|base| (base, entry.len));
        let mut segments: Vec<_> = self.entries.iter().filter_map(of).collect();
        segments.sort_unstable();
        segments
    }

    fn snapshots(&self) -> Vec<i64> {
        snapshot_offsets(self.entries.iter().map(|entry| entry.name.as_str()))
    }
}

/// Reads the segments of a log. After a crash, all that lies above the recovery point is verified.
fn load(
    files: &LogFiles,
    home: &Arc<SegmentHome>,
    config: &LogConfig,
    now_ms: i64,
) -> Result<Loaded, StorageError> {
    let bases = files.segments();
    let epochs = leader_epochs::load(&*home.disk, &home.dir.join(leader_epochs::NAME))?;
    let at_most = if files.clean { i64::MAX } else { files.recovery_point };
    let snapshots = files.snapshots();
    remove_snapshots_above(home, &snapshots, at_most);
    let snapshot = newest_snapshot(home, &snapshots, at_most, now_ms);
    let is_segment = |offset: i64| bases.iter().any(|(base, _)| *base == offset);
    let mut loaded = Loaded {
        segments: Vec::with_capacity(bases.len()),
        unsynced: Vec::new(),
        snapshot: snapshot.as_ref().map(|(offset, _)| *offset).filter(|offset| !is_segment(*offset)),
        producers: Producers::default(),
        epochs,
        recovery: LogRecovery::default(),
        finished: files.clean,
    };
    let snapshot_offset = snapshot.as_ref().map_or(files.log_start, |(offset, _)| *offset);
    if let Some((_, producers)) = snapshot {
        loaded.producers = producers;
    }
    let recovery_point = files.recovery_point;
    let verify_from = snapshot_offset.min(recovery_point);
    let opener = Opener { home, config, now_ms, recovery_point, verify_from };
    for (index, (base, size)) in bases.iter().enumerate() {
        let next_base = bases.get(index + 1).map(|(base, _)| *base);
        if files.clean {
            loaded.segments.push(Arc::new(opener.open_clean(*base, *size, next_base)?));
        } else if !opener.recover_into(&mut loaded, *base, *size, next_base, snapshot_offset)? {
            opener.remove_from(&bases[index + 1..])?;
            break;
        }
    }
    Ok(loaded)
}

struct Opener<'a> {
    home: &'a Arc<SegmentHome>,
    config: &'a LogConfig,
    now_ms: i64,
    recovery_point: i64,
    verify_from: i64,
}

impl Opener<'_> {
    fn open_clean(&self, base: i64, size: u64, next_base: Option<i64>) -> Result<Segment, StorageError> {
        Ok(match next_base {
            Some(next_base) => Segment::sealed(self.home.clone(), base, size, next_base),
            None => Segment::open(self.home.clone(), base, self.now_ms, self.config.index_interval_bytes)?,
        })
    }

    /// Recovers a segment unless all of it is known to be on disk, and says whether the next one may follow.
    fn recover_into(
        &self,
        loaded: &mut Loaded,
        base: i64,
        size: u64,
        next_base: Option<i64>,
        snapshot_offset: i64,
    ) -> Result<bool, StorageError> {
        if let Some(next_base) = next_base.filter(|next_base| *next_base <= self.verify_from) {
            loaded.segments.push(Arc::new(Segment::sealed(self.home.clone(), base, size, next_base)));
            return Ok(true);
        }
        let (producers, epochs) = (&mut loaded.producers, &mut loaded.epochs);
        let mut aborted = Vec::new();
        let mut verified = |header: &protocol::records::BatchHeader, bytes: &[u8]| {
            if header.base_offset >= snapshot_offset {
                aborted.extend(producers.record(header, read_end_txn(bytes).ok().flatten()));
            }
            epochs.assign(header.partition_leader_epoch, header.base_offset);
        };
        let (segment, recovery) = Segment::recover(
            self.home.clone(),
            base,
            self.now_ms,
            self.verify_from,
            self.config.index_interval_bytes,
            &mut verified,
        )?;
        aborted.into_iter().for_each(|entry| segment.append_aborted(entry));
        loaded.recovery.verified_bytes += recovery.verified_bytes;
        loaded.recovery.truncated_bytes += recovery.truncated_bytes;
        let segment = Arc::new(segment);
        loaded.segments.push(segment.clone());
        loaded.unsynced.push(segment);
        let Some(next_base) = next_base else { return Ok(true) };
        // What was not flushed may be missing at the end of a segment although the next one is there.
        let hole = next_base > self.recovery_point
            && loaded.segments.last().is_none_or(|s| s.next_offset() < next_base);
        Ok(recovery.fault.is_none() && !hole)
    }

    /// Removes segments behind one that had to be cut.
    fn remove_from(&self, bases: &[(i64, u64)]) -> Result<(), StorageError> {
        for (base, _) in bases {
            let path = self.home.dir.join(names::of_offset(*base, names::LOG));
            crate::files::remove_if_there(&*self.home.disk, &path)?;
        }
        Ok(())
    }
}

impl Log {
    /// An empty log that starts at an offset, and whose directory is there.
    pub(crate) fn create(
        context: Arc<Context>,
        id: TopicIdPartition,
        dir: PathBuf,
        config: LogConfig,
        start_offset: i64,
    ) -> Arc<Log> {
        let home = Arc::new(SegmentHome { disk: context.host.disk.clone(), dir });
        let loaded = Loaded {
            segments: Vec::new(),
            unsynced: Vec::new(),
            producers: Producers::default(),
            epochs: LeaderEpochs::default(),
            recovery: LogRecovery::default(),
            snapshot: None,
            finished: false,
        };
        Log::assemble(context, id, home, config, loaded, (start_offset, start_offset))
    }

    /// The log in a directory, with what the journal has of it.
    pub(crate) fn open(
        context: Arc<Context>,
        config: LogConfig,
        files: LogFiles,
    ) -> Result<(Arc<Log>, LogRecovery), StorageError> {
        let home = Arc::new(SegmentHome { disk: context.host.disk.clone(), dir: files.dir.clone() });
        let now_ms = context.host.clock.now_ms();
        let loaded = load(&files, &home, &config, now_ms)?;
        let mut recovery = loaded.recovery.clone();
        let files_start = files.log_start;
        let points = (files.recovery_point, files_start);
        let log = Log::assemble(context, files.id, home, config, loaded, points);
        log.replay(files.replay, &mut recovery)?;
        if !files.clean && (!log.is_flushed() || log.log_start_offset() > files_start) {
            log.mark_dirty();
        }
        Ok((log, recovery))
    }

    fn assemble(
        context: Arc<Context>,
        id: TopicIdPartition,
        home: Arc<SegmentHome>,
        config: LogConfig,
        loaded: Loaded,
        (recovery_point, log_start): (i64, i64),
    ) -> Arc<Log> {
        let first = loaded.segments.first().map_or(log_start, |segment| segment.base_offset());
        let log_start = log_start.max(first);
        let end = loaded.segments.last().map_or(log_start, |segment| segment.next_offset()).max(log_start);
        let jitter_seed = context.host.random.next_u64();
        let active = match loaded.segments.last() {
            Some(active) => ActiveFacts::of(active.facts(), jitter_seed),
            None => ActiveFacts::starting_at(end, context.host.clock.now_ms(), jitter_seed),
        };
        let mut epochs = loaded.epochs;
        epochs.truncate_from_end(end);
        epochs.truncate_from_start(log_start);
        let writer = Writer {
            producers: loaded.producers,
            active,
            rolls_next: false,
            last_lsn: Lsn(0),
            snapshots: Vec::new(),
        };
        // Neither a kill nor the end of an empty log flushed the names.
        let names_unsynced = !loaded.finished || end == 0;
        let destage = Destage {
            dir_unsynced: names_unsynced,
            metadata_unsynced: names_unsynced,
            unsynced: loaded.unsynced,
            finished: loaded.finished,
            aborted_end: end,
            ..Destage::default()
        };
        Arc::new(Log {
            id,
            home,
            context,
            config: ArcSwap::from_pointee(config),
            frozen: RwLock::new(false),
            writer: Mutex::new(writer),
            tail: RwLock::new(Tail::starting_at(end)),
            segments: RwLock::new(loaded.segments),
            destage: Mutex::new(destage),
            epochs: RwLock::new(epochs),
            aborted: RecentlyAborted::default(),
            watchers: Watchers::default(),
            jitter_seed,
            counts: Counts::default(),
            log_start: AtomicI64::new(log_start),
            durable_end: AtomicI64::new(end),
            destaged_end: AtomicI64::new(end),
            recovery_point: AtomicI64::new(recovery_point.min(end)),
            first_unstable: AtomicI64::new(NO_TRANSACTION),
            kept_snapshots: Mutex::new([-1, loaded.snapshot.unwrap_or(-1)]),
            ready_bytes: AtomicUsize::new(0),
            exchanges: AtomicU64::new(0),
            queued: AtomicBool::new(false),
            dirty: AtomicBool::new(false),
            notifying: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            deleted: AtomicBool::new(false),
        })
    }

    /// Does again what the journal has and the segments do not. Nothing changes if it was done before.
    fn replay(self: &Arc<Self>, replay: Replay, recovery: &mut LogRecovery) -> Result<(), StorageError> {
        let mut writer = self.writer.lock();
        // Where the segments end before, what lies between is in the journal still.
        if let Some(cut) = replay.cut.filter(|cut| *cut < self.log_end_offset()) {
            self.cut_to(&mut writer, cut)?;
        }
        for (_, records) in replay.appends {
            self.replay_records(&mut writer, &records, recovery);
        }
        if let Some(start) = replay.start {
            self.raise_start(start.min(self.log_end_offset()));
        }
        self.settle_transactions(&mut writer);
        Ok(())
    }

    fn replay_records(&self, writer: &mut Writer, records: &Bytes, recovery: &mut LogRecovery) {
        let (config, now_ms) = (self.config.load(), self.context.host.clock.now_ms());
        for batch in Batches::new(records) {
            let Some(header) = batch.ok().and_then(|(_, bytes)| verify(bytes).ok().map(|h| (h, bytes)))
            else {
                tracing::error!(log = %self.id, "the journal holds a batch that is not valid; it is left out");
                return;
            };
            let (header, bytes) = header;
            if header.last_offset() < self.log_end_offset() {
                continue;
            }
            let marker = read_end_txn(bytes).ok().flatten();
            let batch = writer.tail_batch(&header, records.slice_ref(bytes), &config, now_ms);
            self.push(vec![batch]);
            self.aborted.add(writer.producers.record(&header, marker));
            self.epochs.write().assign(header.partition_leader_epoch, header.base_offset);
            self.durable_end.store(header.next_offset(), Ordering::Release);
            self.ready_bytes.fetch_add(bytes.len(), Ordering::AcqRel);
            recovery.replayed_batches += 1;
            recovery.replayed_bytes += bytes.len() as u64;
        }
    }
}
