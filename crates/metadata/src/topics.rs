//! Topics and their partitions.

use std::sync::Arc;

use protocol::Uuid;
use protocol::messages::{MetadataRecord, PartitionChangeRecord, PartitionRecord, TopicRecord};
use rpds::RedBlackTreeMapSync;

use crate::{ApplyError, DirectoryId};

/// In a change: the leader stays.
const NO_LEADER_CHANGE: i32 = -2;

/// Whether the leader was elected cleanly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeaderRecovery {
    /// It had all committed records.
    #[default]
    Recovered,
    /// It may lack some and has yet to say that it is done.
    Recovering,
}

/// A partition as the controller decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Brokers that are to have a replica, the preferred leader first.
    pub replicas: Vec<i32>,
    /// The log directory of each of them; empty if not known (`metadata.version` below 3.7-IV2).
    pub directories: Vec<Uuid>,
    /// Brokers whose replicas are in sync.
    pub isr: Vec<i32>,
    /// Replicas that a reassignment takes away.
    pub removing_replicas: Vec<i32>,
    /// Replicas that a reassignment adds.
    pub adding_replicas: Vec<i32>,
    /// Brokers out of sync that have all committed records (KIP-966).
    pub elr: Vec<i32>,
    /// The last leader that was seen when ISR and ELR became empty.
    pub last_known_elr: Vec<i32>,
    /// The leader's broker id, or -1.
    pub leader: i32,
    /// Whether the leader was elected cleanly.
    pub leader_recovery: LeaderRecovery,
    /// Grows by each new leader.
    pub leader_epoch: i32,
    /// Grows by each change.
    pub partition_epoch: i32,
}

impl Partition {
    fn from_record(record: &PartitionRecord) -> Result<Partition, ApplyError> {
        Ok(Partition {
            replicas: record.replicas.clone(),
            directories: record.directories.clone(),
            isr: record.isr.clone(),
            removing_replicas: record.removing_replicas.clone(),
            adding_replicas: record.adding_replicas.clone(),
            elr: record.eligible_leader_replicas.clone().unwrap_or_default(),
            last_known_elr: record.last_known_elr.clone().unwrap_or_default(),
            leader: record.leader,
            leader_recovery: leader_recovery("PartitionRecord", record.leader_recovery_state)?,
            leader_epoch: record.leader_epoch,
            partition_epoch: record.partition_epoch,
        })
    }

    /// The partition after a change; what the change does not name stays.
    fn merge(&self, change: &PartitionChangeRecord) -> Result<Partition, ApplyError> {
        let mut merged = self.clone();
        let set = |field: &mut Vec<i32>, value: &Option<Vec<i32>>| {
            if let Some(value) = value {
                field.clone_from(value);
            }
        };
        set(&mut merged.isr, &change.isr);
        set(&mut merged.replicas, &change.replicas);
        set(&mut merged.removing_replicas, &change.removing_replicas);
        set(&mut merged.adding_replicas, &change.adding_replicas);
        set(&mut merged.elr, &change.eligible_leader_replicas);
        set(&mut merged.last_known_elr, &change.last_known_elr);
        if let Some(directories) = &change.directories {
            merged.directories.clone_from(directories);
        }
        if change.leader != NO_LEADER_CHANGE {
            merged.leader = change.leader;
            merged.leader_epoch = self.leader_epoch.saturating_add(1);
        }
        if change.leader_recovery_state != -1 {
            merged.leader_recovery = leader_recovery("PartitionChangeRecord", change.leader_recovery_state)?;
        }
        merged.partition_epoch = self.partition_epoch.saturating_add(1);
        Ok(merged)
    }

    /// The log directory of a broker's replica; [`DirectoryId::MIGRATING`] if that is not known.
    pub fn directory_of(&self, broker_id: i32) -> Uuid {
        let place = self.replicas.iter().position(|id| *id == broker_id);
        place.and_then(|place| self.directories.get(place)).copied().unwrap_or(DirectoryId::MIGRATING)
    }

    /// The record that makes this partition.
    pub fn to_record(&self, topic_id: Uuid, partition_id: i32) -> PartitionRecord {
        let unless_empty = |ids: &Vec<i32>| (!ids.is_empty()).then(|| ids.clone());
        PartitionRecord {
            partition_id,
            topic_id,
            replicas: self.replicas.clone(),
            isr: self.isr.clone(),
            removing_replicas: self.removing_replicas.clone(),
            adding_replicas: self.adding_replicas.clone(),
            leader: self.leader,
            leader_recovery_state: i8::from(self.leader_recovery == LeaderRecovery::Recovering),
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
            directories: self.directories.clone(),
            eligible_leader_replicas: unless_empty(&self.elr),
            last_known_elr: unless_empty(&self.last_known_elr),
        }
    }
}

fn leader_recovery(record: &'static str, state: i8) -> Result<LeaderRecovery, ApplyError> {
    match state {
        0 => Ok(LeaderRecovery::Recovered),
        1 => Ok(LeaderRecovery::Recovering),
        other => {
            Err(ApplyError::InvalidValue { record, field: "leaderRecoveryState", value: i64::from(other) })
        }
    }
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id; a topic of the same name that is made later has another one (KIP-516).
    pub id: Uuid,
    partitions: RedBlackTreeMapSync<i32, Arc<Partition>>,
}

impl Topic {
    /// A partition by its number.
    pub fn partition(&self, number: i32) -> Option<&Arc<Partition>> {
        self.partitions.get(&number)
    }

    /// Its partitions with their numbers, ascending.
    pub fn partitions(&self) -> impl Iterator<Item = (i32, &Arc<Partition>)> {
        self.partitions.iter().map(|(number, partition)| (*number, partition))
    }

    /// How many partitions it has.
    pub fn partition_count(&self) -> usize {
        self.partitions.size()
    }
}

/// All topics, by id and by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topics {
    by_id: RedBlackTreeMapSync<Uuid, Arc<Topic>>,
    by_name: RedBlackTreeMapSync<Arc<str>, Uuid>,
}

impl Topics {
    /// A topic by its name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_name.get(name).and_then(|id| self.by_id.get(id))
    }

    /// A topic by its id.
    pub fn by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    /// All topics, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_name.values().filter_map(|id| self.by_id.get(id))
    }

    /// How many topics there are.
    pub fn len(&self) -> usize {
        self.by_id.size()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(crate) fn create(&mut self, record: &TopicRecord) -> Result<(), ApplyError> {
        if self.by_name.contains_key(record.name.as_str()) || self.by_id.contains_key(&record.topic_id) {
            let (name, topic_id) = (record.name.clone(), record.topic_id);
            return Err(ApplyError::DuplicateTopic { name, topic_id });
        }
        let name: Arc<str> = record.name.as_str().into();
        let topic =
            Topic { name: name.clone(), id: record.topic_id, partitions: RedBlackTreeMapSync::new_sync() };
        self.by_id.insert_mut(topic.id, Arc::new(topic));
        self.by_name.insert_mut(name, record.topic_id);
        Ok(())
    }

    pub(crate) fn remove(&mut self, topic_id: Uuid) -> Result<Arc<Topic>, ApplyError> {
        let topic = self.expect("RemoveTopicRecord", topic_id)?.clone();
        self.by_id.remove_mut(&topic_id);
        self.by_name.remove_mut(&topic.name);
        Ok(topic)
    }

    pub(crate) fn add_partition(&mut self, record: &PartitionRecord) -> Result<(), ApplyError> {
        let topic = self.expect("PartitionRecord", record.topic_id)?.clone();
        let partition = Partition::from_record(record)?;
        self.put(topic, record.partition_id, partition);
        Ok(())
    }

    pub(crate) fn change_partition(&mut self, record: &PartitionChangeRecord) -> Result<(), ApplyError> {
        let (topic_id, partition) = (record.topic_id, record.partition_id);
        let topic = self.expect("PartitionChangeRecord", topic_id)?.clone();
        let before =
            topic.partition(partition).ok_or(ApplyError::UnknownPartition { topic_id, partition })?;
        let merged = before.merge(record)?;
        self.put(topic, partition, merged);
        Ok(())
    }

    /// Forgets the eligible leader replicas of a topic, or by the empty name of all; gives the partitions that had some.
    pub(crate) fn clear_elr(&mut self, topic_name: &str) -> Result<Vec<(Uuid, i32)>, ApplyError> {
        let topics: Vec<_> = match topic_name {
            "" => self.by_id.values().cloned().collect(),
            name => vec![self.by_name(name).cloned().ok_or_else(|| ApplyError::UnknownTopicName {
                record: "ClearElrRecord",
                name: name.to_owned(),
            })?],
        };
        Ok(topics.into_iter().flat_map(|topic| self.clear_elr_of(topic)).collect())
    }

    fn clear_elr_of(&mut self, topic: Arc<Topic>) -> Vec<(Uuid, i32)> {
        let has_elr =
            |partition: &Partition| !(partition.elr.is_empty() && partition.last_known_elr.is_empty());
        let changed: Vec<_> = topic.partitions().filter(|(_, partition)| has_elr(partition)).collect();
        let mut cleared = topic.as_ref().clone();
        for (number, partition) in &changed {
            let partition =
                Partition { elr: Vec::new(), last_known_elr: Vec::new(), ..partition.as_ref().clone() };
            cleared.partitions.insert_mut(*number, Arc::new(partition));
        }
        let changed = changed.into_iter().map(|(number, _)| (topic.id, number)).collect();
        self.by_id.insert_mut(topic.id, Arc::new(cleared));
        changed
    }

    fn put(&mut self, mut topic: Arc<Topic>, number: i32, partition: Partition) {
        Arc::make_mut(&mut topic).partitions.insert_mut(number, Arc::new(partition));
        self.by_id.insert_mut(topic.id, topic);
    }

    fn expect(&self, record: &'static str, topic_id: Uuid) -> Result<&Arc<Topic>, ApplyError> {
        self.by_id.get(&topic_id).ok_or(ApplyError::UnknownTopic { record, topic_id })
    }

    pub(crate) fn write(&self, records: &mut Vec<MetadataRecord>) {
        for topic in self.by_id.values() {
            records.push(TopicRecord { name: topic.name.to_string(), topic_id: topic.id }.into());
            let partitions = topic.partitions();
            records
                .extend(partitions.map(|(number, partition)| partition.to_record(topic.id, number).into()));
        }
    }
}
