//! What there is to look at from outside while a broker starts, serves and stops.

use std::sync::Arc;
use std::time::Duration;

use host::Clock;
use parking_lot::Mutex;
use storage::LogDir;

use crate::Broker;
use crate::metrics::NextRecords;

/// A broker as its operator sees it, from before it serves until after it has stopped serving.
pub(crate) struct Seen {
    stage: Mutex<Stage>,
    clock: Arc<dyn Clock>,
    started: Duration,
    /// Kept between scrapes; held while one is under way.
    pub(crate) next_records: tokio::sync::Mutex<NextRecords>,
    /// Held while the caches are looked at.
    pub(crate) cache_turn: tokio::sync::Mutex<()>,
}

/// How far a broker is.
#[derive(Clone)]
pub(crate) enum Stage {
    /// Logs and metadata are being loaded.
    Starting,
    /// Clients are served.
    Serving(Arc<Serving>),
    /// It stops.
    Stopping,
}

/// A broker that serves.
pub(crate) struct Serving {
    pub(crate) broker: Arc<Broker>,
    pub(crate) log_dirs: Vec<Arc<LogDir>>,
}

impl Seen {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Seen> {
        let started = clock.monotonic();
        Arc::new(Seen {
            stage: Mutex::new(Stage::Starting),
            clock,
            started,
            next_records: tokio::sync::Mutex::default(),
            cache_turn: tokio::sync::Mutex::default(),
        })
    }

    pub(crate) fn advance(&self, stage: Stage) {
        // What was there before may take its time to go, and must not do so within the lock.
        let before = std::mem::replace(&mut *self.stage.lock(), stage);
        drop(before);
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage.lock().clone()
    }

    /// How long the process has been at it.
    pub(crate) fn uptime(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.started)
    }

    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// What stands against sending clients here; nothing if they are served.
    pub(crate) fn not_ready_because(&self) -> Vec<String> {
        match self.stage() {
            Stage::Starting => {
                vec!["the broker is starting: its logs and its metadata are being loaded".into()]
            }
            Stage::Stopping => vec!["the broker is stopping".into()],
            Stage::Serving(serving) => serving.troubles(),
        }
    }
}

impl Serving {
    fn troubles(&self) -> Vec<String> {
        let failing = self.log_dirs.iter().filter_map(|dir| {
            let failure = dir.journal().failure()?;
            Some(format!("the journal of {} cannot be written: {failure}", dir.path().display()))
        });
        let unregistered = (self.broker.epoch() < 0).then(|| "the broker is not registered".to_owned());
        failing.chain(unregistered).collect()
    }
}
