//! JoinGroup of somebody who is not a member yet.

use std::sync::Arc;

use bytes::Bytes;
use engine::Token;
use protocol::ErrorCode;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use super::{AwaitingJoin, Group, Member, Phase, Session, answer_leaver};
use crate::{Caller, turn::Turn};

/// From this version on, a client gets its member id first and joins with it (KIP-394).
const MEMBER_ID_REQUIRED_FROM: i16 = 4;
/// From this version on, the protocol's name may be missing from the answer.
const PROTOCOL_NULLABLE_FROM: i16 = 7;
/// From this version on, a leader can be told that no assignment is needed (KIP-814).
const SKIP_ASSIGNMENT_FROM: i16 = 9;
/// How long a client that does not know its id yet may wait for a rebalance.
const NEW_MEMBER_TIMEOUT_MS: i64 = 5 * 60_000;
/// What a string on the wire may take.
const STRING_BYTES_MAX: usize = i16::MAX as usize;

/// A JoinGroup being decided.
pub(crate) struct Joining {
    pub token: Token,
    pub version: i16,
    pub caller: Caller,
    pub request: JoinGroupRequest,
}

impl Joining {
    pub fn refuse(&self, member_id: &str, error: ErrorCode, turn: &mut Turn) {
        turn.reply_join(self.token, join_error(self.version, member_id, error));
    }

    pub(super) fn awaiting(&self) -> AwaitingJoin {
        AwaitingJoin { token: self.token, version: self.version }
    }

    /// Version 0 knows one timeout for both.
    pub(super) fn rebalance_timeout_ms(&self) -> i32 {
        if self.version == 0 { self.request.session_timeout_ms } else { self.request.rebalance_timeout_ms }
    }

    fn new_member_id(&self) -> Arc<str> {
        let name = self.request.group_instance_id.as_deref().unwrap_or(&self.caller.client_id);
        format!("{name}-{}", uuid_text(self.caller.random)).into()
    }

    /// Copied out of the request's frame, which would otherwise stay in memory for as long as the member.
    pub(super) fn protocols(&self) -> Vec<JoinGroupRequestProtocol> {
        let copied = self.request.protocols.iter().map(|offered| JoinGroupRequestProtocol {
            name: offered.name.clone(),
            metadata: Bytes::copy_from_slice(&offered.metadata),
        });
        copied.collect()
    }

    fn to_member(&self, id: Arc<str>) -> Member {
        Member {
            id,
            instance_id: self.request.group_instance_id.clone(),
            client_id: self.caller.client_id.clone(),
            client_host: self.caller.client_host.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms(),
            session_timeout_ms: self.request.session_timeout_ms,
            protocols: self.protocols(),
            assignment: Bytes::new(),
            is_new: true,
            owes_sync: false,
            awaiting_join: Some(self.awaiting()),
            awaiting_sync: None,
            session: Session::default(),
        }
    }
}

/// An answer that refuses; ready for this version.
pub(crate) fn join_error(version: i16, member_id: &str, error: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code: error.code(),
        protocol_name: (version < PROTOCOL_NULLABLE_FROM).then(String::new),
        member_id: member_id.to_owned(),
        ..JoinGroupResponse::default()
    }
}

/// Java's text of a random (version 4) uuid.
fn uuid_text(random: u128) -> String {
    let bits = random & !(0xf000_u128 << 64) & !(0xc000_u128 << 48) | 0x4000_u128 << 64 | 0x8000_u128 << 48;
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

impl Group {
    /// A JoinGroup whose session timeout is within bounds.
    pub fn join(&mut self, joining: Joining, turn: &mut Turn) {
        let member_id = joining.request.member_id.as_str();
        if !self.has_room_for(member_id, turn.settings.group_size_max) {
            self.remove(member_id, turn);
            self.remove_pending(member_id, turn);
            return joining.refuse("", ErrorCode::GroupMaxSizeReached, turn);
        }
        if !self.supports(&joining.request.protocol_type, &joining.request.protocols) {
            return joining.refuse(member_id, ErrorCode::InconsistentGroupProtocol, turn);
        }
        if member_id.is_empty() { self.join_new(joining, turn) } else { self.join_known(joining, turn) }
    }

    /// During a rebalance those count who have joined, so that it is the slowest members of a group that is too large who
    /// have to go; otherwise the members count.
    fn has_room_for(&self, member_id: &str, size_max: usize) -> bool {
        let member = self.members.get(member_id);
        match self.phase {
            Phase::Empty => true,
            Phase::PreparingRebalance => {
                member.is_some_and(|member| member.awaiting_join.is_some()) || self.awaiting_joins < size_max
            }
            Phase::CompletingRebalance | Phase::Stable => member.is_some() || self.members.len() < size_max,
        }
    }

    fn join_new(&mut self, joining: Joining, turn: &mut Turn) {
        let new_id = joining.new_member_id();
        if new_id.len() > STRING_BYTES_MAX {
            return joining.refuse("", ErrorCode::InvalidRequest, turn);
        }
        match &joining.request.group_instance_id {
            Some(instance_id) => match self.static_members.get(instance_id).cloned() {
                Some(old_id) => self.replace_static(&joining, &old_id, new_id, turn),
                None => self.add(&joining, new_id, turn),
            },
            None if joining.version >= MEMBER_ID_REQUIRED_FROM => {
                joining.refuse(&new_id, ErrorCode::MemberIdRequired, turn);
                self.add_pending(new_id, i64::from(joining.request.session_timeout_ms), turn);
            }
            None => self.add(&joining, new_id, turn),
        }
    }

    fn add_pending(&mut self, member_id: Arc<str>, session_timeout_ms: i64, turn: &mut Turn) {
        turn.set_timer(self.session_timer(&member_id), session_timeout_ms);
        self.pending_members.insert(member_id, turn.now.uptime_ms + session_timeout_ms);
    }

    /// Adds a member and rebalances. Its session is long: it cannot send heartbeats while it waits for the answer, and the
    /// answer may take a whole rebalance.
    pub(super) fn add(&mut self, joining: &Joining, member_id: Arc<str>, turn: &mut Turn) {
        if self.phase == Phase::PreparingRebalance && self.is_initial_rebalance {
            self.has_newcomer = true;
        }
        self.insert(joining.to_member(member_id.clone()), &joining.request.protocol_type);
        self.extend_session(&member_id, NEW_MEMBER_TIMEOUT_MS, turn);
        self.rebalance(turn);
    }

    /// A static member came back without its id: it gets a new one, and whoever uses the old one is fenced. Without a
    /// rebalance if the group is stable and would agree on the same protocol.
    fn replace_static(&mut self, joining: &Joining, old_id: &Arc<str>, new_id: Arc<str>, turn: &mut Turn) {
        let old_leader = self.leader.clone();
        let Some(index) = self.members.get_index_of(old_id) else { return };
        let Some(old) = self.take(old_id) else { return };
        turn.cancel_timer(self.session_timer(&old.id));
        answer_leaver(&old, ErrorCode::FencedInstanceId, old_id, turn);
        let was_leader = old_leader.as_ref() == Some(old_id);

        let newcomer = Member {
            is_new: old.is_new,
            assignment: old.assignment,
            owes_sync: old.owes_sync,
            client_id: old.client_id,
            client_host: old.client_host,
            ..joining.to_member(new_id.clone())
        };
        let protocol_type = joining.request.protocol_type.as_str();
        self.insert(newcomer, protocol_type);
        let last = self.members.len() - 1;
        self.members.swap_indices(index, last);
        if was_leader {
            self.leader = Some(new_id.clone());
        }
        self.extend_session(&new_id, i64::from(joining.request.session_timeout_ms), turn);
        self.go_on_with_replaced(joining, &new_id, old_leader, turn);
    }

    fn go_on_with_replaced(
        &mut self,
        joining: &Joining,
        new_id: &Arc<str>,
        old_leader: Option<Arc<str>>,
        turn: &mut Turn,
    ) {
        match self.phase {
            Phase::Stable if self.protocol == self.select_protocol() && self.save_if_it_fits(turn) => {
                self.answer_replaced(joining.version, new_id, old_leader, turn);
            }
            // The leader may have been told the old id already, and would assign nothing to the new one.
            Phase::Stable | Phase::CompletingRebalance => self.rebalance(turn),
            Phase::PreparingRebalance | Phase::Empty => self.complete_join_if_all_are_here(turn),
        }
    }

    /// A leader of an older version is given the old leader's name, so that it does not take itself for the leader and
    /// assign partitions in a group that is stable.
    fn answer_replaced(
        &mut self,
        version: i16,
        new_id: &Arc<str>,
        old_leader: Option<Arc<str>>,
        turn: &mut Turn,
    ) {
        let mut response = self.join_response(new_id);
        if version >= SKIP_ASSIGNMENT_FROM {
            response.skip_assignment = self.is_leader(new_id);
        } else {
            response.leader = old_leader.as_deref().unwrap_or_default().to_owned();
            response.members = Vec::new();
        }
        self.answer_join(new_id, response, turn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_number_reads_like_javas_random_uuid() {
        assert_eq!(uuid_text(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid_text(0), "00000000-0000-4000-8000-000000000000");
    }
}
