//! What members ask the coordinator, and what it answers.

use std::time::Duration;

use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest, HeartbeatResponse,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest,
    SyncGroupResponse,
};

use crate::connection::Connection;
use crate::error::{ClientError, check};

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

impl Answer {
    /// A refusal that another try, or another coordinator, may cure is no answer.
    fn final_one(self) -> Result<Answer, ClientError> {
        let (code, message) = match &self {
            Answer::Join(it) => (it.error_code, None),
            Answer::Sync(it) => (it.error_code, None),
            Answer::Heartbeat(it) => (it.error_code, None),
            Answer::Leave(it) => (it.error_code, None),
            Answer::ConsumerHeartbeat(it) => (it.error_code, it.error_message.as_deref()),
        };
        match check(code, message) {
            Err(error) if error.is_retriable() => Err(error),
            _ => Ok(self),
        }
    }
}

/// Asks the coordinator. It keeps what has to do with a rebalance until all members have come.
pub(super) async fn exchange(
    connection: &Connection,
    ask: Ask,
    rebalance: Duration,
) -> Result<Answer, ClientError> {
    let patience = rebalance.saturating_add(REBALANCE_GRACE);
    let answer = match ask {
        Ask::Join(request) => Answer::Join(connection.call_within(&request, i16::MAX, patience).await?),
        Ask::Sync(request) => Answer::Sync(connection.call_within(&request, i16::MAX, patience).await?),
        Ask::Heartbeat(request) => Answer::Heartbeat(connection.call(&request).await?),
        Ask::Leave { group_id, member_id } => {
            let version = connection.version::<LeaveGroupRequest>(i16::MAX)?;
            Answer::Leave(connection.call(&leave(group_id, member_id, version)).await?)
        }
        Ask::ConsumerHeartbeat(request) => Answer::ConsumerHeartbeat(connection.call(&request).await?),
    };
    answer.final_one()
}

/// Several members can leave at once from version 3 on (KIP-345).
fn leave(group_id: String, member_id: String, version: i16) -> LeaveGroupRequest {
    if version < 3 {
        return LeaveGroupRequest { group_id, member_id, members: Vec::new() };
    }
    let member = MemberIdentity { member_id, ..MemberIdentity::default() };
    LeaveGroupRequest { group_id, member_id: String::new(), members: vec![member] }
}

#[cfg(test)]
mod tests {
    use protocol::ErrorCode;

    use super::*;

    #[test]
    fn a_coordinator_that_is_another_by_now_has_not_answered() {
        let answer = |code: ErrorCode| {
            let beaten = HeartbeatResponse { error_code: code.code(), ..HeartbeatResponse::default() };
            Answer::Heartbeat(beaten).final_one()
        };
        let moved = answer(ErrorCode::NotCoordinator).unwrap_err();
        assert_eq!(moved.code(), Some(ErrorCode::NotCoordinator));
        for code in [ErrorCode::None, ErrorCode::RebalanceInProgress, ErrorCode::UnknownMemberId] {
            assert!(answer(code).is_ok(), "{code:?} is for the member");
        }
    }
}
