//! Spans as OTLP's JSON (opentelemetry-proto 1.x, `ExportTraceServiceRequest`). Pure.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

/// `SPAN_KIND_SERVER`, and what is inside of it.
const SERVER: u8 = 2;
const INTERNAL: u8 = 1;
/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;

/// A request that is over.
#[derive(Clone, Debug)]
pub(crate) struct RequestSpan {
    pub(crate) api: &'static str,
    pub(crate) version: i16,
    pub(crate) client_id: Arc<str>,
    pub(crate) address: SocketAddr,
    pub(crate) topic: Option<Arc<str>>,
    /// When its answer had left, in milliseconds since 1970.
    pub(crate) ended_ms: i64,
    /// Names and durations, one after the other.
    pub(crate) phases: [(&'static str, Duration); 5],
    pub(crate) request_bytes: usize,
    pub(crate) response_bytes: usize,
    /// The name of the first error in its answer.
    pub(crate) error: Option<&'static str>,
}

/// A request for a collector with these spans, each with a span for every phase that took time.
pub(super) fn payload(node_id: i32, requests: &[RequestSpan], draw: &mut dyn FnMut() -> u64) -> String {
    let spans: Vec<Value> = requests.iter().flat_map(|request| spans_of(request, draw)).collect();
    let resource = [text("service.name", "yeoul"), text("service.instance.id", &node_id.to_string())];
    let scope = json!({ "name": "yeoul", "version": env!("CARGO_PKG_VERSION") });
    let scoped = json!([{ "scope": scope, "spans": spans }]);
    json!({ "resourceSpans": [{ "resource": { "attributes": resource }, "scopeSpans": scoped }] }).to_string()
}

fn spans_of(request: &RequestSpan, draw: &mut dyn FnMut() -> u64) -> Vec<Value> {
    let trace_id = format!("{:016x}{:016x}", draw() | 1, draw());
    let root = span_id(draw);
    let end = u64::try_from(request.ended_ms).unwrap_or(0).saturating_mul(1_000_000);
    let took: Duration = request.phases.iter().map(|(_, duration)| *duration).sum();
    let begin = end.saturating_sub(nanos(took));
    let mut whole = span(&trace_id, &root, request.api, SERVER, (begin, end));
    whole["attributes"] = attributes(request);
    if let Some(error) = request.error {
        whole["status"] = json!({ "code": ERROR, "message": error });
    }
    let mut spans = vec![whole];
    let mut at = begin;
    for (name, duration) in request.phases {
        let until = at + nanos(duration);
        if until > at {
            let mut phase = span(&trace_id, &span_id(draw), name, INTERNAL, (at, until));
            phase["parentSpanId"] = json!(root);
            spans.push(phase);
        }
        at = until;
    }
    spans
}

fn span(trace_id: &str, span_id: &str, name: &str, kind: u8, (begin, end): (u64, u64)) -> Value {
    json!({
        "traceId": trace_id,
        "spanId": span_id,
        "name": name,
        "kind": kind,
        "startTimeUnixNano": begin.to_string(),
        "endTimeUnixNano": end.to_string(),
    })
}

/// OpenTelemetry's names where it has them.
fn attributes(request: &RequestSpan) -> Value {
    let mut all = vec![
        text("rpc.system", "kafka"),
        text("rpc.method", request.api),
        number("messaging.kafka.api_version", i64::from(request.version)),
        text("messaging.client.id", &request.client_id),
        text("client.address", &request.address.ip().to_string()),
        number("client.port", i64::from(request.address.port())),
        number("messaging.kafka.request_bytes", i64::try_from(request.request_bytes).unwrap_or(i64::MAX)),
        number("messaging.kafka.response_bytes", i64::try_from(request.response_bytes).unwrap_or(i64::MAX)),
    ];
    all.extend(request.topic.iter().map(|topic| text("messaging.destination.name", topic)));
    all.extend(request.error.iter().map(|error| text("error.type", error)));
    Value::Array(all)
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn number(key: &str, value: i64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

/// Eight bytes that are not all zero.
fn span_id(draw: &mut dyn FnMut() -> u64) -> String {
    format!("{:016x}", draw() | 1)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_span_with_one_inside_for_every_phase_that_took_time() {
        let phase = Duration::from_millis;
        let request = RequestSpan {
            api: "Produce",
            version: 9,
            client_id: "app".into(),
            address: "10.0.0.7:5000".parse().expect("it is an address"),
            topic: Some("flights".into()),
            ended_ms: 1_000,
            phases: [
                ("queue", phase(0)),
                ("local", phase(1)),
                ("wait", phase(2)),
                ("turn", phase(0)),
                ("send", phase(3)),
            ],
            request_bytes: 100,
            response_bytes: 50,
            error: Some("NOT_LEADER_OR_FOLLOWER"),
        };
        let mut last = 0;
        let mut draw = || {
            last += 2;
            last
        };
        let sent: Value = serde_json::from_str(&payload(1, &[request], &mut draw)).expect("it is JSON");
        let spans = sent["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("there are spans");
        let names: Vec<&str> = spans.iter().filter_map(|span| span["name"].as_str()).collect();
        assert_eq!(names, ["Produce", "local", "wait", "send"]);
        assert_eq!(
            (&spans[0]["startTimeUnixNano"], &spans[0]["endTimeUnixNano"]),
            (&json!("994000000"), &json!("1000000000"))
        );
        assert_eq!(spans[2]["startTimeUnixNano"], json!("995000000"));
        assert!(spans[1..].iter().all(|span| span["parentSpanId"] == spans[0]["spanId"]));
        assert!(spans.iter().all(|span| span["traceId"] == spans[0]["traceId"]));
        assert_eq!(spans[0]["traceId"].as_str().map(str::len), Some(32));
        assert_eq!(spans[0]["status"]["code"], json!(ERROR));
    }
}
