//! What is told of settings. Pure.

use protocol::messages::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsSynonym};
use serde_json::{Value, json};

use super::entities::{EntityType, Name};

/// The names of where a setting may come from, by their numbers.
const SOURCES: [&str; 9] = [
    "UNKNOWN",
    "DYNAMIC_TOPIC_CONFIG",
    "DYNAMIC_BROKER_CONFIG",
    "DYNAMIC_DEFAULT_BROKER_CONFIG",
    "STATIC_BROKER_CONFIG",
    "DEFAULT_CONFIG",
    "DYNAMIC_BROKER_LOGGER_CONFIG",
    "DYNAMIC_CLIENT_METRICS_CONFIG",
    "DYNAMIC_GROUP_CONFIG",
];

fn source(number: i8) -> &'static str {
    usize::try_from(number).ok().and_then(|place| SOURCES.get(place)).copied().unwrap_or("UNKNOWN")
}

/// Whether a setting from there was set for just this one. What is said of loggers is all about the broker itself.
pub fn is_dynamic(kind: EntityType, name: &Name, source: i8) -> bool {
    let own = match (kind, name) {
        (EntityType::Topics, _) => 1,
        (EntityType::Brokers, Name::Named(_)) => 2,
        (EntityType::Brokers, Name::Default) => 3,
        (EntityType::ClientMetrics, _) => 7,
        (EntityType::Groups, _) => 8,
        _ => return true,
    };
    source == own
}

/// That something has new settings.
pub fn completed(kind: EntityType, name: &Name) -> String {
    match name {
        Name::Default => format!("Completed updating default config for {} in the cluster.", kind.name()),
        Name::Named(name) => format!("Completed updating config for {} {name}.", kind.singular()),
    }
}

/// That there is no such thing.
pub fn nothing_there(kind: EntityType, name: &str) -> String {
    format!("The {} '{name}' doesn't exist and doesn't have dynamic config.", kind.singular())
}

/// A line for each setting under one that says whose they are.
pub fn text(kind: EntityType, name: &Name, configs: &[DescribeConfigsResourceResult], all: bool) -> String {
    let whose = match name {
        Name::Default => format!("Default configs for {} in the cluster are:\n", kind.name()),
        Name::Named(name) => {
            let which = if all { "All" } else { "Dynamic" };
            format!("{which} configs for {} {name} are:\n", kind.singular())
        }
    };
    let lines = configs.iter().map(|config| {
        let synonyms: Vec<String> = config.synonyms.iter().map(synonym).collect();
        format!(
            "  {}={} sensitive={} synonyms={{{}}}\n",
            config.name,
            value(&config.value),
            config.is_sensitive,
            synonyms.join(", ")
        )
    });
    std::iter::once(whose).chain(lines).collect()
}

fn synonym(synonym: &DescribeConfigsSynonym) -> String {
    format!("{}:{}={}", source(synonym.source), synonym.name, value(&synonym.value))
}

fn value(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("null")
}

/// The same for programs.
pub fn json(kind: EntityType, name: &Name, configs: &[DescribeConfigsResourceResult]) -> Value {
    let config = |config: &DescribeConfigsResourceResult| {
        json!({
            "name": config.name,
            "value": config.value,
            "sensitive": config.is_sensitive,
            "source": source(config.config_source),
        })
    };
    let name = match name {
        Name::Default => None,
        Name::Named(name) => Some(name),
    };
    let configs: Vec<Value> = configs.iter().map(config).collect();
    json!({"entityType": kind.name(), "entityName": name, "configs": configs})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str, value: Option<&str>, config_source: i8) -> DescribeConfigsResourceResult {
        let synonym =
            DescribeConfigsSynonym { name: format!("log.{name}"), value: Some("7".to_owned()), source: 5 };
        DescribeConfigsResourceResult {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            config_source,
            synonyms: vec![synonym],
            ..DescribeConfigsResourceResult::default()
        }
    }

    #[test]
    fn settings_are_told_with_where_they_come_from() {
        let configs = [config("retention.ms", Some("1"), 1), config("secret", None, 1)];
        let named = Name::Named("t".to_owned());
        assert_eq!(
            text(EntityType::Topics, &named, &configs, false),
            "Dynamic configs for topic t are:\n  \
             retention.ms=1 sensitive=false synonyms={DEFAULT_CONFIG:log.retention.ms=7}\n  \
             secret=null sensitive=false synonyms={DEFAULT_CONFIG:log.secret=7}\n"
        );
        let defaults = text(EntityType::Brokers, &Name::Default, &[], true);
        assert_eq!(defaults, "Default configs for brokers in the cluster are:\n");
    }

    #[test]
    fn what_is_dynamic_depends_on_whose_it_is() {
        let named = Name::Named("1".to_owned());
        assert!(is_dynamic(EntityType::Brokers, &named, 2));
        assert!(!is_dynamic(EntityType::Brokers, &named, 3));
        assert!(is_dynamic(EntityType::Brokers, &Name::Default, 3));
        assert!(!is_dynamic(EntityType::Topics, &named, 5));
        assert!(is_dynamic(EntityType::BrokerLoggers, &named, 6));
    }
}
