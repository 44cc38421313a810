//! Rules that bind several settings.

use crate::error::ConfigError;
use crate::layers::Layers;

/// What contradicts itself, or would be unsafe to leave without effect.
pub(super) fn check(layers: &Layers) -> Vec<ConfigError> {
    [retention(layers), queue(layers), idle(layers), authorizer(layers)].into_iter().flatten().collect()
}

fn retention(layers: &Layers) -> Option<ConfigError> {
    let names = ["log.retention.ms", "log.retention.minutes", "log.retention.hours"];
    let first = names.into_iter().find_map(|name| layers.opt_number(name));
    (first == Some(0)).then(|| {
        ConfigError::new("log.retention.ms must be unlimited (-1) or, greater than or equal to 1")
            .with_hint("`log.retention.minutes` and `log.retention.hours` count for it where it is not set")
    })
}

fn queue(layers: &Layers) -> Option<ConfigError> {
    let queued = layers.long("queued.max.request.bytes");
    (queued > 0 && queued < layers.long("socket.request.max.bytes")).then(|| {
        ConfigError::new("queued.max.request.bytes must be larger or equal to socket.request.max.bytes")
    })
}

fn idle(layers: &Layers) -> Option<ConfigError> {
    let (idle, delay) =
        (layers.long("connections.max.idle.ms"), layers.long("connection.failed.authentication.delay.ms"));
    (idle > 0 && delay >= idle).then(|| {
        ConfigError::new(format!(
            "connection.failed.authentication.delay.ms={delay} should always be less than \
             connections.max.idle.ms={idle} to prevent failed authentication responses from timing out"
        ))
    })
}

// To start without the access control that a file asks for would open what its writer meant to close.
fn authorizer(layers: &Layers) -> Option<ConfigError> {
    let class = layers.text("authorizer.class.name").filter(|class| !class.is_empty())?;
    let error =
        ConfigError::new(format!("`authorizer.class.name` asks for `{class}`, and yeoul checks no ACLs yet"));
    Some(error.with_hint("remove the setting to serve everyone who reaches the listeners"))
}
