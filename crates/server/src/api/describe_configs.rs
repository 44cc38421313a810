//! DescribeConfigs (KIP-133, KIP-226, KIP-569): every setting with its value, where that comes from, and what it is for.

use std::sync::Arc;

use config::{ConfigRow, Overrides, Synonym};
use metadata::{ConfigResource, ResourceType};
use protocol::ErrorCode;
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

use super::{Call, Handle};
use crate::Broker;
use crate::loggers::Loggers;
use crate::net::Started;

type Refused = (ErrorCode, String);

impl Handle for DescribeConfigsRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let results = self.resources.iter().map(|resource| describe(broker, &self, resource)).collect();
        call.done(&DescribeConfigsResponse { results, ..Default::default() })
    }
}

fn describe(
    broker: &Broker,
    request: &DescribeConfigsRequest,
    resource: &DescribeConfigsResource,
) -> DescribeConfigsResult {
    let (resource_type, resource_name) = (resource.resource_type, resource.resource_name.clone());
    match rows(broker, resource) {
        Ok(rows) => {
            let keys = &resource.configuration_keys;
            // Without keys all is wanted, as from Kafka.
            let keys = keys.as_ref().filter(|keys| !keys.is_empty());
            let wanted = |row: &ConfigRow| keys.is_none_or(|keys| keys.contains(&row.name));
            let configs = rows.into_iter().filter(wanted).map(|row| to_message(request, row)).collect();
            DescribeConfigsResult {
                error_message: Some(String::new()),
                resource_type,
                resource_name,
                configs,
                ..Default::default()
            }
        }
        Err((error, message)) => DescribeConfigsResult {
            error_code: error.code(),
            error_message: Some(message),
            resource_type,
            resource_name,
            ..Default::default()
        },
    }
}

fn rows(broker: &Broker, resource: &DescribeConfigsResource) -> Result<Vec<ConfigRow>, Refused> {
    let (config, name) = (broker.config(), &resource.resource_name);
    match ResourceType(resource.resource_type) {
        ResourceType::TOPIC => topic_rows(broker, name),
        ResourceType::BROKER if name.is_empty() => Ok(config::describe_cluster_defaults(&config)),
        ResourceType::BROKER => {
            check_broker_id(broker, name)?;
            Ok(config::describe_broker(&config))
        }
        ResourceType::BROKER_LOGGER => {
            check_logger_broker_id(broker, name)?;
            let levels = broker.loggers.as_ref().map(Loggers::levels);
            Ok(levels.map_or_else(Vec::new, |levels| config::describe_loggers(&levels)))
        }
        ResourceType::GROUP if name.is_empty() => {
            Err((ErrorCode::InvalidRequest, "Group name must not be empty".to_owned()))
        }
        ResourceType::GROUP => Ok(config::describe_group(&config, &overrides(broker, resource))),
        ResourceType::CLIENT_METRICS if name.is_empty() => {
            let message = "Client metrics subscription name must not be empty";
            Err((ErrorCode::InvalidRequest, message.to_owned()))
        }
        ResourceType::CLIENT_METRICS => Ok(config::describe_client_metrics(&overrides(broker, resource))),
        other => {
            let message = format!("Unsupported resource type {}", other.0);
            Err((ErrorCode::InvalidRequest, message))
        }
    }
}

fn overrides(broker: &Broker, resource: &DescribeConfigsResource) -> Overrides {
    let (resource_type, name) = (ResourceType(resource.resource_type), resource.resource_name.clone());
    broker.overrides(&ConfigResource { resource_type, name })
}

fn topic_rows(broker: &Broker, name: &str) -> Result<Vec<ConfigRow>, Refused> {
    if let Err(refusal) = controller::validate_topic_name(name) {
        return Err((refusal.error, refusal.message));
    }
    if broker.published().image.topics.by_name(name).is_none() {
        let unknown = ErrorCode::UnknownTopicOrPartition;
        return Err((unknown, unknown.message().to_owned()));
    }
    let overrides = broker.overrides(&ConfigResource::topic(name));
    Ok(config::describe_topic(&broker.config(), &overrides))
}

fn check_broker_id(broker: &Broker, name: &str) -> Result<(), Refused> {
    let own = broker.node_id;
    match name.parse::<i32>() {
        Ok(id) if id == own => Ok(()),
        Ok(_) => {
            let message =
                format!("Unexpected broker id, expected {own} or empty string, but received {name}");
            Err((ErrorCode::InvalidRequest, message))
        }
        Err(_) => {
            Err((ErrorCode::InvalidRequest, format!("Broker id must be an integer, but it is: {name}")))
        }
    }
}

fn check_logger_broker_id(broker: &Broker, name: &str) -> Result<(), Refused> {
    let own = broker.node_id;
    let why = match name.parse::<i32>() {
        Ok(id) if id == own => return Ok(()),
        Ok(id) => format!("Unexpected broker id, expected {own} but received {id}"),
        Err(_) if name.is_empty() => "Broker id must not be empty".to_owned(),
        Err(_) => format!("Broker id must be an integer, but it is: {name}"),
    };
    Err((ErrorCode::InvalidRequest, why))
}

fn to_message(request: &DescribeConfigsRequest, row: ConfigRow) -> DescribeConfigsResourceResult {
    let synonym = |synonym: Synonym| DescribeConfigsSynonym {
        name: synonym.name,
        value: synonym.value,
        source: synonym.source.code(),
    };
    let synonyms = if request.include_synonyms { row.synonyms } else { Vec::new() };
    DescribeConfigsResourceResult {
        name: row.name,
        value: row.value,
        read_only: row.read_only,
        config_source: row.source.code(),
        is_sensitive: row.is_sensitive,
        synonyms: synonyms.into_iter().map(synonym).collect(),
        config_type: row.kind,
        // That of a logger is empty, asked for or not.
        documentation: row
            .documentation
            .filter(|text| request.include_documentation || text.is_empty())
            .map(|text| text.into_owned()),
    }
}
