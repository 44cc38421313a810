//! Families of metrics, and their text.

use std::fmt;

use meter::HistogramReading;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text::encode};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

/// Labels with their values, in the order in which they are shown.
pub(super) type Labels = Vec<(&'static str, String)>;

/// Metrics of one name.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    help: &'static str,
    kind: MetricType,
    samples: Vec<(Labels, Value)>,
}

/// The value of one of them.
#[derive(Debug)]
pub(super) enum Value {
    Counter(u64),
    Gauge(f64),
    /// Bounds and sum are divided by this when they are shown.
    Histogram(HistogramReading, f64),
}

impl Family {
    /// Counts that only grow; the text adds `_total` to the name.
    pub(super) fn counter(name: &'static str, help: &'static str) -> Family {
        Family { name, help, kind: MetricType::Counter, samples: Vec::new() }
    }

    /// Values that come and go.
    pub(super) fn gauge(name: &'static str, help: &'static str) -> Family {
        Family { name, help, kind: MetricType::Gauge, samples: Vec::new() }
    }

    /// Distributions.
    pub(super) fn histogram(name: &'static str, help: &'static str) -> Family {
        Family { name, help, kind: MetricType::Histogram, samples: Vec::new() }
    }

    pub(super) fn with(mut self, labels: Labels, value: Value) -> Family {
        self.add(labels, value);
        self
    }

    pub(super) fn add(&mut self, labels: Labels, value: Value) {
        self.samples.push((labels, value));
    }

    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut encoder = encoder.encode_descriptor(self.name, self.help, None, self.kind)?;
        for (labels, value) in &self.samples {
            if labels.is_empty() {
                value.encode(&mut encoder)?;
            } else {
                value.encode(&mut encoder.encode_family(labels)?)?;
            }
        }
        Ok(())
    }
}

impl Value {
    /// A gauge of a whole number; those beyond 2^53 lose their last digits.
    pub(super) fn whole(number: impl TryInto<i64>) -> Value {
        Value::Gauge(number.try_into().unwrap_or(i64::MAX) as f64)
    }

    /// A gauge of 1 or 0.
    pub(super) fn flag(is_so: bool) -> Value {
        Value::Gauge(f64::from(u8::from(is_so)))
    }

    /// Nanoseconds, shown in milliseconds.
    pub(super) fn millis(reading: HistogramReading) -> Value {
        Value::Histogram(reading, 1e6)
    }

    fn encode(&self, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
        match self {
            Value::Counter(count) => encoder.encode_counter::<NoLabelSet, u64, f64>(count, None),
            Value::Gauge(value) => encoder.encode_gauge(value),
            Value::Histogram(reading, unit) => {
                let bounds = reading.scale.bounds().map(|bound| bound as f64 / unit).chain([f64::INFINITY]);
                let buckets: Vec<(f64, u64)> = bounds.zip(reading.counts.iter().copied()).collect();
                let sum = reading.sum as f64 / unit;
                encoder.encode_histogram::<NoLabelSet>(sum, reading.count(), &buckets, None)
            }
        }
    }
}

#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // A family without samples would be a title without a text.
        let mut filled = self.0.iter().filter(|family| !family.samples.is_empty());
        filled.try_for_each(|family| family.encode(&mut encoder))
    }
}

/// The families as OpenMetrics text.
pub(super) fn text(families: Vec<Family>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Families(families)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use meter::{Histogram, Scale};

    use super::*;

    #[test]
    fn each_kind_has_its_text() {
        let times = Histogram::new(Scale::DURATION);
        times.note_duration(Duration::from_millis(3));
        let families = vec![
            Family::counter("a_b", "Bytes").with(vec![("topic", "x\"y".into())], Value::Counter(7)),
            Family::gauge("c", "State").with(Vec::new(), Value::whole(2_u32)),
            Family::histogram("d_ms", "Time")
                .with(vec![("request", "Fetch".into())], Value::millis(times.read())),
            Family::gauge("nothing", "Has no samples"),
        ];
        let text = text(families).expect("a string takes everything");
        for line in [
            "a_b_total{topic=\"x\\\"y\"} 7",
            "c 2.0",
            "d_ms_sum{request=\"Fetch\"} 3.0",
            "d_ms_bucket{le=\"2.0\",request=\"Fetch\"} 0",
            "d_ms_bucket{le=\"4.0\",request=\"Fetch\"} 1",
            "d_ms_bucket{le=\"+Inf\",request=\"Fetch\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert!(!text.contains("nothing"));
        assert!(text.ends_with("# EOF\n"));
    }
}
