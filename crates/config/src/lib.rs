//! A row per setting: Kafka's key, type, default, bounds, and what follows from the table.
//!
//! [`Properties`] are what a file says; [`BrokerConfig`] is what a node makes of them, [`TopicConfig`] what a topic makes of
//! that; [`describe_topic`] and [`describe_broker`] say it all again to whoever asks.

mod broker;
mod describe;
mod error;
mod layers;
mod listener;
mod properties;
mod setting;
mod topic;
mod value;

pub use broker::{BrokerConfig, Groups, Limits, Logs, Network, Node, OffsetsTopic, Roles, Topics, Voter};
pub use describe::{
    ConfigRow, Source, Synonym, describe_broker, describe_cluster_defaults, describe_group, describe_topic,
};
pub use error::{ConfigError, Notice};
pub use layers::{Layers, Overrides};
pub use listener::{HostPort, Listener, SecurityProtocol, parse_host_port};
pub use properties::{Properties, PropertiesError};
pub use setting::{Bounds, Importance, Kind, Preset, Scope, Setting, Update, nearest, setting, settings};
pub use topic::{
    CleanupPolicy, CompressionType, TimestampType, TopicConfig, validate_topic_config, validate_topic_configs,
};
pub use value::{Value, parse as parse_value};
