//! Membership in a group: carries out what the member decides. Requests that may take as long as a rebalance go out beside the
//! reading, on a connection of their own, since brokers answer one after the other.

mod classic;
mod commit;
pub(crate) mod committed;
mod consumer;
mod embedded;
mod exchange;
mod member;

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::messages::ConsumerGroupHeartbeatRequest;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::subscription::{Subscription, Topics, counts};
use super::{GroupOptions, GroupProtocol, Place};
use crate::backoff::dice;
use crate::cluster::{Cluster, CoordinatorType};
use crate::connection::Connection;
use crate::error::ClientError;
use classic::Classic;
use commit::TopicIds;
pub(crate) use commit::{COMMIT_BY_NAME_MAX, commit_topics};
use consumer::ConsumerMember;
pub(crate) use embedded::assigned_places;
use exchange::{Answer, Ask, exchange};
use member::{Member, Next, TopicNames, View};

/// From this version on the coordinator applies expressions itself.
const REGEX_FROM: i16 = 1;

/// What a member is given or gives up.
#[derive(Debug)]
pub(super) enum Change {
    /// With the offsets that the group has committed.
    Assigned(Vec<(Place, Option<i64>)>),
    Revoked(Vec<Place>),
}

/// A member, or one that is yet to join, and what it needs to be one.
#[derive(Debug)]
pub(super) struct Membership {
    options: GroupOptions,
    subscription: Subscription,
    member: Box<dyn Member>,
    coordinator: Option<Connection>,
    /// Whether the coordinator applies expressions, as far as is known.
    may_send_regex: bool,
    asked: JoinSet<Result<Answer, ClientError>>,
    heard: Option<Result<Answer, ClientError>>,
    names: TopicNames,
    /// Not before this is it tried again.
    again: Instant,
    /// How often in a row it failed.
    failures: u32,
    /// Until then there is nothing to do; for ever if none.
    rests_until: Option<Instant>,
    commit_due: Instant,
    committed: BTreeMap<Place, i64>,
    changes: Vec<Change>,
}

impl Membership {
    pub(super) fn new(options: GroupOptions, topics: Topics) -> Membership {
        let now = Instant::now();
        let member: Box<dyn Member> = match &options.protocol {
            GroupProtocol::Classic => Box::new(Classic::new(now)),
            GroupProtocol::Consumer { member_id, remote_assignor } => {
                Box::new(ConsumerMember::new(*member_id, remote_assignor.clone(), now))
            }
        };
        Membership {
            subscription: Subscription::new(topics),
            member,
            coordinator: None,
            may_send_regex: matches!(options.protocol, GroupProtocol::Consumer { .. }),
            options,
            asked: JoinSet::new(),
            heard: None,
            names: TopicNames::new(),
            again: now,
            failures: 0,
            rests_until: Some(now),
            commit_due: now,
            committed: BTreeMap::new(),
            changes: Vec::new(),
        }
    }

    pub(super) fn commits_by_itself(&self) -> bool {
        self.options.auto_commit_interval.is_some()
    }

    /// What has changed since this was asked last.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Does what is due: hears answers, commits, looks for new partitions, goes on with joining. What it waits for it can be
    /// stopped at, and goes on with the next time.
    pub(super) async fn keep(
        &mut self,
        cluster: &mut Cluster,
        offsets: &[(Place, i64)],
    ) -> Result<(), ClientError> {
        self.hear(cluster)?;
        if Instant::now() < self.again {
            return Ok(());
        }
        match self.go_on(cluster, offsets).await {
            Err(error) if error.is_retriable() => {
                tracing::debug!(%error, "not part of the group yet");
                cluster.warn(&error);
                self.coordinator = None;
                self.failures = self.failures.saturating_add(1);
                self.again = Instant::now() + cluster.options().retry_backoff.pause(self.failures, dice());
                Ok(())
            }
            done => {
                self.failures = 0;
                done
            }
        }
    }

    async fn go_on(&mut self, cluster: &mut Cluster, offsets: &[(Place, i64)]) -> Result<(), ClientError> {
        self.commit_if_due(cluster, offsets).await?;
        self.look(cluster).await?;
        loop {
            let coordinator = self.coordinator(cluster).await?;
            self.hear(cluster)?;
            let topics = self.subscription.names();
            let view = View {
                options: &self.options,
                topics: &topics,
                regex: self.subscription.expression().filter(|_| self.may_send_regex),
                names: &self.names,
            };
            match self.member.next(&view, Instant::now())? {
                Next::Rest(until) => {
                    self.rests_until = until;
                    return Ok(());
                }
                Next::Ask(ask) => self.ask(coordinator, ask),
                step => self.carry_out(step, cluster, &coordinator, offsets).await?,
            }
        }
    }

    async fn carry_out(
        &mut self,
        step: Next,
        cluster: &mut Cluster,
        coordinator: &Connection,
        offsets: &[(Place, i64)],
    ) -> Result<(), ClientError> {
        match step {
            Next::Count(wanted) => {
                // A topic that is not there (yet) has no partitions to give.
                let topics = counts(&cluster.metadata(Some(&wanted), true).await?.topics, |_| true)?;
                self.member.counted(&topics)?;
            }
            Next::Name(ids) => self.names.extend(cluster.topic_names(&ids).await?),
            Next::GiveUp(places) => self.give_up(cluster, places, offsets).await,
            Next::Lose(places) => self.drop_places(places),
            Next::Take(places) => self.take(coordinator, places).await?,
            Next::Rest(_) | Next::Ask(_) => {}
        }
        Ok(())
    }

    /// Looks which topics and partitions there are. Where the coordinator looks after them it is enough to know names.
    async fn look(&mut self, cluster: &mut Cluster) -> Result<(), ClientError> {
        if self.may_send_regex && self.subscription.expression().is_some() {
            return Ok(());
        }
        if self.subscription.refresh(cluster).await?.is_some() {
            // Members other than the leader come back too: the group only rebalances when it matters to it.
            self.member.wants_others();
        }
        Ok(())
    }

    async fn coordinator(&mut self, cluster: &mut Cluster) -> Result<Connection, ClientError> {
        if let Some(connection) = self.coordinator.as_ref().filter(|connection| connection.is_open()) {
            return Ok(connection.clone());
        }
        let found = cluster.find_coordinator_once(CoordinatorType::Group, &self.options.group_id).await?;
        let connection = cluster.connect_apart(found.node_id).await?;
        let version = connection.version::<ConsumerGroupHeartbeatRequest>(i16::MAX);
        self.may_send_regex &= version.is_ok_and(|version| version >= REGEX_FROM);
        self.coordinator = Some(connection.clone());
        Ok(connection)
    }

    fn ask(&mut self, coordinator: Connection, ask: Ask) {
        let rebalance = self.options.rebalance_timeout;
        self.asked.spawn(async move { exchange(&coordinator, ask, rebalance).await });
    }

    /// Tells the member what the coordinator has answered, if it has.
    fn hear(&mut self, cluster: &Cluster) -> Result<(), ClientError> {
        let heard = self.heard.take().or_else(|| self.asked.try_join_next().map(told));
        let now = Instant::now();
        let again = now + cluster.options().retry_backoff.pause(1, dice());
        match heard {
            None => Ok(()),
            Some(Ok(answer)) => {
                self.member.answered(answer, &self.options, now)?;
                Ok(())
            }
            Some(Err(error)) => self.fail(error, again),
        }
    }

    /// Tells the member of an error, after which the coordinator may be another.
    fn fail(&mut self, error: ClientError, again: Instant) -> Result<(), ClientError> {
        if error.is_retriable() && error.code() != Some(ErrorCode::CoordinatorLoadInProgress) {
            self.coordinator = None;
        }
        self.member.failed(error, again)
    }

    async fn give_up(&mut self, cluster: &mut Cluster, places: Vec<Place>, offsets: &[(Place, i64)]) {
        if self.commits_by_itself() {
            // The last chance before others get them. That it may come too late is part of rebalances.
            let last: Vec<_> = offsets.iter().filter(|(place, _)| places.contains(place)).cloned().collect();
            if let Err(error) = self.commit_once(cluster, &last).await {
                tracing::debug!(%error, "what was read is not committed");
            }
        }
        self.drop_places(places);
    }

    fn drop_places(&mut self, places: Vec<Place>) {
        self.member.gave_up();
        self.committed.retain(|place, _| !places.contains(place));
        self.changes.push(Change::Revoked(places));
    }

    async fn take(&mut self, coordinator: &Connection, places: Vec<Place>) -> Result<(), ClientError> {
        let (group, identity) = (&self.options.group_id, self.member.identity());
        let fetched = committed::fetch_as(coordinator, group, identity, &places, &self.names).await;
        let committed = match fetched {
            Ok(committed) => committed,
            Err(error) if error.is_retriable() => return Err(error),
            Err(error) => return self.member.failed(error, Instant::now()),
        };
        let now = Instant::now();
        let offset = |place: &Place| committed.get(place).map(|committed| committed.offset);
        let assigned: Vec<_> = places.into_iter().map(|place| (place.clone(), offset(&place))).collect();
        let known = assigned.iter().filter_map(|(place, offset)| Some((place.clone(), (*offset)?)));
        self.committed.extend(known);
        self.commit_due = now + self.options.auto_commit_interval.unwrap_or_default();
        self.member.took(&self.options, now);
        self.changes.push(Change::Assigned(assigned));
        Ok(())
    }

    async fn commit_if_due(
        &mut self,
        cluster: &mut Cluster,
        offsets: &[(Place, i64)],
    ) -> Result<(), ClientError> {
        let Some(interval) = self.options.auto_commit_interval else { return Ok(()) };
        if Instant::now() < self.commit_due || !self.member.is_settled() {
            return Ok(());
        }
        self.commit_due = Instant::now() + interval;
        match self.commit_once(cluster, offsets).await {
            Err(error) if !error.is_retriable() => self.member.failed(error, Instant::now()),
            done => done,
        }
    }

    /// Commits the offsets that differ from what is committed, again while that may help.
    pub(super) async fn commit(
        &mut self,
        cluster: &mut Cluster,
        offsets: &[(Place, i64)],
    ) -> Result<(), ClientError> {
        let deadline = Instant::now() + cluster.options().retry_for;
        loop {
            match self.commit_once(cluster, offsets).await {
                Err(error) if error.code() == Some(ErrorCode::StaleMemberEpoch) => {
                    self.member.failed(error, Instant::now())?;
                    self.beat(cluster).await?;
                }
                Err(error) if error.is_retriable() && cluster.pause(deadline).await => {
                    self.coordinator = None
                }
                done => return done,
            }
            if deadline <= Instant::now() {
                return Err(ClientError::refused(ErrorCode::StaleMemberEpoch));
            }
        }
    }

    async fn commit_once(
        &mut self,
        cluster: &mut Cluster,
        offsets: &[(Place, i64)],
    ) -> Result<(), ClientError> {
        let is_new = |(place, offset): &&(Place, i64)| self.committed.get(place) != Some(offset);
        let changed: Vec<(Place, i64)> = offsets.iter().filter(is_new).cloned().collect();
        if changed.is_empty() {
            return Ok(());
        }
        let coordinator = self.coordinator(cluster).await?;
        let ids: TopicIds<'_> = self.names.iter().map(|(id, name)| (name.as_str(), *id)).collect();
        commit::commit(&coordinator, &self.options, self.member.identity(), &changed, &ids).await?;
        self.committed.extend(changed);
        Ok(())
    }

    /// Hears the newest epoch of the member.
    async fn beat(&mut self, cluster: &mut Cluster) -> Result<(), ClientError> {
        self.keep(cluster, &[]).await?;
        self.rest(cluster.options().request_timeout).await;
        self.hear(cluster)
    }

    /// Stops to wait for answers, for what is told last.
    pub(super) fn calm(&mut self) {
        if !self.asked.is_empty() {
            // What the broker keeps for a rebalance would keep what comes after it waiting.
            self.coordinator = None;
            self.asked = JoinSet::new();
        }
    }

    pub(super) async fn leave(&mut self, cluster: &mut Cluster) -> Result<(), ClientError> {
        let Some(farewell) = self.member.farewell(&self.options) else { return Ok(()) };
        let coordinator = self.coordinator(cluster).await?;
        let code = match exchange(&coordinator, farewell, Duration::ZERO).await? {
            Answer::Leave(left) => ErrorCode::from(left.error_code),
            Answer::ConsumerHeartbeat(left) => ErrorCode::from(left.error_code),
            _ => ErrorCode::None,
        };
        match code {
            ErrorCode::None | ErrorCode::UnknownMemberId => Ok(()),
            code => Err(ClientError::refused(code)),
        }
    }

    fn until(&self, now: Instant) -> Duration {
        let until = self.rests_until.map_or(Duration::MAX, |until| until.saturating_duration_since(now));
        until.max(self.again.saturating_duration_since(now)).max(Duration::from_millis(1))
    }

    /// Waits until there is something to do, so long at most.
    pub(super) async fn rest(&mut self, at_most: Duration) {
        if self.heard.is_some() {
            return;
        }
        let within = at_most.min(self.until(Instant::now()));
        if self.asked.is_empty() {
            return tokio::time::sleep(within).await;
        }
        if let Ok(Some(answer)) = timeout(at_most, self.asked.join_next()).await {
            self.heard = Some(told(answer));
        }
    }
}

/// A request whose task came to nothing was not answered.
fn told(answer: Result<Result<Answer, ClientError>, tokio::task::JoinError>) -> Result<Answer, ClientError> {
    answer.unwrap_or_else(|_| Err(ClientError::refused(ErrorCode::CoordinatorNotAvailable)))
}
