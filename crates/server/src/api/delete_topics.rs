//! DeleteTopics: the controller decides, and the answer comes once the logs are gone.

use std::sync::Arc;

use protocol::messages::delete_topics_response::DeletableTopicResult;
use protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use protocol::{ErrorCode, Uuid};

use super::{Call, Handle};
use crate::Broker;
use crate::net::Started;

impl Handle for DeleteTopicsRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let (broker, version) = (Arc::clone(broker), call.version);
        call.working(async move { delete(&broker, self, version).await })
    }
}

async fn delete(broker: &Broker, request: DeleteTopicsRequest, version: i16) -> DeleteTopicsResponse {
    if request.timeout_ms <= 0 {
        return refused(&request, ErrorCode::RequestTimedOut, None);
    }
    let decided = broker.change(|context, _| controller::delete_topics(context, &request, version)).await;
    decided.unwrap_or_else(|error| refused(&request, error.code(), Some(error.to_string())))
}

/// The same error for all topics.
fn refused(
    request: &DeleteTopicsRequest,
    error: ErrorCode,
    error_message: Option<String>,
) -> DeleteTopicsResponse {
    let named = request.topic_names.iter().map(|name| (Some(name.clone()), Uuid::ZERO));
    let states = request.topics.iter().map(|topic| (topic.name.clone(), topic.topic_id));
    let refused = |(name, topic_id)| DeletableTopicResult {
        name,
        topic_id,
        error_code: error.code(),
        error_message: error_message.clone(),
    };
    DeleteTopicsResponse { responses: named.chain(states).map(refused).collect(), ..Default::default() }
}
