//! How partitions are called.

use std::fmt;
use std::sync::Arc;

use protocol::Uuid;

/// A partition by the name of its topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// Name of the topic.
    pub topic: Arc<str>,
    /// Number of the partition, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// A partition of a topic.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A partition of one incarnation of a topic: a topic that is deleted and made again has another id (KIP-516).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TopicIdPartition {
    /// Name of the topic.
    pub topic: Arc<str>,
    /// Id of the topic.
    pub topic_id: Uuid,
    /// Number of the partition, from 0.
    pub partition: i32,
}

impl TopicIdPartition {
    /// A partition of a topic.
    pub fn new(topic: impl Into<Arc<str>>, topic_id: Uuid, partition: i32) -> TopicIdPartition {
        TopicIdPartition { topic: topic.into(), topic_id, partition }
    }

    /// The partition without the topic's id.
    pub fn topic_partition(&self) -> TopicPartition {
        TopicPartition { topic: self.topic.clone(), partition: self.partition }
    }

    /// Name of its directory.
    pub fn dir_name(&self) -> String {
        crate::files::names::of_partition(&self.topic, self.partition)
    }
}

impl fmt::Display for TopicIdPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}
