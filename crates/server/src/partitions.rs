//! The partitions that this broker leads, and where their logs are.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use protocol::{ErrorCode, Uuid};
use storage::{Log, LogDir};

use crate::flushes::Flushes;

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
}

impl Partition {
    /// Whether acks=all may be promised.
    pub(crate) fn has_enough_in_sync(&self) -> bool {
        self.in_sync >= self.in_sync_min
    }

    /// Whether the client knows the leader's epoch (KIP-320); -1 stands for no claim.
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
            *slot = None;
        }
    }

    /// Forgets a topic, and says which partitions of it were led here.
    pub(crate) fn remove_topic(&self, topic_id: Uuid) -> Vec<Arc<Partition>> {
        self.topics.write().remove(&topic_id).unwrap_or_default().into_iter().flatten().collect()
    }

    pub(crate) fn clear(&self) {
        self.topics.write().clear();
    }
}
