//! The tools that tests drive: what they do comes as events on standard output, a line of JSON each, as Kafka's system tests read
//! them. Every event has its time and its name first.

pub mod consumer;
mod consumer_arguments;
pub mod producer;

use std::io::{self, Write};

use protocol::ErrorCode;
use serde::Serialize;

use super::cluster::now_ms;

/// An event as it is written.
#[derive(Serialize)]
struct Event<'a, T> {
    /// Milliseconds since 1970.
    timestamp: i64,
    name: &'a str,
    #[serde(flatten)]
    fields: T,
}

/// What an event has that says nothing but its name.
#[derive(Serialize)]
struct Nothing {}

/// Writes an event, which is to be seen at once.
fn tell<T: Serialize>(name: &str, fields: T) -> io::Result<()> {
    let mut line = serde_json::to_vec(&Event { timestamp: now_ms(), name, fields })?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

/// The class of Kafka's that stands for an error: `class org.apache.kafka.common.errors.TimeoutException`.
pub fn class(code: Option<ErrorCode>) -> String {
    let code = code.unwrap_or(ErrorCode::RequestTimedOut);
    let mut name = String::from("class org.apache.kafka.common.errors.");
    for word in code.name().split('_') {
        let (first, rest) = word.split_at(word.len().min(1));
        name.push_str(first);
        name.push_str(&rest.to_lowercase());
    }
    if !name.ends_with("Exception") {
        name.push_str("Exception");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_begins_with_its_time_and_name() {
        #[derive(Serialize)]
        struct Fields {
            sent: u64,
            acked: u64,
        }
        let event = Event { timestamp: 7, name: "tool_data", fields: Fields { sent: 2, acked: 1 } };
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(line, r#"{"timestamp":7,"name":"tool_data","sent":2,"acked":1}"#);
        let event = Event { timestamp: 7, name: "startup_complete", fields: Nothing {} };
        assert_eq!(serde_json::to_string(&event).unwrap(), r#"{"timestamp":7,"name":"startup_complete"}"#);
    }

    #[test]
    fn an_error_goes_by_its_class() {
        let class = |code| class(Some(code));
        let errors = "class org.apache.kafka.common.errors.";
        assert_eq!(class(ErrorCode::NotLeaderOrFollower), format!("{errors}NotLeaderOrFollowerException"));
        assert_eq!(class(ErrorCode::InvalidTopicException), format!("{errors}InvalidTopicException"));
    }
}
