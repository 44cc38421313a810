//! The coordinator as a replicated state: which rule a request belongs to.

mod errors;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use engine::{Decision, Now, ReplicatedState, Token};
use protocol::ErrorCode;
use protocol::messages::{
    GroupMetadataValue, HeartbeatRequest, HeartbeatResponse, LeaveGroupRequest, ListGroupsRequest,
    ListGroupsResponse, SyncGroupRequest,
};

pub(crate) use errors::deletion;

use crate::group::{Group, Joining, leave_error};
use crate::offsets::Offsets;
use crate::turn::Turn;
use crate::{Record, Reply, Request, Settings};

/// From this version on, a SyncGroup has to say which protocol its assignment is for (KIP-559).
const SYNC_NAMES_PROTOCOL_FROM: i16 = 5;

/// What the log says of one partition's groups.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupCoordinatorState {
    pub(crate) settings: Settings,
    pub(crate) groups: BTreeMap<String, SavedGroup>,
}

/// What the log says of a group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SavedGroup {
    /// The last generation; none for a group that only commits offsets.
    pub metadata: Option<GroupMetadataValue>,
    /// The committed offsets, by topic and partition.
    pub offsets: Offsets,
}

/// What the leader knows besides: the groups with those who wait for an answer, and their sessions.
#[derive(Debug, Default)]
pub struct LiveGroups {
    pub(crate) groups: HashMap<Arc<str>, Group>,
}

/// The deadlines of a partition's groups.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A member was not heard of.
    Session {
        /// Which group.
        group: Arc<str>,
        /// Which member.
        member: Arc<str>,
    },
    /// The time to join is up.
    Join {
        /// Which group.
        group: Arc<str>,
    },
    /// The time to ask for an assignment is up.
    Sync {
        /// Which group.
        group: Arc<str>,
    },
    /// Offsets are to be looked through for old ones.
    Retention,
}

impl GroupCoordinatorState {
    /// The state of an empty log.
    pub fn new(settings: Settings) -> Self {
        GroupCoordinatorState { settings, groups: BTreeMap::new() }
    }

    /// What the groups obey.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// From now on so many bytes fit into a batch of the log.
    pub fn set_batch_bytes_max(&mut self, batch_bytes_max: usize) {
        self.settings.batch_bytes_max = batch_bytes_max;
    }

    /// What the log says of a group.
    pub fn group(&self, group_id: &str) -> Option<&SavedGroup> {
        self.groups.get(group_id)
    }

    fn turn<'a>(&'a self, now: Now, decision: &'a mut Decision<Self>) -> Turn<'a> {
        Turn { settings: &self.settings, now, decision }
    }

    fn entry(&mut self, group_id: &str) -> &mut SavedGroup {
        if !self.groups.contains_key(group_id) {
            self.groups.insert(group_id.to_owned(), SavedGroup::default());
        }
        self.groups.get_mut(group_id).expect("it was there or has just been inserted")
    }

    fn drop_if_nothing_is_left(&mut self, group_id: &str) {
        if self.groups.get(group_id).is_some_and(|saved| saved.metadata.is_none() && saved.offsets.is_empty())
        {
            self.groups.remove(group_id);
        }
    }
}

impl ReplicatedState for GroupCoordinatorState {
    type Record = Record;
    type Request = Request;
    type Reply = Reply;
    type Timer = Timer;
    type Live = LiveGroups;

    fn apply(&mut self, record: &Record) {
        match record {
            Record::Group { group_id, value } => {
                self.entry(group_id).metadata.clone_from(value);
                self.drop_if_nothing_is_left(group_id);
            }
            Record::Offset { group_id, topic, partition, value } => {
                self.entry(group_id).offsets.set(topic, *partition, value.clone());
                self.drop_if_nothing_is_left(group_id);
            }
        }
    }

    fn lead(&self, now: Now, decision: &mut Decision<Self>) -> LiveGroups {
        let mut turn = self.turn(now, decision);
        let mut live = LiveGroups::default();
        for (group_id, saved) in &self.groups {
            let id: Arc<str> = group_id.as_str().into();
            let mut group = match &saved.metadata {
                Some(metadata) => Group::from_metadata(id.clone(), metadata),
                None => Group::new(id.clone(), now.wall_ms),
            };
            group.take_over(&mut turn);
            live.groups.insert(id, group);
        }
        turn.set_timer(Timer::Retention, self.settings.offsets_retention_check_interval_ms);
        live
    }

    fn decide(
        &self,
        live: &mut LiveGroups,
        now: Now,
        token: Token,
        request: Request,
        decision: &mut Decision<Self>,
    ) {
        let mut turn = self.turn(now, decision);
        let reply = match request {
            Request::JoinGroup { version, caller, request } => {
                return live.join(Joining { token, version, caller, request }, &mut turn);
            }
            Request::SyncGroup { version, request } => {
                return live.sync(token, version, request, &mut turn);
            }
            Request::Heartbeat(request) => Reply::Heartbeat(live.heartbeat(&request, &mut turn)),
            Request::LeaveGroup { version, request } => live.leave(version, request, &mut turn),
            Request::OffsetCommit { version, request } => live.commit(version, request, &mut turn),
            Request::OffsetFetch(request) => Reply::OffsetFetch(self.fetch_offsets(request)),
            Request::OffsetDelete(request) => self.delete_offsets(live, request, &mut turn),
            Request::DescribeGroup { version, group_id } => live.describe(version, group_id),
            Request::ListGroups(request) => Reply::ListGroups(live.list(&request)),
            Request::DeleteGroup { group_id } => self.delete_group(live, group_id, &mut turn),
            Request::TopicsDeleted { topics } => self.forget_topics(&topics, &mut turn),
        };
        turn.reply(token, reply);
    }

    fn expire(&self, live: &mut LiveGroups, now: Now, timer: Timer, decision: &mut Decision<Self>) {
        let mut turn = self.turn(now, decision);
        let (Timer::Session { group, .. } | Timer::Join { group } | Timer::Sync { group }) = &timer else {
            return self.expire_offsets(live, &mut turn);
        };
        let Some(group) = live.groups.get_mut(group) else { return };
        match &timer {
            Timer::Session { member, .. } => group.session_timer_fired(member, &mut turn),
            Timer::Join { .. } => group.join_time_is_up(&mut turn),
            Timer::Sync { .. } => group.sync_time_is_up(&mut turn),
            Timer::Retention => {}
        }
    }

    fn refuse(&self, request: Request, error: ErrorCode) -> Reply {
        errors::refusal(request, error)
    }

    fn fail(reply: Reply, error: ErrorCode) -> Reply {
        errors::failed(reply, error)
    }

    fn abandon(live: LiveGroups, error: ErrorCode) -> Vec<(Token, Reply)> {
        let error = errors::of_group_append(error);
        let mut replies: Vec<_> = live.groups.into_values().flat_map(|group| group.abandon(error)).collect();
        replies.sort_unstable_by_key(|(token, _)| *token);
        replies
    }
}

impl LiveGroups {
    /// Whether every group's counts and phase agree with its members; for tests.
    pub fn is_consistent(&self) -> bool {
        self.groups.values().all(Group::is_consistent)
    }

    fn join(&mut self, joining: Joining, turn: &mut Turn) {
        let request = &joining.request;
        let (min_ms, max_ms) = (turn.settings.session_timeout_min_ms, turn.settings.session_timeout_max_ms);
        if request.group_id.is_empty() {
            return joining.refuse(&request.member_id, ErrorCode::InvalidGroupId, turn);
        }
        if !(min_ms..=max_ms).contains(&request.session_timeout_ms) {
            return joining.refuse(&request.member_id, ErrorCode::InvalidSessionTimeout, turn);
        }
        match self.groups.get_mut(request.group_id.as_str()) {
            Some(group) => group.join(joining, turn),
            None if !request.member_id.is_empty() => {
                joining.refuse(&request.member_id, ErrorCode::UnknownMemberId, turn);
            }
            None => self.join_new_group(joining, turn),
        }
    }

    /// The log learns of a group before anybody is in it; if nobody comes, it is forgotten with the old offsets.
    fn join_new_group(&mut self, joining: Joining, turn: &mut Turn) {
        let id: Arc<str> = joining.request.group_id.as_str().into();
        let mut group = Group::new(id.clone(), turn.now.wall_ms);
        group.save(turn);
        group.join(joining, turn);
        self.groups.insert(id, group);
    }

    fn sync(&mut self, token: Token, version: i16, request: SyncGroupRequest, turn: &mut Turn) {
        let refuse = |error| crate::group::sync_error(error);
        let names_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
        if version >= SYNC_NAMES_PROTOCOL_FROM && !names_protocol {
            return turn.reply_sync(token, refuse(ErrorCode::InconsistentGroupProtocol));
        }
        if request.group_id.is_empty() {
            return turn.reply_sync(token, refuse(ErrorCode::InvalidGroupId));
        }
        match self.groups.get_mut(request.group_id.as_str()) {
            Some(group) => group.sync(token, request, turn),
            None => turn.reply_sync(token, refuse(ErrorCode::UnknownMemberId)),
        }
    }

    fn heartbeat(&mut self, request: &HeartbeatRequest, turn: &mut Turn) -> HeartbeatResponse {
        let error = if request.group_id.is_empty() {
            ErrorCode::InvalidGroupId
        } else {
            let group = self.groups.get_mut(request.group_id.as_str());
            group.map_or(ErrorCode::UnknownMemberId, |group| group.heartbeat(request, turn))
        };
        HeartbeatResponse { error_code: error.code(), ..HeartbeatResponse::default() }
    }

    fn leave(&mut self, version: i16, request: LeaveGroupRequest, turn: &mut Turn) -> Reply {
        if request.group_id.is_empty() {
            return errors::refusal(Request::LeaveGroup { version, request }, ErrorCode::InvalidGroupId);
        }
        Reply::LeaveGroup(match self.groups.get_mut(request.group_id.as_str()) {
            Some(group) => group.leave(version, request, turn),
            None => leave_error(version, request, ErrorCode::UnknownMemberId),
        })
    }

    fn describe(&self, version: i16, group_id: String) -> Reply {
        Reply::DescribeGroup(match self.groups.get(group_id.as_str()) {
            Some(group) => group.describe(),
            None => errors::no_such_group(version, group_id),
        })
    }

    fn list(&self, request: &ListGroupsRequest) -> ListGroupsResponse {
        let passes = |filter: &[String], name: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        let listed = self.groups.values().map(Group::list).filter(|group| {
            passes(&request.states_filter, &group.group_state)
                && passes(&request.types_filter, &group.group_type)
        });
        let mut groups: Vec<_> = listed.collect();
        groups.sort_unstable_by(|a, b| a.group_id.cmp(&b.group_id));
        ListGroupsResponse { groups, ..ListGroupsResponse::default() }
    }
}
