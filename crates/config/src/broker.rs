//! A node's configuration: the table's values in their types, and the rules that bind several settings.

mod file;
mod monitoring;
mod network;
mod node;
mod sections;
mod together;

pub use monitoring::{Monitoring, TracesEndpoint};
pub use network::Network;
pub use node::{Node, Roles, Voter};
pub use sections::{Groups, Limits, LogCleaner, Logs, OffsetsTopic, Topics};

pub(crate) use together::check as check_together;

use std::path::Path;

use crate::dynamic::{Level, in_effect};
use crate::error::{ConfigError, Notice};
use crate::layers::{Layers, Overrides};
use crate::properties::Properties;

/// Everything a node is told at its start, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerConfig {
    /// Who the node is, with whom it agrees, and where its data is.
    pub node: Node,
    /// Where it listens and what it tells clients.
    pub network: Network,
    /// What bounds a connection, a request and a session.
    pub limits: Limits,
    /// What it shows of itself.
    pub monitoring: Monitoring,
    /// How topics come and go.
    pub topics: Topics,
    /// How logs are kept, beyond what is set for each topic.
    pub logs: Logs,
    /// How compacted logs are cleaned.
    pub log_cleaner: LogCleaner,
    /// What groups must obey.
    pub groups: Groups,
    /// The topic that holds the groups' offsets.
    pub offsets_topic: OffsetsTopic,
    layers: Layers,
}

impl BrokerConfig {
    /// Reads a properties file's settings. All that is wrong is named at once; what is only unknown or without effect is
    /// returned as notices.
    pub fn new(properties: &Properties) -> Result<(BrokerConfig, Vec<Notice>), Vec<ConfigError>> {
        let (config, notices) = BrokerConfig::checked(properties, together::check_start)?;
        config.network.check_spoken().map_err(|error| vec![error])?;
        Ok((config, notices))
    }

    /// The same for who does not start the node, and only looks after its directories: it may ask for what this broker does not
    /// do yet, as TLS, SASL and an authorizer.
    pub fn at_rest(properties: &Properties) -> Result<(BrokerConfig, Vec<Notice>), Vec<ConfigError>> {
        BrokerConfig::checked(properties, together::check_at_rest)
    }

    fn checked(
        properties: &Properties,
        together: fn(&Layers) -> Vec<ConfigError>,
    ) -> Result<(BrokerConfig, Vec<Notice>), Vec<ConfigError>> {
        let layers = Layers { file: file::with_synonyms(properties), ..Layers::default() };
        let (errors, notices) = file::check(&layers.file);
        let errors = if errors.is_empty() { together(&layers) } else { errors };
        if !errors.is_empty() {
            return Err(errors);
        }
        let config = BrokerConfig::read(layers).map_err(|error| vec![error])?;
        Ok((config, notices))
    }

    /// The same configuration with other dynamic settings, as the metadata log has them: the cluster's and this node's own.
    /// Listeners and all else that is read only keep what the file says; what cannot be set like that is passed over.
    pub fn with_dynamic(&self, cluster: &Overrides, node: &Overrides) -> BrokerConfig {
        let layers = Layers {
            node: in_effect(node, Level::Node),
            cluster: in_effect(cluster, Level::Cluster),
            file: self.layers.file.clone(),
        };
        BrokerConfig {
            node: self.node.clone(),
            network: self.network.clone(),
            limits: Limits::read(&layers),
            monitoring: self.monitoring.with_dynamic(&layers),
            topics: Topics::read(&layers),
            logs: Logs::read(&layers),
            log_cleaner: LogCleaner::read(&layers),
            groups: Groups::read(&layers),
            offsets_topic: OffsetsTopic::read(&layers),
            layers,
        }
    }

    fn read(layers: Layers) -> Result<BrokerConfig, ConfigError> {
        let node = Node::read(&layers)?;
        Ok(BrokerConfig {
            network: Network::read(&layers, &node)?,
            node,
            limits: Limits::read(&layers),
            monitoring: Monitoring::read(&layers)?,
            topics: Topics::read(&layers),
            logs: Logs::read(&layers),
            log_cleaner: LogCleaner::read(&layers),
            groups: Groups::read(&layers),
            offsets_topic: OffsetsTopic::read(&layers),
            layers,
        })
    }

    /// The settings by key, for what has no field here.
    pub fn values(&self) -> &Layers {
        &self.layers
    }

    /// What a node without a file is told: broker and controller in one, on the loopback only, with replication factors
    /// that one node can satisfy.
    pub fn standalone(data: &Path) -> Properties {
        let data = data.to_string_lossy();
        Properties::from_iter([
            ("process.roles", "broker,controller"),
            ("node.id", "1"),
            ("listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"),
            ("controller.listener.names", "CONTROLLER"),
            ("controller.quorum.voters", "1@127.0.0.1:9093"),
            ("log.dirs", &data),
            ("offsets.topic.replication.factor", "1"),
            ("transaction.state.log.replication.factor", "1"),
            ("transaction.state.log.min.isr", "1"),
            ("share.coordinator.state.topic.replication.factor", "1"),
            ("share.coordinator.state.topic.min.isr", "1"),
            ("group.initial.rebalance.delay.ms", "0"),
        ])
    }
}

#[cfg(test)]
mod tests;
