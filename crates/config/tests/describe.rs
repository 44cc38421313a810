//! DescribeConfigs row by row against what Apache Kafka 4.3.1 answered for the same properties file.
//!
//! `fixtures/describe-4.3.1.tsv` was recorded with Kafka's admin client from a broker started with
//! `fixtures/describe.properties`; its topic was created with the overrides below.

use config::{
    BrokerConfig, ConfigRow, Overrides, Properties, Source, describe_broker, describe_client_metrics,
    describe_cluster_defaults, describe_group, describe_topic,
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
        Source::DynamicBrokerLogger => "DYNAMIC_BROKER_LOGGER_CONFIG",
        Source::ClientMetrics => "DYNAMIC_CLIENT_METRICS_CONFIG",
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

/// Name, value, read only, source, sensitive, synonyms and type, as they were recorded from Apache Kafka 4.3.1.
type Recorded = (&'static str, Option<&'static str>, bool, Source, bool, &'static [Origin], i8);
type Origin = (&'static str, Option<&'static str>, Source);

fn assert_rows(rows: &[ConfigRow], recorded: &[Recorded]) {
    for (name, value, read_only, source, is_sensitive, synonyms, kind) in recorded {
        let row = rows.iter().find(|row| row.name == *name).expect("the row is there");
        let origins: Vec<Origin> = synonyms.to_vec();
        let ours: Vec<_> =
            row.synonyms.iter().map(|own| (own.name.as_str(), own.value.as_deref(), own.source)).collect();
        assert_eq!(ours, origins, "{name}");
        assert_eq!(
            (row.value.as_deref(), row.read_only, row.source),
            (*value, *read_only, *source),
            "{name}"
        );
        assert_eq!((row.is_sensitive, row.kind), (*is_sensitive, *kind), "{name}");
    }
}

fn changed_broker() -> BrokerConfig {
    let cluster = overrides(&[
        ("listener.name.plaintext.max.connections", "901"),
        ("foo.baz", "8"),
        ("follower.replication.throttled.rate", "9"),
        ("log.retention.ms", "777"),
    ]);
    let node = overrides(&[
        ("leader.replication.throttled.rate", "5"),
        ("foo.bar", "7"),
        ("listener.name.plaintext.ssl.keystore.password", "/x"),
        ("listener.name.plaintext.ssl.keystore.location", "/x"),
    ]);
    let mut file = BrokerConfig::standalone(std::path::Path::new("/data"));
    file.set("log.retention.ms", "700000000");
    file.set("ssl.keystore.password", "secret");
    let (config, _) = BrokerConfig::new(&file).expect("Apache Kafka started with it");
    config.with_dynamic(&cluster, &node)
}

#[test]
fn a_broker_shows_what_was_set_while_it_ran_as_apache_kafka_does() {
    use Source::{Default, DynamicBroker as Node, DynamicDefaultBroker as Cluster, StaticBroker as File};
    let recorded: [Recorded; 8] = [
        (
            "leader.replication.throttled.rate",
            Some("5"),
            false,
            Node,
            false,
            &[("leader.replication.throttled.rate", Some("5"), Node)],
            5,
        ),
        (
            "listener.name.plaintext.max.connections",
            Some("901"),
            true,
            Cluster,
            false,
            &[
                ("listener.name.plaintext.max.connections", Some("901"), Cluster),
                ("max.connections", Some("2147483647"), Default),
            ],
            3,
        ),
        (
            "listener.name.plaintext.ssl.keystore.password",
            None,
            true,
            Node,
            true,
            &[
                ("listener.name.plaintext.ssl.keystore.password", None, Node),
                ("ssl.keystore.password", None, File),
            ],
            9,
        ),
        ("foo.baz", None, true, Cluster, true, &[("foo.baz", None, Cluster)], 0),
        ("foo.bar", None, true, Node, true, &[("foo.bar", None, Node)], 0),
        (
            "listener.name.plaintext.ssl.keystore.location",
            Some("/x"),
            true,
            Node,
            false,
            &[("listener.name.plaintext.ssl.keystore.location", Some("/x"), Node)],
            2,
        ),
        (
            "log.retention.ms",
            Some("777"),
            false,
            Cluster,
            false,
            &[
                ("log.retention.ms", Some("777"), Cluster),
                ("log.retention.ms", Some("700000000"), File),
                ("log.retention.hours", Some("168"), Default),
            ],
            5,
        ),
        ("ssl.keystore.password", None, false, File, true, &[("ssl.keystore.password", None, File)], 9),
    ];
    assert_rows(&describe_broker(&changed_broker()), &recorded);
}

#[test]
fn the_defaults_of_all_brokers_are_those_that_are_set() {
    use Source::DynamicDefaultBroker as Cluster;
    let rows = describe_cluster_defaults(&changed_broker());
    assert_eq!(rows.len(), 4);
    let recorded: [Recorded; 3] = [
        (
            "listener.name.plaintext.max.connections",
            Some("901"),
            true,
            Cluster,
            false,
            &[("listener.name.plaintext.max.connections", Some("901"), Cluster)],
            3,
        ),
        ("foo.baz", None, true, Cluster, true, &[("foo.baz", None, Cluster)], 0),
        (
            "log.retention.ms",
            Some("777"),
            false,
            Cluster,
            false,
            &[("log.retention.ms", Some("777"), Cluster)],
            5,
        ),
    ];
    assert_rows(&rows, &recorded);
}

#[test]
fn a_subscription_to_clients_metrics_shows_its_own_settings_and_the_defaults() {
    let rows = describe_client_metrics(&overrides(&[("interval.ms", "1000")]));
    let recorded: [Recorded; 3] = [
        (
            "interval.ms",
            Some("1000"),
            false,
            Source::ClientMetrics,
            false,
            &[("interval.ms", Some("1000"), Source::ClientMetrics)],
            3,
        ),
        ("match", Some(""), false, Source::Default, false, &[], 7),
        ("metrics", Some(""), false, Source::Default, false, &[], 7),
    ];
    assert_rows(&rows, &recorded);
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
