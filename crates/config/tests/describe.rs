//! DescribeConfigs row by row against what Apache Kafka 4.3.1 answered for the same properties file.
//!
//! `fixtures/describe-4.3.1.tsv` was recorded with Kafka's admin client from a broker started with
//! `fixtures/describe.properties`; its topic was created with the overrides below.

use config::{
    BrokerConfig, ConfigRow, Overrides, Properties, Source, describe_broker, describe_group, describe_topic,
};

const RECORDED: &str = include_str!("fixtures/describe-4.3.1.tsv");
const FILE: &str = include_str!("fixtures/describe.properties");
const TYPES: [&str; 10] =
    ["UNKNOWN", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"];

fn overrides(pairs: &[(&str, &str)]) -> Overrides {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn broker() -> BrokerConfig {
    let (config, _) = BrokerConfig::new(&Properties::parse(FILE).expect("the fixture is a properties file"))
        .expect("Apache Kafka started with it");
    // Formatting with the feature for eligible leader replicas writes this one into the metadata log.
    config.with_dynamic(&overrides(&[("min.insync.replicas", "1")]), &Overrides::new())
}

fn source(source: Source) -> &'static str {
    match source {
        Source::DynamicTopic => "DYNAMIC_TOPIC_CONFIG",
        Source::DynamicBroker => "DYNAMIC_BROKER_CONFIG",
        Source::DynamicDefaultBroker => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        Source::StaticBroker => "STATIC_BROKER_CONFIG",
        Source::Default => "DEFAULT_CONFIG",
        Source::Group => "DYNAMIC_GROUP_CONFIG",
    }
}

fn line(resource: &str, row: ConfigRow) -> String {
    let text = |value: Option<String>| value.unwrap_or_else(|| "null".to_owned());
    let synonyms: Vec<String> = row
        .synonyms
        .into_iter()
        .map(|synonym| format!("{}:{}={}", source(synonym.source), synonym.name, text(synonym.value)))
        .collect();
    format!(
        "{resource}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
        row.name,
        text(row.value),
        source(row.source),
        row.is_sensitive,
        row.read_only,
        TYPES[row.kind as usize],
        synonyms.join(";"),
        row.documentation.is_some()
    )
}

fn assert_as_recorded(resource: &str, rows: Vec<ConfigRow>) {
    let rows = rows.into_iter().filter(|row| !row.name.starts_with("yeoul."));
    let ours: Vec<String> = rows.map(|row| line(resource, row)).collect();
    let theirs: Vec<&str> =
        RECORDED.lines().filter(|line| line.split('\t').next() == Some(resource)).collect();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
}

#[test]
fn a_brokers_rows_are_those_of_apache_kafka() {
    assert_as_recorded("BROKER", describe_broker(&broker()));
}

#[test]
fn a_topics_rows_are_those_of_apache_kafka() {
    let own = overrides(&[
        ("segment.ms", "12345"),
        ("cleanup.policy", "compact,delete"),
        ("max.message.bytes", "77"),
    ]);
    assert_as_recorded("TOPIC", describe_topic(&broker(), &own));
}

#[test]
fn a_groups_rows_are_those_of_apache_kafka() {
    assert_as_recorded("GROUP", describe_group(&broker(), &Overrides::new()));
}

#[test]
fn a_topics_setting_is_refused_in_apache_kafkas_words() {
    for line in include_str!("fixtures/topic-configs-4.3.1.tsv").lines() {
        let mut cells = line.split('\t');
        let (name, value) = cells.next().unwrap().split_once('=').unwrap();
        let theirs = match cells.next() {
            Some("OK") => Ok(()),
            _ => Err(cells.next().unwrap().to_owned()),
        };
        assert_eq!(config::validate_topic_config(name, value), theirs, "{name}={value}");
    }
}
