//! The thread that moves what is durable to the segments.

use std::sync::Arc;
use std::time::Duration;

use super::DestageMode;
use super::context::Context;
use super::work::{CheckpointWaiter, Todo};
use crate::StorageError;
use crate::log::{Log, SegmentWriter};

/// After how long a failure is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// One turn's work.
struct Turn {
    ready: Vec<Arc<Log>>,
    waiters: Vec<CheckpointWaiter>,
    pressed: bool,
    broken: bool,
    dirty: bool,
    stopping: bool,
    /// Nothing but the time asks for it.
    idle: bool,
}

impl Turn {
    fn take(todo: &mut Todo) -> Turn {
        let turn = Turn {
            ready: todo.ready.drain(..).collect(),
            waiters: std::mem::take(&mut todo.waiters),
            pressed: std::mem::take(&mut todo.pressed),
            broken: !todo.broken.is_empty(),
            dirty: !todo.dirty.is_empty(),
            stopping: todo.stopping,
            idle: false,
        };
        let idle = turn.ready.is_empty() && turn.waiters.is_empty();
        Turn { idle: idle && !turn.pressed && !turn.broken, ..turn }
    }
}

/// The thread's state.
pub(super) struct Destager {
    context: Arc<Context>,
    writer: SegmentWriter,
    /// When the last checkpoint was, by the monotonic clock.
    checkpointed: Duration,
    failing: bool,
    /// It was said that the journal cannot grow.
    is_cramped: bool,
}

impl Destager {
    pub(super) fn new(context: Arc<Context>) -> Destager {
        let writer = SegmentWriter::new(context.options.destage == DestageMode::Direct);
        let checkpointed = context.host.clock.monotonic();
        Destager { context, writer, checkpointed, failing: false, is_cramped: false }
    }

    /// Works until it is told to stop, or the directory goes offline.
    pub(super) fn run(mut self) {
        while self.context.health.failure().is_none() {
            let turn = if self.failing {
                self.context.work.pause(RETRY, Turn::take)
            } else {
                self.context.work.wait(self.context.options.checkpoint_interval, Turn::take)
            };
            if turn.stopping {
                return;
            }
            self.destage(&turn.ready);
            self.context.budget.evict();
            if let Some(error @ StorageError::Offline { .. }) = self.context.journal.failure() {
                self.context.go_offline(error);
            }
            if self.failing || self.must_checkpoint(&turn) {
                self.checkpoint(turn.waiters);
            }
        }
    }

    fn destage(&mut self, ready: &[Arc<Log>]) {
        for log in ready {
            if let Err(error) = log.destage(&mut self.writer)
                && !log.is_deleted()
            {
                self.note_failure(&error);
            }
        }
    }

    fn must_checkpoint(&self, turn: &Turn) -> bool {
        let (used, capacity) = self.context.journal.ring_usage();
        let options = &self.context.options;
        let old = || {
            let age = self.context.host.clock.monotonic().saturating_sub(self.checkpointed);
            turn.dirty && (turn.idle || age >= options.checkpoint_interval)
        };
        !turn.waiters.is_empty()
            || turn.broken
            || self.context.journal.failure().is_some()
            || used >= options.checkpoint_bytes.min(capacity / 2)
            || (turn.pressed && used > 0)
            || (self.context.budget.is_exceeded() && turn.dirty)
            || old()
    }

    fn checkpoint(&mut self, waiters: Vec<CheckpointWaiter>) {
        self.grow();
        // A failure that comes in the middle has let more become durable than this checkpoint takes in.
        let has_failed = self.context.journal.failure().is_some();
        let done = self.reset_broken().and_then(|()| self.context.checkpoint(&mut self.writer));
        let done = if has_failed { done.and_then(|()| self.resume()) } else { done };
        self.checkpointed = self.context.host.clock.monotonic();
        match &done {
            Ok(()) if std::mem::take(&mut self.failing) => tracing::info!("segments are written again"),
            Ok(()) => {}
            Err(error) => self.note_failure(error),
        }
        for waiter in waiters {
            let _ = waiter.send(done.clone());
        }
    }

    /// A ring that is half full should be larger, as long as it is smaller than what a checkpoint waits for, twice.
    fn grow(&mut self) {
        let (used, capacity) = self.context.journal.ring_usage();
        let wanted = self.context.options.checkpoint_bytes.saturating_mul(2);
        if used <= capacity / 2 || (capacity >= wanted && used < capacity / 4 * 3) {
            return;
        }
        match self.context.journal.grow() {
            Ok(_) => self.is_cramped = false,
            // A small ring does too.
            Err(error) if !std::mem::replace(&mut self.is_cramped, true) => {
                tracing::warn!(%error, "the journal cannot grow");
            }
            Err(_) => {}
        }
    }

    /// Brings the logs back to their durable ends of which appends were lost.
    fn reset_broken(&self) -> Result<(), StorageError> {
        let broken = self.context.work.with(|todo| std::mem::take(&mut todo.broken));
        for (index, log) in broken.iter().enumerate() {
            if let Err(error) = log.reset() {
                self.context.work.with(|todo| todo.broken.extend_from_slice(&broken[index..]));
                return Err(error);
            }
        }
        Ok(())
    }

    /// All that is durable is in the segments: the journal may start anew if it failed.
    fn resume(&self) -> Result<(), StorageError> {
        self.context.journal.resume(&*self.context.host.random)?;
        tracing::info!("the journal is written again");
        // Some may have failed between the reset and now.
        self.reset_broken()
    }

    /// A disk that is full is tried again; one that fails is not.
    fn note_failure(&mut self, error: &StorageError) {
        if !error.is_disk_full() && !error.is_closed() {
            return self.context.go_offline(error.clone());
        }
        if !self.failing {
            tracing::error!(
                %error,
                "segments cannot be written, which is tried again every second; records are taken as long as the journal has \
                 room: free some space on the disk"
            );
        }
        self.failing = true;
        self.context.journal.give_up_waiting(error.clone());
    }
}
