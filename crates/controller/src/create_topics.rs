//! CreateTopics (KIP-4, KIP-464, KIP-525), decided as Apache Kafka 4.3.1 does.

use std::collections::BTreeMap;

use config::{Overrides, describe_topic, validate_topic_configs};
use metadata::{Partition, ResourceType};
use protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse,
};
use protocol::messages::{ConfigRecord, MetadataRecord, TopicRecord};
use protocol::{ErrorCode, Uuid};

use crate::placement::{check_manual, new_partition, place};
use crate::topic_name::{check_collision, named_twice, validate_topic_name};
use crate::{Context, Decision, RECORDS_MAX, Refusal};

const METADATA_TOPIC: &str = "__cluster_metadata";
/// Partitions that one request may ask for.
const PARTITIONS_MAX: usize = 10_000;

/// Decides which of the topics come to be. Each is answered on its own; those that are refused cause no records.
///
/// The answers stand in the order of the request, those about names that may not be asked for at the end, as Kafka has them.
pub fn create_topics(
    context: &mut Context<'_>,
    request: &CreateTopicsRequest,
) -> Decision<CreateTopicsResponse> {
    match decide(context, request) {
        Ok((records, topics)) => {
            let records = if request.validate_only { Vec::new() } else { records };
            Decision { records, reply: CreateTopicsResponse { topics, ..Default::default() } }
        }
        Err(refusal) => {
            let topics = request.topics.iter().map(|topic| refused(&topic.name, &refusal)).collect();
            Decision::unchanged(CreateTopicsResponse { topics, ..Default::default() })
        }
    }
}

type Created = (Vec<MetadataRecord>, Vec<CreatableTopicResult>);

/// Fails if the request is refused as a whole.
fn decide(context: &mut Context<'_>, request: &CreateTopicsRequest) -> Result<Created, Refusal> {
    let duplicates = named_twice(request.topics.iter().map(|topic| &*topic.name));
    let allowed =
        |topic: &&CreatableTopic| topic.name != METADATA_TOPIC && !duplicates.contains(&*topic.name);
    let topics: Vec<&CreatableTopic> = request.topics.iter().filter(allowed).collect();
    check_partition_count(&topics, context)?;
    let (mut records, mut results) = (Vec::new(), Vec::with_capacity(request.topics.len()));
    for topic in topics {
        match create_topic(context, topic, &mut records) {
            Ok(result) => results.push(result),
            Err(refusal) => results.push(refused(&topic.name, &refusal)),
        }
        if records.len() > RECORDS_MAX {
            let message = "Unable to perform excessively large batch operation.";
            return Err(Refusal::new(ErrorCode::PolicyViolation, message));
        }
    }
    let duplicate = Refusal::new(ErrorCode::InvalidRequest, "Duplicate topic name.");
    results.extend(duplicates.iter().map(|name| refused(name, &duplicate)));
    if !duplicates.contains(METADATA_TOPIC) && request.topics.iter().any(|topic| topic.name == METADATA_TOPIC)
    {
        let message = format!("Creation of internal topic {METADATA_TOPIC} is prohibited.");
        results.push(refused(METADATA_TOPIC, &Refusal::new(ErrorCode::InvalidRequest, message)));
    }
    Ok((records, results))
}

fn check_partition_count(topics: &[&CreatableTopic], context: &Context<'_>) -> Result<(), Refusal> {
    let count = |topic: &&CreatableTopic| match (topic.assignments.len(), topic.num_partitions) {
        (0, -1) => usize::try_from(context.config.topics.partitions).unwrap_or(0),
        (0, asked) => usize::try_from(asked).unwrap_or(0),
        (assigned, _) => assigned,
    };
    if topics.iter().map(count).fold(0, usize::saturating_add) > PARTITIONS_MAX {
        let message = "Excessively large number of partitions per request.";
        return Err(Refusal::new(ErrorCode::PolicyViolation, message));
    }
    Ok(())
}

/// Adds the records of one topic.
fn create_topic(
    context: &mut Context<'_>,
    topic: &CreatableTopic,
    records: &mut Vec<MetadataRecord>,
) -> Result<CreatableTopicResult, Refusal> {
    validate_topic_name(&topic.name)?;
    let topics = &context.image.topics;
    if topics.by_name(&topic.name).is_some() {
        let message = format!("Topic '{}' already exists.", topic.name);
        return Err(Refusal::new(ErrorCode::TopicAlreadyExists, message));
    }
    check_collision(&topic.name, topics)?;
    let overrides = overrides(context, topic)?;
    let partitions = partitions(context, topic)?;
    let topic_id = context.random_uuid();
    let result = created(context, topic, topic_id, &partitions, &overrides);
    records.push(TopicRecord { name: topic.name.clone(), topic_id }.into());
    records.extend(overrides.into_iter().map(|(name, value)| config_record(&topic.name, name, value)));
    let numbered = (0..).zip(&partitions);
    records.extend(numbered.map(|(number, partition)| partition.to_record(topic_id, number).into()));
    Ok(result)
}

/// The settings that the request gives the topic; of one that is given twice, the last.
fn overrides(context: &Context<'_>, topic: &CreatableTopic) -> Result<Overrides, Refusal> {
    let invalid = |message: String| Refusal::new(ErrorCode::InvalidConfig, message);
    let settings: BTreeMap<&str, Option<&str>> =
        topic.configs.iter().map(|config| (&*config.name, config.value.as_deref())).collect();
    let nulls: Vec<&str> =
        settings.iter().filter_map(|(name, value)| value.is_none().then_some(*name)).collect();
    if !nulls.is_empty() {
        return Err(invalid(format!("Null value not supported for topic configs: {}", nulls.join(","))));
    }
    let settings: Overrides =
        settings.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    validate_topic_configs(context.config, &settings).map_err(invalid)?;
    Ok(settings)
}

fn partitions(context: &mut Context<'_>, topic: &CreatableTopic) -> Result<Vec<Partition>, Refusal> {
    if !topic.assignments.is_empty() {
        return assigned_partitions(context, topic);
    }
    if topic.replication_factor < -1 || topic.replication_factor == 0 {
        let message = "Replication factor must be larger than 0, or -1 to use the default value.";
        return Err(Refusal::new(ErrorCode::InvalidReplicationFactor, message));
    }
    if topic.num_partitions < -1 || topic.num_partitions == 0 {
        let message = "Number of partitions was set to an invalid non-positive value.";
        return Err(Refusal::new(ErrorCode::InvalidPartitions, message));
    }
    let defaults = &context.config.topics;
    let count = if topic.num_partitions == -1 { defaults.partitions } else { topic.num_partitions };
    let replication_factor =
        if topic.replication_factor == -1 { defaults.replication_factor } else { topic.replication_factor };
    let placed = place(context, usize::try_from(count).unwrap_or(0), replication_factor)?;
    // The first replica of each is active.
    Ok(placed.into_iter().filter_map(|replicas| new_partition(context.image, replicas)).collect())
}

fn assigned_partitions(context: &Context<'_>, topic: &CreatableTopic) -> Result<Vec<Partition>, Refusal> {
    let unlike = |what| {
        let message = format!("A manual partition assignment was specified, but {what} was not set to -1.");
        Err(Refusal::new(ErrorCode::InvalidRequest, message))
    };
    if topic.replication_factor != -1 {
        return unlike("replication factor");
    }
    if topic.num_partitions != -1 {
        return unlike("numPartitions");
    }
    let invalid = |message: String| Refusal::new(ErrorCode::InvalidReplicaAssignment, message);
    let (mut partitions, mut replication_factor) = (BTreeMap::new(), None);
    for assignment in &topic.assignments {
        let (number, replicas) = (assignment.partition_index, &assignment.broker_ids);
        if partitions.contains_key(&number) {
            let message = format!("Found multiple manual partition assignments for partition {number}");
            return Err(invalid(message));
        }
        check_manual(context.image, replicas, replication_factor)?;
        replication_factor = Some(replicas.len());
        let partition = new_partition(context.image, replicas.clone()).ok_or_else(|| {
            invalid(format!(
                "All brokers specified in the manual partition assignment for partition {number} are fenced or in \
                 controlled shutdown."
            ))
        })?;
        partitions.insert(number, partition);
    }
    if !partitions.keys().copied().eq((0..).take(partitions.len())) {
        return Err(invalid("partitions should be a consecutive 0-based integer sequence".into()));
    }
    Ok(partitions.into_values().collect())
}

fn config_record(topic: &str, name: String, value: String) -> MetadataRecord {
    let (resource_type, resource_name) = (ResourceType::TOPIC.0, topic.to_owned());
    ConfigRecord { resource_type, resource_name, name, value: Some(value) }.into()
}

fn created(
    context: &Context<'_>,
    topic: &CreatableTopic,
    topic_id: Uuid,
    partitions: &[Partition],
    overrides: &Overrides,
) -> CreatableTopicResult {
    let rows = describe_topic(context.config, overrides).into_iter();
    let configs = rows.map(|row| CreatableTopicConfigs {
        name: row.name,
        value: row.value,
        read_only: row.read_only,
        config_source: row.source.code(),
        is_sensitive: row.is_sensitive,
    });
    let replicas = partitions.first().map_or(0, |partition| partition.replicas.len());
    CreatableTopicResult {
        name: topic.name.clone(),
        topic_id,
        error_message: None,
        num_partitions: i32::try_from(partitions.len()).unwrap_or(i32::MAX),
        replication_factor: i16::try_from(replicas).unwrap_or(i16::MAX),
        configs: Some(configs.collect()),
        ..Default::default()
    }
}

fn refused(name: &str, refusal: &Refusal) -> CreatableTopicResult {
    CreatableTopicResult {
        name: name.to_owned(),
        error_code: refusal.error.code(),
        error_message: Some(refusal.message.clone()),
        configs: Some(Vec::new()),
        ..Default::default()
    }
}
