//! What a member of a group is to whoever carries out what it decides: it says what is next, and is told what came of it. It knows
//! no sockets and no clock.
//!
//! Some steps need the caller, who reads the partitions, others none: the coordinator hears of a member whose caller is busy too.

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
}

/// What is to be done next while the caller is there.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Nothing before then, or before the answer to what was asked.
    Rest(Option<Instant>),
    /// Ask the coordinator this.
    Ask(Ask),
    /// Find out what these topics are called.
    Name(Vec<Uuid>),
    /// Commit what was read of these partitions, if that is automatic, and read them no longer.
    GiveUp(Vec<Place>),
    /// Read these no longer: others may have them already.
    Lose(Vec<Place>),
    /// Read these from where the group has committed.
    Take(Vec<Place>),
}

/// What is to be done whether the caller is there or not.
#[derive(Debug, PartialEq)]
pub(super) enum Meanwhile {
    /// Nothing before then, or before something changes.
    Rest(Option<Instant>),
    /// Ask the coordinator this.
    Ask(Ask),
    /// Find out how many partitions these topics have.
    Count(Vec<String>),
    /// The caller was away for too long: tell the coordinator so, if there is anything to tell. Nobody needs the answer.
    Leave(Option<Ask>),
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
    fn next(&mut self, view: &View<'_>, names: &TopicNames, now: Instant) -> Result<Next, ClientError>;

    /// What is next that needs no caller: never [`Meanwhile::Leave`].
    fn meanwhile(&mut self, view: &View<'_>, now: Instant) -> Result<Meanwhile, ClientError>;

    /// The coordinator has answered.
    fn answered(&mut self, answer: Answer, options: &GroupOptions, now: Instant) -> Result<(), ClientError>;

    /// What was asked did not succeed, and may be asked again at a time. An error that is none of the member's business comes back.
    fn failed(&mut self, error: ClientError, again: Instant) -> Result<(), ClientError>;

    /// What was done in its name did not succeed, beside what it asked. An error that is none of the member's business comes back.
    fn rejected(&mut self, error: ClientError) -> Result<(), ClientError>;

    /// So many partitions the topics have.
    fn counted(&mut self, _counts: &Counts) -> Result<(), ClientError> {
        Ok(())
    }

    /// Other topics or partitions are wanted, or there are others.
    fn wants_others(&mut self) {}

    /// What was to be given up is, or what was lost.
    fn gave_up(&mut self);

    /// What was to be taken could be. False if it is not to be had any more.
    fn took(&mut self) -> bool;

    /// As whom it commits; none if it is not part of the group.
    fn identity(&self) -> Option<Identity>;

    /// Whether it is part of the group and waits for nothing, so that it may commit.
    fn is_settled(&self) -> bool;

    /// Whether the coordinator waits for its heartbeats.
    fn is_awaited(&self) -> bool;

    /// How it leaves; none if there is nothing to leave.
    fn farewell(&self, options: &GroupOptions) -> Option<Ask>;

    /// It is no part of the group any more, by its own will, and has lost what it had.
    fn drop_out(&mut self);
}
