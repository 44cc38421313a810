//! What a state decides.

use crate::{ReplicatedState, Token};

/// What a decision asks for: records, replies and timers. Empty at first, filled by the state, carried out by the runtime.
pub struct Decision<S: ReplicatedState> {
    pub(crate) records: Vec<S::Record>,
    pub(crate) replies: Vec<(Token, S::Reply)>,
    pub(crate) timers: Vec<TimerChange<S::Timer>>,
}

pub(crate) enum TimerChange<T> {
    Set { timer: T, at_ms: i64 },
    Cancel { timer: T },
}

impl<S: ReplicatedState> Default for Decision<S> {
    fn default() -> Self {
        Decision { records: Vec::new(), replies: Vec::new(), timers: Vec::new() }
    }
}

impl<S: ReplicatedState> Decision<S> {
    /// Extends the log. All records of a decision are one batch: they are in the log together or not at all.
    pub fn append(&mut self, record: S::Record) {
        self.records.push(record);
    }

    /// Answers a token: that of the request at hand, or one that was kept.
    pub fn reply(&mut self, token: Token, reply: S::Reply) {
        self.replies.push((token, reply));
    }

    /// Sets a deadline, or moves it if it is set. `at_ms` is an uptime ([`Now::uptime_ms`](crate::Now)).
    pub fn set_timer(&mut self, timer: S::Timer, at_ms: i64) {
        self.timers.push(TimerChange::Set { timer, at_ms });
    }

    /// Removes a deadline, if it is set.
    pub fn cancel_timer(&mut self, timer: S::Timer) {
        self.timers.push(TimerChange::Cancel { timer });
    }

    /// The records asked for so far.
    pub fn records(&self) -> &[S::Record] {
        &self.records
    }

    /// The replies asked for so far.
    pub fn replies(&self) -> &[(Token, S::Reply)] {
        &self.replies
    }
}
