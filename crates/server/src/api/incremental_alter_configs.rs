//! IncrementalAlterConfigs (KIP-339): the controller decides, and the answer comes once this broker goes by the settings.

use std::sync::Arc;

use config::LogLevel;
use metadata::ResourceType;
use protocol::ErrorCode;
use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::alter_configs::tell_without_effect;
use super::{Call, Handle};
use crate::Broker;
use crate::broker::ChangeError;
use crate::net::Started;

/// Takes a setting back.
const DELETE: i8 = 1;

impl Handle for IncrementalAlterConfigsRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let (broker, listener) = (Arc::clone(broker), call.listener);
        call.working(async move {
            let decide = |context: &mut controller::Context<'_>, _| {
                controller::incremental_alter_configs(context, &self, listener)
            };
            match broker.change(decide).await {
                Ok(response) => {
                    carry_out(&broker, &self, &response);
                    response
                }
                Err(error) => failed(&self, &error),
            }
        })
    }
}

/// What was decided and is not in the metadata: levels of loggers. And says what changes nothing.
fn carry_out(
    broker: &Broker,
    request: &IncrementalAlterConfigsRequest,
    response: &IncrementalAlterConfigsResponse,
) {
    let changed = request
        .resources
        .iter()
        .zip(&response.responses)
        .filter(|(_, answer)| !request.validate_only && answer.error_code == ErrorCode::None.code());
    for (resource, _) in changed {
        if ResourceType(resource.resource_type) == ResourceType::BROKER_LOGGER {
            set_levels(broker, resource);
            continue;
        }
        let set = resource.configs.iter().filter(|config| config.config_operation != DELETE);
        let names = set.map(|config| config.name.as_str());
        tell_without_effect(ResourceType(resource.resource_type), &resource.resource_name, names);
    }
}

fn set_levels(broker: &Broker, resource: &AlterConfigsResource) {
    let Some(loggers) = &broker.loggers else { return };
    let change = |config: &AlterableConfig| match config.config_operation {
        DELETE => None,
        _ => config.value.as_deref().and_then(LogLevel::from_name),
    };
    loggers.set(resource.configs.iter().map(|config| (config.name.as_str(), change(config))));
    for config in &resource.configs {
        let level = change(config).map_or("that of the root", LogLevel::name);
        tracing::info!(logger = config.name, level, "the level of a logger was changed");
    }
}

fn failed(request: &IncrementalAlterConfigsRequest, error: &ChangeError) -> IncrementalAlterConfigsResponse {
    let responses = request.resources.iter().map(|resource| AlterConfigsResourceResponse {
        error_code: error.code().code(),
        error_message: Some(error.to_string()),
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
    });
    IncrementalAlterConfigsResponse { responses: responses.collect(), ..Default::default() }
}
