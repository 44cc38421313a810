//! Where listeners are bound: the machine's TCP, or a network in memory.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::io::DuplexStream;
use tokio::net::TcpSocket;
use tokio::sync::mpsc;

use super::stream::{Acceptor, Stream};

/// What a listener is bound with.
#[derive(Clone, Copy, Debug, Default)]
pub struct SocketOptions {
    /// `socket.send.buffer.bytes`; none for the system's choice.
    pub send_bytes: Option<usize>,
    /// `socket.receive.buffer.bytes`; none for the system's choice.
    pub receive_bytes: Option<usize>,
    /// `socket.listen.backlog.size`.
    pub backlog: u32,
}

/// A network on which listeners can be bound.
pub trait Sockets: Send + Sync {
    /// Binds a listener. An empty host stands for all interfaces, port 0 for one that is free.
    fn bind<'a>(
        &'a self,
        host: &'a str,
        port: u16,
        options: SocketOptions,
    ) -> BoxFuture<'a, io::Result<Acceptor>>;
}

/// The machine's TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpSockets;

impl Sockets for TcpSockets {
    fn bind<'a>(
        &'a self,
        host: &'a str,
        port: u16,
        options: SocketOptions,
    ) -> BoxFuture<'a, io::Result<Acceptor>> {
        Box::pin(async move {
            let wanted = resolve(host, port).await?;
            let socket = if wanted.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            socket.set_reuseaddr(true)?;
            let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
            options.send_bytes.map_or(Ok(()), |bytes| socket.set_send_buffer_size(size(bytes)))?;
            options.receive_bytes.map_or(Ok(()), |bytes| socket.set_recv_buffer_size(size(bytes)))?;
            socket.bind(wanted)?;
            socket.listen(options.backlog).map(Acceptor::Tcp)
        })
    }
}

async fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    if host.is_empty() {
        return Ok(SocketAddr::from(([0, 0, 0, 0], port)));
    }
    let mut found = tokio::net::lookup_host((host, port)).await?;
    found.next().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address"))
}

/// A network in memory, for one process. Hosts are addresses; a port that is bound again takes the place of the one before.
#[derive(Default)]
pub struct SimulatedSockets {
    listeners: Mutex<HashMap<SocketAddr, mpsc::Sender<(Stream, SocketAddr)>>>,
}

/// What fits into a simulated connection before its writer waits.
const PIPE_BYTES: usize = 64 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: usize = 16;

impl SimulatedSockets {
    /// Connects to a listener. Fails if there is none.
    pub async fn connect(&self, address: SocketAddr) -> io::Result<DuplexStream> {
        let listener = self.listeners.lock().get(&address).cloned();
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let from = SocketAddr::from(([127, 0, 0, 1], 1));
        let sent = match listener {
            Some(listener) => listener.send((Stream::Simulated(Box::new(far)), from)).await.is_ok(),
            None => false,
        };
        if sent { Ok(near) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
    }
}

impl Sockets for SimulatedSockets {
    fn bind<'a>(
        &'a self,
        host: &'a str,
        port: u16,
        _options: SocketOptions,
    ) -> BoxFuture<'a, io::Result<Acceptor>> {
        Box::pin(async move {
            let address = host.parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
            let mut listeners = self.listeners.lock();
            let free = (1..=u16::MAX).find(|port| !listeners.contains_key(&SocketAddr::new(address, *port)));
            let port = if port == 0 { free.unwrap_or(1) } else { port };
            let (sender, streams) = mpsc::channel(BACKLOG);
            let address = SocketAddr::new(address, port);
            listeners.insert(address, sender);
            Ok(Acceptor::Simulated { address, streams })
        })
    }
}
