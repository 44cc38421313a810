//! How values are distributed, in buckets whose bounds grow by a factor.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The bounds of a histogram's buckets: the first, and how often each is doubled to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Bound of the first bucket, inclusive.
    first: u64,
    /// The next bound is this power of two times the one before.
    doublings: u32,
    /// How many bounds there are; what is above the last falls into one more bucket.
    bounds: usize,
}

impl Scale {
    /// Durations in nanoseconds: from 1/16 ms, doubling, to 32.768 s.
    pub const DURATION: Scale = Scale { first: 62_500, doublings: 1, bounds: 20 };
    /// Sizes in bytes: from 64, times four, to 1 GiB.
    pub const SIZE: Scale = Scale { first: 64, doublings: 2, bounds: 13 };

    /// The bounds, in ascending order.
    pub fn bounds(self) -> impl Iterator<Item = u64> {
        (0..self.bounds).map(move |place| self.first << (self.doublings as usize * place))
    }

    fn bucket_of(self, value: u64) -> usize {
        let firsts = value.saturating_sub(1) / self.first;
        // Doublings of the first bound until the value is within it.
        let needed = u64::BITS - firsts.leading_zeros();
        (needed.div_ceil(self.doublings) as usize).min(self.bounds)
    }
}

/// Counts values by size, from any thread.
#[derive(Debug)]
pub struct Histogram {
    scale: Scale,
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// What a histogram has counted so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistogramReading {
    /// Bounds of the buckets.
    pub scale: Scale,
    /// Values in each bucket alone; the last is for those above all bounds.
    pub counts: Vec<u64>,
    /// Sum of all values.
    pub sum: u64,
}

impl Histogram {
    /// An empty one.
    pub fn new(scale: Scale) -> Histogram {
        let buckets = (0..=scale.bounds).map(|_| AtomicU64::new(0)).collect();
        Histogram { scale, buckets, sum: AtomicU64::new(0) }
    }

    /// Counts a value.
    pub fn note(&self, value: u64) {
        self.buckets[self.scale.bucket_of(value)].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Counts a duration on [`Scale::DURATION`].
    pub fn note_duration(&self, duration: Duration) {
        self.note(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// What was counted. Values that come meanwhile may be in the sum and not in the buckets, or the reverse.
    pub fn read(&self) -> HistogramReading {
        HistogramReading {
            scale: self.scale,
            counts: self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect(),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

impl HistogramReading {
    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_counted_below_the_first_bound_that_is_not_smaller() {
        for scale in [Scale::DURATION, Scale::SIZE] {
            let bounds: Vec<u64> = scale.bounds().collect();
            for (place, bound) in bounds.iter().enumerate() {
                assert_eq!(scale.bucket_of(*bound), place, "{bound}");
                assert_eq!(scale.bucket_of(bound + 1), place + 1, "{bound} + 1");
            }
            assert_eq!(scale.bucket_of(0), 0);
            assert_eq!(scale.bucket_of(u64::MAX), bounds.len());
        }
    }

    #[test]
    fn bounds_are_round_in_the_units_that_are_shown() {
        assert_eq!(Scale::DURATION.bounds().nth(4), Some(1_000_000));
        assert_eq!(Scale::DURATION.bounds().last(), Some(32_768_000_000));
        assert_eq!(Scale::SIZE.bounds().last(), Some(1 << 30));
    }

    #[test]
    fn what_was_noted_is_read_back() {
        let histogram = Histogram::new(Scale::DURATION);
        histogram.note_duration(Duration::from_millis(1));
        histogram.note_duration(Duration::from_secs(100));
        let reading = histogram.read();
        assert_eq!((reading.count(), reading.sum), (2, 100_001_000_000));
        assert_eq!((reading.counts[4], reading.counts[20]), (1, 1));
    }
}
