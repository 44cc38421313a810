//! How the cluster changes: pure decisions of the active controller.
//!
//! A decision looks at the [`Image`] and a request, and gives the records to append and the reply to send
//! once they are committed. It changes nothing, and takes time, settings and randomness from its [`Context`].

mod alter_configs;
mod brokers;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod directories;
mod elections;
mod formation;
mod placement;
mod producer_ids;
mod reassignments;
mod topic_name;
mod update_features;

pub use alter_configs::{alter_configs, incremental_alter_configs};
pub use brokers::{Registration, fence_broker, register_broker, register_controller, unfence_broker};
pub use create_partitions::create_partitions;
pub use create_topics::create_topics;
pub use delete_topics::delete_topics;
pub use directories::{Assignment, assign_directories, cordon_directories, keep_directories};
pub use elections::elect_leaders;
pub use formation::bootstrap;
pub use producer_ids::{PRODUCER_ID_BLOCK_SIZE, allocate_producer_ids};
pub use reassignments::{alter_partition_reassignments, list_partition_reassignments};
pub use topic_name::validate_topic_name;
pub use update_features::update_features;

use config::BrokerConfig;
use metadata::Image;
use protocol::ErrorCode;
use protocol::messages::MetadataRecord;

/// The most records that one request may cause, as Kafka limits them.
const RECORDS_MAX: usize = 10_000;

/// What a decision may know besides the request.
pub struct Context<'a> {
    /// The metadata that all records so far add up to, those included that are not committed yet.
    pub image: &'a Image,
    /// The settings of this node, those included that were changed at run time.
    pub config: &'a BrokerConfig,
    /// Draws a random number.
    pub random: &'a mut dyn FnMut() -> u64,
}

impl Context<'_> {
    fn random_uuid(&mut self) -> protocol::Uuid {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(self.random)().to_be_bytes());
        bytes[8..].copy_from_slice(&(self.random)().to_be_bytes());
        protocol::Uuid::from_random(bytes)
    }
}

/// What is to be appended as one batch, and what to answer once that is committed.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<R> {
    /// The records; none if nothing changes.
    pub records: Vec<MetadataRecord>,
    /// The reply.
    pub reply: R,
}

impl<R> Decision<R> {
    /// Nothing changes.
    pub fn unchanged(reply: R) -> Decision<R> {
        Decision { records: Vec::new(), reply }
    }
}

/// Why a request, or a part of it, is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error code.
    pub error: ErrorCode,
    /// Kafka's sentence.
    pub message: String,
}

impl Refusal {
    fn new(error: ErrorCode, message: impl Into<String>) -> Refusal {
        Refusal { error, message: message.into() }
    }
}
