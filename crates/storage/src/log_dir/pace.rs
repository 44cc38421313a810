//! How fast segments are written: not much faster than has to be. Pure.
//!
//! A disk that has just taken a large write makes the next synchronous one wait for it, and the journal's are the ones that clients
//! wait for. So segments are written in small pieces with pauses between them, a few times as fast as the journal takes new bytes.
//! When those come so fast that there is no time for pauses, or the ring is nearly full, what counts is throughput.
//! `docs/decisions/one-journal-and-a-memory-tail.md` has figures.

use std::time::Duration;

/// What is written at once while there is no hurry, in bytes.
const PIECE_BYTES: usize = 128 * 1024;
/// The least speed that pauses make for, in bytes a second.
const SPEED_MIN: f64 = 40e6;
/// How much faster than the journal segments are written.
const HEADWAY: f64 = 3.0;
/// Shorter pauses are none.
const PAUSE_MIN: Duration = Duration::from_micros(250);
/// The journal's speed is measured over so long at least.
const SAMPLE_MIN: Duration = Duration::from_millis(20);

/// How full the journal's ring is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingFill {
    /// Bytes in use.
    pub(crate) used: u64,
    /// Bytes in all.
    pub(crate) capacity: u64,
}

impl RingFill {
    fn is_nearly_full(self) -> bool {
        self.used >= self.capacity / 4 * 3
    }
}

/// What is known of the journal's speed.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    since: Duration,
    journal_bytes: u64,
    /// Bytes a second, in time with the increase and a little late with the decrease.
    journal_speed: f64,
    is_urgent: bool,
}

impl Pace {
    /// Takes in how many bytes the journal has written in all, and how full it is; the time is that of the monotonic clock.
    pub(crate) fn note(&mut self, now: Duration, journal_bytes: u64, fill: RingFill) {
        self.is_urgent = fill.is_nearly_full();
        let elapsed = now.saturating_sub(self.since);
        if elapsed < SAMPLE_MIN {
            return;
        }
        let speed = journal_bytes.saturating_sub(self.journal_bytes) as f64 / elapsed.as_secs_f64();
        self.journal_speed = speed.max((self.journal_speed * 3.0 + speed) / 4.0);
        (self.since, self.journal_bytes) = (now, journal_bytes);
    }

    /// Bytes that should be written at once, of at most so many.
    pub(crate) fn piece_bytes(&self, bytes_max: usize) -> usize {
        if self.pause_after(PIECE_BYTES).is_zero() { bytes_max } else { PIECE_BYTES.min(bytes_max) }
    }

    /// How long to pause after a write of so many bytes, a piece at most.
    pub(crate) fn pause_after(&self, bytes: usize) -> Duration {
        let speed = SPEED_MIN.max(self.journal_speed * HEADWAY);
        let pause = Duration::from_secs_f64(bytes.min(PIECE_BYTES) as f64 / speed);
        if self.is_urgent || pause < PAUSE_MIN { Duration::ZERO } else { pause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;
    const EMPTY: RingFill = RingFill { used: 0, capacity: 128 * MIB };

    /// The pace after a tenth of a second in which the journal took so many bytes a second.
    fn at(bytes_a_second: u64) -> Pace {
        let mut pace = Pace::default();
        pace.note(Duration::from_millis(100), bytes_a_second / 10, EMPTY);
        pace
    }

    fn bytes_a_second(pace: &Pace) -> f64 {
        PIECE_BYTES as f64 / pace.pause_after(PIECE_BYTES).as_secs_f64()
    }

    #[test]
    fn segments_are_written_a_few_times_as_fast_as_the_journal_and_not_slower_than_some_speed() {
        assert!((bytes_a_second(&at(0)) / SPEED_MIN - 1.0).abs() < 0.01);
        assert!((bytes_a_second(&at(50_000_000)) / 150e6 - 1.0).abs() < 0.01);
    }

    #[test]
    fn where_there_is_no_time_for_pauses_all_is_written_at_once() {
        assert_eq!(at(20_000_000).piece_bytes(1 << 20), PIECE_BYTES);
        let fast = at(400_000_000);
        assert_eq!((fast.pause_after(PIECE_BYTES), fast.piece_bytes(1 << 20)), (Duration::ZERO, 1 << 20));
    }

    #[test]
    fn a_ring_that_is_nearly_full_leaves_no_time() {
        let mut pace = at(20_000_000);
        pace.note(Duration::from_millis(101), 0, RingFill { used: 96 * MIB, ..EMPTY });
        assert_eq!((pace.pause_after(PIECE_BYTES), pace.piece_bytes(1 << 20)), (Duration::ZERO, 1 << 20));
        pace.note(Duration::from_millis(102), 0, RingFill { used: 95 * MIB, ..EMPTY });
        assert!(pace.pause_after(PIECE_BYTES) > PAUSE_MIN);
    }

    #[test]
    fn a_speed_that_drops_is_believed_in_time() {
        let mut pace = at(400_000_000);
        for tenth in 2..40 {
            pace.note(Duration::from_millis(100 * tenth), 40_000_000, EMPTY);
        }
        assert!(bytes_a_second(&pace) < SPEED_MIN * 1.01);
    }

    #[test]
    fn a_write_that_was_small_needs_no_pause() {
        assert_eq!(at(0).pause_after(4096), Duration::ZERO);
    }
}
