//! What changed from one image to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::Uuid;

use crate::{ConfigResource, Topic};

/// What changed between two images. The new values are in the newer image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// Topics that are new.
    pub created_topics: BTreeSet<Uuid>,
    /// Topics that are gone, as they were in the older image.
    pub deleted_topics: BTreeMap<Uuid, Arc<Topic>>,
    /// Partitions that are new or changed, those of new topics included.
    pub changed_partitions: BTreeMap<Uuid, BTreeSet<i32>>,
    /// Things whose settings changed. Those of a deleted topic are not listed.
    pub changed_configs: BTreeSet<ConfigResource>,
    /// Brokers that came, changed or went.
    pub changed_brokers: BTreeSet<i32>,
    /// Whether the levels of features changed.
    pub features_changed: bool,
    /// Whether the producer ids moved on.
    pub producer_ids_changed: bool,
    /// Whether controllers came, changed or went.
    pub controllers_changed: bool,
    /// Whether access control entries, credentials or tokens changed.
    pub security_changed: bool,
    /// Whether quotas changed.
    pub quotas_changed: bool,
}

impl Delta {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Delta::default()
    }

    /// Adds what changed after it.
    pub(crate) fn merge(&mut self, later: Delta) {
        later.deleted_topics.into_values().for_each(|topic| self.topic_deleted(topic));
        self.created_topics.extend(later.created_topics);
        for (topic_id, partitions) in later.changed_partitions {
            self.changed_partitions.entry(topic_id).or_default().extend(partitions);
        }
        self.changed_configs.extend(later.changed_configs);
        self.changed_brokers.extend(later.changed_brokers);
        self.features_changed |= later.features_changed;
        self.producer_ids_changed |= later.producer_ids_changed;
        self.controllers_changed |= later.controllers_changed;
        self.security_changed |= later.security_changed;
        self.quotas_changed |= later.quotas_changed;
    }

    pub(crate) fn topic_deleted(&mut self, topic: Arc<Topic>) {
        self.changed_partitions.remove(&topic.id);
        self.changed_configs.remove(&ConfigResource::topic(&*topic.name));
        // What came and went in between was in neither image.
        if !self.created_topics.remove(&topic.id) {
            self.deleted_topics.insert(topic.id, topic);
        }
    }

    pub(crate) fn partition_changed(&mut self, topic_id: Uuid, partition: i32) {
        self.changed_partitions.entry(topic_id).or_default().insert(partition);
    }
}
