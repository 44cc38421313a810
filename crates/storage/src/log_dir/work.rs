//! What the destage thread has to do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::StorageError;
use crate::log::Log;

/// Who waits for a checkpoint.
pub(super) type CheckpointWaiter = SyncSender<Result<(), StorageError>>;

/// A mailbox.
#[derive(Default)]
pub(crate) struct Work {
    todo: Mutex<Todo>,
    changed: Condvar,
}

/// What has gathered.
#[derive(Default)]
pub(super) struct Todo {
    /// Logs with enough for a large write.
    pub(super) ready: VecDeque<Arc<Log>>,
    /// Logs to which something was appended since the last checkpoint.
    pub(super) dirty: Vec<Arc<Log>>,
    /// Logs of which appends were lost.
    pub(super) broken: Vec<Arc<Log>>,
    /// The ring fills up, or has a failure to recover from.
    pub(super) pressed: bool,
    pub(super) waiters: Vec<CheckpointWaiter>,
    /// Names in the log directory changed since it was flushed.
    pub(super) names_unsynced: bool,
    pub(super) stopping: bool,
    /// Why nothing is done any more.
    pub(super) abandoned: Option<StorageError>,
}

impl Todo {
    fn is_urgent(&self) -> bool {
        self.stopping
            || self.pressed
            || !self.ready.is_empty()
            || !self.broken.is_empty()
            || !self.waiters.is_empty()
    }
}

impl Work {
    fn change(&self, change: impl FnOnce(&mut Todo)) {
        let mut todo = self.todo.lock();
        change(&mut todo);
        drop(todo);
        self.changed.notify_all();
    }

    pub(crate) fn add_ready(&self, log: Arc<Log>) {
        self.change(|todo| todo.ready.push_back(log));
    }

    /// Says that a log has to be in the next checkpoint.
    pub(crate) fn add_dirty(&self, log: Arc<Log>) {
        let mut todo = self.todo.lock();
        todo.dirty.push(log);
        if todo.dirty.len() == 1 {
            // It has to look at the clock from now on.
            self.changed.notify_all();
        }
    }

    pub(crate) fn add_broken(&self, log: Arc<Log>) {
        self.change(|todo| todo.broken.push(log));
    }

    pub(crate) fn name_added(&self) {
        self.todo.lock().names_unsynced = true;
    }

    /// The ring fills up.
    pub(super) fn press(&self) {
        let mut todo = self.todo.lock();
        if !todo.pressed {
            todo.pressed = true;
            self.changed.notify_all();
        }
    }

    /// Asks for a checkpoint and waits for it.
    pub(super) fn checkpoint_and_wait(&self) -> Result<(), StorageError> {
        let (sender, receiver) = sync_channel(1);
        let mut todo = self.todo.lock();
        if let Some(error) = &todo.abandoned {
            return Err(error.clone());
        }
        if todo.stopping {
            return Err(StorageError::Closed);
        }
        todo.waiters.push(sender);
        drop(todo);
        self.changed.notify_all();
        receiver.recv().unwrap_or(Err(StorageError::Closed))
    }

    /// Answers those who wait, for nothing is done any more.
    pub(super) fn abandon(&self, error: &StorageError) {
        let mut todo = self.todo.lock();
        todo.abandoned = Some(error.clone());
        let waiters = std::mem::take(&mut todo.waiters);
        drop(todo);
        for waiter in waiters {
            let _ = waiter.send(Err(error.clone()));
        }
        self.changed.notify_all();
    }

    pub(super) fn stop(&self) {
        self.change(|todo| todo.stopping = true);
    }

    /// Waits until there is something to do, or for so long if a checkpoint is due then, and shows it.
    pub(super) fn wait<T>(&self, checkpoint_interval: Duration, take: impl FnOnce(&mut Todo) -> T) -> T {
        let mut todo = self.todo.lock();
        while !todo.is_urgent() {
            if todo.dirty.is_empty() {
                self.changed.wait(&mut todo);
            } else if self.changed.wait_for(&mut todo, checkpoint_interval).timed_out() {
                break;
            }
        }
        take(&mut todo)
    }

    /// Waits for so long, whatever there is to do, and shows it; less long if all is to end.
    pub(super) fn pause<T>(&self, pause: Duration, take: impl FnOnce(&mut Todo) -> T) -> T {
        let mut todo = self.todo.lock();
        while !todo.stopping && todo.waiters.is_empty() {
            if self.changed.wait_for(&mut todo, pause).timed_out() {
                break;
            }
        }
        take(&mut todo)
    }

    /// Waits for so long, unless somebody is in a hurry.
    pub(super) fn give_way(&self, pause: Duration) {
        let hurry = |todo: &Todo| todo.stopping || !todo.waiters.is_empty() || !todo.broken.is_empty();
        let end = std::time::Instant::now() + pause;
        let mut todo = self.todo.lock();
        while !hurry(&todo) {
            if self.changed.wait_until(&mut todo, end).timed_out() {
                break;
            }
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        let forgotten = std::mem::take(&mut *self.todo.lock());
        drop(forgotten);
    }

    /// Looks at what has gathered, without waiting.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Todo) -> T) -> T {
        look(&mut self.todo.lock())
    }
}
