//! Files and directories that are to be removed once their time has come: `file.delete.delay.ms` after they got another name.

use std::path::PathBuf;
use std::time::Duration;

use host::Disk;
use parking_lot::{Condvar, Mutex};

use super::context::Context;

/// What waits to be removed.
#[derive(Default)]
pub(crate) struct Removals {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// Each with its time by the monotonic clock.
    paths: Vec<(Duration, PathBuf)>,
    stopping: bool,
}

impl Waiting {
    /// Takes those whose time has come.
    fn take_due(&mut self, now: Duration) -> Vec<PathBuf> {
        let (due, left) = self.paths.drain(..).partition(|(at, _)| *at <= now);
        self.paths = left;
        let due: Vec<(Duration, PathBuf)> = due;
        due.into_iter().map(|(_, path)| path).collect()
    }

    /// How long until the next one's.
    fn next_in(&self, now: Duration) -> Option<Duration> {
        self.paths.iter().map(|(at, _)| at.saturating_sub(now)).min()
    }
}

impl Removals {
    /// Has these removed at a time by the monotonic clock.
    pub(crate) fn add(&self, paths: Vec<PathBuf>, at: Duration) {
        let mut waiting = self.waiting.lock();
        waiting.paths.extend(paths.into_iter().map(|path| (at, path)));
        self.changed.notify_all();
    }

    /// Ends the thread. What is left over is found at the next start.
    pub(super) fn stop(&self) {
        self.waiting.lock().stopping = true;
        self.changed.notify_all();
    }

    /// Waits for some whose time has come; none to stop.
    fn wait(&self, context: &Context) -> Option<Vec<PathBuf>> {
        let mut waiting = self.waiting.lock();
        loop {
            if waiting.stopping {
                return None;
            }
            let now = context.host.clock.monotonic();
            let due = waiting.take_due(now);
            if !due.is_empty() {
                return Some(due);
            }
            match waiting.next_in(now) {
                Some(pause) => drop(self.changed.wait_for(&mut waiting, pause)),
                None => self.changed.wait(&mut waiting),
            }
        }
    }
}

impl Context {
    /// Removes what is due, until it is told to stop.
    pub(super) fn remove_what_is_due(&self) {
        while let Some(due) = self.removals.wait(self) {
            due.iter().for_each(|path| remove(&*self.host.disk, path));
        }
    }
}

fn remove(disk: &dyn Disk, path: &std::path::Path) {
    let is_dir = path.to_str().is_some_and(super::delete::is_deleted);
    let removed = if is_dir { disk.remove_dir_all(path) } else { disk.remove_file(path) };
    match removed {
        // The directory that it was in is gone.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(%error, path = %path.display(), "what was deleted cannot be removed"),
        Ok(()) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_taken_and_the_next_one_is_waited_for() {
        let seconds = Duration::from_secs;
        let mut waiting = Waiting::default();
        assert_eq!(waiting.next_in(seconds(1)), None);
        waiting.paths = [(5, "b"), (3, "a"), (9, "c")].map(|(at, path)| (seconds(at), path.into())).into();
        assert_eq!((waiting.take_due(seconds(2)), waiting.next_in(seconds(2))), (vec![], Some(seconds(1))));
        assert_eq!(waiting.take_due(seconds(5)), [PathBuf::from("b"), PathBuf::from("a")]);
        assert_eq!(waiting.next_in(seconds(10)), Some(Duration::ZERO));
    }
}
