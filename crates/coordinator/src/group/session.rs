//! Heartbeats, and members who are heard of no more.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::HeartbeatRequest;

use super::{Group, Member, Phase};
use crate::{Timer, turn::Turn};

impl Group {
    pub fn heartbeat(&mut self, request: &HeartbeatRequest, turn: &mut Turn) -> ErrorCode {
        if let Err(error) = self.check_member(&request.member_id, request.group_instance_id.as_deref()) {
            return error;
        }
        if request.generation_id != self.generation {
            return ErrorCode::IllegalGeneration;
        }
        self.hear_of(&request.member_id, turn);
        match self.phase {
            Phase::Empty => ErrorCode::UnknownMemberId,
            Phase::PreparingRebalance => ErrorCode::RebalanceInProgress,
            Phase::CompletingRebalance | Phase::Stable => ErrorCode::None,
        }
    }

    /// Begins a member's session again.
    pub fn hear_of(&mut self, member_id: &str, turn: &mut Turn) {
        if let Some(member) = self.members.get_mut(member_id) {
            extend(&self.id, member, i64::from(member.session_timeout_ms), turn);
        }
    }

    /// Gives a member so much time from now.
    pub(super) fn extend_session(&mut self, member_id: &str, timeout_ms: i64, turn: &mut Turn) {
        if let Some(member) = self.members.get_mut(member_id) {
            extend(&self.id, member, timeout_ms, turn);
        }
    }

    /// Begins the sessions of some members again.
    pub(super) fn extend_sessions(&mut self, which: impl Fn(&Member) -> bool, turn: &mut Turn) {
        for member in self.members.values_mut().filter(|member| which(member)) {
            extend(&self.id, member, i64::from(member.session_timeout_ms), turn);
        }
    }

    /// A session's timer fired: perhaps the session is over, perhaps it went on meanwhile.
    pub fn session_timer_fired(&mut self, member_id: &Arc<str>, turn: &mut Turn) {
        if let Some(deadline_ms) = self.pending_members.get(member_id) {
            if *deadline_ms <= turn.now.uptime_ms {
                self.pending_members.remove(member_id);
                self.complete_join_if_all_are_here(turn);
            }
            return;
        }
        let Some(member) = self.members.get_mut(member_id) else { return };
        member.session.timer_ms = None;
        if member.session.deadline_ms > turn.now.uptime_ms {
            let left_ms = member.session.deadline_ms - turn.now.uptime_ms;
            extend(&self.id, member, left_ms, turn);
        } else if !member.is_excused() {
            self.remove(member_id, turn);
            self.go_on_without_leavers(turn);
        }
    }

    /// Members are gone: the others share what they had.
    pub(super) fn go_on_without_leavers(&mut self, turn: &mut Turn) {
        match self.phase {
            Phase::Stable | Phase::CompletingRebalance => self.rebalance(turn),
            Phase::PreparingRebalance => self.complete_join_if_all_are_here(turn),
            Phase::Empty => {}
        }
    }
}

/// Moves the end of a session. The timer is set only if it would fire too late.
fn extend(group: &Arc<str>, member: &mut Member, timeout_ms: i64, turn: &mut Turn) {
    let deadline_ms = turn.now.uptime_ms.saturating_add(timeout_ms);
    member.session.deadline_ms = deadline_ms;
    if member.session.timer_ms.is_none_or(|timer_ms| timer_ms > deadline_ms) {
        member.session.timer_ms = Some(deadline_ms);
        turn.set_timer(Timer::Session { group: group.clone(), member: member.id.clone() }, timeout_ms);
    }
}
