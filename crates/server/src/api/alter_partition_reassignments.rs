//! AlterPartitionReassignments: the controller decides.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use protocol::messages::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse};

use super::{Call, Handle};
use crate::Broker;
use crate::net::Started;

impl Handle for AlterPartitionReassignmentsRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let broker = Arc::clone(broker);
        call.working(async move { reassign(&broker, self).await })
    }
}

async fn reassign(
    broker: &Broker,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    if request.topics.is_empty() {
        // Kafka has no words for it, which is a text without any.
        return AlterPartitionReassignmentsResponse {
            error_message: Some(String::new()),
            ..Default::default()
        };
    }
    if request.timeout_ms <= 0 {
        return refused(&request, ErrorCode::RequestTimedOut, None);
    }
    let decide = |context: &mut controller::Context<'_>, _| {
        controller::alter_partition_reassignments(context.image, &request)
    };
    let decided = broker.change(decide).await;
    decided.unwrap_or_else(|error| refused(&request, error.code(), Some(error.to_string())))
}

/// The same error for all of it, and for each partition.
fn refused(
    request: &AlterPartitionReassignmentsRequest,
    error: ErrorCode,
    error_message: Option<String>,
) -> AlterPartitionReassignmentsResponse {
    let partition = |asked: &ReassignablePartition| ReassignablePartitionResponse {
        partition_index: asked.partition_index,
        error_code: error.code(),
        error_message: error_message.clone(),
    };
    let topic = |asked: &ReassignableTopic| ReassignableTopicResponse {
        name: asked.name.clone(),
        partitions: asked.partitions.iter().map(partition).collect(),
    };
    AlterPartitionReassignmentsResponse {
        error_code: error.code(),
        error_message: error_message.clone(),
        responses: request.topics.iter().map(topic).collect(),
        ..Default::default()
    }
}
