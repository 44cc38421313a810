//! Settings that were changed at run time.

use protocol::messages::{ConfigRecord, MetadataRecord};
use rpds::RedBlackTreeMapSync;

/// What a setting belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceType(pub i8);

impl ResourceType {
    /// A topic.
    pub const TOPIC: ResourceType = ResourceType(2);
    /// A broker, or by the empty name all of them.
    pub const BROKER: ResourceType = ResourceType(4);
    /// The loggers of a broker, whose levels are nowhere but in the broker (KIP-412).
    pub const BROKER_LOGGER: ResourceType = ResourceType(8);
    /// A subscription to the clients' metrics (KIP-714).
    pub const CLIENT_METRICS: ResourceType = ResourceType(16);
    /// A group (KIP-848).
    pub const GROUP: ResourceType = ResourceType(32);

    /// Whether the metadata holds settings of things of this type.
    pub fn is_configurable(self) -> bool {
        [ResourceType::TOPIC, ResourceType::BROKER, ResourceType::CLIENT_METRICS, ResourceType::GROUP]
            .contains(&self)
    }
}

/// A thing that has settings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigResource {
    /// Its type.
    pub resource_type: ResourceType,
    /// Its name; empty for the defaults of all brokers.
    pub name: String,
}

impl ConfigResource {
    /// A topic by its name.
    pub fn topic(name: impl Into<String>) -> ConfigResource {
        ConfigResource { resource_type: ResourceType::TOPIC, name: name.into() }
    }

    /// A broker by its id.
    pub fn broker(id: i32) -> ConfigResource {
        ConfigResource { resource_type: ResourceType::BROKER, name: id.to_string() }
    }

    /// The defaults of all brokers.
    pub fn all_brokers() -> ConfigResource {
        ConfigResource { resource_type: ResourceType::BROKER, name: String::new() }
    }
}

/// The settings of one resource, by name.
type Settings = RedBlackTreeMapSync<String, String>;

/// All settings that were changed at run time. A resource without any is not listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configs {
    by_resource: RedBlackTreeMapSync<ConfigResource, Settings>,
}

impl Configs {
    /// The value of a setting, if it was changed.
    pub fn get(&self, resource: &ConfigResource, name: &str) -> Option<&str> {
        self.by_resource.get(resource)?.get(name).map(String::as_str)
    }

    /// What was changed for a resource, by name.
    pub fn of(&self, resource: &ConfigResource) -> impl Iterator<Item = (&str, &str)> {
        let settings = self.by_resource.get(resource);
        settings.into_iter().flat_map(|settings| settings.iter().map(|(name, value)| (&**name, &**value)))
    }

    /// Every resource that has settings.
    pub fn resources(&self) -> impl Iterator<Item = &ConfigResource> {
        self.by_resource.keys()
    }

    /// Every resource of a type that has settings, by name.
    pub fn of_type(&self, resource_type: ResourceType) -> impl Iterator<Item = &ConfigResource> {
        let first = ConfigResource { resource_type, name: String::new() };
        let all = self.by_resource.range(first..).map(|(resource, _)| resource);
        all.take_while(move |resource| resource.resource_type == resource_type)
    }

    /// Sets or, without a value, removes a setting.
    pub(crate) fn apply(&mut self, record: &ConfigRecord) -> ConfigResource {
        let resource = ConfigResource {
            resource_type: ResourceType(record.resource_type),
            name: record.resource_name.clone(),
        };
        let mut settings = self.by_resource.get(&resource).cloned().unwrap_or_default();
        match &record.value {
            Some(value) => settings.insert_mut(record.name.clone(), value.clone()),
            None => {
                settings.remove_mut(&record.name);
            }
        }
        if settings.is_empty() {
            self.by_resource.remove_mut(&resource);
        } else {
            self.by_resource.insert_mut(resource.clone(), settings);
        }
        resource
    }

    /// Removes all settings of a resource; says whether there were any.
    pub(crate) fn forget(&mut self, resource: &ConfigResource) -> bool {
        self.by_resource.remove_mut(resource)
    }

    pub(crate) fn write(&self, records: &mut Vec<MetadataRecord>) {
        for (resource, settings) in &self.by_resource {
            records.extend(settings.iter().map(|(name, value)| {
                MetadataRecord::from(ConfigRecord {
                    resource_type: resource.resource_type.0,
                    resource_name: resource.name.clone(),
                    name: name.clone(),
                    value: Some(value.clone()),
                })
            }));
        }
    }
}
