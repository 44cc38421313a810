//! InitProducerId (KIP-98, KIP-360) for idempotent producers.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use super::{Call, Handle};
use crate::Broker;
use crate::net::Started;

impl Handle for InitProducerIdRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        if let Some(error) = refusal(&self) {
            return call.done(&refused(error));
        }
        let broker = Arc::clone(broker);
        call.working(async move {
            match broker.producer_ids.next(&broker).await {
                Ok(producer_id) => InitProducerIdResponse { producer_id, ..Default::default() },
                Err(error) => refused(error),
            }
        })
    }
}

fn refusal(request: &InitProducerIdRequest) -> Option<ErrorCode> {
    if (request.producer_id == -1) != (request.producer_epoch == -1) {
        return Some(ErrorCode::InvalidRequest);
    }
    match request.transactional_id.as_deref() {
        None => None,
        Some("") => Some(ErrorCode::InvalidRequest),
        // Nobody coordinates transactions here, as FindCoordinator says too.
        Some(_) => Some(ErrorCode::NotCoordinator),
    }
}

fn refused(error: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse { error_code: error.code(), producer_epoch: -1, ..Default::default() }
}
