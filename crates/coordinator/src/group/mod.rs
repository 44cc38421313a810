//! A classic group: who is in it, and which phase of its life it is in.
//!
//! ```text
//!            first member            all joined, or time is up        the leader's assignment
//!   Empty ────────────> PreparingRebalance ────────> CompletingRebalance ────────> Stable
//!     ^                    │        ^                        │                        │
//!     └────────────────────┘        └────────────────────────┴────────────────────────┘
//!        nobody is left                 somebody came, left, died or changed
//! ```

mod describe;
mod join;
mod join_known;
mod leave;
mod member;
mod rebalance;
mod saved;
mod session;
mod sync;

use std::collections::HashMap;
use std::sync::Arc;

use engine::Token;
use indexmap::IndexMap;
use protocol::ErrorCode;
use protocol::messages::SyncGroupResponse;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;

pub(crate) use join::{Joining, join_error};
pub(crate) use leave::leave_error;
pub(crate) use member::{AwaitingJoin, Member, Session};

use crate::subscription::subscribed_topics;
use crate::{Record, Timer, turn::Turn};

/// The protocol type of consumers, whose metadata we can read.
const CONSUMER: &str = "consumer";

/// The phase of a group's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No members.
    Empty,
    /// Waits for the members to join (again).
    PreparingRebalance,
    /// Waits for the leader's assignment.
    CompletingRebalance,
    /// Every member has its assignment, or can ask for it.
    Stable,
}

impl Phase {
    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Empty => "Empty",
            Phase::PreparingRebalance => "PreparingRebalance",
            Phase::CompletingRebalance => "CompletingRebalance",
            Phase::Stable => "Stable",
        }
    }
}

/// What the timer of the join phase means when it fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinWait {
    /// A group that was empty: wait on while members keep coming, `remaining_ms` at most.
    Initial { delay_ms: i64, remaining_ms: i64 },
    /// Whoever has not joined by then is out.
    Final,
}

/// A group as its coordinator knows it.
#[derive(Debug)]
pub(crate) struct Group {
    pub id: Arc<str>,
    pub phase: Phase,
    /// When the phase began, in milliseconds since 1970; -1 if that is not known.
    pub phase_since_ms: i64,
    /// None for a group that only commits offsets.
    pub protocol_type: Option<String>,
    /// What the members of this generation agreed on.
    pub protocol: Option<String>,
    pub generation: i32,
    pub leader: Option<Arc<str>>,
    pub members: IndexMap<Arc<str>, Member>,
    /// Ids that were given to clients which have not joined with them yet (KIP-394), with their sessions' ends.
    pub pending_members: HashMap<Arc<str>, i64>,
    static_members: HashMap<String, Arc<str>>,
    /// How many members support a protocol.
    supporters: HashMap<String, usize>,
    awaiting_joins: usize,
    owed_syncs: usize,
    join_wait: JoinWait,
    /// Whether the rebalance under way began with an empty group.
    is_initial_rebalance: bool,
    /// Whether somebody came since the initial delay was last prolonged.
    has_newcomer: bool,
}

impl Group {
    /// A group without members.
    pub fn new(id: Arc<str>, now_ms: i64) -> Self {
        Group {
            id,
            phase: Phase::Empty,
            phase_since_ms: now_ms,
            protocol_type: None,
            protocol: None,
            generation: 0,
            leader: None,
            members: IndexMap::new(),
            pending_members: HashMap::new(),
            static_members: HashMap::new(),
            supporters: HashMap::new(),
            awaiting_joins: 0,
            owed_syncs: 0,
            join_wait: JoinWait::Final,
            is_initial_rebalance: false,
            has_newcomer: false,
        }
    }

    pub fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    pub fn enter(&mut self, phase: Phase, turn: &Turn) {
        self.phase = phase;
        self.phase_since_ms = turn.now.wall_ms;
    }

    /// Whether the id, and the instance's id if there is one, belong to a member.
    pub fn check_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(known) if **known != *member_id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// Whether the topic is one that members read. A consumer group whose subscription cannot be read may read any.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        if self.protocol_type.as_deref() != Some(CONSUMER) {
            return false;
        }
        let Some(protocol) = self.protocol.as_deref() else {
            return !self.members.is_empty();
        };
        self.members.values().any(|member| {
            subscribed_topics(member.metadata(Some(protocol)))
                .is_none_or(|topics| topics.iter().any(|known| known == topic))
        })
    }

    pub fn is_consumer_group(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    fn supports(&self, protocol_type: &str, protocols: &[JoinGroupRequestProtocol]) -> bool {
        if self.phase == Phase::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|offered| self.is_supported_by_all(&offered.name))
    }

    fn is_supported_by_all(&self, protocol: &str) -> bool {
        self.supporters.get(protocol).copied().unwrap_or(0) == self.members.len()
    }

    fn add_supporter(&mut self, protocols: &[JoinGroupRequestProtocol]) {
        for protocol in protocols {
            match self.supporters.get_mut(&protocol.name) {
                Some(count) => *count += 1,
                None => drop(self.supporters.insert(protocol.name.clone(), 1)),
            }
        }
    }

    fn remove_supporter(&mut self, protocols: &[JoinGroupRequestProtocol]) {
        for protocol in protocols {
            if let Some(count) = self.supporters.get_mut(&protocol.name) {
                *count -= 1;
                if *count == 0 {
                    self.supporters.remove(&protocol.name);
                }
            }
        }
    }

    /// Adds a member; the first one's protocol type becomes the group's, and it leads.
    fn insert(&mut self, member: Member, protocol_type: &str) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.to_owned());
        }
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), member.id.clone());
        }
        self.leader.get_or_insert_with(|| member.id.clone());
        self.pending_members.remove(&member.id);
        self.awaiting_joins += usize::from(member.awaiting_join.is_some());
        self.owed_syncs += usize::from(member.owes_sync);
        self.add_supporter(&member.protocols);
        self.members.insert(member.id.clone(), member);
    }

    /// Takes a member out; another one leads if it did.
    fn take(&mut self, member_id: &str) -> Option<Member> {
        let member = self.members.swap_remove(member_id)?;
        self.remove_supporter(&member.protocols);
        self.awaiting_joins -= usize::from(member.awaiting_join.is_some());
        self.owed_syncs -= usize::from(member.owes_sync);
        if let Some(instance_id) = &member.instance_id {
            self.static_members.remove(instance_id);
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    /// Removes a member for good. What it waits for is answered: it is unknown now.
    fn remove(&mut self, member_id: &str, turn: &mut Turn) {
        if let Some(member) = self.take(member_id) {
            turn.cancel_timer(self.session_timer(&member.id));
            answer_leaver(&member, ErrorCode::UnknownMemberId, "", turn);
        }
    }

    fn session_timer(&self, member_id: &Arc<str>) -> Timer {
        Timer::Session { group: self.id.clone(), member: member_id.clone() }
    }

    fn remove_pending(&mut self, member_id: &str, turn: &mut Turn) -> bool {
        let removed = self.pending_members.remove_entry(member_id);
        if let Some((id, _)) = &removed {
            turn.cancel_timer(self.session_timer(id));
        }
        removed.is_some()
    }

    /// Lets a member wait for the rebalance. An older JoinGroup of it that waits, over a connection that is likely lost, is
    /// told to try again.
    fn await_join(&mut self, member_id: &str, awaiting: AwaitingJoin, turn: &mut Turn) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        match member.awaiting_join.replace(awaiting) {
            Some(older) => turn.reply_join(
                older.token,
                join_error(older.version, member_id, ErrorCode::RebalanceInProgress),
            ),
            None => self.awaiting_joins += 1,
        }
    }

    fn has_all_joined(&self) -> bool {
        self.members.len() == self.awaiting_joins && self.pending_members.is_empty()
    }

    /// The most that any member wants to have for a rebalance.
    fn rebalance_timeout_ms(&self) -> i64 {
        self.members.values().map(|member| i64::from(member.rebalance_timeout_ms)).max().unwrap_or(0).max(0)
    }

    /// Writes down what the group agreed on.
    pub fn save(&self, turn: &mut Turn) {
        let record = self.to_record(turn);
        turn.append(record);
    }

    /// The same for a group with members, who may have said more than a batch can hold: then false, and nothing is written.
    fn save_if_it_fits(&self, turn: &mut Turn) -> bool {
        let record = self.to_record(turn);
        let fits = record.fits_into(turn.settings.batch_bytes_max);
        if fits {
            turn.append(record);
        }
        fits
    }

    fn to_record(&self, turn: &Turn) -> Record {
        Record::Group { group_id: self.id.to_string(), value: Some(self.to_metadata(turn.now.wall_ms)) }
    }

    /// Whether what is counted is what can be counted, and who waits may wait in this phase.
    pub fn is_consistent(&self) -> bool {
        let count = |which: fn(&Member) -> bool| self.members.values().filter(|member| which(member)).count();
        let joins = count(|member| member.awaiting_join.is_some());
        let supported = self.members.values().flat_map(|member| &member.protocols).count();
        joins == self.awaiting_joins
            && (joins == 0 || self.phase == Phase::PreparingRebalance)
            && (count(|member| member.awaiting_sync.is_some()) == 0
                || self.phase == Phase::CompletingRebalance)
            && count(|member| member.owes_sync) == self.owed_syncs
            && count(Member::is_static) == self.static_members.len()
            && supported == self.supporters.values().sum::<usize>()
            && self.leader.as_ref().is_none_or(|leader| self.members.contains_key(leader))
            && (self.phase != Phase::Empty || self.members.is_empty())
    }

    /// Answers everybody who waits.
    pub fn abandon(self, error: ErrorCode) -> Vec<(Token, crate::Reply)> {
        let mut replies = Vec::new();
        for member in self.members.into_values() {
            if let Some(AwaitingJoin { token, version }) = member.awaiting_join {
                replies.push((token, crate::Reply::JoinGroup(join_error(version, &member.id, error))));
            }
            if let Some(token) = member.awaiting_sync {
                replies.push((token, crate::Reply::SyncGroup(sync_error(error))));
            }
        }
        replies
    }
}

/// Answers what a member waited for that is no longer in the group.
fn answer_leaver(member: &Member, error: ErrorCode, member_id: &str, turn: &mut Turn) {
    if let Some(AwaitingJoin { token, version }) = member.awaiting_join {
        turn.reply_join(token, join_error(version, member_id, error));
    }
    if let Some(token) = member.awaiting_sync {
        turn.reply_sync(token, sync_error(error));
    }
}

pub(crate) fn sync_error(error: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse { error_code: error.code(), ..SyncGroupResponse::default() }
}
