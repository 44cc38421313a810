//! The rows of a DescribeConfigs response.
//!
//! What a row says follows Apache Kafka 4.3.1, also where it surprises: the synonyms of a setting are listed only if the
//! first name that it falls back to has a value, and a setting that Kafka does not know is shown as sensitive.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::BrokerConfig;
use crate::layers::{Layers, Overrides};
use crate::logger::LogLevels;
use crate::setting::{Scope, Setting, Update, setting, settings};
use crate::topic::inherited;
use crate::value::parse;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Set for the topic.
    DynamicTopic,
    /// Set for this node while running.
    DynamicBroker,
    /// Set for all nodes while running.
    DynamicDefaultBroker,
    /// The properties file or the command line.
    StaticBroker,
    /// Nobody set it.
    Default,
    /// A logger's level.
    DynamicBrokerLogger,
    /// Set for the subscription to clients' metrics.
    ClientMetrics,
    /// Set for the group.
    Group,
}

impl Source {
    /// The number in the response.
    pub fn code(self) -> i8 {
        match self {
            Source::DynamicTopic => 1,
            Source::DynamicBroker => 2,
            Source::DynamicDefaultBroker => 3,
            Source::StaticBroker => 4,
            Source::Default => 5,
            Source::DynamicBrokerLogger => 6,
            Source::ClientMetrics => 7,
            Source::Group => 8,
        }
    }
}

/// A name under which the value could have been set, and what is set there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synonym {
    /// The key.
    pub name: String,
    /// Its value there; none where it is sensitive.
    pub value: Option<String>,
    /// Where that is.
    pub source: Source,
}

/// One setting of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigRow {
    /// Kafka's key.
    pub name: String,
    /// The value that counts; none where there is none or it is sensitive.
    pub value: Option<String>,
    /// Whether it cannot be changed while running.
    pub read_only: bool,
    /// Where the value comes from.
    pub source: Source,
    /// Whether the value is kept back.
    pub is_sensitive: bool,
    /// The value's origins, the one that counts first. For the response only if the request asks for them.
    pub synonyms: Vec<Synonym>,
    /// The number of the type, 0 for unknown; for version 3 and later.
    pub kind: i8,
    /// What it is for. For the response only if the request asks for it.
    pub documentation: Option<Cow<'static, str>>,
}

/// The settings of a topic, sorted by key.
pub fn describe_topic(broker: &BrokerConfig, overrides: &Overrides) -> Vec<ConfigRow> {
    let rows = settings(Scope::Topic).iter().filter(|row| !row.internal || overrides.contains_key(row.name));
    rows.map(|row| topic_row(broker.values(), overrides, row)).collect()
}

/// The settings of a node, sorted by key, those included that nobody knows.
pub fn describe_broker(broker: &BrokerConfig) -> Vec<ConfigRow> {
    let layers = broker.values();
    let is_dynamic = |name: &str| layers.node.contains_key(name) || layers.cluster.contains_key(name);
    let known = settings(Scope::Broker).iter().filter(|row| !row.internal || is_dynamic(row.name));
    let dynamic = layers.node.keys().chain(layers.cluster.keys()).map(String::as_str);
    let set: BTreeSet<&str> = layers.file.iter().map(|(key, _)| key).chain(dynamic).collect();
    let unknown = set.into_iter().filter(|key| setting(Scope::Broker, key).is_none());
    let mut rows: Vec<ConfigRow> =
        known.map(|row| broker_row(layers, row)).chain(unknown.map(|key| unknown_row(layers, key))).collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

/// The dynamic settings of all nodes (the broker resource without a name), sorted by key: only those that are set.
pub fn describe_cluster_defaults(broker: &BrokerConfig) -> Vec<ConfigRow> {
    let layers = Layers { cluster: broker.values().cluster.clone(), ..Layers::default() };
    let described = layers.cluster.keys().map(|key| {
        let mut described = match setting(Scope::Broker, key) {
            Some(row) => broker_row(&layers, row),
            None => unknown_row(&layers, key),
        };
        described.synonyms.retain(|synonym| synonym.source == Source::DynamicDefaultBroker);
        described
    });
    described.collect()
}

/// The settings of a subscription to clients' metrics, sorted by key.
pub fn describe_client_metrics(overrides: &Overrides) -> Vec<ConfigRow> {
    let row = |row: &'static Setting| {
        let own = own_value(overrides, row, Source::ClientMetrics);
        let value = own.clone().and_then(|own| own.value).or_else(|| row.default.value().map(str::to_owned));
        described(row, value, own.into_iter().collect(), false)
    };
    settings(Scope::ClientMetrics).iter().map(row).collect()
}

/// The loggers of a node with their levels, sorted by name.
pub fn describe_loggers(levels: &LogLevels) -> Vec<ConfigRow> {
    let row = |(logger, level): (&str, crate::LogLevel)| ConfigRow {
        name: logger.to_owned(),
        value: Some(level.name().to_owned()),
        read_only: false,
        source: Source::DynamicBrokerLogger,
        is_sensitive: false,
        synonyms: Vec::new(),
        kind: 0,
        documentation: Some(Cow::Borrowed("")),
    };
    levels.all().map(row).collect()
}

/// The settings of a group, sorted by key.
pub fn describe_group(broker: &BrokerConfig, overrides: &Overrides) -> Vec<ConfigRow> {
    settings(Scope::Group).iter().map(|row| group_row(broker.values(), overrides, row)).collect()
}

fn topic_row(layers: &Layers, overrides: &Overrides, row: &'static Setting) -> ConfigRow {
    let own = own_value(overrides, row, Source::DynamicTopic);
    let synonyms: Vec<Synonym> = own.clone().into_iter().chain(chain(layers, row.synonyms)).collect();
    let value = own.and_then(|own| own.value).or_else(|| inherited(layers, row));
    described(row, value, synonyms, false)
}

fn group_row(layers: &Layers, overrides: &Overrides, row: &'static Setting) -> ConfigRow {
    let own = own_value(overrides, row, Source::Group);
    let broker_name = format!("group.{}", row.name);
    let inherited: Vec<Synonym> = match setting(Scope::Broker, &broker_name) {
        Some(broker) => origins(layers, broker).collect(),
        None => own_default(row).into_iter().collect(),
    };
    let synonyms: Vec<Synonym> = own.into_iter().chain(inherited).collect();
    let value = synonyms.first().and_then(|first| first.value.clone());
    described(row, value, synonyms, false)
}

fn own_value(overrides: &Overrides, row: &Setting, source: Source) -> Option<Synonym> {
    let value = overrides.get(row.name).filter(|text| parse(row, text).is_ok())?;
    Some(Synonym { name: row.name.to_owned(), value: Some(value.clone()), source })
}

fn own_default(row: &Setting) -> Option<Synonym> {
    let value = row.default.value()?.to_owned();
    Some(Synonym { name: row.name.to_owned(), value: Some(value), source: Source::Default })
}

fn broker_row(layers: &Layers, row: &'static Setting) -> ConfigRow {
    let alone = [row.name];
    let synonyms = chain(layers, fallbacks(row.name).unwrap_or(&alone));
    let value = layers.text(row.name).map(|text| text.trim().to_owned());
    described(row, value, synonyms, row.update == Update::ReadOnly)
}

/// The broker's settings that stand in for one another, from the finest unit to the coarsest.
fn fallbacks(name: &str) -> Option<&'static [&'static str]> {
    const CHAINS: [&[&str]; 4] = [
        &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
        &["log.roll.ms", "log.roll.hours"],
        &["log.roll.jitter.ms", "log.roll.jitter.hours"],
        &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
    ];
    CHAINS.into_iter().find_map(|chain| Some(&chain[chain.iter().position(|known| *known == name)?..]))
}

/// What is set under each of the names, if the first has a value at all.
fn chain(layers: &Layers, names: &[&str]) -> Vec<Synonym> {
    let rows = names.iter().filter_map(|name| setting(Scope::Broker, name));
    match names.first().and_then(|first| layers.text(first)) {
        Some(_) => rows.flat_map(|row| origins(layers, row)).collect(),
        None => Vec::new(),
    }
}

fn origins(layers: &Layers, row: &'static Setting) -> impl Iterator<Item = Synonym> {
    let own = set_under(layers, row.name).into_iter().chain([(row.default.value(), Source::Default)]);
    own.filter_map(|(text, source)| {
        let text = text.filter(|text| parse(row, text).is_ok())?;
        let value = Some(text.trim().to_owned()).filter(|_| !row.is_sensitive());
        Some(Synonym { name: row.name.to_owned(), value, source })
    })
}

/// What is set under a name, from the layer that counts most to the one that counts least.
fn set_under<'a>(layers: &'a Layers, name: &str) -> [(Option<&'a str>, Source); 3] {
    [
        (layers.node.get(name).map(String::as_str), Source::DynamicBroker),
        (layers.cluster.get(name).map(String::as_str), Source::DynamicDefaultBroker),
        (layers.file.get(name), Source::StaticBroker),
    ]
}

fn described(
    row: &'static Setting,
    value: Option<String>,
    synonyms: Vec<Synonym>,
    read_only: bool,
) -> ConfigRow {
    ConfigRow {
        name: row.name.to_owned(),
        value: value.filter(|_| !row.is_sensitive()),
        read_only,
        source: synonyms.first().map_or(Source::Default, |first| first.source),
        is_sensitive: row.is_sensitive(),
        synonyms,
        kind: row.kind.code(),
        documentation: Some(row.doc()),
    }
}

/// A key that is no row of the table. One for a single listener has the type of its base, and falls back to it.
fn unknown_row(layers: &Layers, key: &str) -> ConfigRow {
    let base = key.strip_prefix("listener.name.").and_then(base_of);
    let is_sensitive = base.is_none_or(Setting::is_sensitive);
    let own = set_under(layers, key).into_iter().filter_map(|(text, source)| {
        let value = text?.to_owned();
        Some(Synonym { name: key.to_owned(), value: Some(value).filter(|_| !is_sensitive), source })
    });
    let synonyms: Vec<Synonym> = own.chain(base.into_iter().flat_map(|row| origins(layers, row))).collect();
    ConfigRow {
        name: key.to_owned(),
        value: synonyms.first().and_then(|first| first.value.clone()),
        read_only: true,
        source: synonyms.first().map_or(Source::Default, |first| first.source),
        is_sensitive,
        synonyms,
        kind: base.map_or(0, |row| row.kind.code()),
        documentation: None,
    }
}

/// The longest setting that the key of a listener ends in.
fn base_of(key: &str) -> Option<&'static Setting> {
    let ends = |row: &&Setting| key.strip_suffix(row.name).is_some_and(|before| before.ends_with('.'));
    settings(Scope::Broker).iter().filter(ends).max_by_key(|row| row.name.len())
}
