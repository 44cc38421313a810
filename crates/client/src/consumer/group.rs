//! Membership in a group: carries out what the member decides that needs the caller. The rest a task does, whether the caller is
//! there or busy.

mod attended;
mod classic;
mod commit;
pub(crate) mod committed;
mod consumer;
mod embedded;
mod exchange;
mod member;
mod pulse;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::messages::ConsumerGroupHeartbeatRequest;
use tokio::time::{Instant, timeout};

use super::subscription::{Subscription, Topics};
use super::{GroupOptions, GroupProtocol, Place};
use crate::backoff::dice;
use crate::cluster::Cluster;
use crate::connection::Connection;
use crate::error::ClientError;
use classic::Classic;
use commit::TopicIds;
pub(crate) use commit::{COMMIT_BY_NAME_MAX, commit_topics};
use consumer::ConsumerMember;
pub(crate) use embedded::assigned_places;
use exchange::{Answer, exchange};
use member::{Identity, Member, Next, TopicNames};
pub(super) use pulse::Attendance;
use pulse::{Pulse, Shared};

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
    /// The member, and what else the task knows.
    shared: Arc<Shared>,
    pulse: Pulse,
    subscription: Subscription,
    /// Whether the coordinator applies expressions, as far as is known.
    may_send_regex: bool,
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
            may_send_regex: matches!(options.protocol, GroupProtocol::Consumer { .. }),
            shared: Arc::new(Shared::new(options, member)),
            pulse: Pulse::new(),
            names: TopicNames::new(),
            again: now,
            failures: 0,
            rests_until: Some(now),
            commit_due: now,
            committed: BTreeMap::new(),
            changes: Vec::new(),
        }
    }

    /// The caller asks for more, until what this gives is dropped.
    pub(super) fn attend(&self) -> Attendance {
        self.shared.attend()
    }

    pub(super) fn commits_by_itself(&self) -> bool {
        self.shared.options.auto_commit_interval.is_some()
    }

    /// What has changed since this was asked last.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Does what is due: commits, looks for new partitions, goes on with joining. What it waits for it can be
    /// stopped at, and goes on with the next time.
    pub(super) async fn keep(
        &mut self,
        cluster: &mut Cluster,
        offsets: &[(Place, i64)],
    ) -> Result<(), ClientError> {
        self.hear()?;
        if Instant::now() < self.again {
            return Ok(());
        }
        match self.go_on(cluster, offsets).await {
            Err(error) if error.is_retriable() => {
                tracing::debug!(%error, "not part of the group yet");
                cluster.warn(&error);
                self.shared.set_coordinator(None);
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
            self.pulse.start(&self.shared, cluster);
            self.hear()?;
            let regex = self.subscription.expression().filter(|_| self.may_send_regex);
            self.shared.want(self.subscription.names(), regex.map(str::to_owned));
            match self.shared.decide(|member, view| member.next(view, &self.names, Instant::now()))? {
                Next::Rest(until) => {
                    self.rests_until = until;
                    return Ok(());
                }
                Next::Ask(ask) => self.pulse.ask(&self.shared, ask),
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
            self.shared.change(|member| member.wants_others());
        }
        Ok(())
    }

    async fn coordinator(&mut self, cluster: &mut Cluster) -> Result<Connection, ClientError> {
        if let Some(connection) = self.shared.coordinator() {
            return Ok(connection);
        }
        let connection = pulse::connect(cluster, &self.shared.options.group_id).await?;
        let version = connection.version::<ConsumerGroupHeartbeatRequest>(i16::MAX);
        self.may_send_regex &= version.is_ok_and(|version| version >= REGEX_FROM);
        self.shared.set_coordinator(Some(connection.clone()));
        Ok(connection)
    }

    /// Hears what has gone wrong with what was asked.
    fn hear(&self) -> Result<(), ClientError> {
        self.shared.failure().map_or(Ok(()), Err)
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
        self.shared.change(|member| member.gave_up());
        self.committed.retain(|place, _| !places.contains(place));
        self.changes.push(Change::Revoked(places));
    }

    async fn take(&mut self, coordinator: &Connection, places: Vec<Place>) -> Result<(), ClientError> {
        let group = &self.shared.options.group_id;
        // Who is out by now has nothing to take.
        let Some(identity) = self.identity() else { return Ok(()) };
        let fetched = committed::fetch_as(coordinator, group, identity, &places, &self.names).await;
        let committed = match fetched {
            Ok(committed) => committed,
            Err(error) if error.is_retriable() => return Err(error),
            Err(error) => return self.shared.change(|member| member.rejected(error)),
        };
        if !self.shared.change(|member| member.took()) {
            return Ok(());
        }
        let offset = |place: &Place| committed.get(place).map(|committed| committed.offset);
        let assigned: Vec<_> = places.into_iter().map(|place| (place.clone(), offset(&place))).collect();
        let known = assigned.iter().filter_map(|(place, offset)| Some((place.clone(), (*offset)?)));
        self.committed.extend(known);
        self.commit_due = Instant::now() + self.shared.options.auto_commit_interval.unwrap_or_default();
        self.changes.push(Change::Assigned(assigned));
        Ok(())
    }

    fn identity(&self) -> Option<Identity> {
        self.shared.look(|member| member.identity())
    }

    async fn commit_if_due(
        &mut self,
        cluster: &mut Cluster,
        offsets: &[(Place, i64)],
    ) -> Result<(), ClientError> {
        let Some(interval) = self.shared.options.auto_commit_interval else { return Ok(()) };
        if Instant::now() < self.commit_due || !self.shared.look(|member| member.is_settled()) {
            return Ok(());
        }
        self.commit_due = Instant::now() + interval;
        match self.commit_once(cluster, offsets).await {
            // It is out since a moment ago.
            Err(ClientError::NotMember) => Ok(()),
            Err(error) if !error.is_retriable() => self.shared.change(|member| member.rejected(error)),
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
                    self.shared.change(|member| member.rejected(error))?;
                    self.beat(cluster).await?;
                }
                Err(error) if error.is_retriable() && cluster.pause(deadline).await => {
                    self.shared.set_coordinator(None);
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
        let identity = self.identity().ok_or(ClientError::NotMember)?;
        let coordinator = self.coordinator(cluster).await?;
        let ids: TopicIds<'_> = self.names.iter().map(|(id, name)| (name.as_str(), *id)).collect();
        commit::commit(&coordinator, &self.shared.options, identity, &changed, &ids).await?;
        self.committed.extend(changed);
        Ok(())
    }

    /// Hears the newest epoch of the member.
    async fn beat(&mut self, cluster: &mut Cluster) -> Result<(), ClientError> {
        self.keep(cluster, &[]).await?;
        self.rest(cluster.options().request_timeout).await;
        self.hear()
    }

    /// Stops to wait for answers, for what is told last.
    pub(super) async fn calm(&mut self) {
        self.pulse.stop(&self.shared).await;
    }

    pub(super) async fn leave(&mut self, cluster: &mut Cluster) -> Result<(), ClientError> {
        self.calm().await;
        let farewell = self.shared.look(|member| member.farewell(&self.shared.options));
        let Some(farewell) = farewell else { return Ok(()) };
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
        let within = at_most.min(self.until(Instant::now()));
        // That nothing has come until then is as good.
        let _ = timeout(within, self.shared.news()).await;
    }
}
