//! What has settings, and by which names. Pure.

use crate::failure::Failure;

/// What has settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntityType {
    Topics,
    Clients,
    Users,
    Brokers,
    Ips,
    ClientMetrics,
    Groups,
    BrokerLoggers,
}

impl EntityType {
    const ALL: [EntityType; 8] = [
        EntityType::Topics,
        EntityType::Clients,
        EntityType::Users,
        EntityType::Brokers,
        EntityType::Ips,
        EntityType::ClientMetrics,
        EntityType::Groups,
        EntityType::BrokerLoggers,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            EntityType::Topics => "topics",
            EntityType::Clients => "clients",
            EntityType::Users => "users",
            EntityType::Brokers => "brokers",
            EntityType::Ips => "ips",
            EntityType::ClientMetrics => "client-metrics",
            EntityType::Groups => "groups",
            EntityType::BrokerLoggers => "broker-loggers",
        }
    }

    /// One of them.
    pub fn singular(self) -> &'static str {
        self.name().trim_end_matches('s')
    }

    /// The one of this name, or what Kafka's tool says where there is none.
    pub fn parse(name: &str) -> Result<EntityType, Failure> {
        EntityType::ALL.into_iter().find(|known| known.name() == name).ok_or_else(|| {
            let known = EntityType::ALL.map(EntityType::name).join(", ");
            Failure::Usage(format!(
                "Invalid entity type {name}, the entity type must be one of {known} with a --bootstrap-server or \
                 --bootstrap-controller argument"
            ))
        })
    }

    /// Whether there is something that all of them start from.
    pub fn has_defaults(self) -> bool {
        self == EntityType::Brokers || self.has_quotas()
    }

    /// Whether its settings are quotas.
    pub fn has_quotas(self) -> bool {
        matches!(self, EntityType::Clients | EntityType::Users | EntityType::Ips)
    }

    /// Whether it is known by the id of a broker.
    pub fn is_of_a_broker(self) -> bool {
        matches!(self, EntityType::Brokers | EntityType::BrokerLoggers)
    }
}

/// Which one of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// What all of them start from.
    Default,
    /// This one.
    Named(String),
}

impl Name {
    /// The one of this name; the empty name stands for the default.
    pub fn of(name: &str) -> Name {
        match name {
            "" => Name::Default,
            name => Name::Named(name.to_owned()),
        }
    }

    /// The name, if it is not the default.
    pub fn named(&self) -> Option<&str> {
        match self {
            Name::Default => None,
            Name::Named(name) => Some(name),
        }
    }
}

/// Who has quotas: a user, a client, a client of a user, or an address. Without a name all of that kind are meant.
pub type Owners = Vec<(EntityType, Option<Name>)>;
