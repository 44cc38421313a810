//! How much of requests may be there at once, over all connections: bytes in memory, or requests at work.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// Counts units that are taken. Who would read on while there are as many as may be waits.
///
/// The bound may be overdrawn by what one connection takes at once, so that nobody waits with a step half done.
#[derive(Debug)]
pub struct Budget {
    max: usize,
    used: AtomicUsize,
    waiting: Mutex<Waiting>,
}

/// Who is to be woken when there is room again.
#[derive(Debug, Default)]
struct Waiting {
    /// How often all were woken.
    rounds: u64,
    wakers: Vec<Waker>,
}

/// Where a connection waits, so that it waits there once only: the round, counted from 1.
#[derive(Debug, Default)]
pub(super) struct Place(u64);

/// Units that were taken from a budget, given back when dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<Budget>,
    units: usize,
}

impl Budget {
    /// A budget of so many units.
    pub fn new(max: usize) -> Arc<Budget> {
        Arc::new(Budget { max, used: AtomicUsize::new(0), waiting: Mutex::default() })
    }

    /// Units that are taken now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }

    fn has_room(&self) -> bool {
        self.used() < self.max
    }

    /// Ready when more may be read. A place belongs to one task.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>, place: &mut Place) -> Poll<()> {
        if self.has_room() {
            return Poll::Ready(());
        }
        let mut waiting = self.waiting.lock();
        if place.0 != waiting.rounds + 1 {
            place.0 = waiting.rounds + 1;
            waiting.wakers.push(cx.waker().clone());
        }
        drop(waiting);
        // What was given back in between has not seen the waker.
        if self.has_room() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn give_back(&self, units: usize) {
        let before = self.used.fetch_sub(units, Ordering::AcqRel);
        if before >= self.max && self.has_room() {
            let mut waiting = self.waiting.lock();
            waiting.rounds += 1;
            let wakers = std::mem::take(&mut waiting.wakers);
            drop(waiting);
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}

impl Charge {
    /// Nothing yet.
    pub(super) fn none(budget: &Arc<Budget>) -> Charge {
        Charge { budget: Arc::clone(budget), units: 0 }
    }

    /// So many units, whether there is room or not.
    pub(super) fn of(budget: &Arc<Budget>, units: usize) -> Charge {
        let mut charge = Charge::none(budget);
        charge.add(units);
        charge
    }

    /// Takes more, whether there is room or not.
    pub(super) fn add(&mut self, units: usize) {
        self.budget.used.fetch_add(units, Ordering::AcqRel);
        self.units += units;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.units > 0 {
            self.budget.give_back(self.units);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_room_waits_once_and_is_woken_when_some_is_given_back() {
        let budget = Budget::new(100);
        let mut cx = Context::from_waker(Waker::noop());
        let mut place = Place::default();
        for _ in 0..2 {
            let mut charge = Charge::none(&budget);
            assert!(budget.poll_room(&mut cx, &mut place).is_ready());
            charge.add(150);
            assert!(budget.poll_room(&mut cx, &mut place).is_pending());
            assert!(budget.poll_room(&mut cx, &mut place).is_pending());
            assert_eq!(budget.waiting.lock().wakers.len(), 1);
            drop(charge);
            assert!(budget.waiting.lock().wakers.is_empty());
        }
        assert!(budget.poll_room(&mut cx, &mut place).is_ready());
        assert_eq!(budget.used(), 0);
    }
}
