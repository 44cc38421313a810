//! The batches of one partition, in order.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::batch::{Batch, Identity};

#[derive(Default)]
pub(super) struct Queue {
    /// Batches that wait for their turn.
    pub(super) sealed: VecDeque<Batch>,
    /// Whether a batch is on its way: the next waits, so that the order holds over retries.
    pub(super) in_flight: bool,
    /// Not before this time is the next tried.
    pub(super) not_before: Option<Instant>,
    /// The id that the sequence belongs to. A batch that was given up leaves a gap; a new id starts anew.
    pub(super) identity: Option<Identity>,
    pub(super) next_sequence: i32,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.sealed.is_empty() && !self.in_flight
    }

    /// Whether a batch may be sent at this time.
    pub(super) fn is_ready(&self, now: Instant) -> bool {
        !self.in_flight && !self.sealed.is_empty() && self.not_before.is_none_or(|at| at <= now)
    }

    /// The sequence of a batch that is sent for the first time. It goes on at 0 after the largest.
    pub(super) fn take_sequence(&mut self, count: i32) -> i32 {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.wrapping_add(count) & i32::MAX;
        sequence
    }

    /// Goes on as this producer; one of another epoch starts its sequence anew.
    pub(super) fn go_on_as(&mut self, identity: Identity) {
        if self.identity != Some(identity) {
            self.identity = Some(identity);
            self.next_sequence = 0;
        }
    }

    /// Puts a batch back to be sent again.
    pub(super) fn put_back(&mut self, batch: Batch, not_before: Instant) {
        self.in_flight = false;
        self.not_before = Some(not_before);
        self.sealed.push_front(batch);
    }

    pub(super) fn give_up(&mut self) {
        self.in_flight = false;
        self.identity = None;
        self.next_sequence = 0;
    }

    /// When the next batch may be tried, if that is to be waited for.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        self.not_before.filter(|_| !self.in_flight && !self.sealed.is_empty())
    }
}
