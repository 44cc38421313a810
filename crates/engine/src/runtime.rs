//! The order of things: decide, apply, append, wait, reply.

use std::collections::VecDeque;

use protocol::ErrorCode;

use crate::deadlines::Deadlines;
use crate::decision::TimerChange;
use crate::{Decision, Now, ReplicatedState, Token};

/// What the shell is to do; see the [crate's page](crate).
pub enum Effect<S: ReplicatedState> {
    /// Append the records, in this order, as one batch.
    Append {
        /// The records; at least one.
        records: Vec<S::Record>,
        /// Names the batch in [`Runtime::appended`] and [`Runtime::append_failed`]. Ascending.
        correlation: u64,
    },
    /// Answer a request.
    Reply {
        /// Which request.
        token: Token,
        /// With what.
        reply: S::Reply,
    },
    /// Call [`Runtime::timer`] at this time.
    SetTimer {
        /// An uptime in milliseconds.
        at_ms: i64,
    },
    /// No deadline is set any more.
    CancelTimer,
    /// The state is to be built from the log again.
    Reload,
}

/// A batch that is not committed yet, and the replies that wait for it.
struct Pending<S: ReplicatedState> {
    correlation: u64,
    /// Inclusive; none while the append is under way.
    last_offset: Option<i64>,
    replies: Vec<(Token, S::Reply)>,
}

/// Runs one replicated state on its leader; see the [crate's page](crate).
pub struct Runtime<S: ReplicatedState> {
    state: S,
    /// The leader's part; none while the state is loading.
    live: Option<S::Live>,
    pending: VecDeque<Pending<S>>,
    next_correlation: u64,
    /// Exclusive.
    high_watermark: i64,
    deadlines: Deadlines<S::Timer>,
    /// The time that the shell was told, so that it is told changes only.
    timer_at_ms: Option<i64>,
    effects: VecDeque<Effect<S>>,
    /// Empty between inputs; kept for its memory.
    decision: Decision<S>,
}

impl<S: ReplicatedState> Runtime<S> {
    /// A runtime that is loading: feed the log with [`replay`](Self::replay), then call [`loaded`](Self::loaded).
    pub fn new(state: S) -> Self {
        Runtime {
            state,
            live: None,
            pending: VecDeque::new(),
            next_correlation: 0,
            high_watermark: 0,
            deadlines: Deadlines::new(),
            timer_at_ms: None,
            effects: VecDeque::new(),
            decision: Decision::default(),
        }
    }

    /// The next thing to do; none when everything that follows from the inputs so far was handed out.
    pub fn next_effect(&mut self) -> Option<Effect<S>> {
        self.effects.pop_front()
    }

    /// The state with all decisions so far, committed or not.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// Changes what the state obeys and its log does not tell.
    pub fn configure(&mut self, change: impl FnOnce(&mut S)) {
        change(&mut self.state);
    }

    /// The leader's part; none while the state is loading.
    pub fn live(&self) -> Option<&S::Live> {
        self.live.as_ref()
    }

    /// Begins to load again with a fresh state, after [`Effect::Reload`].
    pub fn reset(&mut self, state: S) {
        self.stop_leading(ErrorCode::CoordinatorLoadInProgress);
        self.state = state;
    }

    /// Feeds a record of the log while loading, in the log's order. Ignored once loaded: the leader's records come from itself.
    pub fn replay(&mut self, record: &S::Record) {
        debug_assert!(self.live.is_none(), "a leader's records come from its own decisions");
        if self.live.is_none() {
            self.state.apply(record);
        }
    }

    /// The log was fed up to `log_end_offset` (exclusive): requests are decided from here on. What of it the high watermark
    /// has not passed yet holds replies back as a batch of the leader's own would.
    pub fn loaded(&mut self, now: Now, log_end_offset: i64) {
        self.await_commit_of(log_end_offset - 1);
        let mut decision = std::mem::take(&mut self.decision);
        self.live = Some(self.state.lead(now, &mut decision));
        self.settle(&mut decision, i64::MIN);
        self.decision = decision;
    }

    /// A request. It is refused with `COORDINATOR_LOAD_IN_PROGRESS` while the state is loading.
    pub fn request(&mut self, now: Now, token: Token, request: S::Request) {
        let Some(live) = &mut self.live else {
            let reply = self.state.refuse(request, ErrorCode::CoordinatorLoadInProgress);
            self.effects.push_back(Effect::Reply { token, reply });
            return;
        };
        let mut decision = std::mem::take(&mut self.decision);
        self.state.decide(live, now, token, request, &mut decision);
        self.settle(&mut decision, i64::MIN);
        self.decision = decision;
    }

    /// A batch is in the log, though not committed. `last_offset` is inclusive. Unknown correlations are of a past that was undone.
    pub fn appended(&mut self, correlation: u64, last_offset: i64) {
        if let Ok(at) = self.pending.binary_search_by_key(&correlation, |batch| batch.correlation) {
            self.pending[at].last_offset = Some(last_offset);
            self.release();
        }
    }

    /// A batch did not get into the log, or was lost from it before it was committed: everything from it on is undone.
    pub fn append_failed(&mut self, correlation: u64, error: ErrorCode) {
        let Ok(at) = self.pending.binary_search_by_key(&correlation, |batch| batch.correlation) else {
            return;
        };
        let undone = self.pending.split_off(at);
        self.fail_replies(undone, error);
        self.stop_leading(error);
        self.effects.push_back(Effect::Reload);
    }

    /// The high watermark (exclusive) moved.
    pub fn high_watermark(&mut self, high_watermark: i64) {
        self.high_watermark = self.high_watermark.max(high_watermark);
        self.release();
    }

    /// The time of [`Effect::SetTimer`] has come. Calling it early or twice does no harm.
    pub fn timer(&mut self, now: Now) {
        // The shell's timer is spent: it is told the next time, even if that is the same.
        self.timer_at_ms = None;
        let mut decision = std::mem::take(&mut self.decision);
        while let Some(live) = &mut self.live {
            let Some(timer) = self.deadlines.pop_due(now.uptime_ms) else { break };
            self.state.expire(live, now, timer, &mut decision);
            // A timer that is set from here comes due in a later input, so that this loop ends.
            self.settle(&mut decision, now.uptime_ms + 1);
        }
        self.decision = decision;
        self.tell_timer();
    }

    /// The partition is led elsewhere, or its log is gone: everything that waits is answered with the error.
    pub fn resign(&mut self, error: ErrorCode) {
        let undone = std::mem::take(&mut self.pending);
        self.fail_replies(undone, error);
        self.stop_leading(error);
    }

    /// Carries out a decision and leaves it empty.
    fn settle(&mut self, decision: &mut Decision<S>, timers_from_ms: i64) {
        for change in decision.timers.drain(..) {
            match change {
                TimerChange::Set { timer, at_ms } => self.deadlines.set(timer, at_ms.max(timers_from_ms)),
                TimerChange::Cancel { timer } => self.deadlines.cancel(timer),
            }
        }
        if !decision.records.is_empty() {
            self.append(std::mem::take(&mut decision.records));
        }
        self.hold_replies(decision);
        self.tell_timer();
    }

    fn await_commit_of(&mut self, last_offset: i64) {
        let known = self.pending.back().and_then(|batch| batch.last_offset);
        if last_offset >= self.high_watermark && known.is_none_or(|known| known < last_offset) {
            let last_offset = Some(last_offset);
            self.pending.push_back(Pending {
                correlation: self.next_correlation,
                last_offset,
                replies: Vec::new(),
            });
            self.next_correlation += 1;
        }
    }

    fn append(&mut self, records: Vec<S::Record>) {
        records.iter().for_each(|record| self.state.apply(record));
        let correlation = self.next_correlation;
        self.next_correlation += 1;
        self.pending.push_back(Pending { correlation, last_offset: None, replies: Vec::new() });
        self.effects.push_back(Effect::Append { records, correlation });
    }

    fn hold_replies(&mut self, decision: &mut Decision<S>) {
        match self.pending.back_mut() {
            Some(newest) => newest.replies.append(&mut decision.replies),
            None => send(&mut self.effects, decision.replies.drain(..)),
        }
    }

    fn release(&mut self) {
        while let Some(oldest) = self.pending.front() {
            if oldest.last_offset.is_none_or(|last| last >= self.high_watermark) {
                break;
            }
            let replies = self.pending.pop_front().map(|batch| batch.replies).unwrap_or_default();
            send(&mut self.effects, replies);
        }
    }

    fn fail_replies(&mut self, batches: VecDeque<Pending<S>>, error: ErrorCode) {
        let replies = batches.into_iter().flat_map(|batch| batch.replies);
        send(&mut self.effects, replies.map(|(token, reply)| (token, S::fail(reply, error))));
    }

    fn stop_leading(&mut self, error: ErrorCode) {
        if let Some(live) = self.live.take() {
            send(&mut self.effects, S::abandon(live, error));
        }
        self.deadlines.clear();
        self.tell_timer();
    }

    fn tell_timer(&mut self) {
        let earliest = self.deadlines.earliest();
        if earliest == self.timer_at_ms {
            return;
        }
        self.timer_at_ms = earliest;
        self.effects.push_back(match earliest {
            Some(at_ms) => Effect::SetTimer { at_ms },
            None => Effect::CancelTimer,
        });
    }
}

fn send<S: ReplicatedState>(
    effects: &mut VecDeque<Effect<S>>,
    replies: impl IntoIterator<Item = (Token, S::Reply)>,
) {
    effects.extend(replies.into_iter().map(|(token, reply)| Effect::Reply { token, reply }));
}
