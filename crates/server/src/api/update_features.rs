//! UpdateFeatures: the controller decides, and the answer comes once the levels hold here.

use std::sync::Arc;

use protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};

use super::{Call, Handle};
use crate::Broker;
use crate::net::Started;

impl Handle for UpdateFeaturesRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let (broker, version) = (Arc::clone(broker), call.version);
        call.working(async move {
            let kraft_version = broker.quorum.kraft_version();
            let decided = broker
                .change(|context, _| controller::update_features(context, &self, version, kraft_version))
                .await;
            decided.unwrap_or_else(|error| UpdateFeaturesResponse {
                error_code: error.code().code(),
                error_message: Some(error.to_string()),
                ..Default::default()
            })
        })
    }
}
