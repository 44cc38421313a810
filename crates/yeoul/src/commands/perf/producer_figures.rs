//! The figures of a producer (pure): those of a window of time, and those of all records.

use std::time::Duration;

use serde_json::{Value, json};

use super::{MB, decimal, per_second, percentile};

/// Latencies that are kept at most; of more records only every second, third … counts for percentiles.
const SAMPLES_MAX: u64 = 500_000;

/// What was acknowledged, and how long that took.
#[derive(Debug, Default)]
struct Sum {
    records: u64,
    bytes: u64,
    /// Milliseconds.
    latency: u64,
    latency_max: u64,
}

impl Sum {
    fn add(&mut self, bytes: usize, latency: u64) {
        self.records += 1;
        self.bytes += bytes as u64;
        self.latency += latency;
        self.latency_max = self.latency_max.max(latency);
    }

    /// The figures up to the longest latency, with so many digits of the rate of records and of milliseconds.
    fn line(&self, kind: &str, time: Duration, rate_digits: usize, latency_digits: usize) -> String {
        format!(
            "{} {kind}records sent, {} records/sec ({} MB/sec), {} ms avg latency, {} ms max latency",
            self.records,
            decimal(per_second(self.records as f64, time), rate_digits),
            decimal(per_second(self.bytes as f64 / MB, time), 2),
            decimal(self.latency as f64 / self.records as f64, latency_digits),
            decimal(self.latency_max as f64, latency_digits),
        )
    }
}

/// The figures of the window of now. Times are since any fixed moment.
#[derive(Debug)]
pub struct Window {
    since: Duration,
    interval: Duration,
    sum: Sum,
}

impl Window {
    /// A window that begins now.
    pub fn new(now: Duration, interval: Duration) -> Window {
        Window { since: now, interval, sum: Sum::default() }
    }

    /// Adds a record that was acknowledged now; the line of the window if that ended it.
    pub fn add(&mut self, now: Duration, bytes: usize, latency: Duration) -> Option<String> {
        self.sum.add(bytes, millis(latency));
        let time = now.saturating_sub(self.since);
        if time < self.interval {
            return None;
        }
        let line = format!("{}.", self.sum.line("", time, 1, 1));
        *self = Window::new(now, self.interval);
        Some(line)
    }
}

/// The figures of all records, or of those after the first ones.
#[derive(Debug)]
pub struct Total {
    /// `steady state ` where it is not all.
    kind: &'static str,
    since: Duration,
    sum: Sum,
    sampled_every: u64,
    latencies: Vec<u64>,
}

impl Total {
    /// Begins now, for so many records.
    pub fn new(kind: &'static str, now: Duration, records: u64) -> Total {
        let sampled_every = records.div_ceil(SAMPLES_MAX).max(1);
        Total { kind, since: now, sum: Sum::default(), sampled_every, latencies: Vec::new() }
    }

    /// Adds a record that was acknowledged.
    pub fn add(&mut self, bytes: usize, latency: Duration) {
        let latency = millis(latency);
        if self.sum.records.is_multiple_of(self.sampled_every) {
            self.latencies.push(latency);
        }
        self.sum.add(bytes, latency);
    }

    /// The line at the end, which is now.
    pub fn line(mut self, now: Duration) -> String {
        self.latencies.sort_unstable();
        let at = |share| percentile(&self.latencies, share);
        format!(
            "{}, {} ms 50th, {} ms 95th, {} ms 99th, {} ms 99.9th.",
            self.sum.line(self.kind, now.saturating_sub(self.since), 6, 2),
            at(0.5),
            at(0.95),
            at(0.99),
            at(0.999),
        )
    }

    /// The same for programs; what is no number is null.
    pub fn json(mut self, now: Duration) -> Value {
        self.latencies.sort_unstable();
        let at = |share| percentile(&self.latencies, share);
        let time = now.saturating_sub(self.since);
        json!({
            "steadyState": !self.kind.is_empty(),
            "records": self.sum.records,
            "recordsPerSecond": per_second(self.sum.records as f64, time),
            "mbPerSecond": per_second(self.sum.bytes as f64 / MB, time),
            "avgLatencyMs": self.sum.latency as f64 / self.sum.records as f64,
            "maxLatencyMs": self.sum.latency_max,
            "p50LatencyMs": at(0.5),
            "p95LatencyMs": at(0.95),
            "p99LatencyMs": at(0.99),
            "p999LatencyMs": at(0.999),
        })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_window_ends_with_the_first_record_after_its_time_and_the_next_begins() {
        let mut window = Window::new(ms(0), ms(1_000));
        assert_eq!(window.add(ms(999), 1 << 20, ms(3)), None);
        let line = "2 records sent, 1.0 records/sec (1.00 MB/sec), 5.0 ms avg latency, 7.0 ms max latency.";
        assert_eq!(window.add(ms(2_000), 1 << 20, ms(7)).as_deref(), Some(line));
        assert_eq!(window.add(ms(2_999), 1, ms(1)), None);
    }

    #[test]
    fn the_total_has_kafkas_form() {
        let mut total = Total::new("steady state ", ms(0), 4);
        for latency in [4, 8, 5, 5] {
            total.add(10, ms(latency));
        }
        let line = "4 steady state records sent, 2000.000000 records/sec (0.02 MB/sec), 5.50 ms avg latency, \
                    8.00 ms max latency, 5 ms 50th, 8 ms 95th, 8 ms 99th, 8 ms 99.9th.";
        assert_eq!(total.line(ms(2)), line);
    }

    #[test]
    fn where_nothing_was_sent_there_is_no_average() {
        let line = "0 records sent, 0.000000 records/sec (0.00 MB/sec), NaN ms avg latency, 0.00 ms max latency, \
                    0 ms 50th, 0 ms 95th, 0 ms 99th, 0 ms 99.9th.";
        assert_eq!(Total::new("", ms(0), 5).line(ms(7)), line);
        let json = Total::new("", ms(0), 5).json(ms(7));
        assert_eq!((&json["avgLatencyMs"], &json["records"]), (&Value::Null, &json!(0)));
    }

    #[test]
    fn of_many_records_only_some_latencies_are_kept() {
        let mut total = Total::new("", ms(0), 2 * SAMPLES_MAX);
        for latency in 0..10 {
            total.add(1, ms(latency));
        }
        assert_eq!((total.sum.records, total.latencies), (10, vec![0, 2, 4, 6, 8]));
    }
}
