//! What a transactional producer asks of coordinators.

use std::collections::BTreeMap;

use protocol::ErrorCode;
use protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, EndTxnRequest,
    InitProducerIdRequest, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
use tokio::time::Instant;

use super::{Identity, Member, TransactionOptions};
use crate::cluster::{Cluster, CoordinatorType, millis};
use crate::consumer;
use crate::error::{ClientError, check};
use crate::producer::Place;
use crate::producer::transaction::{FENCED, Outcome};

/// The feature that says how transactions go (KIP-890).
pub(super) const TRANSACTION_VERSION: &str = "transaction.version";
/// Versions beyond this one of AddPartitionsToTxn are for brokers.
const ADD_PARTITIONS_VERSION_MAX: i16 = 3;
/// From the version after this one on the answer to EndTxn has the next epoch (KIP-890).
const END_VERSION_EXPLICIT: i16 = 4;
/// From the version after this one on the group's coordinator adds the group to the transaction (KIP-890).
const COMMIT_VERSION_EXPLICIT: i16 = 4;
/// Topics go by their names up to this version of TxnOffsetCommit.
const COMMIT_VERSION_IMPLICIT: i16 = 5;

/// For which member of which group offsets are committed.
#[derive(Clone, Debug)]
pub struct GroupMember {
    /// The group.
    pub group_id: String,
    /// The member's id; empty where offsets are committed for a group without members.
    pub member_id: String,
    /// The generation, or the member's epoch in a group of the consumer protocol; -1 without members.
    pub generation: i32,
    /// What the member calls itself over restarts, if it does (KIP-345).
    pub instance_id: Option<String>,
}

/// Makes the name the producer's own; with an identity only its epoch is taken further (KIP-360).
pub(super) async fn init(
    cluster: &mut Cluster,
    options: &TransactionOptions,
    identity: Option<Identity>,
) -> Result<Identity, ClientError> {
    let request = InitProducerIdRequest {
        transactional_id: Some(options.transactional_id.clone()),
        transaction_timeout_ms: millis(options.timeout),
        producer_id: identity.map_or(-1, |identity| identity.id),
        producer_epoch: identity.map_or(-1, |identity| identity.epoch),
        ..InitProducerIdRequest::default()
    };
    let coordinator = (CoordinatorType::Transaction, options.transactional_id.as_str());
    let deadline = cluster.patience();
    let (_, response) = cluster
        .ask_coordinator(coordinator, &request, i16::MAX, deadline, |response| response.error_code)
        .await?;
    judge(response.error_code)?;
    Ok(Identity { id: response.producer_id, epoch: response.producer_epoch, is_transactional: true })
}

/// Tells the coordinator of partitions; all become part of the transaction or none.
pub(super) async fn add_partitions(
    cluster: &mut Cluster,
    member: &Member,
    places: &[Place],
    deadline: Instant,
) -> Result<(), ClientError> {
    let topic =
        |(name, partitions): (&str, Vec<i32>)| AddPartitionsToTxnTopic { name: name.to_owned(), partitions };
    let numbers = places.iter().map(|(topic, partition)| (&**topic, *partition));
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: member.id.clone(),
        v3_and_below_producer_id: member.identity.id,
        v3_and_below_producer_epoch: member.identity.epoch,
        v3_and_below_topics: by_topic(numbers).into_iter().map(topic).collect(),
        ..AddPartitionsToTxnRequest::default()
    };
    let code = |response: &AddPartitionsToTxnResponse| {
        let topics = response.results_by_topic_v3_and_below.iter();
        let partitions = topics.flat_map(|topic| &topic.results_by_partition);
        worst(partitions.map(|partition| partition.partition_error_code))
    };
    let coordinator = (CoordinatorType::Transaction, member.id.as_str());
    let (_, response) =
        cluster.ask_coordinator(coordinator, &request, ADD_PARTITIONS_VERSION_MAX, deadline, code).await?;
    judge(code(&response))
}

fn by_topic<'a, T>(items: impl Iterator<Item = (&'a str, T)>) -> BTreeMap<&'a str, Vec<T>> {
    let mut topics: BTreeMap<&str, Vec<T>> = BTreeMap::new();
    for (topic, item) in items {
        topics.entry(topic).or_default().push(item);
    }
    topics
}

/// The code that says why, not that of those which were not tried for its sake.
fn worst(codes: impl Iterator<Item = i16>) -> i16 {
    let untried = ErrorCode::OperationNotAttempted.code();
    codes.filter(|code| *code != 0).min_by_key(|code| *code == untried).unwrap_or(0)
}

/// Tells the coordinator of a group whose offsets are to be part of the transaction.
pub(super) async fn add_group(
    cluster: &mut Cluster,
    producer: &Member,
    group_id: &str,
) -> Result<(), ClientError> {
    let request = AddOffsetsToTxnRequest {
        transactional_id: producer.id.clone(),
        producer_id: producer.identity.id,
        producer_epoch: producer.identity.epoch,
        group_id: group_id.to_owned(),
    };
    let coordinator = (CoordinatorType::Transaction, producer.id.as_str());
    let deadline = cluster.patience();
    let (_, response) = cluster
        .ask_coordinator(coordinator, &request, i16::MAX, deadline, |response| response.error_code)
        .await?;
    judge(response.error_code)
}

/// Commits offsets within the transaction.
pub(super) async fn commit_offsets(
    cluster: &mut Cluster,
    producer: &Member,
    offsets: &[(consumer::Place, i64)],
    member: &GroupMember,
) -> Result<(), ClientError> {
    let request = TxnOffsetCommitRequest {
        transactional_id: producer.id.clone(),
        group_id: member.group_id.clone(),
        producer_id: producer.identity.id,
        producer_epoch: producer.identity.epoch,
        generation_id_or_member_epoch: member.generation,
        member_id: member.member_id.clone(),
        group_instance_id: member.instance_id.clone(),
        topics: commit_topics(offsets),
    };
    let version_max = if producer.is_implicit { COMMIT_VERSION_IMPLICIT } else { COMMIT_VERSION_EXPLICIT };
    let group = (CoordinatorType::Group, member.group_id.as_str());
    let code = |response: &TxnOffsetCommitResponse| {
        let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
        worst(partitions.map(|partition| partition.error_code))
    };
    let deadline = cluster.patience();
    let (_, response) = cluster.ask_coordinator(group, &request, version_max, deadline, code).await?;
    judge(code(&response))
}

fn commit_topics(offsets: &[(consumer::Place, i64)]) -> Vec<TxnOffsetCommitRequestTopic> {
    let partition = |partition_index, committed_offset| TxnOffsetCommitRequestPartition {
        partition_index,
        committed_offset,
        committed_metadata: Some(String::new()),
        ..TxnOffsetCommitRequestPartition::default()
    };
    let topic = |(name, partitions): (&str, Vec<_>)| TxnOffsetCommitRequestTopic {
        name: name.to_owned(),
        partitions,
        ..TxnOffsetCommitRequestTopic::default()
    };
    let partitions =
        offsets.iter().map(|((topic, number), offset)| (topic.as_str(), partition(*number, *offset)));
    by_topic(partitions).into_iter().map(topic).collect()
}

/// Ends the transaction, and tells by which identity the producer goes on.
pub(super) async fn end(
    cluster: &mut Cluster,
    member: &Member,
    outcome: Outcome,
) -> Result<Identity, ClientError> {
    let request = EndTxnRequest {
        transactional_id: member.id.clone(),
        producer_id: member.identity.id,
        producer_epoch: member.identity.epoch,
        committed: outcome == Outcome::Commit,
    };
    let version_max = if member.is_implicit { i16::MAX } else { END_VERSION_EXPLICIT };
    let coordinator = (CoordinatorType::Transaction, member.id.as_str());
    let deadline = cluster.patience();
    let (_, response) = cluster
        .ask_coordinator(coordinator, &request, version_max, deadline, |response| response.error_code)
        .await?;
    judge(response.error_code)?;
    let (id, epoch) = (response.producer_id, response.producer_epoch);
    let told = Identity { id, epoch, is_transactional: true };
    Ok(if id >= 0 { told } else { member.identity })
}

/// The error of an answer. An epoch that is too old and a producer that is fenced are the same, told by old brokers and by new ones.
fn judge(code: i16) -> Result<(), ClientError> {
    match ErrorCode::from(code) {
        ErrorCode::InvalidProducerEpoch | ErrorCode::ProducerFenced => {
            Err(ClientError::Refused { code: ErrorCode::ProducerFenced, message: Some(FENCED.to_owned()) })
        }
        _ => check(code, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_nothing_was_added_counts_before_what_was_not_tried() {
        let untried = ErrorCode::OperationNotAttempted.code();
        let denied = ErrorCode::TopicAuthorizationFailed.code();
        assert_eq!(worst([untried, denied].into_iter()), denied);
        assert_eq!(worst([0, untried].into_iter()), untried);
        assert_eq!(worst([0, 0].into_iter()), 0);
    }

    #[test]
    fn an_old_epoch_is_that_of_a_fenced_producer() {
        let error = judge(ErrorCode::InvalidProducerEpoch.code()).unwrap_err();
        assert_eq!((error.code(), error.to_string()), (Some(ErrorCode::ProducerFenced), FENCED.to_owned()));
        assert!(judge(0).is_ok());
    }

    #[test]
    fn offsets_go_by_topic() {
        let place = |topic: &str, partition| ((topic.to_owned(), partition), 3);
        let topics = commit_topics(&[place("a", 0), place("b", 0), place("a", 1)]);
        let told: Vec<(&str, usize)> =
            topics.iter().map(|topic| (topic.name.as_str(), topic.partitions.len())).collect();
        assert_eq!(told, [("a", 2), ("b", 1)]);
    }
}
