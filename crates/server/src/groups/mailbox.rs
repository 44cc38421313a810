//! What the journal's thread tells a partition.

use parking_lot::Mutex;
use protocol::ErrorCode;
use tokio::sync::Notify;

/// What has become of a decision's records.
pub(super) enum Settled {
    /// They are on disk.
    Durable {
        /// The decision.
        correlation: u64,
        /// Offset of the last of them.
        last_offset: i64,
    },
    /// They will never be.
    Lost {
        /// The decision.
        correlation: u64,
        /// Why.
        error: ErrorCode,
    },
}

/// Notes for a partition, and the bell that wakes its task. Its lock is held for a push or a swap only, so that the journal's
/// thread never waits for a decision.
#[derive(Default)]
pub(super) struct Mailbox {
    notes: Mutex<Vec<Settled>>,
    bell: Notify,
}

impl Mailbox {
    /// Leaves a note and wakes the task.
    pub(super) fn leave(&self, note: Settled) {
        self.notes.lock().push(note);
        self.wake();
    }

    /// Takes all notes, the oldest first.
    pub(super) fn take(&self) -> Vec<Settled> {
        std::mem::take(&mut *self.notes.lock())
    }

    /// Wakes the task: something has changed.
    pub(super) fn wake(&self) {
        self.bell.notify_one();
    }

    /// Waits until there was a reason to wake up since the last time.
    pub(super) async fn woken(&self) {
        self.bell.notified().await;
    }
}
