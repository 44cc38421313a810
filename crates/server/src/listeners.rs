//! Binding the listeners, and what is advertised of them.

use std::io;
use std::net::SocketAddr;

use config::{BrokerConfig, HostPort, Listener};
use thiserror::Error;

use crate::net::{Acceptor, SocketOptions, Sockets};

/// A listener could not be bound.
#[derive(Debug, Error)]
#[error("listener {name} cannot be bound to {address}: {source}{}", hint(.source))]
pub struct BindError {
    name: String,
    address: String,
    source: io::Error,
}

impl BindError {
    /// The HTTP listener could not be bound.
    pub(crate) fn http(host: &str, port: u16, source: io::Error) -> BindError {
        let address = HostPort(host, port).to_string();
        BindError { name: "of yeoul.http.listener".to_owned(), address, source }
    }
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            " (another program listens there: stop it, or choose another port with --override listeners=...)"
        }
        io::ErrorKind::PermissionDenied => " (ports below 1024 are for privileged programs)",
        _ => "",
    }
}

/// A listener that is bound.
pub(crate) struct Bound {
    /// As it was asked for, with the port that was bound.
    pub(crate) listener: Listener,
    pub(crate) address: SocketAddr,
    pub(crate) acceptor: Acceptor,
}

/// Binds listeners, in their order.
pub(crate) async fn bind_all(
    sockets: &dyn Sockets,
    config: &BrokerConfig,
    listeners: &[Listener],
) -> Result<Vec<Bound>, BindError> {
    let mut all = Vec::with_capacity(listeners.len());
    for listener in listeners {
        let bound = bind(sockets, config, listener).await;
        all.push(bound.map_err(|source| BindError {
            name: listener.name.clone(),
            address: HostPort(&listener.host, listener.port).to_string(),
            source,
        })?);
    }
    Ok(all)
}

async fn bind(sockets: &dyn Sockets, config: &BrokerConfig, listener: &Listener) -> io::Result<Bound> {
    let acceptor = sockets.bind(&listener.host, listener.port, options(config)).await?;
    let address = acceptor.address()?;
    let listener = Listener { port: address.port(), ..listener.clone() };
    Ok(Bound { listener, address, acceptor })
}

/// Kafka's default sizes of buffers would hold back what the system chooses by itself, so only sizes that are set count.
fn options(config: &BrokerConfig) -> SocketOptions {
    let (limits, values) = (&config.limits, config.values());
    SocketOptions {
        send_bytes: limits.socket_send_bytes.filter(|_| values.is_set("socket.send.buffer.bytes")),
        receive_bytes: limits.socket_receive_bytes.filter(|_| values.is_set("socket.receive.buffer.bytes")),
        backlog: u32::try_from(limits.listen_backlog).unwrap_or(50),
    }
}

/// What clients are told: as configured, with the ports that were bound, and the machine's name for all interfaces.
pub(crate) fn advertised(configured: &[Listener], bound: &[Bound], machine: &str) -> Vec<Listener> {
    let told = |listener: &Listener| {
        let port = match listener.port {
            0 => bound.iter().find(|bound| bound.listener.name == listener.name).map(|b| b.address.port()),
            port => Some(port),
        };
        let host = if listener.host.is_empty() { machine } else { &listener.host };
        Listener { host: host.to_owned(), port: port.unwrap_or(0), ..listener.clone() }
    };
    configured.iter().map(told).collect()
}

/// The name of this machine.
pub(crate) fn machine_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
