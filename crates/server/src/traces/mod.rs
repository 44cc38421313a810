//! Spans of requests, sent by OTLP over HTTP as JSON to a collector. Off unless `yeoul.traces.endpoint` is set, and free then.
//!
//! Nobody waits for a collector: what it does not take in time is dropped, and counted.

mod otlp;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::{BrokerConfig, TracesEndpoint};
use host::{Host, Random};
use tokio::sync::mpsc::{Receiver, Sender, channel};

pub(crate) use otlp::RequestSpan;

use crate::http;
use crate::meters::Pace;

/// Spans that wait to be sent.
const WAITING_MAX: usize = 4_096;
/// Spans that are sent at once.
const BATCH_MAX: usize = 512;
/// How long others are waited for.
const GATHERING: Duration = Duration::from_secs(1);

/// Where spans go.
pub(crate) struct Tracer {
    sender: Sender<RequestSpan>,
    ratio: f64,
    counts: Arc<Counts>,
}

/// What became of spans.
#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    dropped: AtomicU64,
}

impl Tracer {
    /// Sends to the collector that the settings name, if they do. To be called within a tokio runtime.
    pub(crate) fn start(config: &BrokerConfig, host: &Host) -> Option<Tracer> {
        let endpoint = config.monitoring.traces_endpoint.clone()?;
        let (sender, spans) = channel(WAITING_MAX);
        let counts = Arc::new(Counts::default());
        let exporter = Exporter {
            endpoint,
            node_id: config.node.id,
            host: host.clone(),
            counts: Arc::clone(&counts),
            pace: Pace::default(),
        };
        tokio::spawn(exporter.run(spans));
        Some(Tracer { sender, ratio: config.monitoring.traces_ratio, counts })
    }

    /// Takes a span, or drops it: as the ratio has it, or since too many wait.
    pub(crate) fn offer(&self, random: &dyn Random, span: impl FnOnce() -> RequestSpan) {
        if !is_chosen(self.ratio, random) {
            return;
        }
        if self.sender.try_send(span()).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Spans that were sent, and that were dropped.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.counts.sent.load(Ordering::Relaxed), self.counts.dropped.load(Ordering::Relaxed))
    }
}

fn is_chosen(ratio: f64, random: &dyn Random) -> bool {
    // No number is drawn where there is nothing to decide.
    ratio >= 1.0 || (ratio > 0.0 && (random.next_u64() as f64) < ratio * u64::MAX as f64)
}

/// Sends what has gathered.
struct Exporter {
    endpoint: TracesEndpoint,
    node_id: i32,
    host: Host,
    counts: Arc<Counts>,
    pace: Pace,
}

impl Exporter {
    async fn run(self, mut spans: Receiver<RequestSpan>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while spans.recv_many(&mut batch, BATCH_MAX).await > 0 {
            let gathered = async {
                while batch.len() < BATCH_MAX && spans.recv_many(&mut batch, BATCH_MAX).await > 0 {}
            };
            // What has come until then is enough.
            drop(tokio::time::timeout(GATHERING, gathered).await);
            self.send(&batch).await;
            batch.clear();
        }
    }

    async fn send(&self, batch: &[RequestSpan]) {
        let payload = otlp::payload(self.node_id, batch, &mut || self.host.random.next_u64());
        let TracesEndpoint { host, port, path } = &self.endpoint;
        let sent = http::post(host, *port, path, payload.into()).await;
        let count = batch.len() as u64;
        match sent {
            Ok(_) => {
                self.counts.sent.fetch_add(count, Ordering::Relaxed);
            }
            Err(error) => {
                self.counts.dropped.fetch_add(count, Ordering::Relaxed);
                if let Some(suppressed) = self.pace.admit(self.host.clock.monotonic()) {
                    tracing::warn!(%error, spans = count, suppressed, "a collector did not take spans");
                }
            }
        }
    }
}
