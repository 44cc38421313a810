//! A member by the consumer protocol (pure; KIP-848): the coordinator says what each member gets, in answers to heartbeats.
//!
//! The member goes from what it has to what it was told: it gives up, takes, and says in its next heartbeat what it has now. Each step
//! has an epoch, and who falls behind is fenced and begins anew.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::messages::consumer_group_heartbeat_request::TopicPartitions as OwnedPartitions;
use protocol::messages::consumer_group_heartbeat_response::TopicPartitions;
use protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use protocol::{ErrorCode, Uuid};
use tokio::time::Instant;

use super::exchange::{Answer, Ask};
use super::member::{Identity, Meanwhile, Member, Next, TopicNames, View};
use crate::cluster::millis;
use crate::consumer::{GroupOptions, Place};
use crate::error::{ClientError, check};

/// The epoch of a member that joins.
const JOINS: i32 = 0;
/// The epoch of a member that leaves.
const LEAVES: i32 = -1;
/// The epoch of one that may come back under its name.
const LEAVES_FOR_NOW: i32 = -2;
/// How often it is asked again what a topic is called that nobody knew.
const NAME_EVERY: Duration = Duration::from_secs(1);

/// A partition by its topic's id.
type IdPlace = (Uuid, i32);

/// A member by the consumer protocol, or one that is yet to join.
#[derive(Debug)]
pub(super) struct ConsumerMember {
    member_id: String,
    remote_assignor: Option<String>,
    epoch: i32,
    owned: BTreeSet<IdPlace>,
    /// What it is to have, until it does.
    target: Option<Vec<TopicPartitions>>,
    /// Whether it has been given anything, if only nothing, since it joined.
    has_taken: bool,
    /// Whether it has given up something and is to take what it gets instead.
    has_given: bool,
    giving: BTreeSet<IdPlace>,
    /// What is being taken, unless it was lost meanwhile.
    taking: Option<BTreeSet<IdPlace>>,
    is_lost: bool,
    is_asking: bool,
    /// Whether the coordinator may know it, so that there is something to leave.
    is_known: bool,
    /// Whether the coordinator waits to hear what it has.
    must_tell: bool,
    /// What the coordinator has heard of its wishes; none if that is uncertain.
    told: Option<Wishes>,
    due: Instant,
    /// Before this it does not ask, whatever there is to tell.
    again: Instant,
    naming_due: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Wishes {
    topics: Vec<String>,
    regex: Option<String>,
}

impl Wishes {
    fn of(view: &View<'_>) -> Wishes {
        // Where the broker applies an expression, the names are its business.
        let topics = if view.regex.is_some() { Vec::new() } else { view.topics.to_vec() };
        Wishes { topics, regex: view.regex.map(str::to_owned) }
    }
}

impl ConsumerMember {
    /// One that joins under an id of its own, which must be like no other.
    pub(super) fn new(id: Uuid, remote_assignor: Option<String>, now: Instant) -> ConsumerMember {
        ConsumerMember {
            member_id: id.to_string(),
            remote_assignor,
            epoch: JOINS,
            owned: BTreeSet::new(),
            target: None,
            has_taken: false,
            has_given: false,
            giving: BTreeSet::new(),
            taking: None,
            is_lost: false,
            is_asking: false,
            is_known: false,
            must_tell: false,
            told: None,
            due: now,
            again: now,
            naming_due: now,
        }
    }

    /// The next step from what it has to what it is to have.
    fn reconcile(&mut self, names: &TopicNames, now: Instant) -> Option<Next> {
        let target = self.target.as_ref()?;
        let is_known = |topic: &&TopicPartitions| names.contains_key(&topic.topic_id);
        let unknown: Vec<Uuid> =
            target.iter().filter(|topic| !is_known(topic)).map(|topic| topic.topic_id).collect();
        if !unknown.is_empty() && self.naming_due <= now {
            self.naming_due = now + NAME_EVERY;
            return Some(Next::Name(unknown));
        }
        let known: BTreeSet<IdPlace> = target.iter().filter(is_known).flat_map(id_places).collect();
        let gone: BTreeSet<IdPlace> = self.owned.difference(&known).copied().collect();
        if !gone.is_empty() {
            let places = named(&gone, names);
            self.giving = gone;
            return Some(Next::GiveUp(places));
        }
        let is_whole = unknown.is_empty();
        // A step ends with what is taken, even if that is nothing.
        if known == self.owned && self.has_taken && !self.has_given {
            self.target = self.target.take().filter(|_| !is_whole);
            return None;
        }
        let new = known.difference(&self.owned).copied().collect();
        self.taking = Some(known);
        Some(Next::Take(named(&new, names)))
    }

    /// A heartbeat that says what the coordinator has not heard.
    fn heartbeat(&mut self, view: &View<'_>) -> Ask {
        let options = view.options;
        let wishes = Wishes::of(view);
        let is_new = self.told.is_none();
        let tells = |is_other: fn(&Wishes, &Wishes) -> bool| {
            self.told.as_ref().is_none_or(|told| is_other(told, &wishes))
        };
        let owned = (is_new || self.must_tell).then(|| owned_partitions(&self.owned));
        let request = ConsumerGroupHeartbeatRequest {
            group_id: options.group_id.clone(),
            member_id: self.member_id.clone(),
            member_epoch: self.epoch,
            instance_id: options.instance_id.clone(),
            rebalance_timeout_ms: if is_new { millis(options.poll_interval_max) } else { -1 },
            subscribed_topic_names: tells(|old, new| old.topics != new.topics).then(|| wishes.topics.clone()),
            subscribed_topic_regex: tells(|old, new| old.regex != new.regex)
                .then(|| wishes.regex.clone())
                .flatten(),
            server_assignor: self.remote_assignor.clone().filter(|_| is_new),
            topic_partitions: owned,
            ..ConsumerGroupHeartbeatRequest::default()
        };
        (self.is_asking, self.is_known, self.must_tell) = (true, true, false);
        self.told = Some(wishes);
        Ask::ConsumerHeartbeat(request)
    }

    fn heard(&mut self, answer: ConsumerGroupHeartbeatResponse, now: Instant) {
        self.member_id = answer.member_id.unwrap_or_else(|| self.member_id.clone());
        self.epoch = answer.member_epoch;
        self.due = now + Duration::from_millis(u64::try_from(answer.heartbeat_interval_ms).unwrap_or(0));
        if let Some(assignment) = answer.assignment {
            self.target = Some(assignment.topic_partitions);
        }
    }

    /// Why it is not to be a member. One that has not joined has nothing to leave then.
    fn refused(&mut self, error: ClientError) -> ClientError {
        self.is_known = self.epoch != JOINS;
        let is_unknown = matches!(error, ClientError::UnsupportedApi(_));
        match is_unknown || error.code() == Some(ErrorCode::UnsupportedVersion) {
            true => ClientError::NoConsumerProtocol,
            false => error,
        }
    }

    /// Whatever it had others may have now. It begins anew.
    fn lose(&mut self) {
        self.epoch = JOINS;
        (self.target, self.taking, self.told) = (None, None, None);
        (self.has_taken, self.has_given, self.must_tell) = (false, false, false);
        self.is_lost = !self.owned.is_empty();
    }
}

fn id_places(topic: &TopicPartitions) -> impl Iterator<Item = IdPlace> {
    topic.partitions.iter().map(|partition| (topic.topic_id, *partition))
}

/// Partitions by name, as far as names are known.
fn named(places: &BTreeSet<IdPlace>, names: &TopicNames) -> Vec<Place> {
    places.iter().filter_map(|(id, partition)| Some((names.get(id)?.clone(), *partition))).collect()
}

fn owned_partitions(owned: &BTreeSet<IdPlace>) -> Vec<OwnedPartitions> {
    let mut topics: Vec<OwnedPartitions> = Vec::new();
    for (topic_id, partition) in owned {
        match topics.last_mut().filter(|last| last.topic_id == *topic_id) {
            Some(topic) => topic.partitions.push(*partition),
            None => topics.push(OwnedPartitions { topic_id: *topic_id, partitions: vec![*partition] }),
        }
    }
    topics
}

impl Member for ConsumerMember {
    fn next(&mut self, view: &View<'_>, names: &TopicNames, now: Instant) -> Result<Next, ClientError> {
        if self.is_lost {
            self.giving.clone_from(&self.owned);
            return Ok(Next::Lose(named(&self.owned, names)));
        }
        if self.is_asking {
            return Ok(Next::Rest(None));
        }
        // A step that cannot be taken must not keep the coordinator from saying what is to be done instead.
        let is_overdue = self.told.is_none() || self.due <= now;
        if self.epoch > JOINS && is_overdue && self.again <= now {
            return Ok(Next::Ask(self.heartbeat(view)));
        }
        if let Some(step) = self.reconcile(names, now) {
            return Ok(step);
        }
        let has_news = self.must_tell || self.told.as_ref() != Some(&Wishes::of(view));
        if self.again <= now && (has_news || self.due <= now) {
            return Ok(Next::Ask(self.heartbeat(view)));
        }
        let due = if has_news { self.again } else { self.due.max(self.again) };
        let naming = self.target.is_some().then_some(self.naming_due);
        Ok(Next::Rest(Some(naming.map_or(due, |naming| due.min(naming)))))
    }

    fn meanwhile(&mut self, view: &View<'_>, now: Instant) -> Result<Meanwhile, ClientError> {
        if self.is_asking || !self.is_awaited() {
            return Ok(Meanwhile::Rest(None));
        }
        let due = self.due.max(self.again);
        Ok(if due <= now { Meanwhile::Ask(self.heartbeat(view)) } else { Meanwhile::Rest(Some(due)) })
    }

    fn answered(&mut self, answer: Answer, _options: &GroupOptions, now: Instant) -> Result<(), ClientError> {
        let Answer::ConsumerHeartbeat(answer) = answer else { return Ok(()) };
        if let Err(error) = check(answer.error_code, answer.error_message.as_deref()) {
            return self.failed(error, now);
        }
        self.is_asking = false;
        self.heard(answer, now);
        Ok(())
    }

    fn failed(&mut self, error: ClientError, again: Instant) -> Result<(), ClientError> {
        self.is_asking = false;
        // Whether the coordinator has heard what was told is not known: all of it is told again.
        self.told = None;
        match self.rejected(error) {
            Err(error) if error.is_retriable() => {
                self.again = again;
                Ok(())
            }
            Err(error) => Err(self.refused(error)),
            Ok(()) => Ok(()),
        }
    }

    fn rejected(&mut self, error: ClientError) -> Result<(), ClientError> {
        match error.code() {
            Some(ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId) => self.lose(),
            // The answer to a heartbeat that says everything has the epoch.
            Some(ErrorCode::StaleMemberEpoch) => self.told = None,
            _ => return Err(error),
        }
        Ok(())
    }

    fn gave_up(&mut self) {
        for place in std::mem::take(&mut self.giving) {
            self.owned.remove(&place);
        }
        self.has_given = !self.is_lost;
        // What was lost meanwhile may be more than what is given up.
        self.is_lost &= !self.owned.is_empty();
    }

    fn took(&mut self) -> bool {
        let Some(taking) = self.taking.take() else { return false };
        self.owned = taking;
        (self.has_taken, self.has_given, self.must_tell) = (true, false, true);
        true
    }

    fn identity(&self) -> Option<Identity> {
        let identity = Identity { member_id: self.member_id.clone(), epoch: self.epoch, is_by_epoch: true };
        self.is_awaited().then_some(identity)
    }

    fn is_settled(&self) -> bool {
        self.is_awaited()
    }

    fn is_awaited(&self) -> bool {
        self.epoch > JOINS
    }

    fn farewell(&self, options: &GroupOptions) -> Option<Ask> {
        let member_epoch = if options.instance_id.is_some() { LEAVES_FOR_NOW } else { LEAVES };
        let request = ConsumerGroupHeartbeatRequest {
            group_id: options.group_id.clone(),
            member_id: self.member_id.clone(),
            member_epoch,
            instance_id: options.instance_id.clone(),
            ..ConsumerGroupHeartbeatRequest::default()
        };
        self.is_known.then_some(Ask::ConsumerHeartbeat(request))
    }

    fn drop_out(&mut self) {
        self.is_known = false;
        self.lose();
    }
}

#[cfg(test)]
mod tests;
