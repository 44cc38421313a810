//! A client of a Kafka cluster, for the tools and between brokers: connections, metadata, producer, consumer, admin.
//!
//! It speaks to Apache Kafka as well as to Yeoul. Everything runs on the tokio runtime of the caller; what is read from a
//! broker is bounded by [`ClientOptions::response_bytes_max`].

mod admin;
mod cluster;
mod connection;
mod consumer;
mod error;
mod partitioner;
mod producer;

pub use admin::{DescribedPartition, DescribedTopic, NewTopic};
pub use cluster::{ClientOptions, Cluster, Partition};
pub use connection::Connection;
pub use consumer::{Consumer, ConsumerOptions, ConsumerRecord, GroupOptions, Start, Topics, assign_ranges};
pub use error::ClientError;
pub use partitioner::{Sticky, murmur2, partition_for_key};
pub use producer::{Delivery, Fate, Producer, ProducerOptions, ProducerRecord, Receipt};
