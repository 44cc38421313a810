//! What a client counted, under the names and in the table of Kafka's tools. Only what is known of ours is told. Pure.

use std::collections::BTreeMap;

/// A measured value, or one that is no measure.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Measured(f64),
    Told(String),
}

/// The metrics of one client by their names.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    values: BTreeMap<String, Value>,
}

impl Metrics {
    /// Of a client that started so many milliseconds after the begin of 1970.
    pub fn of_client(client_id: &str, start_ms: i64) -> Metrics {
        let mut metrics = Metrics::default();
        let tags = [("client-id", client_id)];
        metrics.add("app-info", "start-time-ms", &tags, Value::Told(start_ms.to_string()));
        metrics.add("app-info", "version", &tags, Value::Told(env!("CARGO_PKG_VERSION").to_owned()));
        metrics
    }

    /// Adds a value; the tags are in the order of the alphabet.
    pub fn add(&mut self, group: &str, name: &str, tags: &[(&str, &str)], value: Value) {
        let tags: Vec<_> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        self.values.insert(format!("{group}:{name}:{{{}}}", tags.join(", ")), value);
    }

    /// The table, which begins with an empty line and has no end of its last.
    pub fn table(&self) -> String {
        let width = self.values.keys().map(|name| name.chars().count()).max().unwrap_or(0);
        let row = |(name, value): (&String, &Value)| match value {
            Value::Measured(number) => format!("\n{name:width$} : {number:.3}"),
            Value::Told(text) => format!("\n{name:width$} : {text}"),
        };
        let rows: String = self.values.iter().map(row).collect();
        format!("\n{:width$}   Value{rows}", "Metric Name")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_kafkas_form() {
        let mut metrics = Metrics::of_client("me", 7);
        metrics.add("producer-metrics", "record-send-total", &[("client-id", "me")], Value::Measured(20.0));
        let tags = [("client-id", "me"), ("topic", "t")];
        metrics.add("producer-topic-metrics", "record-send-total", &tags, Value::Measured(20.0));
        let version = env!("CARGO_PKG_VERSION");
        let told = format!(
            "
Metric Name                                                        Value
app-info:start-time-ms:{{client-id=me}}                            : 7
app-info:version:{{client-id=me}}                                  : {version}
producer-metrics:record-send-total:{{client-id=me}}                : 20.000
producer-topic-metrics:record-send-total:{{client-id=me, topic=t}} : 20.000"
        );
        assert_eq!(metrics.table(), told);
    }
}
