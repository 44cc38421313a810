//! A client of a Kafka cluster, for the tools and between brokers: connections, metadata, producer, consumer, admin.
//!
//! It speaks to Apache Kafka as well as to Yeoul. Everything runs on the tokio runtime of the caller; what is read from a
//! broker is bounded by [`ClientOptions::response_bytes_max`].

mod admin;
mod backoff;
mod bootstrap;
mod cluster;
mod connection;
mod consumer;
mod error;
mod partitioner;
mod producer;

pub use admin::{
    AbortSpec, ByPlace, ConfigResource, ConfigResourceType, DescribedFeature, DescribedFeatures,
    DescribedGroup, DescribedMember, DescribedPartition, DescribedProducer, DescribedQuorum, DescribedQuotas,
    DescribedTopic, DescribedTransaction, ElectionType, FoundOffset, ListedTransaction, NewTopic, OffsetSpec,
    PartitionReassignment, QuotaEntity, QuotaEntityType, QuotaMatch, Replica, ReplicaLogDirs, ScramChange,
    ScramUser, TransactionFilter, UpgradeType,
};
pub use backoff::Backoff;
pub use cluster::{ClientOptions, Cluster, Coordinator, CoordinatorType, Partition};
pub use connection::Connection;
pub use consumer::{
    AssignmentChange, Assignor, CommittedOffset, Consumer, ConsumerOptions, ConsumerRecord, GroupOptions,
    GroupProtocol, Place, Start, Topics,
};
pub use error::ClientError;
pub use partitioner::{Partitioner, Sticky, murmur2, partition_for_key};
pub use producer::{
    Delivery, Fate, GroupMember, Producer, ProducerOptions, ProducerRecord, Receipt, TransactionError,
    TransactionOptions, TransactionRefusal, TransactionalProducer,
};
