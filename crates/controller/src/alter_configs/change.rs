//! From operations on settings to records.

use config::{Kind, Preset, Scope, Setting, setting};
use metadata::{ConfigResource, Configs, ResourceType};
use protocol::ErrorCode;
use protocol::messages::{ConfigRecord, alter_configs_request, incremental_alter_configs_request};

use crate::Refusal;

/// The setting that may not differ between brokers where they keep eligible leader replicas.
pub(super) const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";

/// What is done to a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Set,
    Delete,
    Append,
    Subtract,
}

impl Operation {
    pub(super) fn from_id(id: i8) -> Option<Operation> {
        [Operation::Set, Operation::Delete, Operation::Append, Operation::Subtract]
            .into_iter()
            .nth(usize::try_from(id).ok()?)
    }
}

/// A setting that is to change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    pub(super) name: &'a str,
    /// The number of the operation, which may be none.
    pub(super) operation: i8,
    pub(super) value: Option<&'a str>,
}

impl Change<'_> {
    pub(super) fn operation(&self) -> Result<Operation, Refusal> {
        Operation::from_id(self.operation).ok_or_else(|| {
            Refusal::new(ErrorCode::InvalidRequest, format!("Unknown operations type {}", self.operation))
        })
    }
}

/// A resource of a request, by whichever API it came.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) resource: ConfigResource,
    pub(super) changes: Vec<Change<'a>>,
    /// Whether settings go that are not named.
    pub(super) replaces: bool,
}

impl<'a> Asked<'a> {
    pub(super) fn incremental(
        resource: &'a incremental_alter_configs_request::AlterConfigsResource,
    ) -> Asked<'a> {
        let changes = resource.configs.iter().map(|config| Change {
            name: &config.name,
            operation: config.config_operation,
            value: config.value.as_deref(),
        });
        Asked {
            resource: named(resource.resource_type, &resource.resource_name),
            changes: changes.collect(),
            replaces: false,
        }
    }

    pub(super) fn replacing(resource: &'a alter_configs_request::AlterConfigsResource) -> Asked<'a> {
        let changes = resource.configs.iter().map(|config| Change {
            name: &config.name,
            operation: 0,
            value: config.value.as_deref(),
        });
        Asked {
            resource: named(resource.resource_type, &resource.resource_name),
            changes: changes.collect(),
            replaces: true,
        }
    }
}

fn named(resource_type: i8, name: &str) -> ConfigResource {
    ConfigResource { resource_type: ResourceType(resource_type), name: name.to_owned() }
}

/// The records of the changes: those of the request first, then those of settings that go because they are not named.
pub(super) fn records(configs: &Configs, asked: &Asked<'_>) -> Result<Vec<ConfigRecord>, Refusal> {
    let resource = &asked.resource;
    let mut records = Vec::with_capacity(asked.changes.len());
    for change in &asked.changes {
        let current = configs.get(resource, change.name);
        let value = new_value(resource, change, current)?;
        // A broker is told of values that stay too: the files that they name may be others now.
        if value.as_deref() != current || resource.resource_type == ResourceType::BROKER {
            records.push(record(resource, change.name, value));
        }
    }
    if asked.replaces {
        let named = |name: &str| asked.changes.iter().any(|change| change.name == name);
        let forgotten = configs.of(resource).filter(|(name, _)| !named(name));
        records.extend(forgotten.map(|(name, _)| record(resource, name, None)));
    }
    Ok(records)
}

fn record(resource: &ConfigResource, name: &str, value: Option<String>) -> ConfigRecord {
    ConfigRecord {
        resource_type: resource.resource_type.0,
        resource_name: resource.name.clone(),
        name: name.to_owned(),
        value,
    }
}

fn new_value(
    resource: &ConfigResource,
    change: &Change<'_>,
    current: Option<&str>,
) -> Result<Option<String>, Refusal> {
    let operation = change.operation()?;
    let asked = change.value.unwrap_or_default();
    match operation {
        Operation::Set => Ok(change.value.map(str::to_owned)),
        Operation::Delete => Ok(None),
        Operation::Append | Operation::Subtract => {
            let row = list_row(resource, change.name, operation)?;
            let known = current.or_else(|| default_list(row));
            Ok(Some(edited(known.unwrap_or_default(), asked, operation == Operation::Append)))
        }
    }
}

/// The setting, which must be a list.
fn list_row(
    resource: &ConfigResource,
    name: &str,
    operation: Operation,
) -> Result<&'static Setting, Refusal> {
    // Kafka's controller knows the types of these two only.
    let row = match resource.resource_type {
        ResourceType::TOPIC => setting(Scope::Topic, name),
        ResourceType::BROKER => setting(Scope::Broker, name),
        _ => None,
    };
    row.filter(|row| row.kind == Kind::List).ok_or_else(|| {
        let verb = format!("{operation:?}").to_uppercase();
        let message = format!("Can't {verb} to key {name} because its type is not LIST.");
        Refusal::new(ErrorCode::InvalidConfig, message)
    })
}

fn default_list(row: &Setting) -> Option<&'static str> {
    match row.default {
        Preset::Value(value) => Some(value),
        Preset::Required | Preset::Null => None,
    }
}

/// A list with words appended that it does not have, or with words taken out of it once.
pub(super) fn edited(list: &str, words: &str, append: bool) -> String {
    let mut kept: Vec<&str> = list.split(',').filter(|word| !word.is_empty()).collect();
    for word in words.split(',') {
        match kept.iter().position(|known| *known == word) {
            None if append => kept.push(word),
            Some(place) if !append => drop(kept.remove(place)),
            _ => {}
        }
    }
    kept.join(",")
}
