//! What is said about the keys of a properties file, one by one.

use crate::error::{ConfigError, Notice};
use crate::properties::Properties;
use crate::setting::{Preset, Scope, Setting, nearest, setting, settings};
use crate::value::parse;

/// The properties with `node.id` and its old name `broker.id` filled from each other.
pub(super) fn with_synonyms(properties: &Properties) -> Properties {
    let mut filled = properties.clone();
    for (one, other) in [("node.id", "broker.id"), ("broker.id", "node.id")] {
        if let (None, Some(value)) = (properties.get(one), properties.get(other)) {
            filled.set(one, value);
        }
    }
    filled
}

/// Values that cannot be, settings that are missing, and settings without effect.
pub(super) fn check(file: &Properties) -> (Vec<ConfigError>, Vec<Notice>) {
    let mut errors: Vec<ConfigError> = missing(file).collect();
    let (mut notices, mut idle) = (Vec::new(), Vec::new());
    for (key, value) in file.iter() {
        match setting(Scope::Broker, key) {
            Some(row) => match parse(row, value) {
                Ok(_) if is_idle(row, value) => idle.push(row.name),
                Ok(_) => {}
                Err(message) => errors.push(with_hint(ConfigError::new(message), row)),
            },
            None if key.starts_with("yeoul.") => errors.push(unknown_own(key)),
            None if of_listener(key).is_some() => {
                let checked = of_listener(key).map_or(Ok(()), |row| parse(row, value).map(drop));
                errors.extend(checked.err().map(ConfigError::new));
            }
            None => notices.push(unknown(key)),
        }
    }
    notices.extend(without_effect(&idle));
    (errors, notices)
}

fn missing(file: &Properties) -> impl Iterator<Item = ConfigError> {
    let required = settings(Scope::Broker).iter().filter(|row| row.default == Preset::Required);
    required.filter(|row| file.get(row.name).is_none()).map(|row| {
        let message = format!("Missing required configuration \"{}\" which has no default value.", row.name);
        ConfigError::new(message).with_hint(example(row.name))
    })
}

fn example(name: &str) -> &'static str {
    match name {
        "process.roles" => "a single node has `process.roles=broker,controller`",
        "node.id" => "a single node has `node.id=1`",
        _ => "a single node has `controller.listener.names=CONTROLLER`, and that listener in `listeners`",
    }
}

fn with_hint(error: ConfigError, row: &Setting) -> ConfigError {
    match row.default {
        Preset::Value(default) if !default.is_empty() => {
            error.with_hint(format!("the default is `{default}`"))
        }
        _ => error,
    }
}

/// Whether the value would change something, were it acted on.
fn is_idle(row: &Setting, value: &str) -> bool {
    !row.acts && row.default.value() != Some(value.trim())
}

/// One notice of all settings that are kept and change nothing.
fn without_effect(names: &[&str]) -> Option<Notice> {
    let (first, more) = names.split_first()?;
    let settings = more.iter().fold(format!("`{first}`"), |text, name| format!("{text}, `{name}`"));
    let message = format!("yeoul keeps these settings and does not act on them yet: {settings}");
    Some(Notice {
        key: names.join(","),
        message,
        hint: Some("docs/settings.md says which ones act".to_owned()),
    })
}

fn unknown_own(key: &str) -> ConfigError {
    let error = ConfigError::new(format!("unknown setting `{key}`"));
    match nearest(Scope::Broker, key) {
        Some(name) => error.with_hint(format!("did you mean `{name}`?")),
        None => error,
    }
}

/// The setting that a listener has for itself, as `listener.name.external.max.connections`.
fn of_listener(key: &str) -> Option<&'static Setting> {
    let (_, name) = key.strip_prefix("listener.name.")?.split_once('.')?;
    let acts = matches!(name, "max.connections" | "max.connection.creation.rate");
    setting(Scope::Broker, name).filter(|_| acts)
}

// Kafka hands unknown keys to its plugins, so that files have them and a start must not fail for it.
fn unknown(key: &str) -> Notice {
    let plain = |message: String, hint: Option<String>| Notice { key: key.to_owned(), message, hint };
    if key.starts_with("listener.name.") {
        return plain(format!("`{key}` is set, and yeoul does not act on it yet"), None);
    }
    let of_topic = setting(Scope::Topic, key).and_then(|row| row.synonyms.first());
    let meant = of_topic.copied().or_else(|| nearest(Scope::Broker, key));
    plain(format!("unknown setting `{key}`"), meant.map(|name| format!("did you mean `{name}`?")))
}
