//! The partitions that this broker leads, and where their logs are.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use protocol::{ErrorCode, Uuid};
use storage::{Log, LogDir};

use crate::flushes::Flushes;
use crate::meters::{PartitionCounts, PartitionMeter};

/// A partition that this broker leads.
pub(crate) struct Partition {
    pub(crate) log: Arc<Log>,
    /// The log directory that the log is in.
    pub(crate) log_dir: Arc<LogDir>,
    /// Those who wait for that directory's journal.
    pub(crate) flushes: Arc<Flushes>,
    pub(crate) leader_epoch: i32,
    /// Replicas in sync, this one included.
    pub(crate) in_sync: usize,
    /// `min.insync.replicas`.
    pub(crate) in_sync_min: usize,
    /// What is counted of it.
    pub(crate) meter: Arc<PartitionMeter>,
}

impl Partition {
    /// Whether acks=all may be promised.
    pub(crate) fn has_enough_in_sync(&self) -> bool {
        self.in_sync >= self.in_sync_min
    }

    /// What was counted since this broker leads it.
    pub(crate) fn counts(&self) -> PartitionCounts {
        self.meter.read(&self.log)
    }

    /// The same where nothing but -1 stands for no claim, and what is below it is taken for an epoch that is over.
    pub(crate) fn check_claimed_epoch(&self, claimed: i32) -> Result<(), ErrorCode> {
        if claimed < -1 { Err(ErrorCode::FencedLeaderEpoch) } else { self.check_leader_epoch(claimed) }
    }

    /// Whether the client knows the leader's epoch (KIP-320); a negative number stands for no claim.
    pub(crate) fn check_leader_epoch(&self, claimed: i32) -> Result<(), ErrorCode> {
        match claimed {
            ..0 => Ok(()),
            older if older < self.leader_epoch => Err(ErrorCode::FencedLeaderEpoch),
            newer if newer > self.leader_epoch => Err(ErrorCode::UnknownLeaderEpoch),
            _ => Ok(()),
        }
    }
}

/// Partitions by topic and number. Reading takes no lock that is held over a disk.
#[derive(Default)]
pub(crate) struct Partitions {
    topics: RwLock<HashMap<Uuid, Vec<Option<Arc<Partition>>>>>,
    /// What was counted of those that are not led here any more, so that the broker's totals never go back.
    past: Mutex<PartitionCounts>,
}

impl Partitions {
    pub(crate) fn get(&self, topic_id: Uuid, number: i32) -> Option<Arc<Partition>> {
        let topics = self.topics.read();
        topics.get(&topic_id)?.get(usize::try_from(number).ok()?)?.clone()
    }

    pub(crate) fn put(&self, topic_id: Uuid, number: i32, partition: Arc<Partition>) {
        let Ok(place) = usize::try_from(number) else { return };
        let mut topics = self.topics.write();
        let topic = topics.entry(topic_id).or_default();
        if topic.len() <= place {
            topic.resize(place + 1, None);
        }
        topic[place] = Some(partition);
    }

    pub(crate) fn remove(&self, topic_id: Uuid, number: i32) {
        if let Ok(place) = usize::try_from(number)
            && let Some(slot) = self.topics.write().get_mut(&topic_id).and_then(|topic| topic.get_mut(place))
        {
            self.keep_counts(slot.take().as_deref());
        }
    }

    fn keep_counts<'a>(&self, partitions: impl IntoIterator<Item = &'a Partition>) {
        let mut past = self.past.lock();
        partitions.into_iter().for_each(|partition| *past += partition.counts());
    }

    /// The meter of a partition, which goes on while it is led here.
    pub(crate) fn meter(&self, topic_id: Uuid, number: i32) -> Arc<PartitionMeter> {
        self.get(topic_id, number).map_or_else(Arc::default, |known| Arc::clone(&known.meter))
    }

    /// All of them, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<Partition>> {
        self.topics.read().values().flatten().flatten().cloned().collect()
    }

    /// All of them, and what was counted of those that are led here no longer.
    pub(crate) fn all_and_past(&self) -> (Vec<Arc<Partition>>, PartitionCounts) {
        let topics = self.topics.read();
        let all = topics.values().flatten().flatten().cloned().collect();
        (all, *self.past.lock())
    }

    /// Forgets the partitions whose logs are in a directory, and says which those were.
    pub(crate) fn remove_in(&self, log_dir: &Arc<LogDir>) -> Vec<Arc<Partition>> {
        let mut topics = self.topics.write();
        let slots = topics.values_mut().flatten();
        let is_there = |slot: &&mut Option<Arc<Partition>>| {
            slot.as_ref().is_some_and(|partition| Arc::ptr_eq(&partition.log_dir, log_dir))
        };
        let removed: Vec<_> = slots.filter(is_there).filter_map(Option::take).collect();
        drop(topics);
        self.keep_counts(removed.iter().map(|partition| &**partition));
        removed
    }

    /// Forgets a topic, and says which partitions of it were led here.
    pub(crate) fn remove_topic(&self, topic_id: Uuid) -> Vec<Arc<Partition>> {
        let mut topics = self.topics.write();
        let removed: Vec<_> = topics.remove(&topic_id).unwrap_or_default().into_iter().flatten().collect();
        self.keep_counts(removed.iter().map(|partition| &**partition));
        removed
    }

    pub(crate) fn clear(&self) {
        self.topics.write().clear();
    }
}
