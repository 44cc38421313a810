//! AlterConfigs (KIP-133) and what both APIs that change settings share: the controller decides, and the answer comes once this
//! broker goes by the settings.

use std::sync::Arc;

use config::{Scope, setting};
use metadata::ResourceType;
use protocol::ErrorCode;
use protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use super::{Call, Handle};
use crate::Broker;
use crate::broker::ChangeError;
use crate::net::Started;

impl Handle for AlterConfigsRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let (broker, listener) = (Arc::clone(broker), call.listener);
        call.working(async move {
            let decided =
                broker.change(|context, _| controller::alter_configs(context, &self, listener)).await;
            match decided {
                Ok(response) => {
                    tell_of(&self, &response);
                    response
                }
                Err(error) => failed(&self, &error),
            }
        })
    }
}

fn tell_of(request: &AlterConfigsRequest, response: &AlterConfigsResponse) {
    let changed = request
        .resources
        .iter()
        .zip(&response.responses)
        .filter(|(_, answer)| !request.validate_only && answer.error_code == ErrorCode::None.code());
    for (resource, _) in changed {
        let names = resource.configs.iter().map(|config| config.name.as_str());
        tell_without_effect(ResourceType(resource.resource_type), &resource.resource_name, names);
    }
}

fn failed(request: &AlterConfigsRequest, error: &ChangeError) -> AlterConfigsResponse {
    let responses = request.resources.iter().map(|resource| AlterConfigsResourceResponse {
        error_code: error.code().code(),
        error_message: Some(error.to_string()),
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
    });
    AlterConfigsResponse { responses: responses.collect(), ..Default::default() }
}

/// Says which of the settings that were just set change nothing.
pub(super) fn tell_without_effect<'a>(
    resource_type: ResourceType,
    resource: &str,
    names: impl Iterator<Item = &'a str>,
) {
    let scope = match resource_type {
        ResourceType::TOPIC => Scope::Topic,
        ResourceType::BROKER => Scope::Broker,
        ResourceType::GROUP => Scope::Group,
        ResourceType::CLIENT_METRICS => Scope::ClientMetrics,
        _ => return,
    };
    let idle: Vec<&str> = names.filter(|name| setting(scope, name).is_some_and(|row| !row.acts)).collect();
    if !idle.is_empty() {
        let settings = idle.join(", ");
        tracing::warn!(
            ?scope,
            resource,
            settings,
            "these settings are kept, and yeoul does not act on them yet"
        );
    }
}
