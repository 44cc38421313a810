//! What the network asks of whoever answers requests.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::response::{Notes, Response};
use super::timing::Finish;

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

impl Done {
    /// Adds to what is told of an answer.
    pub fn noting(mut self, note: impl FnOnce(&mut Notes)) -> Done {
        if let Done::Answer(response) = &mut self {
            note(&mut response.notes);
        }
        self
    }
}

/// Where a request stands once it was started.
pub enum Started {
    /// It is done.
    Done(Done),
    /// It has taken effect and waits for something (a flush) that does not concern the requests behind it.
    Settling(Pending),
    /// The requests behind it wait until it is done.
    Working(Pending),
    /// The same, but it waits for what others do (send records), perhaps for long, and is not at work until then.
    Waiting(Pending),
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
    /// What the client says that it is, once it has said so (KIP-511).
    pub software: OnceLock<Software>,
}

/// The program at the other end.
#[derive(Debug)]
pub struct Software {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Why a connection is not served, or not at once.
#[derive(Debug)]
pub enum Hindrance {
    /// There are as many as may be: new ones wait.
    TooMany,
    /// Its address has as many as it may have: it is closed.
    TooManyOfAddress,
    /// More come in a second than may: it waits.
    TooFast,
    /// There are as many as may be, and another that must not wait needs its place: it is closed.
    Claimed,
    /// The system has none to give, usually for want of descriptors.
    Failed(io::Error),
}

/// Answers requests.
pub trait Service: Send + Sync + 'static {
    /// What it keeps of a request until the answer has left.
    type Ticket: Send + 'static;

    /// Starts a request; called in the order in which the requests came. Must not block.
    fn start(&self, peer: &Arc<Peer>, frame: Bytes) -> (Self::Ticket, Started);

    /// A request is over: its answer has left, or it wanted none. Not called for one that ended its connection.
    fn finished(&self, _peer: &Peer, _ticket: Self::Ticket, _finish: &Finish) {}

    /// A connection is closed at once or has to wait; without its address if it has yet to be accepted.
    fn hindered(&self, _listener: usize, _address: Option<SocketAddr>, _hindrance: &Hindrance) {}

    /// A connection has come.
    fn opened(&self, _peer: &Peer) {}

    /// The connection is gone.
    fn closed(&self, _peer: &Peer) {}
}
