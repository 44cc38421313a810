//! What is counted of requests and connections.

use std::sync::atomic::Ordering;

use meter::{Histogram, HistogramReading};

use super::family::{Family, Labels, Value};
use crate::Broker;
use crate::meters::{ApiMeter, Meters};

/// A phase: its name, what it is, and where it is counted.
type Phase = (&'static str, &'static str, fn(&ApiMeter) -> &Histogram);

const PHASES: [Phase; 7] = [
    (
        "kafka_network_requestmetrics_requestqueuetimems",
        "Time a request waited for those before it on its connection",
        |api| &api.request_queue,
    ),
    ("kafka_network_requestmetrics_localtimems", "Time a request was worked on in its turn", |api| {
        &api.local
    }),
    (
        "kafka_network_requestmetrics_remotetimems",
        "Time a request waited for the disk or for others, or for records to come",
        |api| &api.remote,
    ),
    (
        "kafka_network_requestmetrics_throttletimems",
        "Time that the sender of a request has to wait because of a quota",
        |api| &api.throttle,
    ),
    (
        "kafka_network_requestmetrics_responsequeuetimems",
        "Time a response waited for those before it on its connection",
        |api| &api.response_queue,
    ),
    (
        "kafka_network_requestmetrics_responsesendtimems",
        "Time until the system had taken all of a response, reading from files included",
        |api| &api.response_send,
    ),
    (
        "kafka_network_requestmetrics_totaltimems",
        "Time from the last byte of a request to the last of its response",
        |api| &api.total,
    ),
];

const SIZES: [Phase; 2] = [
    ("kafka_network_requestmetrics_requestbytes", "Size of requests", |api| &api.request_bytes),
    ("yeoul_requestmetrics_responsebytes", "Size of responses", |api| &api.response_bytes),
];

/// Rates, errors, phases and sizes by API.
pub(super) fn of_apis(meters: &Meters) -> Vec<Family> {
    let mut requests =
        Family::counter("kafka_network_requestmetrics_requests", "Requests that are over, by version");
    let mut errors = Family::counter(
        "kafka_network_requestmetrics_errors",
        "Error codes in responses, each partition's by itself; NONE is none",
    );
    for (key, api) in meters.used_apis() {
        let request = || ("request", key.name().to_owned());
        for (version, count) in api.versions() {
            requests.add(vec![request(), ("version", version.to_string())], Value::Counter(count));
        }
        for found in api.errors() {
            let labels = vec![request(), ("error", found.error.name().to_owned())];
            errors.add(labels, Value::Counter(found.count));
        }
    }
    let phases = PHASES.iter().map(|phase| distribution(meters, phase, Value::millis));
    let sizes = SIZES.iter().map(|size| distribution(meters, size, |reading| Value::Histogram(reading, 1.0)));
    [requests, errors].into_iter().chain(phases).chain(sizes).collect()
}

fn distribution(
    meters: &Meters,
    (name, help, of): &Phase,
    shown: impl Fn(HistogramReading) -> Value,
) -> Family {
    let mut family = Family::histogram(name, help);
    for (key, api) in meters.used_apis() {
        family.add(vec![("request", key.name().to_owned())], shown(of(api).read()));
    }
    family
}

/// Connections, waiting fetches, slow requests.
pub(super) fn of_connections(broker: &Broker) -> Vec<Family> {
    let mut connections =
        Family::gauge("kafka_server_socket_server_metrics_connection_count", "Open connections");
    for (open, (listener, _)) in broker.meters.connections().zip(&broker.listeners) {
        let labels: Labels = vec![("listener", listener.clone())];
        connections.add(labels, Value::whole(open));
    }
    let mut hindered =
        Family::counter("yeoul_connections_hindered", "Connections that were closed at once or had to wait");
    for (reason, count) in broker.meters.hindrances.counts() {
        hindered.add(vec![("reason", reason.to_owned())], Value::Counter(count));
    }
    let waiting = broker.meters.waiting_fetches.load(Ordering::Relaxed);
    let purgatory = Family::gauge(
        "kafka_server_delayedoperationpurgatory_purgatorysize",
        "Requests that wait for records to come",
    );
    let at_work = Family::gauge("kafka_network_requestchannel_requestqueuesize", "Requests that are at work");
    let slow =
        Family::counter("yeoul_slow_requests", "Requests that took as long as yeoul.slow.request.ms says");
    let mut spans = Family::counter("yeoul_spans", "Spans of requests, by what became of them");
    if let Some(tracer) = &broker.tracer {
        let (sent, dropped) = tracer.counts();
        for (fate, count) in [("sent", sent), ("dropped", dropped)] {
            spans.add(vec![("fate", fate.to_owned())], Value::Counter(count));
        }
    }
    vec![
        spans,
        connections,
        hindered,
        at_work.with(Vec::new(), Value::whole(broker.meters.at_work.used())),
        purgatory.with(vec![("delayedOperation", "Fetch".to_owned())], Value::whole(waiting)),
        slow.with(Vec::new(), Value::Counter(broker.meters.slow_requests.load(Ordering::Relaxed))),
    ]
}
