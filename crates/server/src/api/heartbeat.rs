//! Heartbeat: a member says that it lives, and hears of rebalances.

use std::sync::Arc;

use coordinator::{Reply, Request};
use protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::{Call, Handle};
use crate::Broker;
use crate::groups::unanswered;
use crate::net::Started;

impl Handle for HeartbeatRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let asked = broker.groups.ask(Request::Heartbeat(self));
        call.settling(async move {
            match asked.await {
                Ok(Reply::Heartbeat(response)) => response,
                other => HeartbeatResponse { error_code: unanswered(&other), ..Default::default() },
            }
        })
    }
}
