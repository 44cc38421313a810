//! Records that make no sense where they stand.

use protocol::Uuid;
use thiserror::Error;

/// A record does not fit the image that it is applied to: the log is damaged, or was not written by Kafka's rules.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// The record is about a topic that is not there.
    #[error("{record}: there is no topic with id {topic_id}")]
    UnknownTopic {
        /// Kafka's name of the record.
        record: &'static str,
        /// The topic.
        topic_id: Uuid,
    },
    /// The record is about a topic that is not there, by name.
    #[error("{record}: there is no topic `{name}`")]
    UnknownTopicName {
        /// Kafka's name of the record.
        record: &'static str,
        /// The topic.
        name: String,
    },
    /// A topic is there already, by its name or its id.
    #[error("TopicRecord: topic `{name}` or its id {topic_id} is in use")]
    DuplicateTopic {
        /// Its name.
        name: String,
        /// Its id.
        topic_id: Uuid,
    },
    /// The record changes a partition that is not there.
    #[error("PartitionChangeRecord: topic {topic_id} has no partition {partition}")]
    UnknownPartition {
        /// The topic.
        topic_id: Uuid,
        /// Number of the partition.
        partition: i32,
    },
    /// The record is about a broker that is not registered, or not in this epoch.
    #[error("{record}: broker {broker_id} is not registered with epoch {broker_epoch}")]
    UnknownBroker {
        /// Kafka's name of the record.
        record: &'static str,
        /// The broker.
        broker_id: i32,
        /// The epoch that the record names.
        broker_epoch: i64,
    },
    /// The record is about a controller that is not registered.
    #[error("UnregisterControllerRecord: controller {0} is not registered")]
    UnknownController(i32),
    /// The record removes what is not there.
    #[error("{record}: there is nothing to remove")]
    NothingToRemove {
        /// Kafka's name of the record.
        record: &'static str,
    },
    /// A number of the record has no meaning.
    #[error("{record}: {field} cannot be {value}")]
    InvalidValue {
        /// Kafka's name of the record.
        record: &'static str,
        /// The field.
        field: &'static str,
        /// What it says.
        value: i64,
    },
    /// A transaction starts within a transaction.
    #[error("BeginTransactionRecord: a transaction is open already")]
    NestedTransaction,
    /// A transaction ends that was not started.
    #[error("{record}: no transaction is open")]
    NoTransaction {
        /// Kafka's name of the record.
        record: &'static str,
    },
}
