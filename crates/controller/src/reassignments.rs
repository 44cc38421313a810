//! AlterPartitionReassignments and ListPartitionReassignments (KIP-455, KIP-860), as far as one node goes: nobody copies a partition
//! to another broker here, so that a reassignment is done at once or refused.

use metadata::{Image, Partition, Topic};
use protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, MetadataRecord,
    PartitionChangeRecord,
};
use protocol::{ErrorCode, Uuid};

use crate::placement::check_manual;
use crate::{Decision, Refusal};

/// Decides about each partition on its own.
pub fn alter_partition_reassignments(
    image: &Image,
    request: &AlterPartitionReassignmentsRequest,
) -> Decision<AlterPartitionReassignmentsResponse> {
    let mut records = Vec::new();
    let may_change_factor = request.allow_replication_factor_change;
    let mut partition = |topic: &str, asked: &ReassignablePartition| {
        let decided = reassign(image, topic, asked, may_change_factor);
        let refusal = decided.map(|record| records.extend(record)).err();
        ReassignablePartitionResponse {
            partition_index: asked.partition_index,
            error_code: refusal.as_ref().map_or(0, |refusal| refusal.error.code()),
            error_message: refusal.map(|refusal| refusal.message).filter(|message| !message.is_empty()),
        }
    };
    let mut topic = |asked: &ReassignableTopic| ReassignableTopicResponse {
        name: asked.name.clone(),
        partitions: asked.partitions.iter().map(|one| partition(&asked.name, one)).collect(),
    };
    let responses = request.topics.iter().map(&mut topic).collect();
    let reply = AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: may_change_factor,
        error_message: None,
        responses,
        ..Default::default()
    };
    Decision { records, reply }
}

fn reassign(
    image: &Image,
    topic: &str,
    asked: &ReassignablePartition,
    may_change_factor: bool,
) -> Result<Option<MetadataRecord>, Refusal> {
    let number = asked.partition_index;
    let unknown = |message: String| Refusal::new(ErrorCode::UnknownTopicOrPartition, message);
    let known = image
        .topics
        .by_name(topic)
        .ok_or_else(|| unknown(format!("Unable to find a topic named {topic}.")))?;
    let partition = known
        .partition(number)
        .ok_or_else(|| unknown(format!("Unable to find partition {topic}:{number}.")))?;
    let Some(target) = &asked.replicas else {
        return Err(Refusal::new(ErrorCode::NoReassignmentInProgress, ""));
    };
    check_manual(image, target, None)?;
    if !may_change_factor && target.len() != partition.replicas.len() {
        let message = format!(
            "The replication factor is changed from {} to {}",
            partition.replicas.len(),
            target.len()
        );
        return Err(Refusal::new(ErrorCode::InvalidReplicationFactor, message));
    }
    if let Some(other) = target.iter().find(|id| !partition.replicas.contains(id)) {
        let message =
            format!("Partition {topic}:{number} cannot be copied to broker {other}: it would not catch up.");
        return Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
    }
    shrink(known.id, number, partition, target)
}

/// Keeps those of the replicas that are wanted, in the order that is wanted. Nothing changes if it is so.
fn shrink(
    topic_id: Uuid,
    partition_id: i32,
    partition: &Partition,
    target: &[i32],
) -> Result<Option<MetadataRecord>, Refusal> {
    if partition.replicas == target {
        return Ok(None);
    }
    let isr: Vec<i32> = partition.isr.iter().copied().filter(|id| target.contains(id)).collect();
    let Some(first) = target.iter().copied().find(|id| isr.contains(id)) else {
        let message = "None of the replicas that would stay is in sync.";
        return Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
    };
    let keeps_leader = isr.contains(&partition.leader);
    let change = PartitionChangeRecord { topic_id, partition_id, ..Default::default() };
    let directories = target.iter().map(|id| partition.directory_of(*id)).collect();
    Ok(Some(
        PartitionChangeRecord {
            leader: if keeps_leader { change.leader } else { first },
            isr: Some(isr),
            replicas: Some(target.to_vec()),
            directories: (!partition.directories.is_empty()).then_some(directories),
            ..change
        }
        .into(),
    ))
}

/// The reassignments that are under way: those of a cluster of several nodes, out of whose log this one is led.
pub fn list_partition_reassignments(
    image: &Image,
    request: &ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    let topics = match &request.topics {
        None => image.topics.iter().filter_map(|topic| ongoing(topic, None)).collect(),
        Some(asked) => asked
            .iter()
            .filter_map(|asked| ongoing(image.topics.by_name(&asked.name)?, Some(&asked.partition_indexes)))
            .collect(),
    };
    ListPartitionReassignmentsResponse { error_message: None, topics, ..Default::default() }
}

fn ongoing(topic: &Topic, wanted: Option<&[i32]>) -> Option<OngoingTopicReassignment> {
    let is_ongoing = |number: i32, partition: &Partition| {
        let changes = !partition.adding_replicas.is_empty() || !partition.removing_replicas.is_empty();
        changes && wanted.is_none_or(|wanted| wanted.contains(&number))
    };
    let partitions: Vec<OngoingPartitionReassignment> = topic
        .partitions()
        .filter(|(number, partition)| is_ongoing(*number, partition))
        .map(|(partition_index, partition)| OngoingPartitionReassignment {
            partition_index,
            replicas: partition.replicas.clone(),
            adding_replicas: partition.adding_replicas.clone(),
            removing_replicas: partition.removing_replicas.clone(),
        })
        .collect();
    (!partitions.is_empty()).then(|| OngoingTopicReassignment { name: topic.name.to_string(), partitions })
}
