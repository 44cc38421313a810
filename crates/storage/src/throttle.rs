//! How fast segments are read and written in the background (`log.cleaner.io.max.bytes.per.second` and others). Pure.

use std::time::Duration;

/// How far one may fall behind and catch up with later.
const CATCH_UP: Duration = Duration::from_secs(1);

/// Bytes over time, of all threads together.
#[derive(Debug, Default)]
pub struct Throttle {
    /// When the next bytes are due, by the monotonic clock.
    due: Duration,
}

impl Throttle {
    /// Takes in that bytes were read or written, and says how long to wait before the next ones.
    pub fn note(&mut self, now: Duration, bytes: usize, bytes_per_second: f64) -> Duration {
        if bytes_per_second <= 0.0 || bytes_per_second >= f64::MAX {
            return Duration::ZERO;
        }
        let took = Duration::try_from_secs_f64(bytes as f64 / bytes_per_second).unwrap_or(Duration::MAX);
        self.due = self.due.max(now.saturating_sub(CATCH_UP)).saturating_add(took);
        self.due.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn over_time_no_more_bytes_pass_than_are_allowed() {
        let mut throttle = Throttle::default();
        let mut now = ms(5_000);
        let started = now;
        for _ in 0..100 {
            now += throttle.note(now, 1_000, 10_000.0);
        }
        // 100,000 bytes take 10 s, of which one was saved up before.
        assert_eq!(now - started, ms(9_000));
        assert_eq!(throttle.note(now + ms(60_000), 10_000, 10_000.0), ms(0));
        assert_eq!(throttle.note(now + ms(60_000), 10_000, 10_000.0), ms(1_000));
    }

    #[test]
    fn without_a_limit_nobody_waits() {
        let mut throttle = Throttle::default();
        assert_eq!(throttle.note(ms(0), usize::MAX, f64::MAX), ms(0));
        assert_eq!(throttle.note(ms(0), usize::MAX, 0.0), ms(0));
    }
}
