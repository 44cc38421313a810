//! A broker: what the handlers of all APIs share.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use config::{BrokerConfig, Overrides};
use controller::{Context, Decision};
use host::Host;
use metadata::ConfigResource;
use protocol::messages::RegisterBrokerRecord;
use protocol::messages::register_broker_record::BrokerEndpoint;
use protocol::{ErrorCode, Listener, Uuid};
use quorum::{CommittedImage, Quorum, QuorumError};
use thiserror::Error;
use tokio::sync::watch;

use crate::client_metrics::ClientMetrics;
use crate::directories::Directories;
use crate::fetch_sessions::FetchSessions;
use crate::groups::Groups;
use crate::loggers::Loggers;
use crate::meters::Meters;
use crate::moves::Moves;
use crate::partitions::{Partition, Partitions};
use crate::producer_ids::ProducerIds;
use crate::traces::Tracer;

/// The metadata could not be changed.
#[derive(Debug, Error)]
pub enum ChangeError {
    /// The quorum did not take the change.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    /// The broker stops.
    #[error("the broker is stopping")]
    Stopping,
}

impl ChangeError {
    /// What to answer.
    pub fn code(&self) -> ErrorCode {
        match self {
            ChangeError::Quorum(_) => ErrorCode::KafkaStorageError,
            ChangeError::Stopping => ErrorCode::NotController,
        }
    }
}

/// What the handlers of all APIs share.
pub struct Broker {
    pub(crate) host: Host,
    pub(crate) cluster_id: String,
    pub(crate) node_id: i32,
    pub(crate) quorum: Arc<Quorum>,
    pub(crate) partitions: Arc<Partitions>,
    pub(crate) directories: Arc<Directories>,
    pub(crate) moves: Moves,
    pub(crate) groups: Arc<Groups>,
    pub(crate) producer_ids: ProducerIds,
    pub(crate) fetch_sessions: FetchSessions,
    pub(crate) client_metrics: ClientMetrics,
    pub(crate) meters: Meters,
    /// Where spans of requests go; none if nobody wants them.
    pub(crate) tracer: Option<Tracer>,
    /// None if the log of this process is not the broker's.
    pub(crate) loggers: Option<Loggers>,
    pub(crate) published: watch::Receiver<Arc<CommittedImage>>,
    pub(crate) config: Arc<ArcSwap<BrokerConfig>>,
    /// The listeners that are bound, by the network's numbers: those of brokers, then those of controllers.
    pub(crate) listeners: Vec<(String, Listener)>,
    pub(crate) epoch: AtomicI64,
    /// Whether segments are written, and so are read, past the page cache.
    pub(crate) past_the_cache: bool,
    /// Becomes true when the broker stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

impl Broker {
    /// The metadata as far as this broker has followed it: logs are there, settings hold.
    pub(crate) fn published(&self) -> Arc<CommittedImage> {
        Arc::clone(&self.published.borrow())
    }

    /// The settings that hold now.
    pub(crate) fn config(&self) -> Arc<BrokerConfig> {
        self.config.load_full()
    }

    /// The settings that a resource was given at run time.
    pub(crate) fn overrides(&self, resource: &ConfigResource) -> Overrides {
        overrides_in(&self.published(), resource)
    }

    /// The epoch of this broker's registration, -1 before there is one.
    pub(crate) fn epoch(&self) -> i64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Has the controller decide about a change, and waits until it is committed and this broker has followed it.
    pub(crate) async fn change<R: Send>(
        &self,
        decide: impl FnOnce(&mut Context<'_>, i64) -> Decision<R> + Send,
    ) -> Result<R, ChangeError> {
        let (config, random) = (self.config(), Arc::clone(&self.host.random));
        let changed = self
            .quorum
            .change(move |image, next_offset| {
                let mut draw = || random.next_u64();
                let mut context = Context { image, config: &config, random: &mut draw };
                let Decision { records, reply } = decide(&mut context, next_offset);
                (records, reply)
            })
            .await?;
        self.await_published(changed.offset).await?;
        Ok(changed.reply)
    }

    async fn await_published(&self, offset: i64) -> Result<(), ChangeError> {
        let mut published = self.published.clone();
        let reached = published.wait_for(|image| image.offset >= offset).await;
        reached.map(drop).map_err(|_| ChangeError::Stopping)
    }

    /// A partition that this broker leads.
    pub(crate) fn partition_by_name(&self, topic: &str, number: i32) -> Result<Arc<Partition>, ErrorCode> {
        let published = self.published.borrow();
        let known = published.image.topics.by_name(topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        self.partition_of(known, number)
    }

    /// The same by the topic's id.
    pub(crate) fn partition_by_id(&self, topic_id: Uuid, number: i32) -> Result<Arc<Partition>, ErrorCode> {
        let published = self.published.borrow();
        let known = published.image.topics.by_id(topic_id).ok_or(ErrorCode::UnknownTopicId)?;
        self.partition_of(known, number)
    }

    fn partition_of(&self, topic: &metadata::Topic, number: i32) -> Result<Arc<Partition>, ErrorCode> {
        if let Some(partition) = self.partitions.get(topic.id, number) {
            return Ok(partition);
        }
        let known = topic.partition(number).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        // It is led here, but its log could not be opened or made; or it would be, if its log directory were online.
        let own = known.leader == self.node_id;
        let is_offline = known.leader == -1 && !self.is_directory_online(known);
        Err(if own || is_offline { ErrorCode::KafkaStorageError } else { ErrorCode::NotLeaderOrFollower })
    }

    /// Whether the log directory is used in which this broker's replica is; true if it has none.
    fn is_directory_online(&self, partition: &metadata::Partition) -> bool {
        let directory = partition.directory_of(self.node_id);
        metadata::DirectoryId::is_reserved(directory) || self.directories.online_ids().contains(&directory)
    }

    /// The kind of a listener, by the network's number.
    pub(crate) fn listener_kind(&self, listener: usize) -> Listener {
        self.listeners.get(listener).map_or(Listener::Broker, |(_, kind)| *kind)
    }

    /// The name of a listener, by the network's number.
    pub(crate) fn listener_name(&self, listener: usize) -> &str {
        self.listeners.get(listener).map_or("", |(name, _)| name)
    }

    /// Where a client reaches a broker that came in by one of this broker's listeners.
    pub(crate) fn endpoint_of<'a>(
        &self,
        registered: &'a RegisterBrokerRecord,
        listener: usize,
    ) -> Option<&'a BrokerEndpoint> {
        let name = self.listener_name(listener);
        registered.end_points.iter().find(|endpoint| endpoint.name == name)
    }
}

/// The settings that a resource was given at run time.
pub(crate) fn overrides_in(committed: &CommittedImage, resource: &ConfigResource) -> Overrides {
    let of = committed.image.configs.of(resource);
    of.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
