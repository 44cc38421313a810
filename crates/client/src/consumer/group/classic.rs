//! A member of a classic group (pure): the group shares its topics out itself, in generations.
//!
//! All members join, one of them shares out, all hear what they get. A member whose assignors are eager gives everything up before it
//! joins; one that is cooperative gives up what it gets no more after that, and joins again so that others get it (KIP-429).

use std::collections::{BTreeMap, BTreeSet};

use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, SyncGroupRequest,
    SyncGroupResponse,
};
use protocol::{EncodeError, ErrorCode};
use tokio::time::Instant;

use super::embedded::{Told, assigned_places, assignment, heard};
use super::exchange::{Answer, Ask};
use super::member::{Identity, Meanwhile, Member, Next, TopicNames, View};
use crate::cluster::millis;
use crate::consumer::assignor::{Assignor, Had};
use crate::consumer::subscription::Counts;
use crate::consumer::{GroupOptions, Place};
use crate::error::{ClientError, check};

/// What consumers have in common with each other and not with other kinds of groups.
const PROTOCOL_TYPE: &str = "consumer";

/// A member of a classic group, or one that is yet to join.
#[derive(Debug)]
pub(super) struct Classic {
    member_id: String,
    /// The last that the member was part of; -1 before the first.
    generation: i32,
    stage: Stage,
    /// When it may try again what failed.
    again: Instant,
    heartbeat_due: Instant,
    /// Whether a heartbeat is not answered yet. Nothing else is asked until it is.
    is_beating: bool,
    /// Whether the next generation waits for it.
    must_join: bool,
    /// Whether it has given up what it has to before it joins.
    is_ready: bool,
    owned: BTreeSet<Place>,
    /// What is being given up.
    giving: Vec<Place>,
    is_lost: bool,
    /// What it was given last, and in which generation.
    had: Had,
}

#[derive(Debug)]
enum Stage {
    /// Not part of a generation.
    Outside,
    Joining,
    /// The others wait for its shares.
    Leading(JoinGroupResponse),
    Joined(JoinGroupResponse, Vec<SyncGroupRequestAssignment>),
    Syncing,
    /// It has been given this.
    Given(BTreeSet<Place>),
    Settled,
}

impl Classic {
    pub(super) fn new(now: Instant) -> Classic {
        Classic {
            member_id: String::new(),
            generation: -1,
            stage: Stage::Outside,
            again: now,
            heartbeat_due: now,
            is_beating: false,
            must_join: false,
            is_ready: false,
            owned: BTreeSet::new(),
            giving: Vec::new(),
            is_lost: false,
            had: Had { places: Vec::new(), generation: -1 },
        }
    }

    /// Gives up what has to be, then joins.
    fn join(&mut self, view: &View<'_>) -> Result<Next, ClientError> {
        let is_cooperative = Assignor::are_cooperative(&view.options.assignors);
        let stays = |place: &&Place| is_cooperative && view.topics.contains(&place.0);
        let leaving: Vec<Place> = self.owned.iter().filter(|place| !stays(place)).cloned().collect();
        let is_eager_in_group = !is_cooperative && self.generation >= 0;
        if !self.is_ready && (is_eager_in_group || !leaving.is_empty()) {
            return Ok(self.give_up(leaving));
        }
        let request = self.join_request(view)?;
        self.must_join = false;
        self.stage = Stage::Joining;
        Ok(Next::Ask(Ask::Join(request)))
    }

    fn give_up(&mut self, places: Vec<Place>) -> Next {
        self.giving.clone_from(&places);
        Next::GiveUp(places)
    }

    fn join_request(&self, view: &View<'_>) -> Result<JoinGroupRequest, EncodeError> {
        let options = view.options;
        let owned: Vec<Place> = self.owned.iter().cloned().collect();
        let told = Told { topics: view.topics, owned: &owned, had: &self.had };
        let protocols = options.assignors.iter().map(|assignor| told.to(*assignor));
        Ok(JoinGroupRequest {
            group_id: options.group_id.clone(),
            session_timeout_ms: millis(options.session_timeout),
            rebalance_timeout_ms: millis(options.poll_interval_max),
            member_id: self.member_id.clone(),
            group_instance_id: options.instance_id.clone(),
            protocol_type: PROTOCOL_TYPE.to_owned(),
            protocols: protocols.collect::<Result<_, _>>()?,
            ..JoinGroupRequest::default()
        })
    }

    fn sync(
        &mut self,
        joined: &JoinGroupResponse,
        assignments: Vec<SyncGroupRequestAssignment>,
        view: &View<'_>,
    ) -> Meanwhile {
        self.stage = Stage::Syncing;
        Meanwhile::Ask(Ask::Sync(SyncGroupRequest {
            group_id: view.options.group_id.clone(),
            generation_id: joined.generation_id,
            member_id: self.member_id.clone(),
            protocol_type: Some(PROTOCOL_TYPE.to_owned()),
            protocol_name: joined.protocol_name.clone(),
            group_instance_id: view.options.instance_id.clone(),
            assignments,
        }))
    }

    fn take(&mut self, given: BTreeSet<Place>) -> Next {
        let gone: Vec<Place> = self.owned.difference(&given).cloned().collect();
        let new = given.difference(&self.owned).cloned().collect();
        self.stage = Stage::Given(given);
        if gone.is_empty() {
            return Next::Take(new);
        }
        // Who gets these gets them once the group knows that nobody has them.
        self.must_join = true;
        self.give_up(gone)
    }

    fn heartbeat(&mut self, view: &View<'_>) -> Meanwhile {
        self.is_beating = true;
        Meanwhile::Ask(Ask::Heartbeat(HeartbeatRequest {
            group_id: view.options.group_id.clone(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: view.options.instance_id.clone(),
        }))
    }

    fn joined(
        &mut self,
        joined: JoinGroupResponse,
        options: &GroupOptions,
        now: Instant,
    ) -> Result<(), ClientError> {
        if !joined.member_id.is_empty() {
            self.member_id.clone_from(&joined.member_id);
        }
        match ErrorCode::from(joined.error_code) {
            ErrorCode::None => {}
            // The first answer to a new member is its id (KIP-394).
            ErrorCode::MemberIdRequired => {
                self.stage = Stage::Outside;
                return Ok(());
            }
            code => return self.failed(ClientError::refused(code), now),
        }
        self.generation = joined.generation_id;
        self.heartbeat_due = now + options.heartbeat_interval;
        // A leader that came back under its name finds the shares as they were (KIP-814).
        let leads = joined.leader == joined.member_id && !joined.skip_assignment;
        self.stage = if leads { Stage::Leading(joined) } else { Stage::Joined(joined, Vec::new()) };
        Ok(())
    }

    fn synced(
        &mut self,
        synced: &SyncGroupResponse,
        options: &GroupOptions,
        now: Instant,
    ) -> Result<(), ClientError> {
        if let Err(error) = check(synced.error_code, None) {
            return self.failed(error, now);
        }
        self.heartbeat_due = now + options.heartbeat_interval;
        self.stage = Stage::Given(assigned_places(&synced.assignment)?.into_iter().collect());
        Ok(())
    }

    fn beaten(
        &mut self,
        beaten: &HeartbeatResponse,
        options: &GroupOptions,
        now: Instant,
    ) -> Result<(), ClientError> {
        // Also one that waits to join again goes on: the others wait for it until it has been busy for too long.
        self.heartbeat_due = now + options.heartbeat_interval;
        match check(beaten.error_code, None) {
            Err(error) => self.failed(error, now),
            Ok(()) => {
                self.is_beating = false;
                Ok(())
            }
        }
    }

    /// What an error means for the membership. One that means nothing comes back.
    fn heed(&mut self, error: ClientError) -> Result<(), ClientError> {
        match error.code() {
            Some(ErrorCode::RebalanceInProgress) => self.must_join = true,
            Some(ErrorCode::IllegalGeneration) => self.lose(),
            Some(ErrorCode::UnknownMemberId) => self.drop_out(),
            _ => return Err(error),
        }
        Ok(())
    }

    /// Whatever it had others may have now.
    fn lose(&mut self) {
        self.stage = Stage::Outside;
        self.generation = -1;
        self.is_lost = !self.owned.is_empty();
    }
}

/// The topics that the members of a generation want.
fn wanted(joined: &JoinGroupResponse) -> Result<Vec<String>, ClientError> {
    let mut wanted = BTreeSet::new();
    for member in &joined.members {
        wanted.extend(heard(Assignor::Range, &member.metadata)?.0);
    }
    Ok(wanted.into_iter().collect())
}

/// The leader's part: what each member gets.
fn share_out(
    joined: &JoinGroupResponse,
    topics: &Counts,
) -> Result<Vec<SyncGroupRequestAssignment>, ClientError> {
    let chosen = joined.protocol_name.as_deref();
    let known = Assignor::ALL.into_iter().find(|assignor| chosen == Some(assignor.name()));
    let assignor = known.ok_or_else(|| ClientError::refused(ErrorCode::InconsistentGroupProtocol))?;
    let (mut members, mut had) = (BTreeMap::new(), BTreeMap::new());
    for member in &joined.members {
        let (topics, told) = heard(assignor, &member.metadata)?;
        had.extend(told.map(|told| (member.member_id.clone(), told)));
        members.insert(member.member_id.clone(), topics);
    }
    let shares = assignor.assign(topics, &members, &had);
    Ok(shares.into_iter().map(|(member_id, share)| assignment(member_id, share)).collect::<Result<_, _>>()?)
}

impl Member for Classic {
    fn next(&mut self, view: &View<'_>, _names: &TopicNames, now: Instant) -> Result<Next, ClientError> {
        if self.is_lost {
            self.giving = self.owned.iter().cloned().collect();
            return Ok(Next::Lose(self.giving.clone()));
        }
        if self.is_beating {
            return Ok(Next::Rest(None));
        }
        match std::mem::replace(&mut self.stage, Stage::Outside) {
            Stage::Outside if now < self.again => Ok(Next::Rest(Some(self.again))),
            Stage::Outside => self.join(view),
            Stage::Given(given) => Ok(self.take(given)),
            Stage::Settled if self.must_join => {
                self.stage = Stage::Settled;
                self.join(view)
            }
            // The rest needs no caller.
            other => {
                self.stage = other;
                Ok(Next::Rest(None))
            }
        }
    }

    fn meanwhile(&mut self, view: &View<'_>, now: Instant) -> Result<Meanwhile, ClientError> {
        if self.is_beating || !self.is_awaited() {
            return Ok(Meanwhile::Rest(None));
        }
        if self.heartbeat_due <= now {
            return Ok(self.heartbeat(view));
        }
        match std::mem::replace(&mut self.stage, Stage::Outside) {
            Stage::Leading(joined) => {
                let wanted = wanted(&joined)?;
                self.stage = Stage::Leading(joined);
                Ok(Meanwhile::Count(wanted))
            }
            Stage::Joined(joined, shares) => Ok(self.sync(&joined, shares, view)),
            other => {
                self.stage = other;
                Ok(Meanwhile::Rest(Some(self.heartbeat_due)))
            }
        }
    }

    fn answered(&mut self, answer: Answer, options: &GroupOptions, now: Instant) -> Result<(), ClientError> {
        match answer {
            Answer::Join(joined) => self.joined(joined, options, now),
            Answer::Sync(synced) => self.synced(&synced, options, now),
            Answer::Heartbeat(beaten) => self.beaten(&beaten, options, now),
            Answer::Leave(_) | Answer::ConsumerHeartbeat(_) => Ok(()),
        }
    }

    fn failed(&mut self, error: ClientError, again: Instant) -> Result<(), ClientError> {
        // A heartbeat that failed changes nothing by itself; who did not come to join or to sync is outside.
        if !std::mem::take(&mut self.is_beating) {
            self.stage = Stage::Outside;
        }
        match self.heed(error) {
            Err(error) if error.is_retriable() => {
                (self.again, self.heartbeat_due) = (again, again);
                Ok(())
            }
            heeded => heeded,
        }
    }

    fn rejected(&mut self, error: ClientError) -> Result<(), ClientError> {
        self.heed(error)
    }

    fn counted(&mut self, counts: &Counts) -> Result<(), ClientError> {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Outside) {
            Stage::Leading(joined) => {
                let shares = share_out(&joined, counts)?;
                Stage::Joined(joined, shares)
            }
            other => other,
        };
        Ok(())
    }

    fn wants_others(&mut self) {
        self.must_join = true;
    }

    fn gave_up(&mut self) {
        for place in std::mem::take(&mut self.giving) {
            self.owned.remove(&place);
        }
        // What was lost meanwhile may be more than what is given up.
        self.is_lost &= !self.owned.is_empty();
        // What is given up after the others have joined is given up for a generation that is yet to come.
        self.is_ready = !matches!(self.stage, Stage::Given(_));
    }

    fn took(&mut self) -> bool {
        match std::mem::replace(&mut self.stage, Stage::Settled) {
            Stage::Given(given) => {
                self.had = Had { places: given.iter().cloned().collect(), generation: self.generation };
                self.owned = given;
                self.is_ready = false;
                true
            }
            other => {
                self.stage = other;
                false
            }
        }
    }

    fn identity(&self) -> Option<Identity> {
        let identity =
            Identity { member_id: self.member_id.clone(), epoch: self.generation, is_by_epoch: false };
        (self.generation >= 0).then_some(identity)
    }

    fn is_settled(&self) -> bool {
        matches!(self.stage, Stage::Settled)
    }

    fn is_awaited(&self) -> bool {
        !matches!(self.stage, Stage::Outside | Stage::Joining | Stage::Syncing)
    }

    /// A member that may come back under its name keeps its place.
    fn farewell(&self, options: &GroupOptions) -> Option<Ask> {
        let (group_id, member_id) = (options.group_id.clone(), self.member_id.clone());
        (!member_id.is_empty() && options.instance_id.is_none()).then_some(Ask::Leave { group_id, member_id })
    }

    fn drop_out(&mut self) {
        self.member_id.clear();
        self.lose();
    }
}

#[cfg(test)]
mod tests;
