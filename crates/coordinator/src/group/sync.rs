//! SyncGroup: the leader's assignment, and everybody's share of it.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use engine::Token;
use protocol::ErrorCode;
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::{Group, Member, Phase, sync_error};
use crate::{Timer, turn::Turn};

impl Group {
    pub fn sync(&mut self, token: Token, request: SyncGroupRequest, turn: &mut Turn) {
        match self.check_sync(&request) {
            Err(error) => turn.reply_sync(token, sync_error(error)),
            Ok(()) => match self.phase {
                Phase::Empty => turn.reply_sync(token, sync_error(ErrorCode::UnknownMemberId)),
                Phase::PreparingRebalance => {
                    turn.reply_sync(token, sync_error(ErrorCode::RebalanceInProgress));
                }
                Phase::CompletingRebalance => self.await_sync(token, request, turn),
                Phase::Stable => {
                    self.settle_sync(&request.member_id, turn);
                    let assigned =
                        self.members.get(request.member_id.as_str()).map(|member| self.sync_response(member));
                    turn.reply_sync(
                        token,
                        assigned.unwrap_or_else(|| sync_error(ErrorCode::UnknownMemberId)),
                    );
                }
            },
        }
    }

    fn check_sync(&self, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        let differs = |asked: &Option<String>, ours: &Option<String>| {
            asked.is_some() && ours.is_some() && asked != ours
        };
        self.check_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation {
            Err(ErrorCode::IllegalGeneration)
        } else if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol_name, &self.protocol)
        {
            Err(ErrorCode::InconsistentGroupProtocol)
        } else {
            Ok(())
        }
    }

    fn await_sync(&mut self, token: Token, request: SyncGroupRequest, turn: &mut Turn) {
        let Some(member) = self.members.get_mut(request.member_id.as_str()) else { return };
        // An older SyncGroup that waits came over a connection that is likely lost.
        if let Some(older) = member.awaiting_sync.replace(token) {
            turn.reply_sync(older, sync_error(ErrorCode::RebalanceInProgress));
        }
        self.settle_sync(&request.member_id, turn);
        if self.is_leader(&request.member_id) {
            self.assign(request.assignments, turn);
        }
    }

    /// The leader's assignment makes the group stable. Whoever it does not name has nothing to do.
    fn assign(&mut self, assignments: Vec<SyncGroupRequestAssignment>, turn: &mut Turn) {
        let by_member: HashMap<String, Bytes> =
            assignments.into_iter().map(|given| (given.member_id, given.assignment)).collect();
        for member in self.members.values_mut() {
            let given = by_member.get(&*member.id);
            // A copy, so that the request's frame does not stay in memory.
            member.assignment = given.map_or_else(Bytes::new, |given| Bytes::copy_from_slice(given));
        }
        if !self.save_if_it_fits(turn) {
            self.cancel_syncs(ErrorCode::UnknownServerError, turn);
            return self.rebalance(turn);
        }
        self.enter(Phase::Stable, turn);
        self.answer_syncs(turn);
    }

    fn answer_syncs(&mut self, turn: &mut Turn) {
        let ids: Vec<Arc<str>> = self.members.keys().cloned().collect();
        for member_id in ids {
            let Some(token) = self.members.get_mut(&member_id).and_then(|member| member.awaiting_sync.take())
            else {
                continue;
            };
            turn.reply_sync(token, self.sync_response(&self.members[&member_id]));
            self.hear_of(&member_id, turn);
        }
    }

    fn sync_response(&self, member: &Member) -> SyncGroupResponse {
        SyncGroupResponse {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            assignment: member.assignment.clone(),
            ..SyncGroupResponse::default()
        }
    }

    fn settle_sync(&mut self, member_id: &str, turn: &mut Turn) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        if std::mem::take(&mut member.owes_sync) {
            self.owed_syncs -= 1;
        }
        if self.owed_syncs == 0 {
            turn.cancel_timer(Timer::Sync { group: self.id.clone() });
        }
    }

    pub(super) fn forget_owed_syncs(&mut self, turn: &mut Turn) {
        if self.owed_syncs > 0 {
            self.members.values_mut().for_each(|member| member.owes_sync = false);
            self.owed_syncs = 0;
        }
        turn.cancel_timer(Timer::Sync { group: self.id.clone() });
    }

    /// Members who joined and never asked for their assignment hold the others up: they have to go.
    pub fn sync_time_is_up(&mut self, turn: &mut Turn) {
        let is_waiting_phase = matches!(self.phase, Phase::CompletingRebalance | Phase::Stable);
        if !is_waiting_phase || self.owed_syncs == 0 {
            return;
        }
        let silent: Vec<Arc<str>> =
            self.members.values().filter(|member| member.owes_sync).map(|member| member.id.clone()).collect();
        for member_id in silent {
            self.remove(&member_id, turn);
        }
        self.prepare_rebalance(turn);
    }
}
