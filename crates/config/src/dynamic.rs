//! Which settings of a broker may change while it runs, in Apache Kafka's words (KIP-226).

use crate::BrokerConfig;
use crate::layers::{Layers, Overrides};
use crate::setting::{Scope, Setting, Update, setting};
use crate::value::parse;

/// Whose dynamic settings they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// This node's.
    Node,
    /// Those of all nodes.
    Cluster,
}

/// Numbers of threads, which Kafka lets no more than double and no more than halve at once.
const THREADS: [&str; 6] = [
    "num.io.threads",
    "num.replica.fetchers",
    "num.recovery.threads.per.data.dir",
    "background.threads",
    "num.network.threads",
    CLEANER_THREADS,
];
const CLEANER_THREADS: &str = "log.cleaner.threads";
/// Taken from the properties file alone, whatever Kafka does with them while it runs.
const LISTENERS: [&str; 2] = ["listeners", "listener.security.protocol.map"];
/// May be set for one listener and yet for all nodes.
const CLUSTER_WIDE_OF_LISTENERS: [&str; 3] =
    ["max.connections", "max.connection.creation.rate", "num.network.threads"];

/// Checks all dynamic settings of a level as they would be, `proposed`, over the rest of `broker`'s settings.
pub fn validate_dynamic(broker: &BrokerConfig, proposed: &Overrides, level: Level) -> Result<(), String> {
    check_dynamic(proposed, level)?;
    let now = broker.values();
    let mut layers = Layers::clone(now);
    match level {
        Level::Node => layers.node.clone_from(proposed),
        Level::Cluster => layers.cluster.clone_from(proposed),
    }
    check_listeners(now, proposed)?;
    check_log_dirs(now, proposed)?;
    if let Some(error) = crate::broker::check_together(&layers).into_iter().next() {
        return Err(format!("requirement failed: {}", error.message));
    }
    crate::group::check_defaults(&layers)?;
    THREADS.into_iter().filter(|name| proposed.contains_key(*name)).try_for_each(|name| {
        let (current, wanted) = (now.long(name), layers.long(name));
        check_threads(name, current, wanted).map_err(|why| {
            format!(
                "Invalid value org.apache.kafka.common.config.ConfigException: {why} for configuration Invalid dynamic \
                 configuration"
            )
        })
    })
}

/// The settings without those that have no effect at this level: an older version may have left them in the metadata.
pub(crate) fn in_effect(overrides: &Overrides, level: Level) -> Overrides {
    let alone = |(name, value): (&String, &String)| Overrides::from([(name.clone(), value.clone())]);
    overrides.iter().map(alone).filter(|one| check_dynamic(one, level).is_ok()).flatten().collect()
}

/// The same without a look at the rest: which settings may be set at this level, and whether they have values.
fn check_dynamic(proposed: &Overrides, level: Level) -> Result<(), String> {
    let refuse = |why: &str, refused: &dyn Fn(&str) -> bool| {
        let names: Vec<&str> = proposed.keys().map(String::as_str).filter(|name| refused(name)).collect();
        if names.is_empty() { Ok(()) } else { Err(format!("{why}: [{}]", names.join(", "))) }
    };
    refuse("Cannot update these configs dynamically", &is_static)?;
    refuse(
        "These security configs can be dynamically updated only per-listener using the listener prefix",
        &is_key_store,
    )?;
    proposed.iter().try_for_each(|(name, value)| check_value(name, value))?;
    match level {
        Level::Node => Ok(()),
        Level::Cluster => refuse(
            "Cannot update these configs at default cluster level, broker id must be specified",
            &is_of_one_node,
        ),
    }
}

fn row(name: &str) -> Option<&'static Setting> {
    setting(Scope::Broker, name)
}

fn is_static(name: &str) -> bool {
    row(name).is_some_and(|row| row.update == Update::ReadOnly)
}

fn is_key_store(name: &str) -> bool {
    name == "ssl.key.password" || name.starts_with("ssl.keystore.") || name.starts_with("ssl.truststore.")
}

fn is_of_one_node(name: &str) -> bool {
    match of_listener(name) {
        Some(base) => !CLUSTER_WIDE_OF_LISTENERS.contains(&base),
        None => row(name).is_some_and(|row| row.update == Update::PerBroker),
    }
}

/// The setting that `listener.name.NAME.SETTING` sets for one listener.
fn of_listener(name: &str) -> Option<&str> {
    name.strip_prefix("listener.name.")?.split_once('.').map(|(_, base)| base)
}

// Kafka hands settings that it does not know to its plugins.
fn check_value(name: &str, value: &str) -> Result<(), String> {
    let known = row(of_listener(name).unwrap_or(name));
    known.map_or(Ok(()), |row| parse(row, value).map(drop))
}

fn check_listeners(now: &Layers, proposed: &Overrides) -> Result<(), String> {
    let other = |name: &&str| proposed.get(*name).is_some_and(|text| now.file.get(name) != Some(text));
    match LISTENERS.into_iter().find(other) {
        Some(name) => Err(format!(
            "{name} is taken from the properties file: yeoul opens no other listeners while it runs"
        )),
        None => Ok(()),
    }
}

/// A directory that takes no new partitions must be one of the node's (KIP-1066).
fn check_log_dirs(now: &Layers, proposed: &Overrides) -> Result<(), String> {
    let cordoned: Vec<&str> = match proposed.get("cordoned.log.dirs") {
        Some(text) => text.split(',').map(str::trim).filter(|dir| !dir.is_empty()).collect(),
        None => Vec::new(),
    };
    let known = match now.list("log.dirs") {
        dirs if dirs.is_empty() => now.list("log.dir"),
        dirs => dirs,
    };
    let is_missing = |dir: &&str| !known.iter().any(|known| known == dir);
    let missing: Vec<&str> = cordoned.iter().copied().filter(is_missing).collect();
    if cordoned == ["*"] || missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "requirement failed: All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : {}",
        missing.join(", ")
    ))
}

fn check_threads(name: &str, current: i64, wanted: i64) -> Result<(), String> {
    let (halved, doubled) = (current / 2, current.saturating_mul(2));
    if name == CLEANER_THREADS {
        return match wanted {
            ..1 => Err("Log cleaner threads should be at least 1".to_owned()),
            fewer if fewer < halved => Err(format!(
                "Log cleaner threads cannot be reduced to less than half the current value {current}"
            )),
            more if more > doubled => Err(format!(
                "Log cleaner threads cannot be increased to more than double the current value {current}"
            )),
            _ => Ok(()),
        };
    }
    let why = match wanted {
        fewer if fewer < halved => "should be at least half",
        more if more > doubled => "should not be greater than double",
        _ => return Ok(()),
    };
    Err(format!(
        "Dynamic thread count update validation failed for {name}={wanted}, value {why} the current value {current}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn broker(extra: &[(&str, &str)]) -> BrokerConfig {
        let mut properties = BrokerConfig::standalone(Path::new("/data"));
        extra.iter().for_each(|(key, value)| properties.set(*key, *value));
        BrokerConfig::new(&properties).expect("the settings are valid").0
    }

    fn overrides(pairs: &[(&str, &str)]) -> Overrides {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn told(level: Level, pairs: &[(&str, &str)]) -> String {
        validate_dynamic(&broker(&[]), &overrides(pairs), level).err().unwrap_or_default()
    }

    #[test]
    fn what_apache_kafka_refuses_is_refused_in_its_words() {
        use Level::{Cluster, Node};
        let listener_only = "These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.location]";
        let node_only = "Cannot update these configs at default cluster level, broker id must be specified: ";
        let recorded = [
            (Node, "num.partitions", "5", "Cannot update these configs dynamically: [num.partitions]"),
            (
                Node,
                "log.cleaner.backoff.ms",
                "x",
                "Invalid value x for configuration log.cleaner.backoff.ms: Not a number of type LONG",
            ),
            (
                Node,
                "log.cleaner.backoff.ms",
                "-1",
                "Invalid value -1 for configuration log.cleaner.backoff.ms: Value must be at least 0",
            ),
            (Node, "ssl.keystore.location", "/x", listener_only),
            (Cluster, "ssl.keystore.location", "/x", listener_only),
            (Cluster, "listeners", "PLAINTEXT://:9", &format!("{node_only}[listeners]")),
            (
                Cluster,
                "listener.name.plaintext.ssl.keystore.location",
                "/x",
                &format!("{node_only}[listener.name.plaintext.ssl.keystore.location]"),
            ),
            (
                Node,
                "num.io.threads",
                "100",
                "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation \
                 failed for num.io.threads=100, value should not be greater than double the current value 8 for configuration \
                 Invalid dynamic configuration",
            ),
            (
                Node,
                "log.cleaner.threads",
                "10",
                "Invalid value org.apache.kafka.common.config.ConfigException: Log cleaner threads cannot be increased to more \
                 than double the current value 1 for configuration Invalid dynamic configuration",
            ),
            (
                Cluster,
                "group.consumer.assignment.interval.ms",
                "99999999",
                "group.consumer.assignment.interval.ms must be less than or equal to \
                 group.consumer.max.assignment.interval.ms",
            ),
            (
                Cluster,
                "log.retention.ms",
                "0",
                "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
            ),
            (
                Cluster,
                "max.connections.per.ip",
                "0",
                "requirement failed: max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides \
                 property is set.",
            ),
            (
                Node,
                "cordoned.log.dirs",
                "/nowhere",
                "requirement failed: All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing \
                 entries : /nowhere",
            ),
        ];
        for (level, name, value, message) in recorded {
            assert_eq!(told(level, &[(name, value)]), message, "{level:?} {name}={value}");
        }
    }

    #[test]
    fn what_apache_kafka_takes_is_taken() {
        use Level::{Cluster, Node};
        let recorded = [
            (Node, "foo.bar", "5"),
            (Node, "listener.name.plaintext.ssl.keystore.location", "/x"),
            (Cluster, "listener.name.plaintext.max.connections", "900"),
            (Node, "log.cleanup.policy", "compact"),
            (Cluster, "log.retention.ms", "-5"),
            (Node, "cordoned.log.dirs", "/data"),
            (Node, "num.io.threads", "4"),
            (Node, "num.io.threads", "16"),
        ];
        for (level, name, value) in recorded {
            assert_eq!(told(level, &[(name, value)]), "", "{level:?} {name}={value}");
        }
    }

    #[test]
    fn what_has_no_effect_at_a_level_is_left_out_there() {
        let stored = overrides(&[
            ("num.partitions", "77"),
            ("cordoned.log.dirs", "*"),
            ("log.retention.ms", "x"),
            ("log.retention.bytes", "5"),
            ("foo.bar", "7"),
        ]);
        let names = |level| in_effect(&stored, level).into_keys().collect::<Vec<_>>();
        assert_eq!(names(Level::Cluster), ["foo.bar", "log.retention.bytes"]);
        assert_eq!(names(Level::Node), ["cordoned.log.dirs", "foo.bar", "log.retention.bytes"]);
    }

    #[test]
    fn listeners_stay_those_of_the_file() {
        let same = "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093";
        assert_eq!(told(Level::Node, &[("listeners", same)]), "");
        assert!(told(Level::Node, &[("listeners", "PLAINTEXT://:9")]).contains("the properties file"));
    }
}
