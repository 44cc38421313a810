//! CreateTopics: the controller decides, and the answer comes once the topics can be written to.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::create_topics_response::CreatableTopicResult;
use protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};

use super::{Call, Handle};
use crate::Broker;
use crate::net::Started;

impl Handle for CreateTopicsRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let broker = Arc::clone(broker);
        call.working(async move { create(&broker, self).await })
    }
}

async fn create(broker: &Broker, request: CreateTopicsRequest) -> CreateTopicsResponse {
    if request.timeout_ms <= 0 {
        return refused(&request, ErrorCode::RequestTimedOut, None);
    }
    let decided = broker.change(|context, _| controller::create_topics(context, &request)).await;
    decided.unwrap_or_else(|error| refused(&request, error.code(), Some(error.to_string())))
}

/// The same error for all topics.
fn refused(
    request: &CreateTopicsRequest,
    error: ErrorCode,
    error_message: Option<String>,
) -> CreateTopicsResponse {
    let refused = |topic: &CreatableTopic| CreatableTopicResult {
        name: topic.name.clone(),
        error_code: error.code(),
        error_message: error_message.clone(),
        configs: Some(Vec::new()),
        ..Default::default()
    };
    CreateTopicsResponse { topics: request.topics.iter().map(refused).collect(), ..Default::default() }
}
