//! How many bytes of requests may be in memory at once, over all connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// Counts the bytes of frames that are being received or worked on. Who would read more than the bound waits.
///
/// The bound may be overdrawn by one step of growth a connection, so that nobody waits with a step half done.
#[derive(Debug)]
pub struct Budget {
    bytes_max: usize,
    used: AtomicUsize,
    waiting: Mutex<Vec<Waker>>,
}

/// Bytes that were taken from a budget, given back when dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(bytes_max: usize) -> Arc<Budget> {
        Arc::new(Budget { bytes_max, used: AtomicUsize::new(0), waiting: Mutex::new(Vec::new()) })
    }

    /// Bytes that are taken now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }

    fn has_room(&self) -> bool {
        self.used() < self.bytes_max
    }

    /// Ready when more may be read.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_room() {
            return Poll::Ready(());
        }
        self.waiting.lock().push(cx.waker().clone());
        // What was given back in between has not seen the waker.
        if self.has_room() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn give_back(&self, bytes: usize) {
        let before = self.used.fetch_sub(bytes, Ordering::AcqRel);
        if before >= self.bytes_max && self.has_room() {
            std::mem::take(&mut *self.waiting.lock()).into_iter().for_each(Waker::wake);
        }
    }
}

impl Charge {
    /// Nothing yet.
    pub(super) fn none(budget: &Arc<Budget>) -> Charge {
        Charge { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Takes more, whether there is room or not.
    pub(super) fn add(&mut self, bytes: usize) {
        self.budget.used.fetch_add(bytes, Ordering::AcqRel);
        self.bytes += bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.give_back(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_room_is_woken_when_some_is_given_back() {
        let budget = Budget::new(100);
        let mut cx = Context::from_waker(Waker::noop());
        let mut charge = Charge::none(&budget);
        assert!(budget.poll_room(&mut cx).is_ready());
        charge.add(150);
        assert!(budget.poll_room(&mut cx).is_pending());
        assert_eq!(budget.waiting.lock().len(), 1);
        drop(charge);
        assert!(budget.waiting.lock().is_empty());
        assert!(budget.poll_room(&mut cx).is_ready());
        assert_eq!(budget.used(), 0);
    }
}
