//! A member of a classic group (pure): the group shares its topics out itself, in generations.
//!
//! All members join, one of them shares out, all hear what they get. A member whose assignors are eager gives everything up before it
//! joins; one that is cooperative gives up what it gets no more after that, and joins again so that others get it (KIP-429).

use std::collections::{BTreeMap, BTreeSet};

use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use protocol::{EncodeError, ErrorCode};
use tokio::time::Instant;

use super::embedded::{Told, assigned_places, assignment, heard};
use super::exchange::{Answer, Ask};
use super::member::{Identity, Member, Next, View};
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
    Beating,
}

impl Classic {
    pub(super) fn new(now: Instant) -> Classic {
        Classic {
            member_id: String::new(),
            generation: -1,
            stage: Stage::Outside,
            again: now,
            heartbeat_due: now,
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
            rebalance_timeout_ms: millis(options.rebalance_timeout),
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
    ) -> Next {
        self.generation = joined.generation_id;
        self.stage = Stage::Syncing;
        Next::Ask(Ask::Sync(SyncGroupRequest {
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

    fn heartbeat(&mut self, view: &View<'_>) -> Next {
        self.stage = Stage::Beating;
        Next::Ask(Ask::Heartbeat(HeartbeatRequest {
            group_id: view.options.group_id.clone(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: view.options.instance_id.clone(),
        }))
    }

    fn joined(&mut self, joined: JoinGroupResponse, now: Instant) -> Result<(), ClientError> {
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
        // A leader that came back under its name finds the shares as they were (KIP-814).
        let leads = joined.leader == joined.member_id && !joined.skip_assignment;
        self.stage = if leads { Stage::Leading(joined) } else { Stage::Joined(joined, Vec::new()) };
        Ok(())
    }

    fn synced(&mut self, synced: &SyncGroupResponse, now: Instant) -> Result<(), ClientError> {
        if let Err(error) = check(synced.error_code, None) {
            return self.failed(error, now);
        }
        self.stage = Stage::Given(assigned_places(&synced.assignment)?.into_iter().collect());
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
    fn next(&mut self, view: &View<'_>, now: Instant) -> Result<Next, ClientError> {
        if self.is_lost {
            self.giving = self.owned.iter().cloned().collect();
            return Ok(Next::Lose(self.giving.clone()));
        }
        match std::mem::replace(&mut self.stage, Stage::Outside) {
            Stage::Outside if now < self.again => Ok(Next::Rest(Some(self.again))),
            Stage::Outside => self.join(view),
            Stage::Leading(joined) => {
                let wanted = wanted(&joined)?;
                self.stage = Stage::Leading(joined);
                Ok(Next::Count(wanted))
            }
            Stage::Joined(joined, shares) => Ok(self.sync(&joined, shares, view)),
            Stage::Given(given) => Ok(self.take(given)),
            Stage::Settled if self.must_join => {
                self.stage = Stage::Settled;
                self.join(view)
            }
            Stage::Settled if self.heartbeat_due <= now => Ok(self.heartbeat(view)),
            Stage::Settled => {
                self.stage = Stage::Settled;
                Ok(Next::Rest(Some(self.heartbeat_due)))
            }
            asking @ (Stage::Joining | Stage::Syncing | Stage::Beating) => {
                self.stage = asking;
                Ok(Next::Rest(None))
            }
        }
    }

    fn answered(&mut self, answer: Answer, options: &GroupOptions, now: Instant) -> Result<(), ClientError> {
        match answer {
            Answer::Join(joined) => self.joined(joined, now),
            Answer::Sync(synced) => self.synced(&synced, now),
            Answer::Heartbeat(beaten) => {
                if let Err(error) = check(beaten.error_code, None) {
                    return self.failed(error, now);
                }
                self.stage = Stage::Settled;
                self.heartbeat_due = now + options.heartbeat_interval;
                Ok(())
            }
            Answer::Leave(_) | Answer::ConsumerHeartbeat(_) => Ok(()),
        }
    }

    fn failed(&mut self, error: ClientError, again: Instant) -> Result<(), ClientError> {
        let was_member = matches!(self.stage, Stage::Beating | Stage::Settled);
        match error.code() {
            Some(ErrorCode::RebalanceInProgress) => self.must_join = true,
            Some(ErrorCode::IllegalGeneration) => self.lose(),
            Some(ErrorCode::UnknownMemberId) => {
                self.member_id.clear();
                self.lose();
            }
            _ if error.is_retriable() => (self.again, self.heartbeat_due) = (again, again),
            _ => return Err(error),
        }
        self.stage = if was_member && self.generation >= 0 { Stage::Settled } else { Stage::Outside };
        Ok(())
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
        self.is_lost = false;
        // What is given up after the others have joined is given up for a generation that is yet to come.
        self.is_ready = !matches!(self.stage, Stage::Given(_));
    }

    fn took(&mut self, options: &GroupOptions, now: Instant) {
        if let Stage::Given(given) = std::mem::replace(&mut self.stage, Stage::Settled) {
            self.had = Had { places: given.iter().cloned().collect(), generation: self.generation };
            self.owned = given;
        }
        self.is_ready = false;
        self.heartbeat_due = now + options.heartbeat_interval;
    }

    fn identity(&self) -> Identity {
        Identity { member_id: self.member_id.clone(), epoch: self.generation, is_by_epoch: false }
    }

    fn is_settled(&self) -> bool {
        matches!(self.stage, Stage::Settled | Stage::Beating)
    }

    /// A member that may come back under its name keeps its place.
    fn farewell(&self, options: &GroupOptions) -> Option<Ask> {
        let (group_id, member_id) = (options.group_id.clone(), self.member_id.clone());
        (!member_id.is_empty() && options.instance_id.is_none()).then_some(Ask::Leave { group_id, member_id })
    }
}

#[cfg(test)]
mod tests;
