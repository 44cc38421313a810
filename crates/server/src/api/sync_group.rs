//! SyncGroup (KIP-559): the leader hands out what each member is assigned; answered when it has.

use std::sync::Arc;

use coordinator::{Reply, Request};
use protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::{Call, Handle};
use crate::Broker;
use crate::groups::unanswered;
use crate::net::Started;

impl Handle for SyncGroupRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let asked = broker.groups.ask(Request::SyncGroup { version: call.version, request: self });
        call.settling(async move {
            match asked.await {
                Ok(Reply::SyncGroup(response)) => response,
                other => SyncGroupResponse { error_code: unanswered(&other), ..Default::default() },
            }
        })
    }
}
