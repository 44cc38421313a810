//! Waiting for a journal, many at once.
//!
//! The journal's thread is none of the runtime's: to wake a task from there costs a lock and often a system call. So it is asked to say
//! once that it has got further, and whoever that concerns is woken on the runtime's own threads.

use std::sync::Arc;

use parking_lot::Mutex;
use storage::{LogDir, Lsn};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Those who wait for the journal of one log directory.
pub(crate) struct Flushes {
    log_dir: Arc<LogDir>,
    runtime: Handle,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// The journal was asked to call.
    is_armed: bool,
    waiters: Vec<(Lsn, oneshot::Sender<bool>)>,
}

impl Flushes {
    /// Nobody waits yet. The runtime is that of the broker.
    pub(crate) fn new(log_dir: Arc<LogDir>, runtime: Handle) -> Arc<Flushes> {
        Arc::new(Flushes { log_dir, runtime, waiting: Mutex::default() })
    }

    /// Is sent whether all up to this place got on disk, once that is known.
    pub(crate) fn wait(self: &Arc<Self>, lsn: Lsn) -> oneshot::Receiver<bool> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        waiting.waiters.push((lsn, sender));
        let was_armed = std::mem::replace(&mut waiting.is_armed, true);
        drop(waiting);
        if !was_armed {
            self.arm(lsn);
        }
        receiver
    }

    fn arm(self: &Arc<Self>, lsn: Lsn) {
        let this = Arc::clone(self);
        let tell = move |_| {
            let runtime = this.runtime.clone();
            drop(runtime.spawn(async move { this.settle() }));
        };
        self.log_dir.journal().when_durable(lsn, Box::new(tell));
    }

    /// Tells everybody whose fate is known, each by his own place: some may be lost while others are not.
    fn settle(self: &Arc<Self>) {
        let journal = self.log_dir.journal();
        let mut waiting = self.waiting.lock();
        let mut left = Vec::new();
        for (lsn, sender) in std::mem::take(&mut waiting.waiters) {
            match journal.outcome(lsn) {
                // A client that is gone needs no word.
                Some(outcome) => drop(sender.send(outcome.is_ok()).is_ok()),
                None => left.push((lsn, sender)),
            }
        }
        let next = left.iter().map(|(lsn, _)| *lsn).min();
        waiting.is_armed = next.is_some();
        waiting.waiters = left;
        drop(waiting);
        if let Some(next) = next {
            self.arm(next);
        }
    }
}
