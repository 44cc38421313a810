//! The admin client.

use futures_executor::block_on;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::groups::GroupInfo;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use crate::lines::Lines;
use crate::{Outcome, PATIENCE, Settings};

type Admin = AdminClient<DefaultClientContext>;

pub fn answer(settings: &Settings, lines: &mut Lines, words: &[&str]) -> Outcome {
    let admin: Admin = settings.with(&[]).create()?;
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    match words {
        ["create", topic, partitions, configs @ ..] => {
            let replication = TopicReplication::Fixed(1);
            let new = configs
                .chunks(2)
                .fold(NewTopic::new(topic, partitions.parse()?, replication), |new, pair| {
                    new.set(pair[0], pair[1])
                });
            only(block_on(admin.create_topics(&[new], &options))?)
        }
        ["delete", topic] => only(block_on(admin.delete_topics(&[topic], &options))?),
        ["grow", topic, total] => {
            only(block_on(admin.create_partitions(&[NewPartitions::new(topic, total.parse()?)], &options))?)
        }
        ["cut", topic, partition, offset] => {
            let mut places = TopicPartitionList::new();
            places.add_partition_offset(topic, partition.parse()?, Offset::Offset(offset.parse()?))?;
            block_on(admin.delete_records(&places, &options))?;
            Ok(())
        }
        ["alter", topic, name, value] => {
            let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(name, value);
            only(block_on(admin.alter_configs(&[change], &options))?)
        }
        ["configs", topic] => configs(&admin, lines, topic, &options),
        ["forget", group] => only(block_on(admin.delete_groups(&[group], &options))?),
        ["topics"] => topics(&admin, lines),
        ["cluster"] => cluster(&admin, lines),
        ["groups"] => groups(&admin, None)?.iter().try_for_each(|(name, ..)| lines.print(&[name])),
        ["describe", group] => groups(&admin, Some(group))?
            .iter()
            .try_for_each(|(_, state, members)| lines.print(&[state, &members.to_string()])),
        _ => Err(format!("unknown request {words:?}").into()),
    }
}

/// The error of the only thing that was asked for.
fn only<T, N>(results: Vec<Result<T, (N, RDKafkaErrorCode)>>) -> Outcome {
    results.into_iter().try_for_each(|result| result.map(drop).map_err(|(_, code)| code.into()))
}

fn configs(admin: &Admin, lines: &mut Lines, topic: &str, options: &AdminOptions) -> Outcome {
    for resource in block_on(admin.describe_configs(&[ResourceSpecifier::Topic(topic)], options))? {
        for entry in resource?.entries {
            lines.print(&[entry.name, entry.value.unwrap_or_default()])?;
        }
    }
    Ok(())
}

fn topics(admin: &Admin, lines: &mut Lines) -> Outcome {
    let metadata = admin.inner().fetch_metadata(None, PATIENCE)?;
    metadata
        .topics()
        .iter()
        .try_for_each(|topic| lines.print(&[topic.name(), &topic.partitions().len().to_string()]))
}

fn cluster(admin: &Admin, lines: &mut Lines) -> Outcome {
    let metadata = admin.inner().fetch_metadata(None, PATIENCE)?;
    lines.print(&[admin.inner().fetch_cluster_id(PATIENCE).ok_or("no cluster id")?])?;
    metadata.brokers().iter().try_for_each(|broker| {
        lines.print(&[broker.id().to_string(), format!("{}:{}", broker.host(), broker.port())])
    })
}

/// Name, state and count of members of each group, or of one.
fn groups(admin: &Admin, group: Option<&str>) -> Outcome<Vec<(String, String, usize)>> {
    let found = admin.inner().fetch_group_list(group, PATIENCE)?;
    let row = |group: &GroupInfo| (group.name().to_owned(), group.state().to_owned(), group.members().len());
    Ok(found.groups().iter().map(row).collect())
}
