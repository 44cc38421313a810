//! Whether a log directory is used still. A disk that fails takes it offline, as in Kafka (KIP-112); one that is full does not.

use std::sync::OnceLock;

use parking_lot::Mutex;

use super::LogDir;
use super::context::Context;
use crate::StorageError;

type Callback = Box<dyn FnOnce(StorageError) + Send>;

/// Whether a log directory is used still, and who wants to know when it is not.
#[derive(Default)]
pub(crate) struct Health {
    failure: OnceLock<StorageError>,
    callbacks: Mutex<Vec<Callback>>,
}

impl Health {
    pub(super) fn failure(&self) -> Option<StorageError> {
        self.failure.get().cloned()
    }

    /// Notes the failure and gives whoever waits for it, if it is the first.
    fn fail(&self, error: &StorageError) -> Option<Vec<Callback>> {
        let mut callbacks = self.callbacks.lock();
        self.failure.set(error.clone()).ok().map(|()| std::mem::take(&mut *callbacks))
    }

    fn add(&self, callback: Callback) {
        let mut callbacks = self.callbacks.lock();
        match self.failure() {
            None => callbacks.push(callback),
            Some(error) => {
                drop(callbacks);
                callback(error);
            }
        }
    }
}

impl Context {
    /// Takes the directory offline: nothing is written there any more, and whoever waits for that is told.
    pub(super) fn go_offline(&self, error: StorageError) {
        let error = match error {
            StorageError::Offline { .. } => error,
            other => StorageError::Offline { dir: self.dir.clone(), reason: other.to_string().into() },
        };
        let Some(callbacks) = self.health.fail(&error) else { return };
        tracing::error!(
            %error,
            "its partitions are not served until the disk is mended or replaced and the broker started again; what was \
             acknowledged is in the directory"
        );
        self.journal.abandon(error.clone());
        self.work.abandon(&error);
        callbacks.into_iter().for_each(|callback| callback(error.clone()));
    }
}

impl Context {
    /// Takes the directory offline if this says that its disk has failed, whoever came across it.
    pub(crate) fn note_error(&self, error: &StorageError) {
        if error.is_disk_failure() {
            self.go_offline(error.clone());
        }
    }
}

impl LogDir {
    /// Why the directory is offline; none as long as it is used.
    pub fn failure(&self) -> Option<StorageError> {
        self.context.health.failure()
    }

    /// Calls back when the directory goes offline, at once if it is. From any thread; the callback must not block.
    pub fn when_offline(&self, callback: Box<dyn FnOnce(StorageError) + Send>) {
        self.context.health.add(callback);
    }

    /// Why appends are refused, for now if the disk is only full; none as long as they are taken.
    pub fn refusal(&self) -> Option<StorageError> {
        self.failure().or_else(|| self.context.journal.failure())
    }

    pub(super) fn check_online(&self) -> Result<(), StorageError> {
        self.failure().map_or(Ok(()), Err)
    }
}
