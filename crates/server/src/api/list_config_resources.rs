//! ListConfigResources (KIP-1142), which in version 0 is ListClientMetricsResources (KIP-1000).

use std::sync::Arc;

use metadata::{ConfigResource, ResourceType};
use protocol::ErrorCode;
use protocol::messages::list_config_resources_response::ConfigResource as Listed;
use protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use quorum::CommittedImage;

use super::{Call, Handle};
use crate::Broker;
use crate::net::Started;

/// The first version that asks for types.
const TYPES_SINCE: i16 = 1;
const ALL: [ResourceType; 5] = [
    ResourceType::TOPIC,
    ResourceType::BROKER_LOGGER,
    ResourceType::BROKER,
    ResourceType::CLIENT_METRICS,
    ResourceType::GROUP,
];

impl Handle for ListConfigResourcesRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let types = match call.version {
            ..TYPES_SINCE => Ok(vec![ResourceType::CLIENT_METRICS]),
            _ => asked(&self.resource_types),
        };
        call.done(&match types {
            Ok(types) => ListConfigResourcesResponse {
                config_resources: listed(&broker.published(), &types),
                ..Default::default()
            },
            Err(error) => ListConfigResourcesResponse { error_code: error.code(), ..Default::default() },
        })
    }
}

/// The types that are asked for, each once; all of them if none is named.
fn asked(types: &[i8]) -> Result<Vec<ResourceType>, ErrorCode> {
    let known = |number: &i8| {
        let asked = ResourceType(*number);
        if ALL.contains(&asked) { Ok(asked) } else { Err(ErrorCode::UnsupportedVersion) }
    };
    let named: Vec<ResourceType> = types.iter().map(known).collect::<Result<_, _>>()?;
    Ok(ALL.into_iter().filter(|one| named.is_empty() || named.contains(one)).collect())
}

fn listed(committed: &CommittedImage, types: &[ResourceType]) -> Vec<Listed> {
    let named = |resource_type: ResourceType| {
        names(committed, resource_type)
            .into_iter()
            .map(move |resource_name| Listed { resource_name, resource_type: resource_type.0 })
    };
    types.iter().flat_map(|one| named(*one)).collect()
}

/// All topics and brokers, and of the rest what has settings.
fn names(committed: &CommittedImage, resource_type: ResourceType) -> Vec<String> {
    let image = &committed.image;
    match resource_type {
        ResourceType::TOPIC => image.topics.iter().map(|topic| topic.name.to_string()).collect(),
        ResourceType::BROKER | ResourceType::BROKER_LOGGER => {
            let active = image.cluster.brokers().filter(|broker| !broker.fenced);
            active.map(|broker| broker.broker_id.to_string()).collect()
        }
        other => image.configs.of_type(other).map(|ConfigResource { name, .. }| name.clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_that_have_settings_and_all_if_none_is_named() {
        assert_eq!(asked(&[]), Ok(ALL.to_vec()));
        assert_eq!(asked(&[16, 16]), Ok(vec![ResourceType::CLIENT_METRICS]));
        assert_eq!(asked(&[8]), Ok(vec![ResourceType::BROKER_LOGGER]));
        for unknown in [0, 1, 77] {
            assert_eq!(asked(&[2, unknown]), Err(ErrorCode::UnsupportedVersion), "{unknown}");
        }
    }
}
