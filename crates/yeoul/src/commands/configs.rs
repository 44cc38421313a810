//! `yeoul configs`: settings that change while the cluster runs, as with `kafka-configs`.

mod arguments;
mod changes;
mod credentials;
mod describe;
mod entities;
mod names;
mod owners;
mod quotas;

use std::io::{self, Write};

use client::{Cluster, ConfigResource, ConfigResourceType};
use serde_json::Value;

use arguments::Action;
pub use arguments::ConfigsArgs;
use entities::{EntityType, Name};

use super::cluster::block_on;
use super::java_order::{USUAL_CAPACITY, name_hash, sort_as_java_map};
use super::table::Output;
use crate::failure::Failure;

/// Does what was asked. What the cluster refuses is told with the line that asked for it, as Kafka's tool does.
pub fn run(args: &ConfigsArgs) -> Result<(), Failure> {
    let action = args.action()?;
    owners::refuse_unknown_address(&action)?;
    let mut out = io::stdout().lock();
    match block_on(act(args, &action, &mut out)) {
        Err(Failure::Failed(reason)) => {
            let line = super::words_of("configs").join(" ");
            let intro = "Error while executing config command with args";
            Err(Failure::Failed(format!("{intro} '{line}'\n{reason}")))
        }
        done => done,
    }
}

async fn act(args: &ConfigsArgs, action: &Action, out: &mut impl Write) -> Result<(), Failure> {
    let mut cluster = args.nodes.connect().await?;
    match action {
        Action::Describe { kind, name } => describe(&mut cluster, args, *kind, name.as_ref(), out).await,
        Action::DescribeOwners(owners) => owners::describe(&mut cluster, owners, args.form.output, out).await,
        Action::AlterOwner { owner, changes } => owners::alter(&mut cluster, owner, changes, out).await,
        Action::Alter { kind, name, changes } => {
            let resource = resource(*kind, name);
            if *kind == EntityType::BrokerLoggers {
                refuse_unknown_loggers(&mut cluster, &resource, changes).await?;
            }
            cluster.alter_configs(&resource, changes).await?;
            Ok(writeln!(out, "{}", describe::completed(*kind, name))?)
        }
    }
}

async fn refuse_unknown_loggers(
    cluster: &mut Cluster,
    resource: &ConfigResource,
    changes: &[(String, Option<String>)],
) -> Result<(), Failure> {
    let known = cluster.describe_configs(resource).await?;
    let is_unknown = |name: &&String| !known.iter().any(|logger| logger.name == **name);
    let mut unknown: Vec<&str> =
        changes.iter().map(|(name, _)| name).filter(is_unknown).map(String::as_str).collect();
    sort_as_java_map(&mut unknown, USUAL_CAPACITY, |name| name_hash(name));
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(Failure::Usage(format!("Invalid broker logger(s): {}", unknown.join(",")))),
    }
}

async fn describe(
    cluster: &mut Cluster,
    args: &ConfigsArgs,
    kind: EntityType,
    name: Option<&Name>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let existing = existing(cluster, kind).await?;
    let names = match name {
        Some(Name::Named(name)) if !args.all && !existing.contains(name) => {
            return Ok(writeln!(out, "{}", describe::nothing_there(kind, name))?);
        }
        Some(name) => vec![name.clone()],
        None if kind == EntityType::Brokers => named(existing).chain([Name::Default]).collect(),
        None => named(existing).collect(),
    };
    let mut told = Vec::new();
    for name in &names {
        let mut configs = cluster.describe_configs(&resource(kind, name)).await?;
        configs.sort_by(|a, b| a.name.cmp(&b.name));
        if !args.all {
            configs.retain(|config| describe::is_dynamic(kind, name, config.config_source));
        }
        match args.form.output {
            Output::Text => write!(out, "{}", describe::text(kind, name, &configs, args.all))?,
            Output::Json => told.push(describe::json(kind, name, &configs)),
        }
    }
    match args.form.output {
        Output::Text => Ok(()),
        Output::Json => Ok(writeln!(out, "{}", Value::from(told))?),
    }
}

fn named(names: Vec<String>) -> impl Iterator<Item = Name> {
    names.into_iter().map(Name::Named)
}

/// The names of all that there is of a kind, in order: topics in that of Kafka's tool.
async fn existing(cluster: &mut Cluster, kind: EntityType) -> Result<Vec<String>, Failure> {
    let mut names: Vec<String> = match kind {
        EntityType::Topics => {
            let topics = cluster.topics().await?.into_iter();
            let mut names: Vec<String> = topics.filter_map(|topic| topic.name).collect();
            sort_as_java_map(&mut names, USUAL_CAPACITY, |name| name_hash(name));
            return Ok(names);
        }
        EntityType::Brokers | EntityType::BrokerLoggers => {
            let nodes = cluster.describe_nodes(false).await?.brokers;
            return Ok(nodes.iter().map(|node| node.broker_id.to_string()).collect());
        }
        EntityType::ClientMetrics => cluster.config_resources(ConfigResourceType::ClientMetrics).await?,
        EntityType::Groups => {
            let listed = cluster.list_groups().await?.into_iter().map(|group| group.group_id);
            listed.chain(cluster.config_resources(ConfigResourceType::Group).await?).collect()
        }
        EntityType::Users | EntityType::Clients | EntityType::Ips => Vec::new(),
    };
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn resource(kind: EntityType, name: &Name) -> ConfigResource {
    let kind = match kind {
        EntityType::Brokers => ConfigResourceType::Broker,
        EntityType::BrokerLoggers => ConfigResourceType::BrokerLogger,
        EntityType::ClientMetrics => ConfigResourceType::ClientMetrics,
        EntityType::Groups => ConfigResourceType::Group,
        EntityType::Topics | EntityType::Users | EntityType::Clients | EntityType::Ips => {
            ConfigResourceType::Topic
        }
    };
    ConfigResource { kind, name: name.named().unwrap_or_default().to_owned() }
}
