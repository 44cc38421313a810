//! PushTelemetry (KIP-714): what a client measured. It is checked and, as nobody receives it, dropped.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::{PushTelemetryRequest, PushTelemetryResponse};

use super::{Call, Handle};
use crate::Broker;
use crate::net::Started;

impl Handle for PushTelemetryRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let bytes_max = broker.config().values().size("telemetry.max.bytes");
        let (client, uptime_ms) = (call.client(self.client_instance_id), broker.host.clock.uptime_ms());
        let pushed = broker.client_metrics.push(&broker.published(), &client, &self, bytes_max, uptime_ms);
        let error = pushed.err().unwrap_or(ErrorCode::None);
        call.done(&PushTelemetryResponse { error_code: error.code(), ..Default::default() })
    }
}
