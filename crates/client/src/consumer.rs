//! Consuming: partitions that the caller names, or those that a group gives.

mod assignor;
mod fetch;
mod fetch_session;
mod fetched;
mod group;
mod offsets;
mod subscription;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::Uuid;
use protocol::records::{Header, TimestampType};
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::error::ClientError;
pub use assignor::Assignor;
use fetch::Fetcher;
pub use group::committed::CommittedOffset;
use group::{Attendance, Change, Membership};
pub(crate) use group::{COMMIT_BY_NAME_MAX, assigned_places, commit_topics, committed};
pub use subscription::Topics;
use subscription::{Counts, Subscription};

/// A partition by topic and number.
pub type Place = (String, i32);

/// Where reading starts where nothing else says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record.
    Earliest,
    /// With the next record to come.
    Latest,
    /// With the oldest record that is no older than this.
    Since(Duration),
    /// At this offset.
    At(i64),
    /// Nowhere: to have no offset is an error.
    Nowhere,
}

/// How records are read.
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    /// Whether records of transactions are seen only once those are committed.
    pub read_committed: bool,
    /// How long the broker may wait for records.
    pub wait_max: Duration,
    /// How many bytes an answer may have.
    pub fetch_bytes_max: i32,
    /// How many of them may be of one partition.
    pub partition_bytes_max: i32,
    /// How many records are given at a time.
    pub poll_records_max: usize,
    /// Where to start at an offset that is not there (any more), and in a group that has committed none.
    pub reset: Start,
}

impl Default for ConsumerOptions {
    fn default() -> ConsumerOptions {
        ConsumerOptions {
            read_committed: false,
            wait_max: Duration::from_millis(500),
            fetch_bytes_max: 50 << 20,
            partition_bytes_max: 1 << 20,
            poll_records_max: 500,
            reset: Start::Latest,
        }
    }
}

/// How the members of a group and its coordinator come to terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupProtocol {
    /// Members share out among themselves, all at once.
    Classic,
    /// The coordinator tells each member what it gets (KIP-848). It needs a broker that serves this.
    Consumer {
        /// What the member is known by: random, so that no other has it.
        member_id: Uuid,
        /// How the coordinator shares out, by the name that it has there; as it is usual there if none.
        remote_assignor: Option<String>,
    },
}

/// How a member of a group behaves.
#[derive(Clone, Debug)]
pub struct GroupOptions {
    /// The group.
    pub group_id: String,
    /// What the member calls itself: the group keeps its partitions for it while it restarts (KIP-345).
    pub instance_id: Option<String>,
    /// How it comes to terms with the others.
    pub protocol: GroupProtocol,
    /// How the member of a classic group would share topics out, by preference. The group takes one that all of its members know.
    pub assignors: Vec<Assignor>,
    /// After how long without a heartbeat the member of a classic group is out.
    pub session_timeout: Duration,
    /// How long may pass from one call of [`Consumer::poll`] to the next, and so for how long a rebalance waits for members.
    /// Who is away for longer leaves, or with a name of its own falls silent, and is a member again with the next call.
    pub poll_interval_max: Duration,
    /// How often the member of a classic group shows that it lives.
    pub heartbeat_interval: Duration,
    /// How often what was read is committed; never on its own if none.
    pub auto_commit_interval: Option<Duration>,
}

impl GroupOptions {
    /// Kafka's defaults for a group.
    pub fn new(group_id: impl Into<String>) -> GroupOptions {
        GroupOptions {
            group_id: group_id.into(),
            instance_id: None,
            protocol: GroupProtocol::Classic,
            assignors: vec![Assignor::Range, Assignor::CooperativeSticky],
            session_timeout: Duration::from_secs(45),
            poll_interval_max: Duration::from_secs(300),
            heartbeat_interval: Duration::from_secs(3),
            auto_commit_interval: Some(Duration::from_secs(5)),
        }
    }
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerRecord {
    /// Its topic.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Milliseconds since 1970, or -1.
    pub timestamp: i64,
    /// Whose clock that is.
    pub timestamp_type: TimestampType,
    /// What decided its partition.
    pub key: Option<Bytes>,
    /// Its content.
    pub value: Option<Bytes>,
    /// Further content.
    pub headers: Vec<Header>,
}

/// What a group has given to a member or taken from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssignmentChange {
    /// These are read from now on, beside what is read already. With an eager assignor they are all.
    Assigned(Vec<Place>),
    /// These are read no longer.
    Revoked(Vec<Place>),
}

/// Reads records of a cluster.
#[derive(Debug)]
pub struct Consumer {
    cluster: Cluster,
    options: ConsumerOptions,
    /// The next offset of each partition; none until it is looked up.
    positions: BTreeMap<Place, Position>,
    fetcher: Fetcher,
    source: Source,
    /// What the group has changed lately.
    changes: Vec<AssignmentChange>,
    /// Since when the group is waited for to give partitions.
    waiting_since: Option<Instant>,
    /// How long it was waited for before.
    rebalancing: Duration,
}

/// Who says which partitions are read.
#[derive(Debug)]
enum Source {
    Caller,
    Topics(Subscription),
    Group(Box<Membership>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Unresolved(Start),
    At(i64),
}

impl Consumer {
    /// Reads partitions that the caller names.
    pub fn assign(
        cluster: Cluster,
        options: ConsumerOptions,
        partitions: Vec<(String, i32, Start)>,
    ) -> Consumer {
        let positions = partitions
            .into_iter()
            .map(|(topic, partition, start)| ((topic, partition), Position::Unresolved(start)))
            .collect();
        Consumer { positions, ..Consumer::reading(cluster, options, Source::Caller) }
    }

    /// Reads all partitions of topics, also of those that come into being later, without a group.
    pub fn read_all(cluster: Cluster, options: ConsumerOptions, topics: Topics) -> Consumer {
        let source = Source::Topics(Subscription::new(topics));
        Consumer::reading(cluster, options, source)
    }

    /// Reads the share of the topics that a group gives to this member. A task of the runtime keeps the membership while the caller is
    /// busy; it ends when this is closed or dropped. Where the runtime has one thread, who blocks that stops the task too.
    pub fn subscribe(
        cluster: Cluster,
        options: ConsumerOptions,
        group: GroupOptions,
        topics: Topics,
    ) -> Consumer {
        let source = Source::Group(Box::new(Membership::new(group, topics)));
        Consumer::reading(cluster, options, source)
    }

    /// Reads what the source says, nothing yet.
    fn reading(cluster: Cluster, options: ConsumerOptions, source: Source) -> Consumer {
        Consumer {
            cluster,
            options,
            positions: BTreeMap::new(),
            fetcher: Fetcher::default(),
            source,
            changes: Vec::new(),
            waiting_since: Some(Instant::now()),
            rebalancing: Duration::ZERO,
        }
    }

    /// The next records, maybe none after `wait_max`. Call it again and again, and a member of a group within
    /// [`GroupOptions::poll_interval_max`]: meanwhile a task keeps its membership, but only in here it gives up and gets
    /// partitions, commits, and says what has gone wrong. A cluster that does not answer is waited for.
    ///
    /// A caller that stops waiting for it loses no records, but should then [`close`](Consumer::close) or call it again.
    pub async fn poll(&mut self) -> Result<Vec<ConsumerRecord>, ClientError> {
        let _attendance = self.attend();
        match self.read().await {
            Err(error) if error.is_retriable() => {
                self.cluster.warn(&error);
                self.positions.keys().for_each(|(topic, _)| self.cluster.forget(topic));
                self.cluster.pause(Instant::now() + self.options.wait_max).await;
                Ok(Vec::new())
            }
            read => read,
        }
    }

    /// Lets the group know that the caller is not busy, until what this gives is dropped.
    fn attend(&self) -> Option<Attendance> {
        match &self.source {
            Source::Group(membership) => Some(membership.attend()),
            Source::Caller | Source::Topics(_) => None,
        }
    }

    async fn read(&mut self) -> Result<Vec<ConsumerRecord>, ClientError> {
        self.changes.clear();
        self.keep_partitions().await?;
        offsets::resolve(&mut self.cluster, &self.options, &mut self.positions).await?;
        let wait_max = self.options.wait_max;
        match &mut self.source {
            Source::Group(membership) if self.positions.is_empty() => {
                membership.rest(wait_max).await;
                Ok(Vec::new())
            }
            _ if self.positions.is_empty() => {
                tokio::time::sleep(wait_max).await;
                Ok(Vec::new())
            }
            Source::Group(membership) => tokio::select! {
                biased;
                records = self.fetcher.poll(&mut self.cluster, &self.options, &mut self.positions) => records,
                () = membership.rest(Duration::MAX) => Ok(Vec::new()),
            },
            Source::Caller | Source::Topics(_) => {
                self.fetcher.poll(&mut self.cluster, &self.options, &mut self.positions).await
            }
        }
    }

    /// The next offset of each partition whose place is known.
    fn offsets(&self) -> Vec<(Place, i64)> {
        let known = self.positions.iter().filter_map(|(place, position)| match position {
            Position::At(offset) => Some((place.clone(), *offset)),
            Position::Unresolved(_) => None,
        });
        known.collect()
    }

    /// What a group gave to this member and took from it in the last call of [`poll`](Consumer::poll), one after the other.
    pub fn changes(&self) -> &[AssignmentChange] {
        &self.changes
    }

    /// The partitions that are read now.
    pub fn assignment(&self) -> Vec<Place> {
        self.positions.keys().cloned().collect()
    }

    /// How long it has taken altogether to get partitions from a group.
    pub fn rebalancing(&self) -> Duration {
        self.rebalancing
    }

    /// Commits what the last calls of [`poll`](Consumer::poll) gave. Without a group it does nothing.
    pub async fn commit(&mut self) -> Result<(), ClientError> {
        let offsets = self.offsets();
        match &mut self.source {
            Source::Group(membership) => membership.commit(&mut self.cluster, &offsets).await,
            Source::Caller | Source::Topics(_) => Ok(()),
        }
    }

    /// Gives back what was read after `offset` of a partition: the next call of [`poll`](Consumer::poll) starts there.
    pub fn seek(&mut self, topic: &str, partition: i32, offset: i64) {
        if let Some(position) = self.positions.get_mut(&(topic.to_owned(), partition)) {
            *position = Position::At(offset);
        }
    }

    /// Commits where that is automatic, leaves the group, and ends what brokers remember of this reader.
    pub async fn close(mut self) -> Result<(), ClientError> {
        let left = self.leave().await;
        self.fetcher.close(&mut self.cluster).await;
        left
    }

    async fn leave(&mut self) -> Result<(), ClientError> {
        self.apply_changes();
        let offsets = self.offsets();
        let Source::Group(membership) = &mut self.source else { return Ok(()) };
        membership.calm().await;
        let committed = match membership.commits_by_itself() {
            true => membership.commit(&mut self.cluster, &offsets).await,
            false => Ok(()),
        };
        membership.leave(&mut self.cluster).await?;
        committed
    }

    /// Finds out which partitions are to be read now.
    async fn keep_partitions(&mut self) -> Result<(), ClientError> {
        let offsets = self.offsets();
        match &mut self.source {
            Source::Caller => Ok(()),
            Source::Topics(subscription) => {
                if let Some(counts) = subscription.refresh(&mut self.cluster).await? {
                    keep_places(&mut self.positions, counts, self.options.reset);
                }
                Ok(())
            }
            Source::Group(membership) => {
                let kept = membership.keep(&mut self.cluster, &offsets).await;
                self.apply_changes();
                kept
            }
        }
    }

    /// Does what the group has said.
    fn apply_changes(&mut self) {
        let Source::Group(membership) = &mut self.source else { return };
        for change in membership.take_changes() {
            let told = match change {
                Change::Assigned(assigned) => {
                    self.rebalancing +=
                        self.waiting_since.take().map_or(Duration::ZERO, |since| since.elapsed());
                    take_places(&mut self.positions, assigned, self.options.reset)
                }
                Change::Revoked(places) => {
                    self.waiting_since = Some(Instant::now());
                    self.positions.retain(|place, _| !places.contains(place));
                    AssignmentChange::Revoked(places)
                }
            };
            self.changes.push(told);
        }
    }
}

/// Adds partitions at the offsets that were committed.
fn take_places(
    positions: &mut BTreeMap<Place, Position>,
    assigned: Vec<(Place, Option<i64>)>,
    reset: Start,
) -> AssignmentChange {
    let places = assigned.iter().map(|(place, _)| place.clone()).collect();
    for (place, offset) in assigned {
        positions.insert(place, offset.map_or(Position::Unresolved(reset), Position::At));
    }
    AssignmentChange::Assigned(places)
}

/// Adds the partitions that are new, and drops those that are gone.
fn keep_places(positions: &mut BTreeMap<Place, Position>, counts: &Counts, reset: Start) {
    positions.retain(|(topic, partition), _| counts.get(topic).is_some_and(|count| partition < count));
    for (topic, count) in counts {
        for partition in 0..*count {
            positions.entry((topic.clone(), partition)).or_insert(Position::Unresolved(reset));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_that_are_read_already_keep_their_place() {
        let place = |topic: &str, partition| (topic.to_owned(), partition);
        let mut positions =
            BTreeMap::from([(place("t", 0), Position::At(7)), (place("gone", 0), Position::At(1))]);
        keep_places(&mut positions, &Counts::from([("t".to_owned(), 2)]), Start::Earliest);
        let kept: Vec<_> = positions.into_iter().collect();
        assert_eq!(
            kept,
            [(place("t", 0), Position::At(7)), (place("t", 1), Position::Unresolved(Start::Earliest))]
        );
    }
}
