//! `yeoul log-dirs`: what is in the log directories of brokers, as with `kafka-log-dirs`.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::num::ParseIntError;

use clap::Args;
use protocol::ErrorCode;
use protocol::messages::describe_log_dirs_response::{DescribeLogDirsPartition, DescribeLogDirsResult};
use serde::Serialize;

use super::cluster::{Brokers, block_on};
use super::java_order::{USUAL_CAPACITY, name_hash, partition_hash, sort_as_java_map};
use super::table::{Form, Output};
use crate::failure::Failure;
use crate::progress::Work;

const EXAMPLES: &str = "\
  yeoul log-dirs --bootstrap-server 127.0.0.1:9092 --describe
  yeoul log-dirs --bootstrap-server 127.0.0.1:9092 --describe --topic-list flights,airports --broker-list 1,2";

/// Tells as JSON what is in the log directories of brokers.
#[derive(Args, Debug)]
#[command(help_template = super::HELP, before_help = EXAMPLES)]
pub struct LogDirsArgs {
    #[command(flatten)]
    brokers: Brokers,
    /// Tell it
    #[arg(long)]
    describe: bool,
    /// Only partitions of these topics
    #[arg(long, value_name = "TOPICS", value_delimiter = ',')]
    topic_list: Vec<String>,
    /// Only these brokers, by id
    #[arg(long, value_name = "IDS", value_delimiter = ',', value_parser = parse_id)]
    broker_list: Vec<Option<i32>>,
    #[command(flatten)]
    form: Form,
}

/// Does it.
pub fn run(args: &LogDirsArgs) -> Result<(), Failure> {
    let missing = |name: &str| Err(Failure::Usage(format!("Missing required argument \"[{name}]\"")));
    if args.brokers.bootstrap_server.is_empty() {
        return missing("bootstrap-server");
    }
    if !args.describe {
        return missing("describe");
    }
    block_on(describe(args, &mut io::stdout().lock()))
}

async fn describe(args: &LogDirsArgs, out: &mut impl Write) -> Result<(), Failure> {
    let mut cluster = args.brokers.connect().await?;
    let metadata = cluster.metadata(Some(&[]), false).await?;
    let live: BTreeSet<i32> = metadata.brokers.iter().map(|broker| broker.node_id).collect();
    let asked = asked(&args.broker_list, &live)?;
    // An empty list is none.
    let topics: Vec<String> = args.topic_list.iter().filter(|topic| !topic.is_empty()).cloned().collect();
    let is_text = args.form.output == Output::Text;
    if is_text {
        writeln!(out, "Querying brokers for log directories information")?;
    }
    let mut report = Report { brokers: Vec::new(), version: 1 };
    let mut work = Work::of("looking at log directories of brokers", asked.len());
    for broker in &asked {
        let directories = work.step(cluster.describe_log_dirs(*broker)).await?;
        let log_dirs = log_dirs(directories, &topics);
        report.brokers.push(BrokerReport { broker: *broker, log_dirs });
    }
    if is_text {
        writeln!(out, "Received log directory information from brokers {}", listed(&asked))?;
    }
    let json = if is_text { serde_json::to_string(&report) } else { serde_json::to_string(&report.brokers) };
    let json = json.map_err(Failure::failed)?;
    Ok(writeln!(out, "{json}")?)
}

/// The id of a broker; none where there is nothing between commas.
fn parse_id(text: &str) -> Result<Option<i32>, ParseIntError> {
    if text.is_empty() { Ok(None) } else { text.trim().parse().map(Some) }
}

/// The brokers that are to be asked: those of the list, or all.
fn asked(list: &[Option<i32>], live: &BTreeSet<i32>) -> Result<BTreeSet<i32>, Failure> {
    let wanted: BTreeSet<i32> = list.iter().copied().flatten().collect();
    if wanted.is_empty() {
        return Ok(live.clone());
    }
    let missing: BTreeSet<i32> = wanted.difference(live).copied().collect();
    match missing.is_empty() {
        true => Ok(wanted),
        false => Err(Failure::Failed(format!(
            "ERROR: The given brokers do not exist from --broker-list: {}. Current existent brokers: {}",
            listed(&missing),
            listed(live)
        ))),
    }
}

fn listed(brokers: &BTreeSet<i32>) -> String {
    brokers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// What is told, with the fields in Kafka's order.
#[derive(Debug, Serialize)]
struct Report {
    brokers: Vec<BrokerReport>,
    version: i32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BrokerReport {
    broker: i32,
    log_dirs: Vec<LogDirReport>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct LogDirReport {
    partitions: Vec<PartitionReport>,
    error: Option<&'static str>,
    log_dir: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct PartitionReport {
    partition: String,
    size: i64,
    offset_lag: i64,
    is_future: bool,
}

/// The directories of a broker and those of their partitions that are wanted, in the order of Kafka's tool.
fn log_dirs(mut directories: Vec<DescribeLogDirsResult>, topics: &[String]) -> Vec<LogDirReport> {
    let count = directories.len();
    sort_as_java_map(&mut directories, count, |directory| name_hash(&directory.log_dir));
    directories
        .into_iter()
        .map(|directory| LogDirReport {
            partitions: partitions(&directory, topics),
            error: exception(ErrorCode::from(directory.error_code)),
            log_dir: directory.log_dir,
        })
        .collect()
}

fn partitions(directory: &DescribeLogDirsResult, topics: &[String]) -> Vec<PartitionReport> {
    let all =
        directory.topics.iter().flat_map(|topic| topic.partitions.iter().map(|it| (topic.name.as_str(), it)));
    let mut all: Vec<(&str, &DescribeLogDirsPartition)> = all.collect();
    sort_as_java_map(&mut all, USUAL_CAPACITY, |(topic, it)| partition_hash(topic, it.partition_index));
    let wanted =
        all.into_iter().filter(|(topic, _)| topics.is_empty() || topics.iter().any(|it| it == topic));
    wanted
        .map(|(topic, it)| PartitionReport {
            partition: format!("{topic}-{}", it.partition_index),
            size: it.partition_size,
            offset_lag: it.offset_lag,
            is_future: it.is_future_key,
        })
        .collect()
}

/// The class by which Kafka's tool names what is wrong with a directory.
fn exception(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::None => None,
        ErrorCode::KafkaStorageError => Some("org.apache.kafka.common.errors.KafkaStorageException"),
        _ => Some("org.apache.kafka.common.errors.UnknownServerException"),
    }
}

#[cfg(test)]
mod tests {
    use protocol::messages::describe_log_dirs_response::DescribeLogDirsTopic;

    use super::*;

    #[test]
    fn partitions_are_told_by_directory_as_apache_kafka_tells_them() {
        let partition = |partition_index| DescribeLogDirsPartition {
            partition_index,
            partition_size: 7,
            ..DescribeLogDirsPartition::default()
        };
        let topic = |name: &str| DescribeLogDirsTopic {
            name: name.to_owned(),
            partitions: vec![partition(0), partition(1)],
        };
        let directory = DescribeLogDirsResult {
            log_dir: "/data".to_owned(),
            topics: vec![topic("t1"), topic("other")],
            ..DescribeLogDirsResult::default()
        };
        let failed = DescribeLogDirsResult {
            log_dir: "/bad".to_owned(),
            error_code: ErrorCode::KafkaStorageError.code(),
            ..DescribeLogDirsResult::default()
        };
        let told = log_dirs(vec![directory, failed], &["t1".to_owned()]);
        let report = Report { brokers: vec![BrokerReport { broker: 1, log_dirs: told }], version: 1 };
        let json = serde_json::to_string(&report).unwrap();
        let data = r#"{"partitions":[{"partition":"t1-1","size":7,"offsetLag":0,"isFuture":false},{"partition":"t1-0","size":7,"offsetLag":0,"isFuture":false}],"error":null,"logDir":"/data"}"#;
        let bad = r#"{"partitions":[],"error":"org.apache.kafka.common.errors.KafkaStorageException","logDir":"/bad"}"#;
        assert!(json.contains(data) && json.contains(bad), "{json}");
        assert!(
            json.starts_with(r#"{"brokers":[{"broker":1,"logDirs":[{"#)
                && json.ends_with(r#"]}],"version":1}"#)
        );
    }

    #[test]
    fn brokers_that_are_not_there_are_named() {
        let live = BTreeSet::from([1, 2]);
        assert_eq!(asked(&[], &live), Ok(live.clone()));
        assert_eq!(asked(&[None], &live), Ok(live.clone()));
        let words =
            "ERROR: The given brokers do not exist from --broker-list: 7. Current existent brokers: 1,2";
        assert_eq!(asked(&[Some(2), Some(7)], &live), Err(Failure::Failed(words.to_owned())));
    }
}
