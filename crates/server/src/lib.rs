//! The broker: sockets, one file per API key and one table of them, the publisher of metadata, and a broker's life.

pub mod groups;
pub mod net;
