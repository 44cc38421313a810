//! Percentiles of times.

use std::time::Duration;

/// Times in microseconds, as they came.
#[derive(Default)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    /// Room for that many without growing while it is measured.
    pub fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// Adds one; what is longer than an hour counts as an hour.
    pub fn add(&mut self, time: Duration) {
        self.0.push(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
    }

    /// The fields `"p50_ms": …` to `"max_ms": …` of a JSON object.
    pub fn fields(mut self) -> String {
        self.0.sort_unstable();
        let shares = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)];
        let fields = shares.map(|(name, share)| format!("\"{name}_ms\": {:.3}", self.at(share)));
        fields.join(", ")
    }

    /// Milliseconds below which that share lies; the times are sorted.
    fn at(&self, share: f64) -> f64 {
        let rank = (self.0.len() as f64 * share).ceil() as usize;
        let micros = self.0.get(rank.max(1) - 1).copied().unwrap_or_default();
        f64::from(micros) / 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_smallest_time_that_covers_the_share() {
        let mut latencies = Latencies::default();
        (1..=1000).rev().for_each(|ms| latencies.add(Duration::from_millis(ms)));
        let fields = latencies.fields();
        assert!(fields.contains("\"p50_ms\": 500.000"), "{fields}");
        assert!(fields.contains("\"p999_ms\": 999.000"), "{fields}");
        assert!(fields.contains("\"max_ms\": 1000.000"), "{fields}");
    }
}
