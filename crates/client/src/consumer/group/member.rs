//! What a member of a group is to whoever carries out what it decides: it says what is next, and is told what came of it. It knows
//! no sockets and no clock.

use std::collections::BTreeMap;
use std::fmt;

use protocol::Uuid;
use tokio::time::Instant;

use super::exchange::{Answer, Ask};
use crate::consumer::subscription::Counts;
use crate::consumer::{GroupOptions, Place};
use crate::error::ClientError;

/// The names of topics that brokers name by their ids.
pub(super) type TopicNames = BTreeMap<Uuid, String>;

/// What a member decides by, beside what it was told.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) options: &'a GroupOptions,
    /// The topics that are wanted, as far as they are known here.
    pub(super) topics: &'a [String],
    /// The expression of the names that are wanted, where the broker is to apply it.
    pub(super) regex: Option<&'a str>,
    pub(super) names: &'a TopicNames,
}

/// What is to be done next.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Nothing before then, or before the answer to what was asked.
    Rest(Option<Instant>),
    /// Ask the coordinator this.
    Ask(Ask),
    /// Find out how many partitions these topics have.
    Count(Vec<String>),
    /// Find out what these topics are called.
    Name(Vec<Uuid>),
    /// Commit what was read of these partitions, if that is automatic, and read them no longer.
    GiveUp(Vec<Place>),
    /// Read these no longer: others may have them already.
    Lose(Vec<Place>),
    /// Read these from where the group has committed.
    Take(Vec<Place>),
}

/// As whom a member commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) member_id: String,
    /// The generation of a classic group, or the epoch of the member.
    pub(super) epoch: i32,
    /// Whether reading offsets takes the member's word for its epoch too.
    pub(super) is_by_epoch: bool,
}

/// A member, or one that is yet to join.
pub(super) trait Member: fmt::Debug + Send + Sync {
    /// What is next. What this says it takes for begun, until it is told what came of it.
    fn next(&mut self, view: &View<'_>, now: Instant) -> Result<Next, ClientError>;

    /// The coordinator has answered.
    fn answered(&mut self, answer: Answer, options: &GroupOptions, now: Instant) -> Result<(), ClientError>;

    /// What was asked did not succeed, and may be asked again at a time. An error that is none of the member's business comes back.
    fn failed(&mut self, error: ClientError, again: Instant) -> Result<(), ClientError>;

    /// So many partitions the topics have.
    fn counted(&mut self, _counts: &Counts) -> Result<(), ClientError> {
        Ok(())
    }

    /// Other topics or partitions are wanted, or there are others.
    fn wants_others(&mut self) {}

    /// What was to be given up is, or what was lost.
    fn gave_up(&mut self);

    /// What was to be taken is.
    fn took(&mut self, options: &GroupOptions, now: Instant);

    /// As whom it commits.
    fn identity(&self) -> Identity;

    /// Whether it is part of the group and waits for nothing, so that it may commit.
    fn is_settled(&self) -> bool;

    /// How it leaves; none if there is nothing to leave.
    fn farewell(&self, options: &GroupOptions) -> Option<Ask>;
}
