//! A row per setting: Kafka's key, type, default, bounds, and what follows from the table.
//!
//! [`Properties`] are what a file says; [`BrokerConfig`] is what a node makes of them, [`TopicConfig`] what a topic makes of
//! that; [`describe_topic`] and [`describe_broker`] say it all again to whoever asks.

mod broker;
mod client_metrics;
mod describe;
mod dynamic;
mod error;
mod group;
mod layers;
mod listener;
mod logger;
mod properties;
mod reference;
mod setting;
mod topic;
mod value;

pub use broker::{
    BrokerConfig, Groups, Limits, Logs, Monitoring, Network, Node, OffsetsTopic, Roles, Topics,
    TracesEndpoint, Voter,
};
pub use client_metrics::{
    ClientAttribute, ClientMetricsConfig, Fault, PUSH_INTERVAL_DEFAULT_MS, validate_client_metrics,
};
pub use describe::{
    ConfigRow, Source, Synonym, describe_broker, describe_client_metrics, describe_cluster_defaults,
    describe_group, describe_loggers, describe_topic,
};
pub use dynamic::{Level, validate_dynamic};
pub use error::{ConfigError, Notice};
pub use group::validate_group_configs;
pub use layers::{Layers, Overrides};
pub use listener::{HostPort, Listener, SecurityProtocol, parse_host_port};
pub use logger::{LOGGERS, LogLevel, LogLevels, ROOT_LOGGER, is_logger};
pub use properties::{Properties, PropertiesError};
pub use reference::reference_page;
pub use setting::{Bounds, Importance, Kind, Preset, Scope, Setting, Update, nearest, setting, settings};
pub use topic::{
    CleanupPolicy, CompressionType, TimestampType, TopicConfig, validate_topic_config, validate_topic_configs,
};
pub use value::{Value, parse as parse_value};
