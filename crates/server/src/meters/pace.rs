//! How often the same is said: so often in a period, and how often it was left out.

use std::time::Duration;

use parking_lot::Mutex;

/// Lines in a period.
const LINES_MAX: u32 = 10;
/// After that long there may be as many again.
const PERIOD: Duration = Duration::from_secs(10);

/// Bounds how often something is logged.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When the period began.
    since: Duration,
    lines: u32,
    suppressed: u64,
}

impl Pace {
    /// Whether to say it now, and if so, how often it was not said since the last time. The time is that of a clock that never
    /// goes back.
    pub(crate) fn admit(&self, now: Duration) -> Option<u64> {
        let mut state = self.0.lock();
        if now.saturating_sub(state.since) >= PERIOD {
            state.since = now;
            state.lines = 0;
        }
        if state.lines >= LINES_MAX {
            state.suppressed += 1;
            return None;
        }
        state.lines += 1;
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_counted_and_said_with_the_next_line() {
        let pace = Pace::default();
        let at = Duration::from_secs;
        assert_eq!((0..LINES_MAX).filter_map(|_| pace.admit(at(100))).sum::<u64>(), 0);
        assert_eq!(pace.admit(at(101)), None);
        assert_eq!(pace.admit(at(109)), None);
        assert_eq!(pace.admit(at(110)), Some(2));
        assert_eq!(pace.admit(at(111)), Some(0));
    }
}
