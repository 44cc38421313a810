//! What came within the last minute or so.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many seconds a window looks back on, at least. It may be up to one slot more.
pub const WINDOW_SECONDS: u64 = 60;
const SLOT_SECONDS: u64 = 10;
/// Full slots of the window, and the one under way.
const SLOTS: usize = (WINDOW_SECONDS / SLOT_SECONDS) as usize + 1;

/// A sum of what came in the last minute, in slots of ten seconds, and of all that ever came.
///
/// The seconds are those of any clock that does not go back. Notes that race for a slot's first use may lose one another, which
/// costs a little of the figure and nothing else.
#[derive(Debug, Default)]
pub struct Window {
    slots: [Slot; SLOTS],
    total: AtomicU64,
}

#[derive(Debug, Default)]
struct Slot {
    /// Which ten seconds it is for, counted from 1.
    period: AtomicU64,
    sum: AtomicU64,
}

impl Window {
    /// Adds an amount at a time.
    pub fn add(&self, amount: u64, now_seconds: u64) {
        let period = now_seconds / SLOT_SECONDS + 1;
        let slot = &self.slots[(period % SLOTS as u64) as usize];
        if slot.period.load(Ordering::Relaxed) != period {
            slot.sum.store(0, Ordering::Relaxed);
            slot.period.store(period, Ordering::Relaxed);
        }
        slot.sum.fetch_add(amount, Ordering::Relaxed);
        self.total.fetch_add(amount, Ordering::Relaxed);
    }

    /// What came within the window that ends now.
    pub fn recent(&self, now_seconds: u64) -> u64 {
        let period = now_seconds / SLOT_SECONDS + 1;
        let is_recent = |slot: &&Slot| {
            let age = period.checked_sub(slot.period.load(Ordering::Relaxed));
            age.is_some_and(|age| age < SLOTS as u64)
        };
        self.slots.iter().filter(is_recent).map(|slot| slot.sum.load(Ordering::Relaxed)).sum()
    }

    /// All that ever came.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_forgotten_after_a_minute_but_not_in_the_total() {
        let window = Window::default();
        window.add(5, 0);
        window.add(7, 59);
        assert_eq!(window.recent(60), 12);
        assert_eq!(window.recent(69), 12);
        assert_eq!(window.recent(70), 7);
        assert_eq!(window.recent(119), 7);
        assert_eq!(window.recent(120), 0);
        assert_eq!(window.total(), 12);
    }

    #[test]
    fn a_slot_that_is_used_again_begins_with_nothing() {
        let window = Window::default();
        window.add(5, 3);
        window.add(1, 73);
        assert_eq!(window.recent(73), 1);
    }
}
