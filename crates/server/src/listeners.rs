//! Binding the listeners, and what is advertised of them.

use std::io;
use std::net::SocketAddr;

use config::{BrokerConfig, HostPort, Listener};
use thiserror::Error;
use tokio::net::TcpSocket;

use crate::net::Acceptor;

/// A listener could not be bound.
#[derive(Debug, Error)]
#[error("listener {name} cannot be bound to {address}: {source}{}", hint(.source))]
pub struct BindError {
    name: String,
    address: String,
    source: io::Error,
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
pub(crate) async fn bind_all(config: &BrokerConfig, listeners: &[Listener]) -> Result<Vec<Bound>, BindError> {
    let mut all = Vec::with_capacity(listeners.len());
    for listener in listeners {
        let bound = bind(config, listener).await;
        all.push(bound.map_err(|source| BindError {
            name: listener.name.clone(),
            address: HostPort(&listener.host, listener.port).to_string(),
            source,
        })?);
    }
    Ok(all)
}

async fn bind(config: &BrokerConfig, listener: &Listener) -> io::Result<Bound> {
    let wanted = resolve(&listener.host, listener.port).await?;
    let socket = if wanted.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    // Kafka's defaults would hold back what the system chooses by itself.
    let values = config.values();
    if let Some(bytes) = config.limits.socket_send_bytes.filter(|_| values.is_set("socket.send.buffer.bytes"))
    {
        socket.set_send_buffer_size(u32::try_from(bytes).unwrap_or(u32::MAX))?;
    }
    if let Some(bytes) =
        config.limits.socket_receive_bytes.filter(|_| values.is_set("socket.receive.buffer.bytes"))
    {
        socket.set_recv_buffer_size(u32::try_from(bytes).unwrap_or(u32::MAX))?;
    }
    socket.bind(wanted)?;
    let backlog = u32::try_from(config.limits.listen_backlog).unwrap_or(50);
    let tcp = socket.listen(backlog)?;
    let address = tcp.local_addr()?;
    let listener = Listener { port: address.port(), ..listener.clone() };
    Ok(Bound { listener, address, acceptor: Acceptor::Tcp(tcp) })
}

async fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    if host.is_empty() {
        return Ok(SocketAddr::from(([0, 0, 0, 0], port)));
    }
    let mut found = tokio::net::lookup_host((host, port)).await?;
    found.next().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address"))
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
