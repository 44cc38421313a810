//! The cluster's metadata as one value, and how Kafka's metadata records change it.
//!
//! An [`Image`] is what all records of the metadata log add up to. Its parts are persistent trees that images share, so that
//! one costs little more than what it differs in from the one before. [`Loader`] applies records, keeps transactions of
//! them together, and tells by a [`Delta`] what changed. Nothing here reads a clock, a file or a socket.

mod cluster;
mod configs;
mod delta;
mod directory_id;
mod error;
mod features;
mod image;
mod loader;
mod security;
mod snapshot;
mod supported;
mod topics;

pub use cluster::Cluster;
pub use configs::{ConfigResource, Configs, ResourceType};
pub use delta::Delta;
pub use directory_id::DirectoryId;
pub use error::ApplyError;
pub use features::{ELIGIBLE_LEADER_REPLICAS, Features, METADATA_VERSION, MetadataVersion};
pub use image::{Image, ProducerIds};
pub use loader::Loader;
pub use security::{ClientQuotas, QuotaEntity, Security};
pub use supported::{
    KRAFT_VERSION, bootstrap_features, default_levels, needed_metadata_version, supported_features,
};
pub use topics::{LeaderRecovery, Partition, Topic, Topics};
