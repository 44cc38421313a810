//! What members ask the coordinator, and what it answers.

use std::time::Duration;

use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest, HeartbeatResponse,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest,
    SyncGroupResponse,
};

use crate::connection::Connection;
use crate::error::ClientError;

/// What a broker's answer may take beyond the rebalance itself.
const REBALANCE_GRACE: Duration = Duration::from_secs(5);

/// A request of a member.
#[derive(Debug, PartialEq)]
pub(super) enum Ask {
    Join(JoinGroupRequest),
    Sync(SyncGroupRequest),
    Heartbeat(HeartbeatRequest),
    Leave { group_id: String, member_id: String },
    ConsumerHeartbeat(ConsumerGroupHeartbeatRequest),
}

/// Its answer.
#[derive(Debug)]
pub(super) enum Answer {
    Join(JoinGroupResponse),
    Sync(SyncGroupResponse),
    Heartbeat(HeartbeatResponse),
    Leave(LeaveGroupResponse),
    ConsumerHeartbeat(ConsumerGroupHeartbeatResponse),
}

/// Asks the coordinator. It keeps what has to do with a rebalance until all members have come.
pub(super) async fn exchange(
    connection: &Connection,
    ask: Ask,
    rebalance: Duration,
) -> Result<Answer, ClientError> {
    let patience = rebalance.saturating_add(REBALANCE_GRACE);
    Ok(match ask {
        Ask::Join(request) => Answer::Join(connection.call_within(&request, i16::MAX, patience).await?),
        Ask::Sync(request) => Answer::Sync(connection.call_within(&request, i16::MAX, patience).await?),
        Ask::Heartbeat(request) => Answer::Heartbeat(connection.call(&request).await?),
        Ask::Leave { group_id, member_id } => {
            let version = connection.version::<LeaveGroupRequest>(i16::MAX)?;
            Answer::Leave(connection.call(&leave(group_id, member_id, version)).await?)
        }
        Ask::ConsumerHeartbeat(request) => Answer::ConsumerHeartbeat(connection.call(&request).await?),
    })
}

/// Several members can leave at once from version 3 on (KIP-345).
fn leave(group_id: String, member_id: String, version: i16) -> LeaveGroupRequest {
    if version < 3 {
        return LeaveGroupRequest { group_id, member_id, members: Vec::new() };
    }
    let member = MemberIdentity { member_id, ..MemberIdentity::default() };
    LeaveGroupRequest { group_id, member_id: String::new(), members: vec![member] }
}
