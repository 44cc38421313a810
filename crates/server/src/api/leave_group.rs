//! LeaveGroup (KIP-345): members leave at once, without waiting for their sessions to end.

use std::sync::Arc;

use coordinator::{Reply, Request};
use protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::{Call, Handle};
use crate::Broker;
use crate::groups::unanswered;
use crate::net::Started;

impl Handle for LeaveGroupRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        for (member, reason) in
            self.members.iter().filter_map(|member| Some((member, member.reason.as_deref()?)))
        {
            tracing::debug!(group = self.group_id, member = member.member_id, reason, "a member leaves");
        }
        let asked = broker.groups.ask(Request::LeaveGroup { version: call.version, request: self });
        call.settling(async move {
            match asked.await {
                Ok(Reply::LeaveGroup(response)) => response,
                other => LeaveGroupResponse { error_code: unanswered(&other), ..Default::default() },
            }
        })
    }
}
