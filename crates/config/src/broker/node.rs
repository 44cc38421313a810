//! Who a node is, with whom it agrees, and where its data is.

use std::path::PathBuf;

use crate::error::ConfigError;
use crate::layers::Layers;
use crate::listener::parse_host_port;

/// What a node does, by `process.roles`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Serves clients.
    pub broker: bool,
    /// Votes on the metadata log.
    pub controller: bool,
}

/// A voter of the metadata log's quorum, by `controller.quorum.voters`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voter {
    /// Its `node.id`.
    pub id: i32,
    /// Where its controller listener is.
    pub host: String,
    /// The port of that.
    pub port: u16,
}

/// The identity of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// `node.id`.
    pub id: i32,
    /// `process.roles`.
    pub roles: Roles,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// `controller.quorum.voters`; empty where the quorum is found by the bootstrap servers (KIP-853).
    pub voters: Vec<Voter>,
    /// `controller.quorum.bootstrap.servers`: host and port.
    pub bootstrap_servers: Vec<(String, u16)>,
    /// `log.dirs`, or `log.dir` where that is not set; at least one.
    pub log_dirs: Vec<PathBuf>,
    /// `metadata.log.dir`: the one with the metadata log, the first of `log_dirs` by default.
    pub metadata_log_dir: PathBuf,
}

impl Node {
    pub(super) fn read(layers: &Layers) -> Result<Node, ConfigError> {
        let log_dirs = log_dirs(layers);
        let first = log_dirs.first().cloned().unwrap_or_default();
        let node = Node {
            id: layers.int("node.id"),
            roles: roles(layers),
            rack: layers.text("broker.rack").map(str::to_owned),
            voters: voters(layers)?,
            bootstrap_servers: bootstrap_servers(layers)?,
            metadata_log_dir: layers.text("metadata.log.dir").map_or(first, PathBuf::from),
            log_dirs,
        };
        node.check(layers)?;
        Ok(node)
    }

    fn check(&self, layers: &Layers) -> Result<(), ConfigError> {
        if i64::from(self.id) != layers.long("broker.id") {
            return Err(ConfigError::new("You must set `node.id` to the same value as `broker.id`."));
        }
        if self.voters.is_empty() && self.bootstrap_servers.is_empty() {
            return Err(ConfigError::new(
                "If using process.roles, either controller.quorum.bootstrap.servers must contain the set of bootstrap \
                 controllers or controller.quorum.voters must contain a parseable set of controllers.",
            )
            .with_hint(format!("a single node has `controller.quorum.voters={}@127.0.0.1:9093`", self.id)));
        }
        self.check_voters()
    }

    fn check_voters(&self) -> Result<(), ConfigError> {
        let ids: Vec<String> = self.voters.iter().map(|voter| voter.id.to_string()).collect();
        let (id, ids) = (self.id, ids.join(", "));
        let votes = self.voters.iter().any(|voter| voter.id == self.id);
        let wrong = match (self.roles.controller, votes) {
            _ if self.voters.is_empty() => return Ok(()),
            (true, false) => {
                format!("If process.roles contains the 'controller' role, the node id {id} must be")
            }
            (false, true) => {
                format!("If process.roles contains just the 'broker' role, the node id {id} must not be")
            }
            _ => return Ok(()),
        };
        let message = format!("{wrong} included in the set of voters controller.quorum.voters=Set({ids})");
        Err(ConfigError::new(message))
    }
}

fn roles(layers: &Layers) -> Roles {
    let named = layers.list("process.roles");
    let has = |role: &str| named.iter().any(|name| name == role);
    Roles { broker: has("broker"), controller: has("controller") }
}

fn log_dirs(layers: &Layers) -> Vec<PathBuf> {
    let dirs = layers.list("log.dirs");
    let dirs = if dirs.is_empty() { layers.list("log.dir") } else { dirs };
    dirs.into_iter().map(PathBuf::from).collect()
}

fn voters(layers: &Layers) -> Result<Vec<Voter>, ConfigError> {
    layers.list("controller.quorum.voters").iter().map(|entry| voter(entry)).collect()
}

const VOTER_FORM: &str = "Each entry should be in the form `{id}@{host}:{port}`.";

fn voter(entry: &str) -> Result<Voter, ConfigError> {
    let (id, address) = entry.split_once('@').ok_or_else(|| {
        ConfigError::new(format!("Invalid configuration value for controller.quorum.voters. {VOTER_FORM}"))
    })?;
    let id = id
        .parse()
        .map_err(|_| ConfigError::new(format!("Failed to parse voter ID as an integer from {id}")))?;
    let (host, port) = parse_host_port(address).ok_or_else(|| {
        ConfigError::new(format!(
            "Failed to parse host name from entry {entry} for the configuration controller.quorum.voters. {VOTER_FORM}"
        ))
    })?;
    if host == "0.0.0.0" {
        return Err(ConfigError::new(format!("Host string ({host}) is not routeable")));
    }
    Ok(Voter { id, host, port })
}

fn bootstrap_servers(layers: &Layers) -> Result<Vec<(String, u16)>, ConfigError> {
    let entries = layers.list("controller.quorum.bootstrap.servers");
    entries.iter().map(|entry| bootstrap_server(entry)).collect()
}

fn bootstrap_server(entry: &str) -> Result<(String, u16), ConfigError> {
    parse_host_port(entry).ok_or_else(|| {
        ConfigError::new(format!(
            "Failed to parse host name from {entry} for the configuration controller.quorum.bootstrap.servers. \
             Each entry should be in the form \"{{host}}:{{port}}\""
        ))
    })
}
