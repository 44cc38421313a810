//! The tools that measure: how fast records are sent, how fast they are read, and how long one takes from here to here. Their
//! lines are those of Kafka's tools, which scripts cut into figures.

pub mod consumer;
mod consumer_figures;
mod date_format;
pub mod latency;
mod metrics;
mod payload;
pub mod producer;
mod producer_figures;
mod transactions;

use std::time::Duration;

/// Bytes in what the figures call MB.
const MB: f64 = 1_048_576.0;

/// A number with so many digits after the point, as Java writes it where it is none or has no end.
fn decimal(value: f64, digits: usize) -> String {
    match value {
        value if value.is_infinite() => "Infinity".to_owned(),
        value => format!("{value:.digits$}"),
    }
}

/// How many a second; of nothing in no time no number.
fn per_second(amount: f64, time: Duration) -> f64 {
    amount / time.as_secs_f64()
}

/// The value that this share of the values, which are sorted, lie below; nothing where there are none.
fn percentile<T: Copy + Default>(sorted: &[T], share: f64) -> T {
    let place = (sorted.len() as f64 * share) as usize;
    sorted.get(place).or(sorted.last()).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_java_writes_them() {
        assert_eq!(decimal(1.005, 1), "1.0");
        assert_eq!(decimal(f64::NAN, 2), "NaN");
        assert_eq!(decimal(f64::INFINITY, 2), "Infinity");
    }

    #[test]
    fn a_rate_of_nothing_in_no_time_is_no_number() {
        assert_eq!(per_second(10.0, Duration::from_millis(500)), 20.0);
        assert!(per_second(0.0, Duration::ZERO).is_nan());
    }

    #[test]
    fn a_percentile_is_a_value_that_was_there() {
        assert_eq!(percentile(&[1, 2, 3, 4], 0.5), 3);
        assert_eq!(percentile(&[1, 2, 3, 4], 0.99), 4);
        assert_eq!(percentile(&[7], 0.999), 7);
        assert_eq!(percentile::<u64>(&[], 0.5), 0);
    }
}
