//! The threads that clean logs, one log each at a time.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use host::Host;
use parking_lot::{Condvar, Mutex};

use super::checkpoint::Checkpoints;
use super::choice::{Dirt, filthiest};
use super::clean::{Cleaned, Cleaning};
use super::{CleanError, CleanerSettings};
use crate::log::Log;
use crate::log_dir::LogDir;
use crate::{StorageError, Throttle, TopicIdPartition};

/// Where the settings come from; they are looked at before each cleaning.
type Settings = Box<dyn Fn() -> CleanerSettings + Send + Sync>;

/// Cleans the compacted logs of some log directories.
pub struct Cleaner {
    host: Host,
    settings: Settings,
    checkpoints: Vec<Checkpoints>,
    state: Mutex<State>,
    changed: Condvar,
    throttle: Mutex<Throttle>,
    stopping: AtomicBool,
}

#[derive(Default)]
struct State {
    /// Logs that a thread is at.
    in_progress: HashSet<TopicIdPartition>,
    /// Logs that cannot be cleaned, until the next start.
    uncleanable: HashSet<TopicIdPartition>,
    /// Logs whose last cleaning failed.
    failing: HashSet<TopicIdPartition>,
    threads: Vec<JoinHandle<()>>,
}

/// A log that is to be cleaned.
struct Chosen<'a> {
    log: Arc<Log>,
    dirt: Dirt,
    checkpoints: &'a Checkpoints,
}

impl Cleaner {
    /// A cleaner without threads: see [`start`](Cleaner::start) and [`clean_filthiest`](Cleaner::clean_filthiest).
    pub fn new(
        host: Host,
        dirs: Vec<Arc<LogDir>>,
        settings: impl Fn() -> CleanerSettings + Send + Sync + 'static,
    ) -> Arc<Cleaner> {
        let checkpoints = dirs.into_iter().map(|dir| Checkpoints::load(&*host.disk, dir)).collect();
        Arc::new(Cleaner {
            host,
            settings: Box::new(settings),
            checkpoints,
            state: Mutex::default(),
            changed: Condvar::new(),
            throttle: Mutex::default(),
            stopping: AtomicBool::new(false),
        })
    }

    /// Starts as many threads as the settings say, one at least, which starts more if the settings say so later.
    pub fn start(self: &Arc<Self>) -> std::io::Result<()> {
        let wanted = (self.settings)().threads.max(1);
        let mut state = self.state.lock();
        while state.threads.len() < wanted && !self.is_stopping() {
            let (cleaner, number) = (self.clone(), state.threads.len());
            let named = std::thread::Builder::new().name(format!("yeoul-cleaner-{number}"));
            state.threads.push(named.spawn(move || cleaner.work(number))?);
        }
        Ok(())
    }

    /// Calls off what is under way, and ends the threads.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        let threads = std::mem::take(&mut self.state.lock().threads);
        self.changed.notify_all();
        for thread in threads {
            let _ = thread.join();
        }
    }
}

/// One turn's work.
impl Cleaner {
    /// Cleans the log that is in the greatest need of it, if any is, and says what was done. What fails is told to the log and tried
    /// again later, unless it would fail again. Waits for the disk.
    pub fn clean_filthiest(&self) -> Option<Cleaned> {
        let chosen = self.choose()?;
        let result = self.clean(&chosen);
        self.state.lock().in_progress.remove(chosen.log.id());
        match result {
            Ok(cleaned) => {
                self.state.lock().failing.remove(chosen.log.id());
                report(&cleaned);
                Some(cleaned)
            }
            Err(error) => {
                self.note_failure(&chosen.log, &error);
                None
            }
        }
    }

    /// The filthiest log, which nobody else gets now.
    fn choose(&self) -> Option<Chosen<'_>> {
        let now_ms = self.host.clock.now_ms();
        let mut state = self.state.lock();
        let is_free =
            |id: &TopicIdPartition| !state.in_progress.contains(id) && !state.uncleanable.contains(id);
        let logs = self.checkpoints.iter().flat_map(|checkpoints| {
            let cleanable = |log: &Arc<Log>| log.is_cleanable() && is_free(log.id());
            let is_online = checkpoints.dir().failure().is_none();
            let logs = if is_online { checkpoints.dir().logs() } else { Vec::new() };
            logs.into_iter().filter(cleanable).map(move |log| (checkpoints, log))
        });
        let dirt = logs.filter_map(|(checkpoints, log)| {
            let facts = log.compaction_facts(checkpoints.get(log.id()));
            let unreadable = |error: &StorageError| {
                tracing::warn!(log = %log.id(), %error, "a log cannot be looked at for cleaning");
                log.note_error(error);
            };
            let dirt = facts.inspect_err(unreadable).ok()?.dirt(now_ms);
            Some(((checkpoints, log), dirt))
        });
        let ((checkpoints, log), dirt) = filthiest(dirt)?;
        state.in_progress.insert(log.id().clone());
        Some(Chosen { log, dirt, checkpoints })
    }

    fn clean(&self, chosen: &Chosen<'_>) -> Result<Cleaned, CleanError> {
        let settings = (self.settings)();
        let started = self.host.clock.monotonic();
        let mut secret = [0; 16];
        self.host.random.fill(&mut secret);
        let pace = |bytes| self.pace(&chosen.log, bytes, &settings);
        let cleaning = Cleaning {
            log: &chosen.log,
            dirt: chosen.dirt,
            settings: &settings,
            now_ms: self.host.clock.now_ms(),
            secret,
            pace: &pace,
        };
        let mut cleaned = cleaning.run()?;
        chosen.checkpoints.put(&*self.host.disk, chosen.log.id(), cleaned.end_offset)?;
        cleaned.took = self.host.clock.monotonic().saturating_sub(started);
        Ok(cleaned)
    }

    /// Waits as long as the throttle says, and calls the cleaning off if nobody wants it any more.
    fn pace(&self, log: &Log, bytes: usize, settings: &CleanerSettings) -> Result<(), CleanError> {
        let now = self.host.clock.monotonic();
        let wait = self.throttle.lock().note(now, bytes, settings.bytes_per_second);
        if wait > Duration::ZERO {
            self.wait(wait);
        }
        let wanted = log.is_cleanable() && !self.is_stopping();
        if wanted { Ok(()) } else { Err(CleanError::CalledOff) }
    }

    /// Says what went wrong the first time that it does. A disk that fails takes its log directory offline.
    fn note_failure(&self, log: &Log, error: &CleanError) {
        let id = log.id();
        if let CleanError::Storage(error) | CleanError::Exchange(error) = error {
            log.note_error(error);
        }
        let mut state = self.state.lock();
        match error {
            CleanError::CalledOff => tracing::debug!(log = %id, "cleaning was called off"),
            error if error.is_lasting() => {
                state.uncleanable.insert(id.clone());
                tracing::error!(log = %id, %error, "the log cannot be cleaned, and keeps growing until the next start");
            }
            error => {
                if state.failing.insert(id.clone()) {
                    tracing::warn!(log = %id, %error, "the log could not be cleaned; trying again");
                }
            }
        }
    }
}

fn report(cleaned: &Cleaned) {
    let Cleaned { log, first_dirty_offset, end_offset, keys, bytes_before, bytes_after, took } = cleaned;
    let took = took.as_millis();
    tracing::info!(%log, first_dirty_offset, end_offset, keys, bytes_before, bytes_after, "cleaned in {took} ms");
}

/// The threads.
impl Cleaner {
    fn work(self: &Arc<Self>, number: usize) {
        while !self.is_stopping() {
            let settings = (self.settings)();
            if number == 0
                && let Err(error) = self.start()
            {
                tracing::warn!(%error, "a thread of the cleaner cannot be started");
            }
            // Threads beyond a number that has become smaller have nothing to do.
            let cleaned = if number < settings.threads { self.clean_filthiest() } else { None };
            if cleaned.is_none() {
                self.wait(settings.backoff);
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Waits for so long, or until all is to end.
    fn wait(&self, time: Duration) {
        let mut state = self.state.lock();
        if !self.is_stopping() {
            self.changed.wait_for(&mut state, time);
        }
    }
}

impl Drop for Cleaner {
    fn drop(&mut self) {
        self.stop();
    }
}
