//! What is made of a request once its answer has left: counts, a line of the log if it was slow, a span if somebody wants it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol::{ApiKey, ErrorCode};

use crate::Broker;
use crate::net::{Finish, Peer};
use crate::slow::{Slowness, slowness};
use crate::traces::RequestSpan;

/// What is kept of a request until its answer has left. None for one that could not be read.
pub(crate) type Ticket = Option<Asked>;

/// What was asked, and by whom.
pub(crate) struct Asked {
    pub(super) key: ApiKey,
    pub(super) version: i16,
    pub(super) client_id: Arc<str>,
    /// Without those of the length.
    pub(super) request_bytes: usize,
}

/// Counts a request that is over, and tells of it where it is wanted.
pub(super) fn note(broker: &Broker, peer: &Peer, asked: &Asked, finish: &Finish) {
    broker.meters.api(asked.key).note(asked.version, asked.request_bytes, finish);
    if let Some(tracer) = &broker.tracer {
        tracer.offer(&*broker.host.random, || span(broker, peer, asked, finish));
    }
    tell_if_slow(broker, peer, asked, finish);
}

fn span(broker: &Broker, peer: &Peer, asked: &Asked, finish: &Finish) -> RequestSpan {
    let timing = &finish.timing;
    RequestSpan {
        api: asked.key.name(),
        version: asked.version,
        client_id: Arc::clone(&asked.client_id),
        address: peer.address,
        topic: finish.notes.subject.clone(),
        ended_ms: broker.host.clock.now_ms(),
        phases: [
            ("request queue", timing.request_queue()),
            ("local", timing.local()),
            ("remote", timing.remote()),
            ("response queue", timing.response_queue()),
            ("response send", timing.response_send()),
        ],
        request_bytes: asked.request_bytes,
        response_bytes: finish.response_bytes,
        error: finish.notes.errors.first().map(|code| ErrorCode::from(*code).name()),
    }
}

fn tell_if_slow(broker: &Broker, peer: &Peer, asked: &Asked, finish: &Finish) {
    let Some(slow_from) = broker.config.load().monitoring.slow_request else { return };
    // Most requests are over sooner, whatever they waited for.
    if finish.timing.total() < slow_from {
        return;
    }
    let slowness = slowness(asked.key, finish);
    if slowness.took >= slow_from {
        broker.meters.slow_requests.fetch_add(1, Ordering::Relaxed);
        if let Some(suppressed) = broker.meters.slow.admit(broker.host.clock.monotonic()) {
            tell(peer, asked, finish, &slowness, suppressed);
        }
    }
}

fn tell(peer: &Peer, asked: &Asked, finish: &Finish, slowness: &Slowness, suppressed: u64) {
    let timing = &finish.timing;
    let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    tracing::warn!(
        api = asked.key.name(),
        version = asked.version,
        client = &*asked.client_id,
        address = %peer.address,
        topic = finish.notes.subject.as_deref(),
        took_ms = millis(slowness.took),
        mostly = slowness.mostly.words(),
        request_queue_ms = millis(timing.request_queue()),
        local_ms = millis(timing.local()),
        disk_ms = millis(slowness.disk),
        response_queue_ms = millis(timing.response_queue()),
        send_ms = millis(timing.response_send()),
        awaited_ms = millis(slowness.awaited),
        bytes = finish.response_bytes,
        suppressed,
        "slow request"
    );
}
