//! The broker: sockets, one file per API key and one table of them, the publisher of metadata, and a broker's life.
//!
//! | to see | look at |
//! |---|---|
//! | how bytes become requests and answers leave in order | [`net`] |
//! | which APIs there are, and what each does | `api` |
//! | how committed metadata becomes logs, settings and coordinators | `publisher` |
//! | how groups' coordinators are driven | `groups` |
//! | what is counted, and how it is shown | `meters`, `metrics`, `traces`, [`http`] |
//! | how a broker starts and stops | [`Server`] |

pub mod groups;
pub mod http;
pub mod net;

mod api;
mod broker;
mod caches;
mod client_metrics;
mod connection_limits;
mod directories;
mod fetch_sessions;
mod flushes;
mod group_settings;
mod internal_topics;
mod keeper;
mod listeners;
mod log_settings;
mod loggers;
mod meters;
mod metrics;
mod moves;
mod partitions;
mod producer_expiry;
mod producer_ids;
mod publisher;
mod registration;
mod retention;
mod seen;
mod server;
mod slow;
mod traces;

pub use broker::{Broker, ChangeError};
pub use listeners::BindError;
pub use loggers::Loggers;
pub use server::{Server, ServerOptions, StartError};
