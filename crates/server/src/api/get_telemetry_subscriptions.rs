//! GetTelemetrySubscriptions (KIP-714): which metrics a client is to push, and how often.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::compression::Compression;
use protocol::messages::{GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse};

use super::{Call, Handle};
use crate::Broker;
use crate::client_metrics::{Subscribed, draw_instance_id};
use crate::net::Started;

/// Codecs for pushes, the best first.
const COMPRESSIONS: [Compression; 4] =
    [Compression::Zstd, Compression::Lz4, Compression::Gzip, Compression::Snappy];

impl Handle for GetTelemetrySubscriptionsRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let asked = self.client_instance_id;
        let id = if asked.is_zero() { draw_instance_id(&*broker.host.random) } else { asked };
        let uptime_ms = broker.host.clock.uptime_ms();
        let told = broker.client_metrics.get(&broker.published(), &call.client(id), uptime_ms);
        call.done(&match told {
            Ok(told) => GetTelemetrySubscriptionsResponse {
                client_instance_id: id,
                telemetry_max_bytes: broker.config().values().int("telemetry.max.bytes"),
                ..response(told)
            },
            Err(error) => failed(error),
        })
    }
}

fn response(told: Subscribed) -> GetTelemetrySubscriptionsResponse {
    GetTelemetrySubscriptionsResponse {
        subscription_id: told.subscription_id,
        accepted_compression_types: COMPRESSIONS.map(|codec| codec.id().cast_signed()).to_vec(),
        push_interval_ms: told.push_interval_ms,
        delta_temporality: true,
        requested_metrics: told.metrics,
        ..Default::default()
    }
}

fn failed(error: ErrorCode) -> GetTelemetrySubscriptionsResponse {
    GetTelemetrySubscriptionsResponse { error_code: error.code(), ..Default::default() }
}
