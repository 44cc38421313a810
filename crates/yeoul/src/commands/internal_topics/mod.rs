//! What is in the records of the cluster's own topics, in the words of Kafka's tools. Pure.

mod coordinator;
mod json;
mod metadata;
mod remote_log;
mod schema;

pub use coordinator::{Coordinator, CoordinatorRecord, Members, Unreadable};
pub use metadata::{control, metadata_record};
pub use remote_log::remote_log_record;
