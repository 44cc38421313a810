//! What the network asks of whoever answers requests.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use super::response::Response;

/// What a request that is not done yet comes to.
pub type Pending = Pin<Box<dyn Future<Output = Done> + Send>>;

/// How a request ends.
#[derive(Debug)]
pub enum Done {
    /// With a response.
    Answer(Response),
    /// With none: the client asked for none.
    Silent,
    /// With the end of its connection.
    Close(CloseReason),
}

/// Where a request stands once it was started.
pub enum Started {
    /// It is done.
    Done(Done),
    /// It has taken effect and waits for something (a flush) that does not concern the requests behind it.
    Settling(Pending),
    /// The requests behind it wait until it is done.
    Working(Pending),
}

/// Why a connection is closed: a sentence for the log.
#[derive(Debug)]
pub struct CloseReason(pub String);

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for CloseReason {
    fn from(error: E) -> CloseReason {
        CloseReason(error.to_string())
    }
}

/// Who is at the other end.
#[derive(Debug)]
pub struct Peer {
    /// The client's address.
    pub address: SocketAddr,
    /// The listener that it came in by: its place in the broker's list.
    pub listener: usize,
    /// Different for each connection of this process.
    pub connection_id: u64,
}

/// Answers requests.
pub trait Service: Send + Sync + 'static {
    /// Starts a request; called in the order in which the requests came. Must not block.
    fn start(&self, peer: &Arc<Peer>, frame: Bytes) -> Started;

    /// The connection is gone.
    fn closed(&self, _peer: &Peer) {}
}
