//! The start.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use host::{DirEntry, Disk, FileLock, Host};
use parking_lot::{Mutex, RwLock};
use protocol::Uuid;

use super::context::{Budget, Context};
use super::destager::Destager;
use super::futures::copied_partition;
use super::health::Health;
use super::removals::Removals;
use super::work::Work;
use super::{ColdReads, LogDir, LogDirOptions, RecoveryReport, delete, is_partition};
use crate::files::offset_checkpoint::{self, PartitionOffset};
use crate::files::{clean_shutdown, names, partition_metadata};
use crate::journal::{Heard, Journal, JournalParts, ReadEntry, Recovered};
use crate::log::{Log, LogFiles, Replay};
use crate::{StorageError, TopicIdPartition, TopicPartition, cleaner};

/// How often a long recovery says how far it is.
const PROGRESS: Duration = Duration::from_secs(1);

/// What was found of the last broker's end.
struct LastEnd {
    clean: bool,
    broker_epoch: Option<i64>,
    recovered: Option<Recovered>,
}

/// Offsets by partition.
type Offsets = HashMap<TopicPartition, i64>;
/// Logs by partition.
type Logs = RwLock<HashMap<TopicPartition, Arc<Log>>>;

/// What is known of all logs while they are opened.
struct Opening<'a> {
    clean: bool,
    replays: Replays,
    recovery_points: Offsets,
    log_starts: Offsets,
    report: &'a mut RecoveryReport,
}

impl LogDir {
    /// Opens a log directory, which is made if it is not there, and brings its logs to where they were: after a clean stop by looking
    /// at their ends, after a crash by verifying what lies above the recovery points and replaying the journal.
    pub fn open(
        host: Host,
        path: &Path,
        options: LogDirOptions,
    ) -> Result<(Arc<LogDir>, RecoveryReport), StorageError> {
        let started = host.clock.monotonic();
        let disk = host.disk.clone();
        make_root(&*disk, path).map_err(|source| StorageError::io(path, source))?;
        let lock = take_lock(&host, path)?;
        let entries = disk.list(path).map_err(|source| StorageError::io(path, source))?;
        let (parts, end) = open_journal(&host, path, &options)?;
        let context = Arc::new(make_context(host, path, options, parts));
        let mut report =
            RecoveryReport { clean: end.clean, broker_epoch: end.broker_epoch, ..RecoveryReport::default() };
        let log_dir = Arc::new(LogDir {
            context: context.clone(),
            threads: Mutex::default(),
            broker_epoch: AtomicI64::new(-1),
            lock: Mutex::new(Some(lock)),
        });
        log_dir.open_logs(&entries, end, &mut report)?;
        log_dir.start_threads().map_err(|source| StorageError::io(path, source))?;
        report.took = context.host.clock.monotonic().saturating_sub(started);
        tracing::info!(dir = %path.display(), "{report}");
        Ok((log_dir, report))
    }

    fn open_logs(
        &self,
        entries: &[DirEntry],
        end: LastEnd,
        report: &mut RecoveryReport,
    ) -> Result<(), StorageError> {
        let mut replays = Replays::default();
        if let Some(recovered) = end.recovered {
            report.had_journal = true;
            report.journal_bytes = recovered.bytes();
            recovered.entries.into_iter().for_each(|entry| replays.add(entry));
        }
        let recovery_points = self.load_offsets(offset_checkpoint::RECOVERY_POINT)?;
        let log_starts = self.load_offsets(offset_checkpoint::LOG_START)?;
        let mut opening = Opening { clean: end.clean, replays, recovery_points, log_starts, report };
        let mut progress = Progress::new(&self.context, entries.len());
        let (copies, others): (Vec<_>, Vec<_>) = entries
            .iter()
            .filter(|entry| entry.is_dir)
            .partition(|entry| copied_partition(&entry.name).is_some());
        for entry in others.into_iter().chain(copies) {
            self.open_entry(&entry.name, &mut opening)?;
            progress.step(&self.context);
        }
        self.open_missing(opening.replays, opening.report)?;
        self.forget_offsets_of_others(opening.recovery_points.keys().chain(opening.log_starts.keys()))
    }

    /// What the checkpoints say of logs that are gone is not to be taken for that of later ones by the same names.
    fn forget_offsets_of_others<'a>(
        &self,
        mut known: impl Iterator<Item = &'a TopicPartition>,
    ) -> Result<(), StorageError> {
        let is_here = |partition| self.log(partition).is_some() || self.future_log(partition).is_some();
        if known.all(is_here) { Ok(()) } else { self.context.store_recovery_points() }
    }

    /// Opens a directory in the log directory, if it is that of a log.
    fn open_entry(&self, name: &str, opening: &mut Opening<'_>) -> Result<(), StorageError> {
        let dir = self.context.dir.join(name);
        if delete::is_deleted(name) {
            self.context.remove_after(vec![dir], Duration::ZERO);
        } else if delete::is_stray(name) {
            tracing::warn!(
                dir = %dir.display(),
                "a log that belongs to no partition of the cluster was set aside here; remove it once nothing in it is needed"
            );
        } else if is_partition(name) {
            return self.open_log(name, dir, &self.context.logs, opening);
        } else if let Some(partition) = copied_partition(name).filter(|name| is_partition(name)) {
            let known =
                names::partition_in(partition).map(|(topic, number)| TopicPartition::new(topic, number));
            return match known.is_some_and(|known| self.log(&known).is_some()) {
                // Its original is here.
                true => self.set_aside(&dir, Duration::ZERO),
                false => self.open_log(partition, dir, &self.context.futures, opening),
            };
        }
        Ok(())
    }

    /// Opens the log of a partition, which has such a name, in its directory.
    fn open_log(
        &self,
        name: &str,
        dir: PathBuf,
        place: &Logs,
        opening: &mut Opening<'_>,
    ) -> Result<(), StorageError> {
        let Some((topic, number)) = names::partition_in(name) else { return Ok(()) };
        let partition = TopicPartition::new(topic, number);
        let disk = &*self.context.host.disk;
        let list = || disk.list(&dir).map_err(|source| StorageError::io(&dir, source));
        let mut entries = list()?;
        if cleaner::settle(&self.context.host.disk, &dir, &entries)? {
            entries = list()?;
        }
        // A file that was not flushed may be empty after a crash.
        let stored_id = partition_metadata::load(disk, &dir.join(partition_metadata::NAME)).ok().flatten();
        // Formatting makes this directory before it is a log.
        let reserved_id = (name == names::METADATA_DIR).then_some(Uuid::METADATA_TOPIC_ID);
        let known_id = stored_id.or(reserved_id);
        let (topic_id, replay) = opening.replays.take(&partition, known_id);
        if replay.deleted {
            opening.report.deleted_logs += 1;
            return self.set_aside(&dir, Duration::ZERO);
        }
        let files = LogFiles {
            id: TopicIdPartition::new(partition.topic.clone(), topic_id, number),
            dir,
            entries,
            recovery_point: opening.recovery_points.get(&partition).copied().unwrap_or(0),
            log_start: opening.log_starts.get(&partition).copied().unwrap_or(0),
            clean: opening.clean,
            replay,
        };
        self.add_log(files, place, opening.report)
    }

    fn add_log(
        &self,
        files: LogFiles,
        place: &Logs,
        report: &mut RecoveryReport,
    ) -> Result<(), StorageError> {
        let config = self.context.options.default_config.clone();
        let (log, recovery) = Log::open(self.context.clone(), config, files)?;
        report.add(&recovery);
        place.write().insert(log.id().topic_partition(), log);
        Ok(())
    }

    /// Logs that are in the journal but whose directories were lost with the power.
    fn open_missing(&self, replays: Replays, report: &mut RecoveryReport) -> Result<(), StorageError> {
        for (id, replay) in replays.by_log {
            let partition = id.topic_partition();
            if replay.deleted || self.log(&partition).is_some() || self.future_log(&partition).is_some() {
                continue;
            }
            let dir = self.context.dir.join(id.dir_name());
            self.make_dir(&dir, &id)?;
            report.recreated_logs += 1;
            let entries = Vec::new();
            let (recovery_point, log_start, clean) = (0, 0, false);
            let files = LogFiles { id, dir, entries, recovery_point, log_start, clean, replay };
            self.add_log(files, &self.context.logs, report)?;
        }
        Ok(())
    }

    fn load_offsets(&self, name: &str) -> Result<Offsets, StorageError> {
        let entries = offset_checkpoint::load(&*self.context.host.disk, &self.context.dir.join(name))?;
        let of =
            |PartitionOffset { topic, partition, offset }| (TopicPartition::new(topic, partition), offset);
        Ok(entries.into_iter().map(of).collect())
    }

    fn start_threads(&self) -> io::Result<()> {
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let destager = Destager::new(self.context.clone());
        let destager = named("yeoul-destage").spawn(move || destager.run())?;
        let context = self.context.clone();
        let journal = named("yeoul-journal").spawn(move || context.journal.run(&*context.host.clock))?;
        let context = self.context.clone();
        let remover = named("yeoul-remove").spawn(move || context.remove_what_is_due())?;
        self.threads.lock().extend([destager, remover, journal]);
        Ok(())
    }
}

/// Makes the log directory if it is not there. What will be acknowledged in it must not get lost with its name.
fn make_root(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    if disk.exists(path) {
        return Ok(());
    }
    disk.create_dir_all(path)?;
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => disk.sync_dir(parent),
        None => Ok(()),
    }
}

fn take_lock(host: &Host, path: &Path) -> Result<Box<dyn FileLock>, StorageError> {
    host.disk.lock(&path.join(".lock")).map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => StorageError::Locked(path.to_owned()),
        _ => StorageError::io(path, source),
    })
}

/// Looks for the marker of a clean end, takes it away, and opens the journal or makes a new one.
fn open_journal(
    host: &Host,
    path: &Path,
    options: &LogDirOptions,
) -> Result<(JournalParts, LastEnd), StorageError> {
    let disk = &*host.disk;
    let marker_path = path.join(clean_shutdown::NAME);
    let marker = clean_shutdown::load(disk, &marker_path)?;
    let io_error = |source| StorageError::io(path, source);
    if marker.is_some() {
        disk.remove_file(&marker_path).map_err(io_error)?;
    }
    let (parts, recovered) = match JournalParts::recover(disk, path)? {
        Some((parts, recovered)) => (parts, Some(recovered)),
        None => (JournalParts::format(disk, path, &*host.random, &options.journal_limits())?, None),
    };
    // One flush for the marker that is gone and the journal that is there.
    disk.sync_dir(path).map_err(io_error)?;
    // Who stopped in order removed the journal after the marker was there.
    let clean = marker.is_some() && recovered.is_none();
    Ok((parts, LastEnd { clean, broker_epoch: marker.flatten(), recovered }))
}

fn make_context(host: Host, path: &Path, options: LogDirOptions, parts: JournalParts) -> Context {
    let work = Arc::new(Work::default());
    let pressed = work.clone();
    let cold_reads = Arc::new(ColdReads::new(Arc::clone(&host.clock)));
    let noted = Arc::clone(&cold_reads);
    let heard = Heard {
        pressure: Box::new(move || pressed.press()),
        written: Box::new(move |bytes, took| noted.note(bytes, took)),
    };
    let journal = Journal::new(parts, options.journal_limits(), heard);
    Context {
        host,
        dir: path.to_owned(),
        budget: Budget::new(options.tail_bytes_max),
        removals: Removals::default(),
        options,
        journal,
        cold_reads,
        work,
        health: Health::default(),
        logs: RwLock::default(),
        futures: RwLock::default(),
        checkpointing: Mutex::new(()),
    }
}

/// What the journal says, by log.
#[derive(Default)]
struct Replays {
    by_log: HashMap<TopicIdPartition, Replay>,
}

impl Replays {
    fn add(&mut self, entry: ReadEntry) {
        self.by_log.entry(entry.log.clone()).or_default().add(entry);
    }

    /// What concerns the log in a directory. If the directory does not say its topic's id, that of the journal is believed.
    fn take(&mut self, partition: &TopicPartition, known_id: Option<Uuid>) -> (Uuid, Replay) {
        let same = |id: &TopicIdPartition| id.topic == partition.topic && id.partition == partition.partition;
        let in_journal =
            || self.by_log.iter().find(|(id, replay)| same(id) && !replay.deleted).map(|(id, _)| id.topic_id);
        let topic_id = known_id.or_else(in_journal).unwrap_or(Uuid::ZERO);
        let id = TopicIdPartition::new(partition.topic.clone(), topic_id, partition.partition);
        (topic_id, self.by_log.remove(&id).unwrap_or_default())
    }
}

/// Says how far a recovery is that takes long.
struct Progress {
    total: usize,
    done: usize,
    said: Duration,
}

impl Progress {
    fn new(context: &Context, total: usize) -> Progress {
        Progress { total, done: 0, said: context.host.clock.monotonic() }
    }

    fn step(&mut self, context: &Context) {
        self.done += 1;
        let now = context.host.clock.monotonic();
        if now.saturating_sub(self.said) >= PROGRESS {
            tracing::info!(done = self.done, total = self.total, "recovering logs");
            self.said = now;
        }
    }
}
