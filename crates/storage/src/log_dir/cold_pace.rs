//! How reads of old data share a disk with the journal. Pure.
//!
//! A write of the journal that comes while the disk is at work on large reads waits for them, and clients wait for it. So while
//! somebody produces, readers of a log directory take turns, each with a small piece, and pause as long as the journal's writes are
//! slow nevertheless. When nobody produces, they read as much at once as they like. `docs/decisions/cold-reads.md` has figures.

use std::time::Duration;

/// What is read in a turn, in bytes: whole blocks.
const TURN_BYTES: usize = 128 * 1024;
/// Somebody produces until so long after the journal's last write.
const PRODUCING: Duration = Duration::from_millis(500);
/// Larger writes of the journal take long because they are large.
const SMALL_WRITE_BYTES: u64 = 64 * 1024;
/// Writes are slow from so many times the time on that they take when nobody is in their way.
const SLOW_TIMES: u32 = 4;
/// The longest pause after a turn: readers get 26 MB/s at least from a disk that can do that.
const PAUSE_MAX: Duration = Duration::from_millis(5);

/// What is known of the journal's writes.
#[derive(Debug, Default)]
pub(crate) struct ColdPace {
    /// When the last one ended.
    written: Option<Duration>,
    /// How long a small one takes at its best, which is forgotten slowly.
    best: Option<Duration>,
    /// How long small ones take now.
    recent: Duration,
}

impl ColdPace {
    /// Takes in a write of the journal that ended now; the time is that of the monotonic clock.
    pub(crate) fn note(&mut self, now: Duration, bytes: u64, took: Duration) {
        self.written = Some(now);
        if bytes > SMALL_WRITE_BYTES {
            return;
        }
        let best = self.best.unwrap_or(took);
        self.best = Some(took.min(best + took.saturating_sub(best) / 1024));
        self.recent = (self.recent * 7 + took) / 8;
    }

    /// How much is to be read at once, by one reader at a time; none if readers need not care.
    pub(crate) fn turn_bytes(&self, now: Duration) -> Option<usize> {
        self.is_producing(now).then_some(TURN_BYTES)
    }

    /// How long the disk is to be left to the journal after a turn.
    pub(crate) fn pause(&self, now: Duration) -> Duration {
        let slow = self.best.unwrap_or_default() * SLOW_TIMES;
        if self.is_producing(now) { self.recent.saturating_sub(slow).min(PAUSE_MAX) } else { Duration::ZERO }
    }

    fn is_producing(&self, now: Duration) -> bool {
        self.written.is_some_and(|written| now.saturating_sub(written) < PRODUCING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICRO: Duration = Duration::from_micros(1);
    const MILLI: Duration = Duration::from_millis(1);

    /// A pace that has seen so many small writes, one a millisecond, each of which took so long; and the time.
    fn after(pace: &mut ColdPace, mut now: Duration, writes: u32, took: Duration) -> Duration {
        for _ in 0..writes {
            now += MILLI;
            pace.note(now, 4096, took);
        }
        now
    }

    #[test]
    fn readers_take_turns_only_while_somebody_produces() {
        let mut pace = ColdPace::default();
        assert_eq!(pace.turn_bytes(Duration::ZERO), None);
        let now = after(&mut pace, Duration::ZERO, 1, 100 * MICRO);
        assert_eq!(pace.turn_bytes(now + PRODUCING - MILLI), Some(TURN_BYTES));
        assert_eq!(pace.turn_bytes(now + PRODUCING), None);
    }

    #[test]
    fn a_turn_is_whole_blocks() {
        assert!(TURN_BYTES.is_multiple_of(host::BLOCK_BYTES));
    }

    #[test]
    fn there_are_no_pauses_while_the_journal_is_as_fast_as_without_readers() {
        let mut pace = ColdPace::default();
        let now = after(&mut pace, Duration::ZERO, 100, 100 * MICRO);
        assert_eq!(pace.pause(now), Duration::ZERO);
        let now = after(&mut pace, now, 100, 300 * MICRO);
        assert_eq!(pace.pause(now), Duration::ZERO);
    }

    #[test]
    fn the_slower_the_journal_is_the_longer_are_the_pauses_up_to_a_limit() {
        let mut pace = ColdPace::default();
        let now = after(&mut pace, Duration::ZERO, 100, 100 * MICRO);
        let slow = after(&mut pace, now, 50, 2 * MILLI);
        let pause = pace.pause(slow);
        assert!(pause > MILLI && pause < 2 * MILLI, "{pause:?}");
        let slower = after(&mut pace, slow, 50, 100 * MILLI);
        assert_eq!(pace.pause(slower), PAUSE_MAX);
    }

    #[test]
    fn pauses_end_when_the_journal_is_fast_again_or_nobody_produces() {
        let mut pace = ColdPace::default();
        let now = after(&mut pace, Duration::ZERO, 100, 100 * MICRO);
        let slow = after(&mut pace, now, 50, 2 * MILLI);
        assert_eq!(pace.pause(slow + PRODUCING), Duration::ZERO);
        let fast = after(&mut pace, slow, 50, 100 * MICRO);
        assert_eq!(pace.pause(fast), Duration::ZERO);
    }

    #[test]
    fn a_write_that_is_large_may_take_long() {
        let mut pace = ColdPace::default();
        let now = after(&mut pace, Duration::ZERO, 100, 100 * MICRO);
        (0..50).for_each(|_| pace.note(now, 1 << 20, 8 * MILLI));
        assert_eq!((pace.turn_bytes(now), pace.pause(now)), (Some(TURN_BYTES), Duration::ZERO));
    }

    #[test]
    fn a_disk_that_has_become_slow_for_good_is_believed_in_time() {
        let mut pace = ColdPace::default();
        let now = after(&mut pace, Duration::ZERO, 100, 100 * MICRO);
        let now = after(&mut pace, now, 1_000, 2 * MILLI);
        assert_eq!(pace.pause(now), Duration::ZERO);
    }
}
