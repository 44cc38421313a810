//! Which clients are asked for which metrics, and what each was told (KIP-714).
//!
//! Yeoul hands metrics to nobody yet. It does what Apache Kafka does without a receiver: the two APIs are not advertised, so that
//! clients do not ask; who asks all the same is answered by the rules, and what is pushed is checked and dropped.

mod instances;
mod subscriptions;

use parking_lot::Mutex;
use protocol::ErrorCode;
use protocol::compression::{Compression, decompress};
use protocol::messages::PushTelemetryRequest;

pub(crate) use instances::{Client, Subscribed};
use instances::{Instances, is_reserved};
use protocol::Uuid;
use quorum::CommittedImage;
use subscriptions::Subscriptions;

/// What the broker keeps.
#[derive(Default)]
pub(crate) struct ClientMetrics {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    subscriptions: Subscriptions,
    instances: Instances,
}

impl ClientMetrics {
    /// What a client is to push, and how often.
    pub(crate) fn get(
        &self,
        committed: &CommittedImage,
        client: &Client<'_>,
        uptime_ms: i64,
    ) -> Result<Subscribed, ErrorCode> {
        let State { subscriptions, instances } = &mut *self.state.lock();
        subscriptions.follow(committed);
        instances.get(subscriptions, client, uptime_ms)
    }

    /// Checks what a client pushes: at most `bytes_max`, also when it is decompressed.
    pub(crate) fn push(
        &self,
        committed: &CommittedImage,
        client: &Client<'_>,
        request: &PushTelemetryRequest,
        bytes_max: usize,
        uptime_ms: i64,
    ) -> Result<(), ErrorCode> {
        if is_reserved(client.instance_id) {
            return Err(ErrorCode::InvalidRequest);
        }
        let allowed = {
            let State { subscriptions, instances } = &mut *self.state.lock();
            subscriptions.follow(committed);
            instances.push(subscriptions, client, request, bytes_max, uptime_ms)
        };
        let outcome = allowed.and_then(|()| check_payload(request, bytes_max));
        self.state.lock().instances.note_outcome(client.instance_id, outcome);
        outcome
    }

    /// The connection is gone, and the client with it.
    pub(crate) fn forget_connection(&self, connection_id: u64) {
        self.state.lock().instances.forget_connection(connection_id);
    }
}

fn check_payload(request: &PushTelemetryRequest, bytes_max: usize) -> Result<(), ErrorCode> {
    let compression = u8::try_from(request.compression_type).ok().and_then(Compression::from_id);
    match compression {
        None | Some(Compression::None) => Ok(()),
        Some(_) if request.metrics.is_empty() => Ok(()),
        Some(compression) => {
            let metrics = decompress(compression, &request.metrics, bytes_max);
            metrics.map(drop).map_err(|_| ErrorCode::InvalidRecord)
        }
    }
}

/// An id for a client that has none.
pub(crate) fn draw_instance_id(random: &dyn host::Random) -> Uuid {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    Uuid::from_random(bytes)
}

#[cfg(test)]
mod tests;
