//! Where a node listens, and what it tells clients.

use super::Node;
use crate::error::ConfigError;
use crate::layers::Layers;
use crate::listener::{Listener, ProtocolMap, SecurityProtocol, parse_listeners, parse_protocol_map};

/// The listeners of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// `listeners` that serve clients and other brokers.
    pub listeners: Vec<Listener>,
    /// `listeners` that serve controllers and the quorum.
    pub controller_listeners: Vec<Listener>,
    /// `advertised.listeners`: what clients are told. Host and port are as written: an empty host or port 0 stands for
    /// what the listener was bound to.
    pub advertised: Vec<Listener>,
    /// `controller.listener.names` in upper case.
    pub controller_listener_names: Vec<String>,
    /// `inter.broker.listener.name`, or the name of `security.inter.broker.protocol`.
    pub inter_broker_listener: String,
}

impl Network {
    pub(super) fn read(layers: &Layers, node: &Node) -> Result<Network, ConfigError> {
        let names: Vec<String> = upper(layers.list("controller.listener.names"));
        let protocols = protocols(layers, &names)?;
        let all = parse_listeners(&layers.list("listeners"), &protocols, true)?;
        check_controller_names(node, &names, &all)?;
        let (controllers, brokers): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|listener| names.contains(&listener.name));
        let network = Network {
            advertised: advertised(layers, &protocols, &names, &brokers)?,
            inter_broker_listener: inter_broker_listener(layers, &protocols)?,
            listeners: brokers,
            controller_listeners: controllers,
            controller_listener_names: names,
        };
        network.check_advertised(node)?;
        Ok(network)
    }

    /// Refuses listeners that this broker cannot serve.
    pub(super) fn check_spoken(&self) -> Result<(), ConfigError> {
        let spoken = self.listeners.iter().chain(&self.controller_listeners);
        match spoken.into_iter().find(|listener| listener.protocol != SecurityProtocol::Plaintext) {
            Some(listener) => Err(ConfigError::new(format!(
                "listener `{}` asks for {}, which yeoul does not speak yet",
                listener.name,
                listener.protocol.name()
            ))
            .with_hint("only PLAINTEXT listeners work so far")),
            None => Ok(()),
        }
    }

    fn check_advertised(&self, node: &Node) -> Result<(), ConfigError> {
        if !node.roles.broker {
            return Ok(());
        }
        if self.advertised.is_empty() {
            return Err(ConfigError::new(
                "There must be at least one broker advertised listener. Perhaps all listeners appear in \
                 controller.listener.names?",
            ));
        }
        if self.advertised.iter().any(|listener| listener.host == "0.0.0.0") {
            return Err(ConfigError::new(
                "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.",
            ));
        }
        let names: Vec<&str> = self.advertised.iter().map(|listener| listener.name.as_str()).collect();
        if names.contains(&self.inter_broker_listener.as_str()) {
            return Ok(());
        }
        Err(ConfigError::new(format!(
            "inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid options \
             based on currently configured listeners are {}",
            names.join(",")
        ))
        .with_hint(format!("`inter.broker.listener.name` is `{}`", self.inter_broker_listener)))
    }
}

fn upper(names: Vec<String>) -> Vec<String> {
    names.into_iter().map(|name| name.to_uppercase()).collect()
}

/// The protocol of each name. A controller listener is PLAINTEXT when the map was left alone (KIP-631).
fn protocols(layers: &Layers, controllers: &[String]) -> Result<ProtocolMap, ConfigError> {
    let key = "listener.security.protocol.map";
    let mut map = parse_protocol_map(layers.text(key).unwrap_or_default())?;
    if !layers.is_set(key) {
        for name in controllers {
            map.entry(name.clone()).or_insert(SecurityProtocol::Plaintext);
        }
    }
    Ok(map)
}

fn check_controller_names(node: &Node, names: &[String], listeners: &[Listener]) -> Result<(), ConfigError> {
    let listens = |name: &String| listeners.iter().any(|listener| listener.name == *name);
    let hint = "a single node has `listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093`";
    let fail = |message: &str| Err(ConfigError::new(message).with_hint(hint));
    if !node.roles.controller {
        return if names.iter().any(listens) {
            fail(
                "controller.listener.names must not contain a value appearing in the 'listeners' configuration when running KRaft with just the broker role",
            )
        } else {
            Ok(())
        };
    }
    if !names.iter().any(listens) {
        return fail(
            "controller.listener.names must contain at least one value appearing in the 'listeners' configuration when running the KRaft controller role",
        );
    }
    if !names.iter().all(listens) {
        return fail(
            "controller.listener.names must only contain values appearing in the 'listeners' configuration when running the KRaft controller role",
        );
    }
    if !node.roles.broker && !listeners.iter().all(|listener| names.contains(&listener.name)) {
        return fail(
            "The listeners config must only contain KRaft controller listeners from controller.listener.names when process.roles=controller",
        );
    }
    Ok(())
}

fn advertised(
    layers: &Layers,
    protocols: &ProtocolMap,
    controllers: &[String],
    listeners: &[Listener],
) -> Result<Vec<Listener>, ConfigError> {
    let entries = layers.list("advertised.listeners");
    if entries.is_empty() {
        return Ok(listeners.to_vec());
    }
    let mut parsed = parse_listeners(&entries, protocols, false)?;
    parsed.retain(|listener| !controllers.contains(&listener.name));
    Ok(parsed)
}

fn inter_broker_listener(layers: &Layers, protocols: &ProtocolMap) -> Result<String, ConfigError> {
    let Some(name) = layers.text("inter.broker.listener.name") else {
        return Ok(layers.text("security.inter.broker.protocol").unwrap_or("PLAINTEXT").to_owned());
    };
    let name = name.to_uppercase();
    if protocols.contains_key(&name) {
        return Ok(name);
    }
    Err(ConfigError::new(format!(
        "Listener with name {name} defined in inter.broker.listener.name not found in listener.security.protocol.map."
    )))
}
