//! The broker: sockets, one file per API key and one table of them, the publisher of metadata, and a broker's life.
//!
//! | to see | look at |
//! |---|---|
//! | how bytes become requests and answers leave in order | [`net`] |
//! | which APIs there are, and what each does | `api` |
//! | how committed metadata becomes logs, settings and coordinators | `publisher` |
//! | how groups' coordinators are driven | `groups` |
//! | how a broker starts and stops | [`Server`] |

pub mod groups;
pub mod net;

mod api;
mod broker;
mod fetch_sessions;
mod flushes;
mod group_settings;
mod internal_topics;
mod listeners;
mod log_settings;
mod partitions;
mod producer_ids;
mod publisher;
mod registration;
mod server;

pub use broker::{Broker, ChangeError};
pub use listeners::BindError;
pub use server::{Server, ServerOptions, StartError};
