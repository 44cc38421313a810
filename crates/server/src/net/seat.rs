//! A connection's place among those that there may be at once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use tokio::time::Instant;

/// When a connection was last used, and whether it has to make room for another.
#[derive(Debug)]
pub(super) struct Seat {
    /// What the time of use is counted from, the same for all.
    since: Instant,
    used_us: AtomicU64,
    is_claimed: AtomicBool,
    waker: AtomicWaker,
}

impl Seat {
    /// Of a connection that has come now.
    pub(super) fn new(since: Instant, now: Instant) -> Seat {
        let (used_us, is_claimed) = (AtomicU64::new(0), AtomicBool::new(false));
        let seat = Seat { since, used_us, is_claimed, waker: AtomicWaker::new() };
        seat.used(now);
        seat
    }

    /// Bytes have come or gone.
    pub(super) fn used(&self, now: Instant) {
        let since = now.saturating_duration_since(self.since).as_micros();
        self.used_us.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// When that was the last time, in microseconds.
    pub(super) fn used_us(&self) -> u64 {
        self.used_us.load(Ordering::Relaxed)
    }

    /// Asks the connection to end.
    pub(super) fn claim(&self) {
        self.is_claimed.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Ready once the connection has to end.
    pub(super) fn poll_claimed(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        if self.is_claimed.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}
