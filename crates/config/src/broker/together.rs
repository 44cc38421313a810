//! Rules that bind several settings.

use super::sections::per_ip_overrides;
use crate::error::ConfigError;
use crate::layers::Layers;

/// What contradicts itself at the start, or would be unsafe to leave without effect.
pub(super) fn check_start(layers: &Layers) -> Vec<ConfigError> {
    check(layers).into_iter().chain(groups(layers)).collect()
}

/// What contradicts itself, whether or not the node starts.
pub(super) fn check_at_rest(layers: &Layers) -> Vec<ConfigError> {
    contradictions(layers).chain(groups(layers)).collect()
}

/// What contradicts itself, or would be unsafe to leave without effect.
pub(crate) fn check(layers: &Layers) -> Vec<ConfigError> {
    contradictions(layers).chain(authorizer(layers)).collect()
}

fn contradictions(layers: &Layers) -> impl Iterator<Item = ConfigError> {
    [retention(layers), queue(layers), idle(layers), per_ip(layers), overrides(layers)].into_iter().flatten()
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

fn per_ip(layers: &Layers) -> Option<ConfigError> {
    let none = layers.long("max.connections.per.ip") == 0;
    (none && layers.text("max.connections.per.ip.overrides").is_none_or(str::is_empty)).then(|| {
        ConfigError::new(
            "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.",
        )
    })
}

fn groups(layers: &Layers) -> Option<ConfigError> {
    crate::group::check_defaults(layers).err().map(ConfigError::new)
}

fn overrides(layers: &Layers) -> Option<ConfigError> {
    if per_ip_overrides(layers).is_some() {
        return None;
    }
    let text = layers.text("max.connections.per.ip.overrides").unwrap_or_default();
    let error = ConfigError::new(format!(
        "`max.connections.per.ip.overrides` is `{text}`, which is no list of host:count"
    ));
    Some(error.with_hint("write `10.0.0.7:200,client.example:50`"))
}

// To start without the access control that a file asks for would open what its writer meant to close.
fn authorizer(layers: &Layers) -> Option<ConfigError> {
    let class = layers.text("authorizer.class.name").filter(|class| !class.is_empty())?;
    let error =
        ConfigError::new(format!("`authorizer.class.name` asks for `{class}`, and yeoul checks no ACLs yet"));
    Some(error.with_hint("remove the setting to serve everyone who reaches the listeners"))
}
