//! What a broker refuses before it asks the controller.

use std::collections::BTreeSet;

use config::{Kind, Level, Overrides, Scope, setting, validate_dynamic};
use metadata::{ConfigResource, ResourceType};
use protocol::ErrorCode;

use super::change::{Asked, Change, Operation, edited};
use super::loggers;
use crate::{Context, Refusal};

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, message)
}

/// Checks one resource of a request.
pub(super) fn check(context: &Context<'_>, asked: &Asked<'_>) -> Result<(), Refusal> {
    check_names(&asked.changes)?;
    check_nulls(&asked.changes)?;
    match asked.resource.resource_type {
        ResourceType::BROKER => check_broker(context, asked),
        ResourceType::BROKER_LOGGER if !asked.replaces => loggers::check(context.config.node.id, asked),
        known if known.is_configurable() => Ok(()),
        ResourceType(number) => Err(invalid(format!("Unknown resource type {number}"))),
    }
}

fn check_names(changes: &[Change<'_>]) -> Result<(), Refusal> {
    let names: BTreeSet<&str> = changes.iter().map(|change| change.name).collect();
    if names.len() < changes.len() { Err(invalid("Error due to duplicate config keys")) } else { Ok(()) }
}

fn check_nulls(changes: &[Change<'_>]) -> Result<(), Refusal> {
    let is_null = |change: &&Change<'_>| {
        change.value.is_none() && Operation::from_id(change.operation) != Some(Operation::Delete)
    };
    let nulls: Vec<&str> = changes.iter().filter(is_null).map(|change| change.name).collect();
    if nulls.is_empty() {
        return Ok(());
    }
    Err(invalid(format!("Null value not supported for : {}", nulls.join(", "))))
}

/// A broker's own settings, or those of all brokers, are tried out as a whole.
fn check_broker(context: &Context<'_>, asked: &Asked<'_>) -> Result<(), Refusal> {
    let name = &asked.resource.name;
    let level = if name.is_empty() { Level::Cluster } else { Level::Node };
    if level == Level::Node {
        check_node_id(context.config.node.id, name)?;
    }
    let (cluster, node) = (of(context, &ConfigResource::all_brokers()), of(context, &own(context)));
    let now = context.config.with_dynamic(&cluster, &node);
    let mut proposed = match level {
        _ if asked.replaces => Overrides::new(),
        Level::Node => now.values().node.clone(),
        Level::Cluster => now.values().cluster.clone(),
    };
    for change in &asked.changes {
        apply(&mut proposed, change)?;
    }
    validate_dynamic(&now, &proposed, level).map_err(invalid)
}

fn check_node_id(own: i32, name: &str) -> Result<(), Refusal> {
    match name.parse::<i32>() {
        Ok(id) if id == own => Ok(()),
        Ok(_) => Err(invalid(format!("Unexpected broker id, expected {own}, but received {name}"))),
        Err(_) => Err(invalid(format!("Node id must be an integer, but it is: {name}"))),
    }
}

fn own(context: &Context<'_>) -> ConfigResource {
    ConfigResource::broker(context.config.node.id)
}

fn of(context: &Context<'_>, resource: &ConfigResource) -> Overrides {
    let settings = context.image.configs.of(resource);
    settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn apply(proposed: &mut Overrides, change: &Change<'_>) -> Result<(), Refusal> {
    let value = change.value.unwrap_or_default();
    match change.operation()? {
        Operation::Set => drop(proposed.insert(change.name.to_owned(), value.to_owned())),
        Operation::Delete => drop(proposed.remove(change.name)),
        operation => {
            let default = list_default(change.name, operation)?;
            let known = proposed.get(change.name).map_or(default, String::as_str);
            let edited = edited(known, value, operation == Operation::Append);
            proposed.insert(change.name.to_owned(), edited);
        }
    }
    Ok(())
}

/// The default of a setting that is a list.
fn list_default(name: &str, operation: Operation) -> Result<&'static str, Refusal> {
    let Some(row) = setting(Scope::Broker, name).filter(|row| !row.internal) else {
        return Err(Refusal::new(ErrorCode::InvalidConfig, format!("Unknown config name: {name}")));
    };
    if row.kind == Kind::List {
        return Ok(row.default.value().unwrap_or_default());
    }
    let verb = format!("{operation:?}").to_lowercase();
    let message = format!("Config value {verb} is not allowed for config key: {name}");
    Err(Refusal::new(ErrorCode::InvalidConfig, message))
}
