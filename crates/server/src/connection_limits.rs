//! Which bounds of connections hold, and following them when they change.

use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use config::BrokerConfig;
use protocol::Listener;

use crate::Broker;
use crate::net::{Bounds, ConnectionLimits, ListenerLimits, Role};

/// Sets the bounds now, and again whenever the settings change, as long as the broker is there.
pub(crate) async fn follow(broker: &Arc<Broker>, bounds: Bounds) {
    let mut published = broker.published.clone();
    let mut known = broker.config();
    bounds.set(resolved(&known, &broker.listeners).await);
    let broker = Arc::downgrade(broker);
    tokio::spawn(async move {
        while published.changed().await.is_ok() {
            let Some(broker) = broker.upgrade() else { return };
            let config = broker.config();
            if config.limits != known.limits || config.values() != known.values() {
                bounds.set(resolved(&config, &broker.listeners).await);
                known = config;
            }
        }
    });
}

/// Looking up host names may take its time.
async fn resolved(config: &Arc<BrokerConfig>, listeners: &[(String, Listener)]) -> ConnectionLimits {
    let overrides = config.limits.connections_per_ip_overrides.clone();
    let addresses =
        tokio::task::spawn_blocking(move || overrides.iter().flat_map(addresses_of).collect()).await;
    of(config, listeners, addresses.unwrap_or_default())
}

fn addresses_of((host, count): &(String, usize)) -> Vec<(IpAddr, usize)> {
    match (host.as_str(), 0).to_socket_addrs() {
        Ok(found) => found.map(|address| (address.ip(), *count)).collect(),
        Err(error) => {
            tracing::warn!(host, %error, "a host of max.connections.per.ip.overrides has no address");
            Vec::new()
        }
    }
}

/// From the settings. Other brokers have a listener of their own only if clients have another.
fn of(
    config: &BrokerConfig,
    listeners: &[(String, Listener)],
    per_address_overrides: HashMap<IpAddr, usize>,
) -> ConnectionLimits {
    let limits = &config.limits;
    let of_clients = listeners.iter().filter(|(_, kind)| *kind == Listener::Broker).count();
    let of_listener = |(name, kind): &(String, Listener)| {
        let number = |setting: &str| config.values().number_of_listener(name, setting);
        let connections_max = number("max.connections").and_then(|number| usize::try_from(number).ok());
        let rate_max = number("max.connection.creation.rate").and_then(|number| u32::try_from(number).ok());
        let of_brokers = *name == config.network.inter_broker_listener && of_clients > 1;
        let role = match kind {
            Listener::Controller => Role::Controllers,
            Listener::Broker if of_brokers => Role::Brokers,
            Listener::Broker => Role::Clients,
        };
        ListenerLimits {
            connections_max: connections_max.unwrap_or(usize::MAX),
            rate_max: rate_max.unwrap_or(u32::MAX),
            role,
        }
    };
    ConnectionLimits {
        connections_max: limits.connections_max,
        per_address_max: limits.connections_per_ip_max,
        per_address_overrides,
        rate_max: limits.connection_rate_max,
        listeners: listeners.iter().map(of_listener).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_listener_has_bounds_of_its_own_and_brokers_are_not_held_up_by_clients() {
        let mut properties = BrokerConfig::standalone(Path::new("/data"));
        for (key, value) in [
            ("listeners", "IN://127.0.0.1:1,OUT://127.0.0.1:2,CONTROLLER://127.0.0.1:9093"),
            ("listener.security.protocol.map", "IN:PLAINTEXT,OUT:PLAINTEXT,CONTROLLER:PLAINTEXT"),
            ("inter.broker.listener.name", "IN"),
            ("max.connections", "100"),
            ("max.connections.per.ip.overrides", "10.0.0.7:5, [::1]:7"),
            ("listener.name.out.max.connections", "60"),
            ("listener.name.out.max.connection.creation.rate", "20"),
        ] {
            properties.set(key, value);
        }
        let (config, notices) = BrokerConfig::new(&properties).expect("the settings are valid");
        let about_listeners = notices.iter().find(|notice| notice.key.contains("connections"));
        assert_eq!(about_listeners, None);
        let listeners =
            [("IN", Listener::Broker), ("OUT", Listener::Broker), ("CONTROLLER", Listener::Controller)];
        let listeners = listeners.map(|(name, kind)| (name.to_owned(), kind));
        let found = of(&config, &listeners, HashMap::new());
        assert_eq!((found.connections_max, found.rate_max), (100, i32::MAX as u32));
        let of_listeners = [
            ListenerLimits { role: Role::Brokers, ..ListenerLimits::NONE },
            ListenerLimits { connections_max: 60, rate_max: 20, ..ListenerLimits::NONE },
            ListenerLimits { role: Role::Controllers, ..ListenerLimits::NONE },
        ];
        assert_eq!(found.listeners, of_listeners);
        let overrides = &config.limits.connections_per_ip_overrides;
        assert_eq!(*overrides, [("10.0.0.7".to_owned(), 5), ("::1".to_owned(), 7)]);
    }

    #[test]
    fn what_is_no_bound_is_refused_at_the_start() {
        for (key, value) in [
            ("max.connections.per.ip.overrides", "10.0.0.7"),
            ("max.connections.per.ip.overrides", "10.0.0.7:many"),
            ("listener.name.plaintext.max.connections", "few"),
        ] {
            let mut properties = BrokerConfig::standalone(Path::new("/data"));
            properties.set(key, value);
            assert!(BrokerConfig::new(&properties).is_err(), "{key}={value}");
        }
    }
}
