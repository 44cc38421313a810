//! Consuming: partitions that the caller names, or those that a group gives.

mod assignor;
mod fetch;
mod group;
mod offsets;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::records::{Header, TimestampType};
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::error::ClientError;
pub use assignor::assign_ranges;
use group::Membership;

/// A partition by topic and number.
pub(crate) type Place = (String, i32);

/// Where reading starts where nothing else says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record.
    Earliest,
    /// With the next record to come.
    Latest,
    /// At this offset.
    At(i64),
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
            reset: Start::Latest,
        }
    }
}

/// How a member of a group behaves.
#[derive(Clone, Debug)]
pub struct GroupOptions {
    /// The group.
    pub group_id: String,
    /// After how long without a heartbeat the member is out.
    pub session_timeout: Duration,
    /// How long the other members may take to come back at a rebalance.
    pub rebalance_timeout: Duration,
    /// How often the member shows that it lives.
    pub heartbeat_interval: Duration,
    /// How often what was read is committed; never on its own if none.
    pub auto_commit_interval: Option<Duration>,
}

impl GroupOptions {
    /// Kafka's defaults for a group.
    pub fn new(group_id: impl Into<String>) -> GroupOptions {
        GroupOptions {
            group_id: group_id.into(),
            session_timeout: Duration::from_secs(45),
            rebalance_timeout: Duration::from_secs(300),
            heartbeat_interval: Duration::from_secs(3),
            auto_commit_interval: Some(Duration::from_secs(5)),
        }
    }
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerRecord {
    /// Its topic.
    pub topic: String,
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

/// Reads records of a cluster.
#[derive(Debug)]
pub struct Consumer {
    cluster: Cluster,
    options: ConsumerOptions,
    /// The next offset of each partition; none until it is looked up.
    positions: BTreeMap<Place, Position>,
    membership: Option<Membership>,
}

#[derive(Clone, Copy, Debug)]
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
        Consumer { cluster, options, positions, membership: None }
    }

    /// Reads the share of the topics that a group gives to this member.
    pub fn subscribe(
        cluster: Cluster,
        options: ConsumerOptions,
        group: GroupOptions,
        topics: Vec<String>,
    ) -> Consumer {
        let membership = Some(Membership::new(group, topics));
        Consumer { cluster, options, positions: BTreeMap::new(), membership }
    }

    /// The next records, maybe none after `wait_max`. Call it again and again: a member of a group also keeps its
    /// membership and commits in here.
    pub async fn poll(&mut self) -> Result<Vec<ConsumerRecord>, ClientError> {
        self.keep_membership().await?;
        match self.read().await {
            Err(error) if error.is_retriable() => {
                self.positions.keys().for_each(|(topic, _)| self.cluster.forget(topic));
                self.cluster.pause(Instant::now() + self.options.wait_max).await;
                Ok(Vec::new())
            }
            read => read,
        }
    }

    async fn read(&mut self) -> Result<Vec<ConsumerRecord>, ClientError> {
        offsets::resolve(&mut self.cluster, &self.options, &mut self.positions).await?;
        if self.positions.is_empty() {
            tokio::time::sleep(self.options.wait_max).await;
            return Ok(Vec::new());
        }
        fetch::fetch(&mut self.cluster, &self.options, &mut self.positions).await
    }

    /// The next offset of each partition whose place is known.
    fn offsets(&self) -> Vec<(Place, i64)> {
        let known = self.positions.iter().filter_map(|(place, position)| match position {
            Position::At(offset) => Some((place.clone(), *offset)),
            Position::Unresolved(_) => None,
        });
        known.collect()
    }

    /// Commits what the last calls of [`poll`](Consumer::poll) gave. Without a group it does nothing.
    pub async fn commit(&mut self) -> Result<(), ClientError> {
        let offsets = self.offsets();
        match &mut self.membership {
            Some(membership) => membership.commit(&mut self.cluster, offsets).await,
            None => Ok(()),
        }
    }

    /// Gives back what was read after `offset` of a partition: the next call of [`poll`](Consumer::poll) starts there.
    pub fn seek(&mut self, topic: &str, partition: i32, offset: i64) {
        if let Some(position) = self.positions.get_mut(&(topic.to_owned(), partition)) {
            *position = Position::At(offset);
        }
    }

    /// Commits where that is automatic, and leaves the group.
    pub async fn close(mut self) -> Result<(), ClientError> {
        let auto = self.membership.as_ref().is_some_and(Membership::commits_by_itself);
        let committed = if auto { self.commit().await } else { Ok(()) };
        if let Some(mut membership) = self.membership.take() {
            membership.leave(&mut self.cluster).await?;
        }
        committed
    }

    async fn keep_membership(&mut self) -> Result<(), ClientError> {
        let offsets = self.offsets();
        let Some(membership) = &mut self.membership else { return Ok(()) };
        let Some(assigned) = membership.keep(&mut self.cluster, offsets).await? else { return Ok(()) };
        let position = |offset: Option<i64>| match offset {
            Some(offset) => Position::At(offset),
            None => Position::Unresolved(self.options.reset),
        };
        self.positions = assigned.into_iter().map(|(place, offset)| (place, position(offset))).collect();
        Ok(())
    }
}

/// Whether an error only says that this client's view of the cluster is out of date.
fn is_stale(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NotLeaderOrFollower
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::UnknownLeaderEpoch
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::ReplicaNotAvailable
            | ErrorCode::KafkaStorageError
            | ErrorCode::OffsetNotAvailable
    )
}
