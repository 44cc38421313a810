//! LeaveGroup, of one member or of many (KIP-345).

use protocol::ErrorCode;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::leave_group_response::MemberResponse;
use protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::Group;
use crate::turn::Turn;

/// From this version on, members are named in a list, and each has its own error.
const BATCHES_FROM: i16 = 3;

/// Who wants to leave, in any version.
fn leavers(version: i16, request: LeaveGroupRequest) -> Vec<MemberIdentity> {
    if version >= BATCHES_FROM {
        return request.members;
    }
    vec![MemberIdentity { member_id: request.member_id, ..MemberIdentity::default() }]
}

/// Old versions say the one member's error for the whole.
fn response(version: i16, members: Vec<MemberResponse>) -> LeaveGroupResponse {
    if version >= BATCHES_FROM {
        return LeaveGroupResponse { members, ..LeaveGroupResponse::default() };
    }
    let error_code = members.first().map_or(0, |member| member.error_code);
    LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() }
}

fn left(leaver: MemberIdentity, error: ErrorCode) -> MemberResponse {
    MemberResponse {
        member_id: leaver.member_id,
        group_instance_id: leaver.group_instance_id,
        error_code: error.code(),
    }
}

/// The answer when there is no such group: nobody is known.
pub(crate) fn leave_error(version: i16, request: LeaveGroupRequest, error: ErrorCode) -> LeaveGroupResponse {
    let members = leavers(version, request).into_iter().map(|leaver| left(leaver, error));
    response(version, members.collect())
}

impl Group {
    pub fn leave(&mut self, version: i16, request: LeaveGroupRequest, turn: &mut Turn) -> LeaveGroupResponse {
        let mut members = Vec::new();
        for leaver in leavers(version, request) {
            let error = self.let_go(&leaver, turn).err().unwrap_or(ErrorCode::None);
            members.push(left(leaver, error));
        }
        if members.iter().any(|member| member.error_code == ErrorCode::None.code()) {
            self.go_on_without_leavers(turn);
        }
        response(version, members)
    }

    /// An administrator names a static member by its instance alone.
    fn let_go(&mut self, leaver: &MemberIdentity, turn: &mut Turn) -> Result<(), ErrorCode> {
        let instance_id = leaver.group_instance_id.as_deref();
        if leaver.member_id.is_empty() {
            let member_id = instance_id.and_then(|instance_id| self.static_members.get(instance_id));
            let member_id = member_id.cloned().ok_or(ErrorCode::UnknownMemberId)?;
            self.remove(&member_id, turn);
        } else if !self.remove_pending(&leaver.member_id, turn) {
            self.check_member(&leaver.member_id, instance_id)?;
            self.remove(&leaver.member_id, turn);
        }
        Ok(())
    }
}
