//! When what happened to a request.

use std::time::Duration;

use tokio::time::Instant;

use super::response::Notes;

/// The moments of a request, each not before the one above it.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Its last byte had come.
    pub arrived: Instant,
    /// Its turn on the connection came.
    pub begun: Instant,
    /// What it asks for was begun, and done if nothing had to be waited for.
    pub returned: Instant,
    /// Its answer was known.
    pub done: Instant,
    /// All answers before it had been handed over to be sent.
    pub turn: Instant,
    /// The system had taken the answer's last byte.
    pub sent: Instant,
}

impl Timing {
    pub(super) fn started(arrived: Instant, begun: Instant, returned: Instant) -> Timing {
        Timing { arrived, begun, returned, done: returned, turn: returned, sent: returned }
    }

    /// Waiting for requests before it, on the same connection.
    pub fn request_queue(&self) -> Duration {
        self.begun.saturating_duration_since(self.arrived)
    }

    /// Work in its turn.
    pub fn local(&self) -> Duration {
        self.returned.saturating_duration_since(self.begun)
    }

    /// Waiting for the disk, for records, for members of a group.
    pub fn remote(&self) -> Duration {
        self.done.saturating_duration_since(self.returned)
    }

    /// Waiting for answers before it.
    pub fn response_queue(&self) -> Duration {
        self.turn.saturating_duration_since(self.done)
    }

    /// Sending, reading from files included.
    pub fn response_send(&self) -> Duration {
        self.sent.saturating_duration_since(self.turn)
    }

    /// From the last byte of the request to the last of the answer.
    pub fn total(&self) -> Duration {
        self.sent.saturating_duration_since(self.arrived)
    }
}

/// A request that is over.
#[derive(Clone, Debug)]
pub struct Finish {
    /// When what happened.
    pub timing: Timing,
    /// What was told of it.
    pub notes: Notes,
    /// Bytes of the answer with its length; 0 for none.
    pub response_bytes: usize,
}

/// A request whose answer has not left as a whole.
pub(super) struct Unsent<T> {
    pub(super) ticket: T,
    pub(super) timing: Timing,
    pub(super) notes: Notes,
    pub(super) bytes: usize,
    /// Where its answer ends in all that its connection is sent.
    pub(super) end: u64,
}
