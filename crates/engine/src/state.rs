//! What the runtime asks of a replicated state.

use protocol::ErrorCode;

use crate::Decision;

/// The time of an input, given by the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970 UTC, for timestamps in records. May jump.
    pub wall_ms: i64,
    /// Milliseconds of a clock that never goes back, for deadlines. Its start means nothing.
    pub uptime_ms: i64,
}

/// Names a request until it is answered; chosen by the shell, each one once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// State that follows from a log, and the rules by which its leader extends that log.
///
/// Two parts, and the types keep them apart: `self` follows from the log alone, is changed by [`apply`](Self::apply) only,
/// and decisions see it read-only. [`Live`](Self::Live) is what the leader knows besides (who waits for an answer, who was
/// heard of when); decisions change it, records never do, and it is lost with the leadership.
pub trait ReplicatedState: Sized {
    /// An entry of the log.
    type Record;
    /// What is asked of the leader.
    type Request;
    /// What it answers.
    type Reply;
    /// Names a deadline; setting it again moves it.
    type Timer: Ord + Clone;
    /// The leader's part, which is not in the log.
    type Live;

    /// Changes the state as the record says. Never fails and never decides: the record is a fact.
    fn apply(&mut self, record: &Self::Record);

    /// Starts to lead a state that was loaded: builds the leader's part and sets its timers.
    fn lead(&self, now: Now, decision: &mut Decision<Self>) -> Self::Live;

    /// Decides a request. The token is answered in this decision, or kept in the leader's part and answered in a later one.
    fn decide(
        &self,
        live: &mut Self::Live,
        now: Now,
        token: Token,
        request: Self::Request,
        decision: &mut Decision<Self>,
    );

    /// Decides what follows from a deadline that has passed.
    fn expire(&self, live: &mut Self::Live, now: Now, timer: Self::Timer, decision: &mut Decision<Self>);

    /// The answer to a request that cannot be decided now, because the state is loading.
    fn refuse(&self, request: Self::Request, error: ErrorCode) -> Self::Reply;

    /// Turns an answer that was decided into one which says that it could not be made to last.
    fn fail(reply: Self::Reply, error: ErrorCode) -> Self::Reply;

    /// Answers every token that the leader's part still keeps.
    fn abandon(live: Self::Live, error: ErrorCode) -> Vec<(Token, Self::Reply)>;
}
