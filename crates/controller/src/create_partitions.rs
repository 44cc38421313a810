//! CreatePartitions (KIP-195, KIP-599), decided as Apache Kafka 4.3.1 does.

use metadata::{Partition, Topic};
use protocol::ErrorCode;
use protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse, MetadataRecord};

use crate::placement::{check_manual, new_partition, place};
use crate::topic_name::named_twice;
use crate::{Context, Decision, RECORDS_MAX, Refusal};

/// Decides which topics get more partitions. Each is answered on its own; those that are refused cause no records.
///
/// Topics that are named twice are answered once, before the others, and stay as they are.
pub fn create_partitions(
    context: &mut Context<'_>,
    request: &CreatePartitionsRequest,
) -> Decision<CreatePartitionsResponse> {
    let duplicates = named_twice(request.topics.iter().map(|topic| &*topic.name));
    let duplicate = Refusal::new(ErrorCode::InvalidRequest, "Duplicate topic name.");
    let mut results: Vec<_> = duplicates.iter().map(|name| result(name, Err(duplicate.clone()))).collect();
    let mut records = Vec::new();
    for topic in request.topics.iter().filter(|topic| !duplicates.contains(&*topic.name)) {
        let added = add_partitions(context, topic, RECORDS_MAX - records.len());
        results.push(result(&topic.name, added.map(|added| records.extend(added))));
    }
    if request.validate_only {
        records.clear();
    }
    Decision { records, reply: CreatePartitionsResponse { results, ..Default::default() } }
}

fn result(name: &str, added: Result<(), Refusal>) -> CreatePartitionsTopicResult {
    let name = name.to_owned();
    match added {
        Ok(()) => CreatePartitionsTopicResult { name, ..Default::default() },
        Err(Refusal { error, message }) => CreatePartitionsTopicResult {
            name,
            error_code: error.code(),
            error_message: Some(message).filter(|message| !message.is_empty()),
        },
    }
}

/// The records of the partitions that a topic is to get.
fn add_partitions(
    context: &mut Context<'_>,
    asked: &CreatePartitionsTopic,
    records_max: usize,
) -> Result<Vec<MetadataRecord>, Refusal> {
    let unknown = || Refusal::new(ErrorCode::UnknownTopicOrPartition, "");
    let topic = context.image.topics.by_name(&asked.name).ok_or_else(unknown)?;
    let additional = additional(topic, asked)?;
    if additional > records_max {
        let message = "Unable to perform excessively large batch operation.";
        return Err(Refusal::new(ErrorCode::PolicyViolation, message));
    }
    let first_number = topic.partition_count();
    let partitions = match &asked.assignments {
        Some(_) => assigned(context, topic, asked)?,
        None => placed(context, topic, additional)?,
    };
    let numbered = (first_number..).zip(partitions);
    let record = |(number, partition): (usize, Partition)| {
        partition.to_record(topic.id, i32::try_from(number).unwrap_or(i32::MAX)).into()
    };
    Ok(numbered.map(record).collect())
}

/// How many more there are to be.
fn additional(topic: &Topic, asked: &CreatePartitionsTopic) -> Result<usize, Refusal> {
    let (count, current) = (i64::from(asked.count), topic.partition_count() as i64);
    let invalid = |message: String| Err(Refusal::new(ErrorCode::InvalidPartitions, message));
    if count == current {
        return invalid(format!("Topic already has {current} partition(s)."));
    }
    if count < current {
        return invalid(format!(
            "The topic {} currently has {current} partition(s); {count} would not be an increase.",
            asked.name
        ));
    }
    let additional = usize::try_from(count - current).unwrap_or(usize::MAX);
    match &asked.assignments {
        Some(assignments) if assignments.len() != additional => {
            let message = format!(
                "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
                assignments.len()
            );
            Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message))
        }
        _ => Ok(additional),
    }
}

/// New partitions have as many replicas as the topic's first.
fn replication_factor(topic: &Topic) -> usize {
    topic.partitions().next().map_or(1, |(_, first)| first.replicas.len())
}

fn placed(context: &mut Context<'_>, topic: &Topic, additional: usize) -> Result<Vec<Partition>, Refusal> {
    let replicas = i16::try_from(replication_factor(topic)).unwrap_or(i16::MAX);
    let placed = place(context, additional, replicas)?;
    // The first replica of each is active.
    Ok(placed.into_iter().filter_map(|replicas| new_partition(context.image, replicas)).collect())
}

fn assigned(
    context: &Context<'_>,
    topic: &Topic,
    asked: &CreatePartitionsTopic,
) -> Result<Vec<Partition>, Refusal> {
    let assignments = asked.assignments.iter().flatten();
    let numbered = (topic.partition_count()..).zip(assignments);
    let partition = |(number, assignment): (usize, &CreatePartitionsAssignment)| {
        check_manual(context.image, &assignment.broker_ids, Some(replication_factor(topic)))?;
        new_partition(context.image, assignment.broker_ids.clone()).ok_or_else(|| {
            let message = format!(
                "All brokers specified in the manual partition assignment for partition {number} are fenced or in \
                 controlled shutdown."
            );
            Refusal::new(ErrorCode::InvalidReplicaAssignment, message)
        })
    };
    numbered.map(partition).collect()
}
