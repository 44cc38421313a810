//! The network: streams, frames, and the order of requests and responses on a connection.
//!
//! It knows nothing of what is in a frame: [`Service`] does. A simulation swaps [`Acceptor`] and [`Stream`].

mod budget;
mod cold;
mod connection;
mod frame;
mod listener;
mod outbox;
mod response;
mod service;
mod sockets;
mod stream;
mod warm;

pub use budget::Budget;
pub use connection::Limits;
pub use listener::Network;
pub use response::{FileSlice, Piece, Response};
pub use service::{CloseReason, Done, Peer, Pending, Service, Started};
pub use sockets::{SimulatedSockets, SocketOptions, Sockets, TcpSockets};
pub use stream::{Acceptor, Duplex, Stream};
