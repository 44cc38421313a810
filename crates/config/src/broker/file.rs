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
    let mut notices = Vec::new();
    for (key, value) in file.iter() {
        match setting(Scope::Broker, key) {
            Some(row) => match parse(row, value) {
                Ok(_) => notices.extend(without_effect(row, value)),
                Err(message) => errors.push(with_hint(ConfigError::new(message), row)),
            },
            None if key.starts_with("yeoul.") => errors.push(unknown_own(key)),
            None => notices.push(unknown(key)),
        }
    }
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

fn without_effect(row: &Setting, value: &str) -> Option<Notice> {
    if row.acts || row.default.value() == Some(value.trim()) {
        return None;
    }
    let message = format!("`{}` is set, and yeoul does not act on it yet", row.name);
    Some(Notice { key: row.name.to_owned(), message, hint: None })
}

fn unknown_own(key: &str) -> ConfigError {
    let error = ConfigError::new(format!("unknown setting `{key}`"));
    match nearest(Scope::Broker, key) {
        Some(name) => error.with_hint(format!("did you mean `{name}`?")),
        None => error,
    }
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
