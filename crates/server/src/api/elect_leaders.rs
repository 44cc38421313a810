//! ElectLeaders (KIP-183, KIP-460): the controller decides.

use std::sync::Arc;

use controller::Decision;
use protocol::ErrorCode;
use protocol::messages::elect_leaders_request::TopicPartitions;
use protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use super::{Call, Handle};
use crate::Broker;
use crate::net::Started;

/// Before this version each partition alone has an error.
const ERROR_CODE_SINCE: i16 = 1;

impl Handle for ElectLeadersRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let (broker, version) = (Arc::clone(broker), call.version);
        call.working(async move {
            let mut response = elect(&broker, self).await;
            if version < ERROR_CODE_SINCE {
                response.error_code = ErrorCode::None.code();
            }
            response
        })
    }
}

async fn elect(broker: &Broker, request: ElectLeadersRequest) -> ElectLeadersResponse {
    if request.timeout_ms <= 0 {
        let error = ErrorCode::RequestTimedOut;
        return refused(&request, error, error.message());
    }
    let decided = broker.change(|context, _| match controller::elect_leaders(context.image, &request) {
        Ok(Decision { records, reply }) => Decision { records, reply: Ok(reply) },
        Err(refusal) => Decision::unchanged(Err(refusal)),
    });
    match decided.await {
        Ok(Ok(response)) => response,
        Ok(Err(refusal)) => refused(&request, refusal.error, &refusal.message),
        Err(error) => refused(&request, error.code(), &error.to_string()),
    }
}

/// The same error for the whole and for each partition.
fn refused(request: &ElectLeadersRequest, error: ErrorCode, message: &str) -> ElectLeadersResponse {
    let partition_result = |partition_id: &i32| PartitionResult {
        partition_id: *partition_id,
        error_code: error.code(),
        error_message: Some(message.to_owned()),
    };
    let topic_result = |topic: &TopicPartitions| ReplicaElectionResult {
        topic: topic.topic.clone(),
        partition_result: topic.partitions.iter().map(partition_result).collect(),
    };
    ElectLeadersResponse {
        error_code: error.code(),
        replica_election_results: request.topic_partitions.iter().flatten().map(topic_result).collect(),
        ..Default::default()
    }
}
