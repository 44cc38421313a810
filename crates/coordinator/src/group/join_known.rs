//! JoinGroup of somebody who has a member id.

use protocol::ErrorCode;

use super::rebalance::ForVersion;
use super::{Group, Joining, Phase};
use crate::turn::Turn;

impl Group {
    pub(super) fn join_known(&mut self, joining: Joining, turn: &mut Turn) {
        let member_id = joining.request.member_id.as_str();
        if let Some((id, _)) = self.pending_members.get_key_value(member_id) {
            let id = id.clone();
            // Ids are kept for dynamic members only.
            return match joining.request.group_instance_id {
                Some(_) => joining.refuse(member_id, ErrorCode::UnknownServerError, turn),
                None => self.add(&joining, id, turn),
            };
        }
        match self.check_member(member_id, joining.request.group_instance_id.as_deref()) {
            Err(error) => joining.refuse(member_id, error, turn),
            Ok(()) if self.needs_rebalance_for(&joining) => self.rejoin(&joining, turn),
            Ok(()) => {
                // Nothing to agree on anew: the member did not see the answer, or wants to see it again.
                let mut response = self.join_response(member_id);
                if self.phase == Phase::Stable {
                    response.members = Vec::new();
                }
                turn.reply_join(joining.token, response.for_version(joining.version));
            }
        }
    }

    /// A stable group's leader asks for a rebalance by joining again, as it does when topics change that it read; others do when they support something else than before.
    fn needs_rebalance_for(&self, joining: &Joining) -> bool {
        let member_id = joining.request.member_id.as_str();
        let changed =
            self.members.get(member_id).is_some_and(|member| !member.matches(&joining.request.protocols));
        match self.phase {
            Phase::PreparingRebalance | Phase::Empty => true,
            Phase::CompletingRebalance => changed,
            Phase::Stable => changed || self.is_leader(member_id),
        }
    }

    fn rejoin(&mut self, joining: &Joining, turn: &mut Turn) {
        let request = &joining.request;
        let Some(member) = self.members.get_mut(request.member_id.as_str()) else { return };
        let old_protocols = std::mem::replace(&mut member.protocols, joining.protocols());
        member.rebalance_timeout_ms = joining.rebalance_timeout_ms();
        member.session_timeout_ms = request.session_timeout_ms;
        self.remove_supporter(&old_protocols);
        self.add_supporter(&request.protocols);
        self.await_join(&request.member_id, joining.awaiting(), turn);
        self.rebalance(turn);
    }
}
