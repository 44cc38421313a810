//! CreateTopics: the controller decides, and the answer comes once the topics can be written to.

use std::sync::Arc;

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
    let decided = broker.change(|context, _| controller::create_topics(context, &request)).await;
    decided.unwrap_or_else(|error| {
        let failed =
            |topic: &protocol::messages::create_topics_request::CreatableTopic| CreatableTopicResult {
                name: topic.name.clone(),
                error_code: error.code().code(),
                error_message: Some(error.to_string()),
                ..Default::default()
            };
        CreateTopicsResponse { topics: request.topics.iter().map(failed).collect(), ..Default::default() }
    })
}
