//! The files of `yeoul reassign-partitions`: which topics are meant, and which brokers and log directories partitions are to have.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use client::{Place, Replica};
use serde::Serialize;
use serde_json::Value;

use crate::commands::java_order::{USUAL_CAPACITY, name_hash, sort_as_java_map};
use crate::commands::json_fields::{array, duplicates, field, integer, string, versioned};

/// Any log directory of a broker.
const ANY: &str = "any";

/// Brokers of partitions, by node id, the preferred leader first.
pub type Replicas = BTreeMap<Place, Vec<i32>>;

/// Where partitions are to be.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The brokers of each, in the order of the file.
    pub partitions: Vec<(Place, Vec<i32>)>,
    /// The log directories of those replicas for which it matters.
    pub log_dirs: BTreeMap<Replica, String>,
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// A sentence about what is wrong with it, Kafka's where that is about fields.
    pub fn parse(text: &str) -> Result<Plan, String> {
        let file = versioned(text)?;
        let mut plan = Plan::default();
        for entry in file.get("partitions").map(array).transpose()?.unwrap_or_default() {
            plan.add(entry)?;
        }
        Ok(plan)
    }

    fn add(&mut self, entry: &Value) -> Result<(), String> {
        let place = (string(field(entry, "topic")?)?, integer(field(entry, "partition")?)?);
        let replicas: Vec<i32> = list(field(entry, "replicas")?, integer)?;
        let log_dirs: Vec<String> = match entry.get("log_dirs") {
            Some(log_dirs) => list(log_dirs, string)?,
            None => vec![ANY.to_owned(); replicas.len()],
        };
        if replicas.len() != log_dirs.len() {
            return Err(format!(
                "Size of replicas list {} is different from size of log dirs list {} for partition {}",
                shown(&replicas),
                shown(&log_dirs),
                named(&place)
            ));
        }
        for (broker, log_dir) in replicas.iter().zip(log_dirs).filter(|(_, log_dir)| log_dir != ANY) {
            self.log_dirs.insert(Replica { broker: *broker, place: place.clone() }, log_dir);
        }
        self.partitions.push((place, replicas));
        Ok(())
    }

    /// Refuses what cannot be carried out: a plan of nothing, partitions without brokers, and what is there twice.
    pub fn check(&self) -> Result<(), String> {
        if self.partitions.is_empty() {
            return Err("Partition reassignment list cannot be empty".to_owned());
        }
        if self.partitions.iter().any(|(_, replicas)| replicas.is_empty()) {
            return Err("Partition replica list cannot be empty".to_owned());
        }
        let twice = duplicates(self.partitions.iter().map(|(place, _)| place));
        if !twice.is_empty() {
            let twice = joined(twice.into_iter().map(named), ",");
            return Err(format!("Partition reassignment contains duplicate topic partitions: {twice}"));
        }
        let doubled = self.partitions.iter().filter_map(|(place, replicas)| {
            let twice = duplicates(replicas);
            let words = || format!("{} contains multiple entries for {}", named(place), joined(&twice, ","));
            (!twice.is_empty()).then(words)
        });
        let doubled: Vec<String> = doubled.collect();
        match doubled.is_empty() {
            true => Ok(()),
            false => {
                let doubled = doubled.join(". ");
                Err(format!("Partition replica lists may not contain duplicate entries: {doubled}"))
            }
        }
    }

    /// The brokers of each partition, the last that the file names for one.
    pub fn replicas(&self) -> Replicas {
        self.partitions.iter().cloned().collect()
    }

    /// The partitions.
    pub fn places(&self) -> BTreeSet<Place> {
        self.partitions.iter().map(|(place, _)| place.clone()).collect()
    }

    /// All brokers that it names.
    pub fn brokers(&self) -> BTreeSet<i32> {
        self.partitions.iter().flat_map(|(_, replicas)| replicas.iter().copied()).collect()
    }
}

/// The topics for which a plan is wanted.
///
/// # Errors
/// A sentence about what is wrong with the file.
pub fn topics(text: &str) -> Result<Vec<String>, String> {
    let file = versioned(text)?;
    let entries = file.get("topics").map(array).transpose()?.unwrap_or_default();
    let topics: Vec<String> =
        entries.iter().map(|entry| string(field(entry, "topic")?)).collect::<Result<_, _>>()?;
    let mut twice: Vec<&String> = duplicates(&topics).into_iter().collect();
    sort_as_java_map(&mut twice, USUAL_CAPACITY, |topic| name_hash(topic));
    match twice.is_empty() {
        true => Ok(topics),
        false => Err(format!("List of topics to reassign contains duplicate entries: {}", shown(&twice))),
    }
}

/// The brokers of `1,2,3`.
///
/// # Errors
/// What Kafka's tool says of one that is no number, or is there twice.
pub fn brokers(text: &str) -> Result<Vec<i32>, String> {
    let parse = |id: &str| id.parse::<i32>().map_err(|_| format!("For input string: \"{id}\""));
    let brokers = text.split(',').map(parse).collect::<Result<Vec<_>, _>>()?;
    let twice: Vec<&i32> = duplicates(&brokers).into_iter().collect();
    match twice.is_empty() {
        true => Ok(brokers),
        false => Err(format!("Broker list contains duplicate entries: {}", shown(&twice))),
    }
}

fn list<T>(value: &Value, element: fn(&Value) -> Result<T, String>) -> Result<Vec<T>, String> {
    array(value)?.iter().map(element).collect()
}

/// `topic-partition`.
pub fn named((topic, partition): &Place) -> String {
    format!("{topic}-{partition}")
}

/// Values with something between them.
pub fn joined<T: ToString>(values: impl IntoIterator<Item = T>, between: &str) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(between)
}

/// A list as Java writes it.
fn shown<T: Display>(values: &[T]) -> String {
    format!("[{}]", joined(values, ", "))
}

/// A plan as it is written, with the fields in Kafka's order.
#[derive(Serialize)]
struct File<'a> {
    version: i32,
    partitions: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    topic: &'a str,
    partition: i32,
    replicas: &'a [i32],
    log_dirs: Vec<&'a str>,
}

/// The plan by which these partitions have these brokers and log directories.
pub fn json(replicas: &Replicas, log_dirs: &BTreeMap<Replica, String>) -> Result<String, serde_json::Error> {
    let partitions = replicas.iter().map(|(place, replicas)| entry(place, replicas, log_dirs)).collect();
    serde_json::to_string(&File { version: 1, partitions })
}

fn entry<'a>(place: &'a Place, replicas: &'a [i32], log_dirs: &'a BTreeMap<Replica, String>) -> Entry<'a> {
    let log_dir = |broker: &i32| {
        let replica = Replica { broker: *broker, place: place.clone() };
        log_dirs.get(&replica).map_or(ANY, String::as_str)
    };
    Entry { topic: &place.0, partition: place.1, replicas, log_dirs: replicas.iter().map(log_dir).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(partition: i32) -> Place {
        ("t".to_owned(), partition)
    }

    #[test]
    fn a_plan_is_read_as_it_is_written() {
        let text = r#"{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[2,1],"log_dirs":["/data","any"]},{"topic":"t","partition":1,"replicas":[1],"log_dirs":["any"]}]}"#;
        let plan = Plan::parse(text).unwrap();
        assert_eq!(plan.partitions, [(place(0), vec![2, 1]), (place(1), vec![1])]);
        let replica = Replica { broker: 2, place: place(0) };
        assert_eq!(plan.log_dirs, BTreeMap::from([(replica, "/data".to_owned())]));
        assert_eq!(json(&plan.replicas(), &plan.log_dirs).unwrap(), text);
        assert_eq!((plan.check(), plan.brokers()), (Ok(()), BTreeSet::from([1, 2])));
    }

    #[test]
    fn log_directories_and_the_version_need_not_be_said() {
        let plan = Plan::parse(r#"{"partitions": [{"topic": "t", "partition": 0, "replicas": [1]}]}"#);
        assert_eq!(
            plan.map(|plan| (plan.partitions, plan.log_dirs.len())),
            Ok((vec![(place(0), vec![1])], 0))
        );
        assert_eq!(Plan::parse("{}"), Ok(Plan::default()));
    }

    #[test]
    fn what_is_wrong_with_a_plan_is_said_in_kafkas_words() {
        let words = |entries: &str| {
            let text = format!("{{\"partitions\": [{entries}]}}");
            Plan::parse(&text).and_then(|plan| plan.check()).unwrap_err()
        };
        let entry = |replicas: &str| format!(r#"{{"topic": "t", "partition": 0, "replicas": {replicas}}}"#);
        assert_eq!(words(""), "Partition reassignment list cannot be empty");
        assert_eq!(words(&entry("[]")), "Partition replica list cannot be empty");
        assert_eq!(
            words(&format!("{0}, {0}", entry("[1]"))),
            "Partition reassignment contains duplicate topic partitions: t-0"
        );
        assert_eq!(
            words(&entry("[1, 2, 1]")),
            "Partition replica lists may not contain duplicate entries: t-0 contains multiple entries for 1"
        );
        assert_eq!(words(&entry("1")), "Expected JSON array, received 1");
        assert_eq!(words("3"), "Expected JSON object, received 3");
        assert_eq!(words(r#"{"topic": "t"}"#), "No such field exists: `partition`");
        assert_eq!(
            words(r#"{"topic": "t", "partition": 0, "replicas": [1, 2], "log_dirs": ["any"]}"#),
            "Size of replicas list [1, 2] is different from size of log dirs list [any] for partition t-0"
        );
    }

    #[test]
    fn topics_and_brokers_are_named_once() {
        let file = r#"{"topics": [{"topic": "b"}, {"topic": "a"}], "version": 1}"#;
        assert_eq!(topics(file), Ok(vec!["b".to_owned(), "a".to_owned()]));
        assert_eq!(
            topics(r#"{"topics": [{"topic": "b"}, {"topic": "b"}]}"#),
            Err("List of topics to reassign contains duplicate entries: [b]".to_owned())
        );
        assert_eq!(topics(r#"{"version": 2}"#), Err("Not supported version field value 2".to_owned()));
        assert_eq!(brokers("3,1"), Ok(vec![3, 1]));
        let twice = "Broker list contains duplicate entries: [1, 2]".to_owned();
        assert_eq!(brokers("1,2,1,2"), Err(twice));
        assert_eq!(brokers("1,x"), Err("For input string: \"x\"".to_owned()));
    }
}
