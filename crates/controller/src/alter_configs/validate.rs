//! What the controller refuses of a resource's settings as they would be.

use config::{Overrides, validate_client_metrics, validate_group_configs, validate_topic_configs};
use metadata::{ConfigResource, ResourceType};
use protocol::ErrorCode;
use protocol::messages::ConfigRecord;

use super::change::MIN_INSYNC_REPLICAS;
use crate::topic_name::validate_topic_name;
use crate::{Context, Refusal};

/// Characters of a value at most, as Kafka counts them.
const VALUE_LENGTH_MAX: usize = i16::MAX as usize;

/// Checks the settings that a resource would have after these records.
pub(super) fn check(
    context: &Context<'_>,
    resource: &ConfigResource,
    records: &[ConfigRecord],
) -> Result<(), Refusal> {
    records.iter().try_for_each(|record| check_record(context, resource, record))?;
    let mut settings: Overrides =
        context.image.configs.of(resource).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    for record in records {
        match &record.value {
            Some(value) => drop(settings.insert(record.name.clone(), value.clone())),
            None => drop(settings.remove(&record.name)),
        }
    }
    check_settings(context, resource, &settings)?;
    check_existence(context, resource)
}

fn check_record(
    context: &Context<'_>,
    resource: &ConfigResource,
    record: &ConfigRecord,
) -> Result<(), Refusal> {
    let invalid = |message: &str| Err(Refusal::new(ErrorCode::InvalidConfig, message));
    let of_broker = resource.resource_type == ResourceType::BROKER && record.name == MIN_INSYNC_REPLICAS;
    if of_broker && context.image.features.elr_enabled() {
        if !resource.name.is_empty() {
            return invalid("Broker-level min.insync.replicas cannot be altered while ELR is enabled.");
        }
        if record.value.is_none() {
            return invalid("Cluster-level min.insync.replicas cannot be removed while ELR is enabled.");
        }
    }
    let length = |value: &String| value.encode_utf16().count();
    if record.value.as_ref().map_or(0, length) > VALUE_LENGTH_MAX {
        return invalid(
            "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes.",
        );
    }
    Ok(())
}

fn check_settings(
    context: &Context<'_>,
    resource: &ConfigResource,
    settings: &Overrides,
) -> Result<(), Refusal> {
    let invalid = |message: String| Refusal::new(ErrorCode::InvalidConfig, message);
    let default_refused = |kind: &str| {
        let message = format!("Default {kind} resources are not allowed.");
        Err(Refusal::new(ErrorCode::InvalidRequest, message))
    };
    match resource.resource_type {
        ResourceType::TOPIC if resource.name.is_empty() => default_refused("topic"),
        ResourceType::TOPIC => {
            validate_topic_name(&resource.name)?;
            validate_topic_configs(context.config, settings).map_err(invalid)
        }
        ResourceType::GROUP if resource.name.is_empty() => default_refused("group"),
        ResourceType::GROUP => validate_group_configs(context.config, settings).map_err(invalid),
        ResourceType::CLIENT_METRICS if resource.name.is_empty() => {
            Err(Refusal::new(ErrorCode::InvalidRequest, "Subscription name can't be empty"))
        }
        ResourceType::CLIENT_METRICS => validate_client_metrics(settings).map_err(refused),
        _ => check_broker_name(&resource.name),
    }
}

/// Some of what is wrong with a setting is the request's fault by Kafka's codes.
fn refused(fault: config::Fault) -> Refusal {
    match fault {
        config::Fault::Config(message) => Refusal::new(ErrorCode::InvalidConfig, message),
        config::Fault::Request(message) => Refusal::new(ErrorCode::InvalidRequest, message),
    }
}

fn check_broker_name(name: &str) -> Result<(), Refusal> {
    let invalid = |message: &str| Err(Refusal::new(ErrorCode::InvalidRequest, message));
    match name.parse::<i32>() {
        _ if name.is_empty() => Ok(()),
        Ok(0..) => Ok(()),
        Ok(_) => invalid("Invalid negative broker ID."),
        Err(_) => invalid("Unable to parse broker name as a base 10 number."),
    }
}

fn check_existence(context: &Context<'_>, resource: &ConfigResource) -> Result<(), Refusal> {
    let name = &resource.name;
    match resource.resource_type {
        ResourceType::TOPIC if context.image.topics.by_name(name).is_none() => {
            let message = format!("The topic '{name}' does not exist.");
            Err(Refusal::new(ErrorCode::UnknownTopicOrPartition, message))
        }
        ResourceType::BROKER if !name.is_empty() => check_node_exists(context, name),
        _ => Ok(()),
    }
}

fn check_node_exists(context: &Context<'_>, name: &str) -> Result<(), Refusal> {
    let id = name.parse().unwrap_or(-1);
    let cluster = &context.image.cluster;
    if cluster.broker(id).is_some() || cluster.controllers().any(|known| known.controller_id == id) {
        return Ok(());
    }
    let message = format!("No node with id {name} found.");
    Err(Refusal::new(ErrorCode::BrokerIdNotRegistered, message))
}
