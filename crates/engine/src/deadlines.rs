//! Deadlines, the earliest first.

use std::collections::{BTreeMap, BTreeSet};

/// A deadline for each timer that is set; times are uptimes in milliseconds.
pub(crate) struct Deadlines<T> {
    by_time: BTreeSet<(i64, T)>,
    by_timer: BTreeMap<T, i64>,
}

impl<T: Ord + Clone> Deadlines<T> {
    pub(crate) fn new() -> Self {
        Deadlines { by_time: BTreeSet::new(), by_timer: BTreeMap::new() }
    }

    pub(crate) fn set(&mut self, timer: T, at_ms: i64) {
        if let Some(old_ms) = self.by_timer.insert(timer.clone(), at_ms) {
            self.by_time.remove(&(old_ms, timer.clone()));
        }
        self.by_time.insert((at_ms, timer));
    }

    pub(crate) fn cancel(&mut self, timer: T) {
        if let Some(at_ms) = self.by_timer.remove(&timer) {
            self.by_time.remove(&(at_ms, timer));
        }
    }

    /// Takes out the earliest timer whose time has come.
    pub(crate) fn pop_due(&mut self, now_ms: i64) -> Option<T> {
        if self.earliest()? > now_ms {
            return None;
        }
        let (_, timer) = self.by_time.pop_first()?;
        self.by_timer.remove(&timer);
        Some(timer)
    }

    pub(crate) fn earliest(&self) -> Option<i64> {
        self.by_time.first().map(|(at_ms, _)| *at_ms)
    }

    pub(crate) fn clear(&mut self) {
        self.by_time.clear();
        self.by_timer.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_out_in_the_order_of_their_deadlines() {
        let mut deadlines = Deadlines::new();
        deadlines.set("late", 30);
        deadlines.set("moved", 5);
        deadlines.set("early", 10);
        deadlines.set("gone", 1);
        deadlines.set("moved", 20);
        deadlines.cancel("gone");
        assert_eq!(deadlines.earliest(), Some(10));
        assert_eq!(deadlines.pop_due(9), None);
        let due: Vec<_> = std::iter::from_fn(|| deadlines.pop_due(25)).collect();
        assert_eq!(due, ["early", "moved"]);
        assert_eq!(deadlines.earliest(), Some(30));
    }
}
