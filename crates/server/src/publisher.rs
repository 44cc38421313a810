//! Makes what the metadata says so on this broker: settings, logs, coordinators.
//!
//! A thread of its own follows the committed metadata, for making and deleting logs waits for the disk. What the metadata says is
//! shown to clients only once it is so.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use arc_swap::ArcSwap;
use config::{BrokerConfig, TopicConfig};
use metadata::{ConfigResource, Delta, ResourceType, Topic};
use parking_lot::Mutex;
use protocol::{ErrorCode, Uuid};
use quorum::{CommittedImage, MetadataListener};
use storage::{Log, LogDir, StorageError, TopicIdPartition, TopicPartition};
use tokio::sync::watch;

use crate::broker::overrides_in;
use crate::flushes::Flushes;
use crate::groups::Groups;
use crate::internal_topics::CONSUMER_OFFSETS;
use crate::log_settings;
use crate::partitions::{Partition, Partitions};

const METADATA_TOPIC: &str = "__cluster_metadata";

/// The metadata, and what changed in it; none for all that was there at the start.
type Update = (Arc<CommittedImage>, Option<Delta>);

/// The quorum's end of the way to the publisher.
pub(crate) struct Queue(Mutex<Option<Sender<Update>>>);

impl Queue {
    pub(crate) fn new(sender: Sender<Update>) -> Queue {
        Queue(Mutex::new(Some(sender)))
    }

    fn send(&self, image: &Arc<CommittedImage>, delta: Option<Delta>) {
        if let Some(sender) = &*self.0.lock() {
            // Nobody listens any more once the broker stops.
            let _ = sender.send((Arc::clone(image), delta));
        }
    }

    /// Lets the publisher end once it has followed what it was told.
    pub(crate) fn close(&self) {
        self.0.lock().take();
    }
}

impl MetadataListener for Queue {
    fn loaded(&self, image: &Arc<CommittedImage>) {
        self.send(image, None);
    }

    fn committed(&self, image: &Arc<CommittedImage>, delta: Delta) {
        self.send(image, Some(delta));
    }
}

/// A log directory and its id.
pub(crate) type Directory = (Uuid, Arc<LogDir>);

/// A log directory, its id, and who waits for its journal.
pub(crate) struct Home {
    pub(crate) id: Uuid,
    pub(crate) dir: Arc<LogDir>,
    pub(crate) flushes: Arc<Flushes>,
}

/// Follows the metadata.
pub(crate) struct Publisher {
    pub(crate) node_id: i32,
    pub(crate) homes: Vec<Home>,
    pub(crate) partitions: Arc<Partitions>,
    pub(crate) groups: Arc<Groups>,
    pub(crate) config: Arc<ArcSwap<BrokerConfig>>,
    pub(crate) published: watch::Sender<Arc<CommittedImage>>,
}

impl Publisher {
    /// Follows until the quorum's end is closed.
    pub(crate) fn run(self, updates: &Receiver<Update>) {
        for (image, delta) in updates {
            match delta {
                None => self.publish_all(&image),
                Some(delta) => self.publish(&image, &delta),
            }
            self.published.send_replace(image);
        }
    }

    /// Makes everything so that was there when the broker started.
    fn publish_all(&self, committed: &CommittedImage) {
        self.set_strays_aside(committed);
        self.take_broker_settings(committed);
        committed.image.topics.iter().for_each(|topic| self.follow_topic(committed, topic));
    }

    fn publish(&self, committed: &CommittedImage, delta: &Delta) {
        self.follow_broker_settings(committed, delta);
        self.delete_topics(delta);
        for (topic_id, numbers) in &delta.changed_partitions {
            if let Some(topic) = committed.image.topics.by_id(*topic_id) {
                self.follow_partitions(committed, topic, numbers);
            }
        }
        for resource in &delta.changed_configs {
            if resource.resource_type == ResourceType::TOPIC
                && let Some(topic) = committed.image.topics.by_name(&resource.name)
            {
                self.follow_topic(committed, topic);
            }
        }
    }

    fn follow_broker_settings(&self, committed: &CommittedImage, delta: &Delta) {
        let (own, all) = (ConfigResource::broker(self.node_id), ConfigResource::all_brokers());
        if !delta.changed_configs.contains(&own) && !delta.changed_configs.contains(&all) {
            return;
        }
        self.take_broker_settings(committed);
        committed.image.topics.iter().for_each(|topic| self.follow_topic(committed, topic));
    }

    fn take_broker_settings(&self, committed: &CommittedImage) {
        let of = |resource| overrides_in(committed, &resource);
        let (own, all) = (of(ConfigResource::broker(self.node_id)), of(ConfigResource::all_brokers()));
        self.config.store(Arc::new(self.config.load().with_dynamic(&all, &own)));
    }

    fn follow_topic(&self, committed: &CommittedImage, topic: &Topic) {
        let numbers = topic.partitions().map(|(number, _)| number).collect();
        self.follow_partitions(committed, topic, &numbers);
    }

    fn delete_topics(&self, delta: &Delta) {
        let mut doomed: HashMap<*const LogDir, (Arc<LogDir>, Vec<TopicPartition>)> = HashMap::new();
        for (topic_id, topic) in &delta.deleted_topics {
            for partition in self.partitions.remove_topic(*topic_id) {
                self.resign(&topic.name, partition.log.id().partition);
                let dir = &partition.log_dir;
                let of_dir = doomed.entry(Arc::as_ptr(dir)).or_insert_with(|| (Arc::clone(dir), Vec::new()));
                of_dir.1.push(partition.log.id().topic_partition());
            }
        }
        let names: Vec<String> = delta.deleted_topics.values().map(|topic| topic.name.to_string()).collect();
        if !names.is_empty() {
            self.groups.topics_deleted(&names);
        }
        for (dir, partitions) in doomed.into_values() {
            if let Err(error) = dir.delete_logs(&partitions) {
                tracing::error!(%error, "logs of deleted topics could not be deleted");
            }
        }
    }

    fn follow_partitions(&self, committed: &CommittedImage, topic: &Topic, numbers: &BTreeSet<i32>) {
        let overrides = overrides_in(committed, &ConfigResource::topic(&*topic.name));
        let settings = TopicConfig::resolve(&self.config.load(), &overrides);
        let log_config = log_settings::of_topic(&topic.name, &settings);
        for number in numbers {
            let Some(known) = topic.partition(*number) else { continue };
            if known.leader != self.node_id {
                self.partitions.remove(topic.id, *number);
                self.resign(&topic.name, *number);
                continue;
            }
            match self.log_of(topic, *number, &log_config) {
                Ok((log, home)) => {
                    let partition = Partition {
                        log,
                        log_dir: Arc::clone(&home.dir),
                        flushes: Arc::clone(&home.flushes),
                        leader_epoch: known.leader_epoch,
                        in_sync: known.isr.len(),
                        in_sync_min: usize::try_from(settings.min_insync_replicas).unwrap_or(0),
                    };
                    self.lead(topic, *number, partition);
                }
                Err(error) => {
                    tracing::error!(topic = %topic.name, partition = number, %error, "a log cannot be used");
                    self.partitions.remove(topic.id, *number);
                }
            }
        }
    }

    fn lead(&self, topic: &Topic, number: i32, partition: Partition) {
        let partition = Arc::new(partition);
        self.partitions.put(topic.id, number, Arc::clone(&partition));
        if &*topic.name == CONSUMER_OFFSETS {
            let count = i32::try_from(topic.partition_count()).unwrap_or(i32::MAX);
            self.groups.set_partition_count(count);
            let (log, log_dir) = (Arc::clone(&partition.log), Arc::clone(&partition.log_dir));
            self.groups.lead(number, partition.leader_epoch, log, log_dir);
        }
    }

    fn resign(&self, topic: &str, number: i32) {
        if topic == CONSUMER_OFFSETS {
            self.groups.resign(number, ErrorCode::NotCoordinator);
        }
    }

    /// The log of a partition, which is made if it is not there.
    fn log_of(
        &self,
        topic: &Topic,
        number: i32,
        config: &storage::LogConfig,
    ) -> Result<(Arc<Log>, &Home), StorageError> {
        let id = TopicIdPartition::new(Arc::clone(&topic.name), topic.id, number);
        let home = self.home_for(topic, number, &id.topic_partition())?;
        let dir = &home.dir;
        let log = match dir.create_log(&id, config.clone()) {
            Err(StorageError::OtherTopic(_)) => {
                dir.set_strays_aside(&[id.topic_partition()])?;
                dir.create_log(&id, config.clone())
            }
            made => made,
        }?;
        Ok((log, home))
    }

    /// Where the log is already, else where the metadata puts it, else where there are the fewest.
    fn home_for(
        &self,
        topic: &Topic,
        number: i32,
        partition: &TopicPartition,
    ) -> Result<&Home, StorageError> {
        if let [only] = &self.homes[..] {
            return Ok(only);
        }
        let holder = self.homes.iter().find(|home| home.dir.log(partition).is_some());
        let assigned = || {
            let known = topic.partition(number)?;
            let place = known.replicas.iter().position(|id| *id == self.node_id)?;
            let wanted = known.directories.get(place)?;
            self.homes.iter().find(|home| home.id == *wanted)
        };
        let emptiest = || self.homes.iter().min_by_key(|home| home.dir.logs().len());
        holder.or_else(assigned).or_else(emptiest).ok_or(StorageError::Closed)
    }

    /// Sets aside logs of which the metadata knows nothing: of topics that were deleted while this broker was away, or of others.
    fn set_strays_aside(&self, committed: &CommittedImage) {
        for Home { dir, .. } in &self.homes {
            let strays: Vec<TopicPartition> = dir
                .logs()
                .iter()
                .filter(|log| &*log.id().topic != METADATA_TOPIC && !is_known(committed, log.id()))
                .map(|log| log.id().topic_partition())
                .collect();
            if let Err(error) = dir.set_strays_aside(&strays) {
                tracing::error!(%error, "logs that belong to no partition could not be set aside");
            }
        }
    }
}

fn is_known(committed: &CommittedImage, id: &TopicIdPartition) -> bool {
    let topic = committed.image.topics.by_name(&id.topic);
    topic.is_some_and(|topic| {
        let same = id.topic_id.is_zero() || id.topic_id == topic.id;
        same && topic.partition(id.partition).is_some()
    })
}
