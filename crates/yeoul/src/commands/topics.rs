//! `yeoul topics`: topics come, are looked at, change and go, as with `kafka-topics`.

mod arguments;
mod describe;

use std::collections::BTreeSet;
use std::io::{self, Write};

use client::{ClientError, Cluster, DescribedTopic, NewTopic};
use protocol::ErrorCode;
use protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use serde_json::{Value, json};

pub use arguments::TopicsArgs;
use arguments::{Action, Creation};
use describe::Topic;

use super::cluster::block_on;
use super::java_order::{USUAL_CAPACITY, name_hash, sort_as_java_map};
use super::table::{Output, Table};
use crate::failure::Failure;
use crate::progress::waiting;
use crate::topic_filter::TopicFilter;

/// The source of a setting that nobody has set.
const DEFAULT_CONFIG: i8 = 5;

/// Does what was asked, and tells failures as Kafka's tool does: on standard output.
pub fn run(args: TopicsArgs) -> Result<(), Failure> {
    args.check()?;
    let mut out = io::stdout().lock();
    match block_on(act(&args, &mut out)) {
        Err(Failure::Failed(reason)) => {
            writeln!(out, "Error while executing topic command : {reason}")?;
            Err(Failure::Failed(reason))
        }
        done => done,
    }
}

async fn act(args: &TopicsArgs, out: &mut impl Write) -> Result<(), Failure> {
    let action = args.action()?;
    let mut cluster = args.brokers.connect().await?;
    match action {
        Action::Create(creation) => create(&mut cluster, creation, args.if_not_exists, out).await,
        Action::List => list(&mut cluster, args, out).await,
        Action::Describe => describe(&mut cluster, args, out).await,
        Action::Delete => delete(&mut cluster, args).await,
        Action::Alter { partitions, assignment } => {
            alter(&mut cluster, args, partitions, assignment.as_deref()).await
        }
    }
}

async fn create(
    cluster: &mut Cluster,
    creation: Creation,
    if_not_exists: bool,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let Creation { topic: name, partitions, replication_factor, assignment, configs } = creation;
    if name.is_empty() {
        return Err(Failure::failed("The given topic name '' cannot be represented in a request."));
    }
    let topic = NewTopic { name, partitions, replication_factor, assignment, configs };
    let created = cluster.create_topic(&topic).await;
    // Kafka's tool looks at the settings first, and says nothing of the name where they cannot be.
    let is_of_settings = created.as_ref().is_err_and(|error| error.code() == Some(ErrorCode::InvalidConfig));
    if topic.name.contains(['.', '_']) && !is_of_settings {
        writeln!(out, "{}", arguments::COLLISION_WARNING)?;
    }
    match created {
        Ok(()) => Ok(writeln!(out, "Created topic {}.", topic.name)?),
        Err(error) if if_not_exists && error.code() == Some(ErrorCode::TopicAlreadyExists) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn list(cluster: &mut Cluster, args: &TopicsArgs, out: &mut impl Write) -> Result<(), Failure> {
    let names = names(cluster, args).await?;
    if args.form.output == Output::Json {
        let mut table = Table::new(&["Topic"]);
        names.iter().for_each(|name| table.add([json!(name)]));
        return Ok(write!(out, "{}", table.show(Output::Json))?);
    }
    Ok(writeln!(out, "{}", names.join("\n"))?)
}

async fn delete(cluster: &mut Cluster, args: &TopicsArgs) -> Result<(), Failure> {
    let names = existing(cluster, args).await?;
    if names.is_empty() { Ok(()) } else { Ok(cluster.delete_topics(&names).await?) }
}

async fn alter(
    cluster: &mut Cluster,
    args: &TopicsArgs,
    partitions: i32,
    assignment: Option<&[Vec<i32>]>,
) -> Result<(), Failure> {
    let names = existing(cluster, args).await?;
    for topic in cluster.describe_topics(&names).await? {
        // Partitions that are there already stay where they are; the list names them all the same.
        let new = assignment.map(|all| all.get(topic.partitions.len()..).unwrap_or_default());
        cluster.create_partitions(&topic.name, partitions, new).await?;
    }
    Ok(())
}

async fn describe(cluster: &mut Cluster, args: &TopicsArgs, out: &mut impl Write) -> Result<(), Failure> {
    let names = existing(cluster, args).await?;
    let what = format!("describing {} topics", names.len());
    let mut topics = waiting(what, cluster.describe_topics(&names)).await?;
    let count = topics.len();
    sort_as_java_map(&mut topics, count, |topic| name_hash(&topic.name));
    let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    let configs = configs(cluster, &names).await?;
    let live = live_brokers(cluster).await?;
    let mut told = Vec::new();
    for (described, configs) in topics.into_iter().zip(configs) {
        let topic = topic(described, configs);
        match args.form.output {
            Output::Text => describe::lines(&topic, args.selection(), &live)
                .iter()
                .try_for_each(|line| writeln!(out, "{line}"))?,
            Output::Json => told.extend(describe::json(&topic, args.selection(), &live)),
        }
    }
    match args.form.output {
        Output::Text => Ok(()),
        Output::Json => Ok(writeln!(out, "{}", Value::from(told))?),
    }
}

async fn configs(
    cluster: &mut Cluster,
    names: &[String],
) -> Result<Vec<Vec<DescribeConfigsResourceResult>>, ClientError> {
    if names.is_empty() { Ok(Vec::new()) } else { cluster.topic_configs(names).await }
}

async fn live_brokers(cluster: &mut Cluster) -> Result<Vec<i32>, ClientError> {
    let metadata = cluster.metadata(Some(&[]), false).await?;
    Ok(metadata.brokers.iter().map(|broker| broker.node_id).collect())
}

fn topic(described: DescribedTopic, mut configs: Vec<DescribeConfigsResourceResult>) -> Topic {
    sort_as_java_map(&mut configs, USUAL_CAPACITY, |config| name_hash(&config.name));
    let min_isr = configs.iter().find(|config| config.name == "min.insync.replicas");
    let min_isr = min_isr.and_then(|config| config.value.as_ref()?.parse().ok()).unwrap_or(1);
    let own = configs.into_iter().filter(|config| config.config_source != DEFAULT_CONFIG);
    let configs = own.map(|config| (config.name, config.value.unwrap_or("null".to_owned()))).collect();
    Topic { described, configs, min_isr }
}

/// The topics that were asked for; that there is one at all must hold unless `--if-exists` says otherwise.
async fn existing(cluster: &mut Cluster, args: &TopicsArgs) -> Result<Vec<String>, Failure> {
    let names = names(cluster, args).await?;
    let asked = match (args.described_id(), &args.topic) {
        (Some(id), _) => Some(format!("TopicId '{id}'")),
        (None, Some(topic)) => Some(format!("Topic '{topic}'")),
        (None, None) => None,
    };
    match asked {
        Some(asked) if names.is_empty() && !args.if_exists => {
            Err(Failure::Failed(format!("{asked} does not exist as expected")))
        }
        _ => Ok(names),
    }
}

/// The names of the topics that were asked for, sorted.
async fn names(cluster: &mut Cluster, args: &TopicsArgs) -> Result<Vec<String>, Failure> {
    let id = args.described_id();
    let pattern = args.topic.as_deref().filter(|_| id.is_none()).unwrap_or(".*");
    let filter = TopicFilter::new(pattern, !args.exclude_internal).map_err(Failure::Failed)?;
    let topics = cluster.topics().await?.into_iter();
    let wanted = topics.filter(|topic| id.is_none_or(|id| id == topic.topic_id));
    let names: BTreeSet<String> = wanted.filter_map(|topic| topic.name).collect();
    Ok(names.into_iter().filter(|name| filter.accepts(name)).collect())
}
