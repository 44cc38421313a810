//! The network: streams, frames, and the order of requests and responses on a connection.
//!
//! It knows nothing of what is in a frame: [`Service`] does. A simulation swaps [`Acceptor`] and [`Stream`].

mod admission;
mod budget;
mod cold;
mod connection;
mod frame;
mod listener;
mod outbox;
mod response;
mod seat;
mod service;
mod sockets;
mod stream;
mod timing;
mod warm;

pub use admission::{ConnectionLimits, ListenerLimits, Role};
pub use budget::Budget;
pub use connection::Limits;
pub use listener::{Bounds, Network};
pub use response::{FileSlice, Notes, Piece, Response, Served};
pub use service::{CloseReason, Done, Hindrance, Peer, Pending, Service, Software, Started};
pub use sockets::{SimulatedSockets, SocketOptions, Sockets, TcpSockets};
pub use stream::{Acceptor, Duplex, Stream};
pub use timing::{Finish, Timing};
