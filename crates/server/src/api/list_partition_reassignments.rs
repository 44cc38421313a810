//! ListPartitionReassignments: what the metadata says is under way.

use std::sync::Arc;

use protocol::messages::ListPartitionReassignmentsRequest;

use super::{Call, Handle};
use crate::Broker;
use crate::net::Started;

impl Handle for ListPartitionReassignmentsRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        call.done(&controller::list_partition_reassignments(&broker.published().image, &self))
    }
}
