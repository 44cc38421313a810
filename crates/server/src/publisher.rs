//! Makes what the metadata says so on this broker: settings, logs, coordinators.
//!
//! A thread of its own follows the committed metadata, for making and deleting logs waits for the disk. What the metadata says is
//! shown to clients only once it is so.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use arc_swap::ArcSwap;
use config::{BrokerConfig, TopicConfig};
use controller::Assignment;
use metadata::{ConfigResource, Delta, ResourceType, Topic};
use parking_lot::Mutex;
use protocol::{ErrorCode, Uuid};
use quorum::{CommittedImage, MetadataListener};
use storage::{Log, LogDir, StorageError, TopicIdPartition, TopicPartition};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::broker::overrides_in;
use crate::directories::{Directories, Opened, Place};
use crate::groups::Groups;
use crate::internal_topics::{CONSUMER_OFFSETS, METADATA};
use crate::keeper::Event;
use crate::log_settings;
use crate::partitions::{Partition, Partitions};

/// After how long it is tried again to use a log that could not be.
const RETRY: Duration = Duration::from_secs(1);

/// What there is to follow.
pub(crate) enum Update {
    /// The metadata, and what changed in it; none for all that was there at the start.
    Metadata(Arc<CommittedImage>, Option<Delta>),
    /// A log directory went offline.
    Offline(Arc<LogDir>),
}

/// The quorum's end of the way to the publisher.
pub(crate) struct Queue(Mutex<Option<Sender<Update>>>);

impl Queue {
    pub(crate) fn new(sender: Sender<Update>) -> Queue {
        Queue(Mutex::new(Some(sender)))
    }

    fn send(&self, update: Update) {
        if let Some(sender) = &*self.0.lock() {
            // Nobody listens any more once the broker stops.
            let _ = sender.send(update);
        }
    }

    /// Has the publisher know when a log directory goes offline.
    pub(crate) fn watch(self: &Arc<Self>, dir: &Arc<LogDir>) {
        let (queue, watched) = (Arc::clone(self), Arc::downgrade(dir));
        let tell = move |_| {
            if let Some(dir) = watched.upgrade() {
                queue.send(Update::Offline(dir));
            }
        };
        dir.when_offline(Box::new(tell));
    }

    /// Lets the publisher end once it has followed what it was told.
    pub(crate) fn close(&self) {
        self.0.lock().take();
    }
}

impl MetadataListener for Queue {
    fn loaded(&self, image: &Arc<CommittedImage>) {
        self.send(Update::Metadata(Arc::clone(image), None));
    }

    fn committed(&self, image: &Arc<CommittedImage>, delta: Delta) {
        self.send(Update::Metadata(Arc::clone(image), Some(delta)));
    }
}

/// Follows the metadata.
pub(crate) struct Publisher {
    pub(crate) node_id: i32,
    pub(crate) directories: Arc<Directories>,
    pub(crate) partitions: Arc<Partitions>,
    pub(crate) groups: Arc<Groups>,
    pub(crate) config: Arc<ArcSwap<BrokerConfig>>,
    pub(crate) published: watch::Sender<Arc<CommittedImage>>,
    /// Who tells the controller about the log directories.
    pub(crate) events: UnboundedSender<Event>,
    /// Partitions whose logs cannot be used, which may pass.
    pub(crate) unusable: HashMap<(Uuid, i32), Unusable>,
}

/// A partition whose log cannot be used.
pub(crate) struct Unusable {
    is_new: bool,
    reason: String,
}

impl Publisher {
    /// Follows until the quorum's end is closed.
    pub(crate) fn run(mut self, updates: &Receiver<Update>) {
        while let Some(update) = self.next(updates) {
            match update {
                None => self.retry(),
                Some(Update::Offline(dir)) => self.leave(&dir),
                Some(Update::Metadata(image, delta)) => {
                    match delta {
                        None => self.publish_all(&image),
                        Some(delta) => self.publish(&image, &delta),
                    }
                    self.published.send_replace(image);
                }
            }
        }
    }

    /// What comes next; nothing within if it is time to try again; none at the end.
    fn next(&self, updates: &Receiver<Update>) -> Option<Option<Update>> {
        if self.unusable.is_empty() {
            return updates.recv().ok().map(Some);
        }
        match updates.recv_timeout(RETRY) {
            Ok(update) => Some(Some(update)),
            Err(RecvTimeoutError::Timeout) => Some(None),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Tries to use the logs again that could not be used.
    fn retry(&mut self) {
        let committed = Arc::clone(&self.published.borrow());
        let unusable: Vec<_> = self.unusable.iter().map(|(key, unusable)| (*key, unusable.is_new)).collect();
        for ((topic_id, number), is_new) in unusable {
            match committed.image.topics.by_id(topic_id) {
                Some(topic) => self.follow_partitions(&committed, topic, &BTreeSet::from([number]), is_new),
                None => drop(self.unusable.remove(&(topic_id, number))),
            }
        }
    }

    /// Serves nothing any more that is in a log directory.
    fn leave(&mut self, dir: &Arc<LogDir>) {
        for partition in self.partitions.remove_in(dir) {
            self.resign(&partition.log.id().topic, partition.log.id().partition);
        }
        self.tell(Event::Offline);
    }

    /// Nobody listens any more once the broker stops.
    fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// Makes everything so that was there when the broker started.
    fn publish_all(&mut self, committed: &CommittedImage) {
        self.set_strays_aside(committed);
        self.take_broker_settings(committed);
        committed.image.topics.iter().for_each(|topic| self.follow_topic(committed, topic));
    }

    fn publish(&mut self, committed: &CommittedImage, delta: &Delta) {
        self.follow_broker_settings(committed, delta);
        self.delete_topics(delta);
        for (topic_id, numbers) in &delta.changed_partitions {
            if let Some(topic) = committed.image.topics.by_id(*topic_id) {
                self.follow_partitions(committed, topic, numbers, true);
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

    fn follow_broker_settings(&mut self, committed: &CommittedImage, delta: &Delta) {
        let (own, all) = (ConfigResource::broker(self.node_id), ConfigResource::all_brokers());
        if !delta.changed_configs.contains(&own) && !delta.changed_configs.contains(&all) {
            return;
        }
        self.take_broker_settings(committed);
        self.tell(Event::Cordoned);
        committed.image.topics.iter().for_each(|topic| self.follow_topic(committed, topic));
    }

    fn take_broker_settings(&self, committed: &CommittedImage) {
        let of = |resource| overrides_in(committed, &resource);
        let (own, all) = (of(ConfigResource::broker(self.node_id)), of(ConfigResource::all_brokers()));
        self.config.store(Arc::new(self.config.load().with_dynamic(&all, &own)));
    }

    fn follow_topic(&mut self, committed: &CommittedImage, topic: &Topic) {
        let numbers = topic.partitions().map(|(number, _)| number).collect();
        self.follow_partitions(committed, topic, &numbers, false);
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
        self.delete_copies(delta);
        for (dir, partitions) in doomed.into_values() {
            if let Err(error) = dir.delete_logs(&partitions) {
                tracing::error!(%error, "logs of deleted topics could not be deleted");
            }
        }
    }

    /// Gives up the copies that are being made of logs of topics that are gone.
    fn delete_copies(&self, delta: &Delta) {
        for Opened { dir, .. } in self.directories.online() {
            let copies = dir.future_logs().into_iter().map(|log| log.id().clone());
            for id in copies.filter(|id| delta.deleted_topics.contains_key(&id.topic_id)) {
                if let Err(error) = dir.delete_future_log(&id.topic_partition()) {
                    tracing::error!(%error, "a copy of a deleted topic's log could not be deleted");
                }
            }
        }
    }

    /// `may_be_new`: of those that were never changed it is known that they are nowhere yet.
    fn follow_partitions(
        &mut self,
        committed: &CommittedImage,
        topic: &Topic,
        numbers: &BTreeSet<i32>,
        may_be_new: bool,
    ) {
        let overrides = overrides_in(committed, &ConfigResource::topic(&*topic.name));
        let settings = TopicConfig::resolve(&self.config.load(), &overrides);
        let log_config = log_settings::of_topic(&topic.name, &settings);
        for number in numbers {
            let Some(known) = topic.partition(*number) else { continue };
            let is_new = may_be_new && known.partition_epoch == 0;
            if known.leader != self.node_id {
                self.partitions.remove(topic.id, *number);
                self.resign(&topic.name, *number);
                self.unusable.remove(&(topic.id, *number));
                continue;
            }
            match self.log_of(topic, *number, known.directory_of(self.node_id), is_new, &log_config) {
                Ok(Found { log, home, former }) => {
                    let partition = Partition {
                        log,
                        log_dir: home.dir,
                        flushes: home.flushes,
                        leader_epoch: known.leader_epoch,
                        in_sync: known.isr.len(),
                        in_sync_min: in_sync_min(&settings, known.replicas.len()),
                        meter: self.partitions.meter(topic.id, *number),
                    };
                    let id = partition.log.id().topic_partition();
                    self.lead(topic, *number, partition);
                    // Nobody reads there any more.
                    former.iter().for_each(|former| delete_former(former, &id));
                }
                Err(error) => {
                    self.partitions.remove(topic.id, *number);
                    self.note_unusable(topic, *number, is_new, &error);
                }
            }
        }
    }

    fn lead(&mut self, topic: &Topic, number: i32, partition: Partition) {
        self.unusable.remove(&(topic.id, number));
        partition.log.begin_epoch(partition.leader_epoch);
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

    /// Says it once, and has it tried again.
    fn note_unusable(&mut self, topic: &Topic, number: i32, is_new: bool, error: &StorageError) {
        self.resign(&topic.name, number);
        let (key, reason) = ((topic.id, number), error.to_string());
        let before = self.unusable.insert(key, Unusable { is_new, reason: reason.clone() });
        if before.is_none_or(|before| before.reason != reason) {
            tracing::error!(topic = %topic.name, partition = number, %error, "a log cannot be used; trying again every second");
        }
    }

    /// The log of a partition, which is made if it is not there.
    fn log_of(
        &self,
        topic: &Topic,
        number: i32,
        assigned: Uuid,
        is_new: bool,
        config: &storage::LogConfig,
    ) -> Result<Found, StorageError> {
        let id = TopicIdPartition::new(Arc::clone(&topic.name), topic.id, number);
        let partition = id.topic_partition();
        let mut former = None;
        let cordoned = self.directories.ids_of(&self.config.load().logs.cordoned_dirs);
        let home = match self.directories.place_of(&partition, assigned, is_new, &cordoned)? {
            Place::Found(home) | Place::New(home) => home,
            Place::Copied(copy, original) => {
                copy.dir.promote_future_log(&partition)?;
                tracing::info!(%partition, dir = %copy.dir.path().display(), "moved to another log directory");
                former = original.cloned();
                copy
            }
        };
        if former.is_none() {
            for other in self.directories.other_holders(&partition, home.id) {
                other.dir.set_strays_aside(std::slice::from_ref(&partition))?;
            }
        }
        let log = match home.dir.create_log(&id, config.clone()) {
            Err(StorageError::OtherTopic(_)) => {
                home.dir.set_strays_aside(&[partition])?;
                home.dir.create_log(&id, config.clone())
            }
            made => made,
        }?;
        if home.id != assigned {
            let (topic_id, partition, directory) = (topic.id, number, home.id);
            self.tell(Event::Assigned(Assignment { topic_id, partition, directory }));
        }
        Ok(Found { log, home: home.clone(), former })
    }

    /// Sets aside logs of which the metadata knows nothing: of topics that were deleted while this broker was away, or of others.
    fn set_strays_aside(&self, committed: &CommittedImage) {
        for Opened { dir, .. } in self.directories.online() {
            let strays: Vec<TopicPartition> = dir
                .logs()
                .iter()
                .filter(|log| &*log.id().topic != METADATA && !is_known(committed, log.id()))
                .map(|log| log.id().topic_partition())
                .collect();
            if let Err(error) = dir.set_strays_aside(&strays) {
                tracing::error!(%error, "logs that belong to no partition could not be set aside");
            }
        }
    }
}

/// Replicas that must be in sync for acks=all: never more than there are.
fn in_sync_min(settings: &TopicConfig, replicas: usize) -> usize {
    usize::try_from(settings.min_insync_replicas).unwrap_or(0).min(replicas)
}

/// The log of a partition and where it is.
struct Found {
    log: Arc<Log>,
    home: Opened,
    /// Where it was before it moved just now.
    former: Option<Opened>,
}

/// Does away with the original of a log that has moved.
fn delete_former(former: &Opened, partition: &TopicPartition) {
    if let Err(error) = former.dir.delete_log(partition) {
        // It is set aside at the next start.
        tracing::error!(%error, %partition, "the log in the former directory could not be deleted");
    }
}

fn is_known(committed: &CommittedImage, id: &TopicIdPartition) -> bool {
    let topic = committed.image.topics.by_name(&id.topic);
    topic.is_some_and(|topic| {
        let same = id.topic_id.is_zero() || id.topic_id == topic.id;
        same && topic.partition(id.partition).is_some()
    })
}
