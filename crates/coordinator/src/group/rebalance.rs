//! The way of a group from one generation to the next.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::messages::JoinGroupResponse;
use protocol::messages::join_group_response::JoinGroupResponseMember;

use super::{AwaitingJoin, Group, JoinWait, Phase, sync_error};
use crate::{Timer, turn::Turn};

/// Below this version, the protocol's name may not be missing from a JoinGroup's answer.
const PROTOCOL_NULLABLE_FROM: i16 = 7;

/// Makes an answer fit for the version of its request.
pub(super) trait ForVersion {
    fn for_version(self, version: i16) -> Self;
}

impl ForVersion for JoinGroupResponse {
    fn for_version(mut self, version: i16) -> Self {
        if version < PROTOCOL_NULLABLE_FROM {
            self.protocol_name.get_or_insert_default();
        }
        self
    }
}

impl Group {
    /// Somebody came, left or changed: begins a rebalance, or goes on with the one under way.
    pub(super) fn rebalance(&mut self, turn: &mut Turn) {
        match self.phase {
            Phase::PreparingRebalance => self.complete_join_if_all_are_here(turn),
            Phase::Empty | Phase::CompletingRebalance | Phase::Stable => self.prepare_rebalance(turn),
        }
    }

    pub(super) fn prepare_rebalance(&mut self, turn: &mut Turn) {
        if self.phase == Phase::CompletingRebalance {
            self.cancel_syncs(ErrorCode::RebalanceInProgress, turn);
        }
        self.forget_owed_syncs(turn);
        self.is_initial_rebalance = self.phase == Phase::Empty;
        self.has_newcomer = false;
        self.enter(Phase::PreparingRebalance, turn);
        if self.is_initial_rebalance {
            let delay_ms = turn.settings.initial_rebalance_delay_ms;
            let remaining_ms = (self.rebalance_timeout_ms() - delay_ms).max(0);
            self.wait_for_joins(JoinWait::Initial { delay_ms, remaining_ms }, delay_ms, turn);
        } else if self.has_all_joined() {
            self.complete_join(turn);
        } else {
            self.wait_for_joins(JoinWait::Final, self.rebalance_timeout_ms(), turn);
        }
    }

    fn wait_for_joins(&mut self, wait: JoinWait, after_ms: i64, turn: &mut Turn) {
        self.join_wait = wait;
        turn.set_timer(Timer::Join { group: self.id.clone() }, after_ms);
    }

    /// A group that was empty waits out its delay, even if all it knows have joined.
    pub(super) fn complete_join_if_all_are_here(&mut self, turn: &mut Turn) {
        if self.phase == Phase::PreparingRebalance && !self.is_initial_rebalance && self.has_all_joined() {
            self.complete_join(turn);
        }
    }

    /// The join phase's time is up.
    pub fn join_time_is_up(&mut self, turn: &mut Turn) {
        if self.phase != Phase::PreparingRebalance {
            return;
        }
        match self.join_wait {
            JoinWait::Initial { delay_ms, remaining_ms } if self.has_newcomer && remaining_ms > 0 => {
                self.has_newcomer = false;
                let next_ms = turn.settings.initial_rebalance_delay_ms.min(remaining_ms);
                let wait =
                    JoinWait::Initial { delay_ms: next_ms, remaining_ms: (remaining_ms - delay_ms).max(0) };
                self.wait_for_joins(wait, next_ms, turn);
            }
            JoinWait::Initial { .. } | JoinWait::Final => self.complete_join(turn),
        }
    }

    /// Ends the join phase with those who joined. Static members stay, as their partitions wait for them.
    fn complete_join(&mut self, turn: &mut Turn) {
        turn.cancel_timer(Timer::Join { group: self.id.clone() });
        self.remove_absent_members(turn);
        if !self.members.is_empty() && !self.elect_leader() {
            return self.wait_for_joins(JoinWait::Final, self.rebalance_timeout_ms(), turn);
        }
        self.generation = self.generation.wrapping_add(1).max(1);
        self.protocol = self.select_protocol();
        if self.members.is_empty() {
            self.enter(Phase::Empty, turn);
            self.save(turn);
        } else {
            self.enter(Phase::CompletingRebalance, turn);
            self.answer_joins(turn);
        }
    }

    fn remove_absent_members(&mut self, turn: &mut Turn) {
        let is_absent = |member: &super::Member| member.awaiting_join.is_none() && !member.is_static();
        let absent: Vec<Arc<str>> = self
            .members
            .values()
            .filter(|member| is_absent(member))
            .map(|member| member.id.clone())
            .collect();
        for member_id in absent {
            self.remove(&member_id, turn);
        }
    }

    /// The leader has to be one who joined. False if nobody did.
    fn elect_leader(&mut self) -> bool {
        let has_joined =
            |id: &Arc<str>| self.members.get(id).is_some_and(|member| member.awaiting_join.is_some());
        if self.leader.as_ref().is_some_and(has_joined) {
            return true;
        }
        let elected = self.members.values().find(|member| member.awaiting_join.is_some());
        let Some(elected) = elected.map(|member| member.id.clone()) else { return false };
        self.leader = Some(elected);
        true
    }

    /// The protocol with the most votes; a member votes for the first of its list that all support. None without members.
    pub(super) fn select_protocol(&self) -> Option<String> {
        let mut votes: Vec<(&str, usize)> = Vec::new();
        for member in self.members.values() {
            let mut names = member.protocols.iter().map(|protocol| protocol.name.as_str());
            let Some(vote) = names.find(|name| self.is_supported_by_all(name)) else { continue };
            match votes.iter_mut().find(|(name, _)| *name == vote) {
                Some((_, count)) => *count += 1,
                None => votes.push((vote, 1)),
            }
        }
        let most = votes.iter().map(|(_, count)| *count).max()?;
        votes.iter().find(|(_, count)| *count == most).map(|(name, _)| (*name).to_owned())
    }

    fn answer_joins(&mut self, turn: &mut Turn) {
        let ids: Vec<Arc<str>> = self.members.keys().cloned().collect();
        for member_id in &ids {
            let response = self.join_response(member_id);
            self.answer_join(member_id, response, turn);
            let Some(member) = self.members.get_mut(member_id) else { continue };
            member.owes_sync = true;
            let session_timeout_ms = i64::from(member.session_timeout_ms);
            self.extend_session(member_id, session_timeout_ms, turn);
        }
        self.owed_syncs = ids.len();
        turn.set_timer(Timer::Sync { group: self.id.clone() }, self.rebalance_timeout_ms());
    }

    /// What a member is told of this generation; the leader learns of all members.
    pub(super) fn join_response(&self, member_id: &str) -> JoinGroupResponse {
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            leader: self.leader.as_deref().unwrap_or_default().to_owned(),
            member_id: member_id.to_owned(),
            members: if self.is_leader(member_id) { self.joined_members() } else { Vec::new() },
            ..JoinGroupResponse::default()
        }
    }

    fn joined_members(&self) -> Vec<JoinGroupResponseMember> {
        let listed = self.members.values().map(|member| JoinGroupResponseMember {
            member_id: member.id.to_string(),
            group_instance_id: member.instance_id.clone(),
            metadata: member.metadata(self.protocol.as_deref()),
        });
        listed.collect()
    }

    /// Answers a member's JoinGroup, if it waits for one.
    pub(super) fn answer_join(&mut self, member_id: &str, response: JoinGroupResponse, turn: &mut Turn) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        member.is_new = false;
        if let Some(AwaitingJoin { token, version }) = member.awaiting_join.take() {
            self.awaiting_joins -= 1;
            turn.reply_join(token, response.for_version(version));
        }
    }

    /// Takes back this generation's assignment and answers who waits for it.
    pub(super) fn cancel_syncs(&mut self, error: ErrorCode, turn: &mut Turn) {
        let mut answered = HashSet::new();
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
            if let Some(token) = member.awaiting_sync.take() {
                turn.reply_sync(token, sync_error(error));
                answered.insert(member.id.clone());
            }
        }
        self.extend_sessions(|member| answered.contains(&member.id), turn);
    }
}
