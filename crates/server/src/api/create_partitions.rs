//! CreatePartitions: the controller decides, and the answer comes once the partitions can be written to.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::create_partitions_request::CreatePartitionsTopic;
use protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use super::{Call, Handle};
use crate::Broker;
use crate::net::Started;

impl Handle for CreatePartitionsRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let broker = Arc::clone(broker);
        call.working(async move { create(&broker, self).await })
    }
}

async fn create(broker: &Broker, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    if request.timeout_ms <= 0 {
        return refused(&request, ErrorCode::RequestTimedOut, None);
    }
    let decided = broker.change(|context, _| controller::create_partitions(context, &request)).await;
    decided.unwrap_or_else(|error| refused(&request, error.code(), Some(error.to_string())))
}

/// The same error for all topics.
fn refused(
    request: &CreatePartitionsRequest,
    error: ErrorCode,
    error_message: Option<String>,
) -> CreatePartitionsResponse {
    let refused = |topic: &CreatePartitionsTopic| CreatePartitionsTopicResult {
        name: topic.name.clone(),
        error_code: error.code(),
        error_message: error_message.clone(),
    };
    CreatePartitionsResponse { results: request.topics.iter().map(refused).collect(), ..Default::default() }
}
