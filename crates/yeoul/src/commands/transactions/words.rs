//! What Kafka's tool says where something fails (pure).

use client::{AbortSpec, ClientError, Place};
use protocol::ErrorCode;

use crate::failure::Failure;

/// The states that a transaction can have. What is none of these Kafka's tool does not know either.
const STATES: [&str; 7] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "PrepareEpochFence",
];

/// A state as Kafka's tool tells it.
pub fn state(name: &str) -> &str {
    if STATES.contains(&name) { name } else { "Unknown" }
}

/// What did not work, and why.
pub fn failed(what: &str, why: &str) -> Failure {
    Failure::Failed(format!("Failed to {what}: {why}. Enable debug logging for additional detail."))
}

/// The code of a refusal that no other try would change; of others there is nothing more to say than they do.
fn refusal(error: &ClientError) -> Option<ErrorCode> {
    error.code().filter(|code| !code.is_retriable())
}

/// The same of what a coordinator was asked. That there is none for transactions is told by who was asked for it, in its own words.
fn coordinators_refusal(error: &ClientError) -> Option<ErrorCode> {
    refusal(error).filter(|code| *code != ErrorCode::UnsupportedVersion)
}

/// Why a transaction could not be described.
pub fn of_describe(id: &str, error: &ClientError) -> String {
    let why = match coordinators_refusal(error) {
        None => return error.to_string(),
        Some(ErrorCode::TransactionalIdNotFound) => "because the ID could not be found",
        Some(ErrorCode::TransactionalIdAuthorizationFailed) => "due to authorization failure",
        Some(_) => "due to unexpected error",
    };
    format!("DescribeTransactions request for transactionalId `{id}` failed {why}")
}

/// Why the producers of a partition could not be described.
pub fn of_producers((topic, partition): &Place, broker: Option<i32>, error: &ClientError) -> String {
    let what = format!("Failed to describe active producers for partition {topic}-{partition}");
    match (error.code(), broker) {
        (Some(ErrorCode::NotLeaderOrFollower), Some(broker)) => format!("{what} on brokerId {broker}"),
        (Some(ErrorCode::TopicAuthorizationFailed), _) => {
            format!("{what} due to authorization failure on topic `{topic}`")
        }
        // That there is no such broker or partition says more than that it is unexpected.
        (Some(ErrorCode::BrokerNotAvailable | ErrorCode::UnknownTopicOrPartition), _) => error.to_string(),
        _ if refusal(error).is_some() => format!("{what} due to unexpected error"),
        _ => error.to_string(),
    }
}

/// A transaction that is to be aborted, as Kafka's tool writes it.
pub fn spec_of(spec: &AbortSpec) -> String {
    let (topic, partition) = &spec.place;
    format!(
        "AbortTransactionSpec(topicPartition={topic}-{partition}, producerId={}, producerEpoch={}, coordinatorEpoch={})",
        spec.producer_id, spec.producer_epoch, spec.coordinator_epoch
    )
}

/// Why a transaction could not be aborted.
pub fn of_abort(spec: &AbortSpec, error: &ClientError) -> String {
    let why = match refusal(error) {
        None => return error.to_string(),
        Some(ErrorCode::ClusterAuthorizationFailed) => "due to cluster authorization error".to_owned(),
        Some(ErrorCode::InvalidProducerEpoch) => "due an invalid producer epoch".to_owned(),
        Some(ErrorCode::TransactionCoordinatorFenced) => format!(
            "since the provided coordinator epoch {} has been fenced by the active coordinator",
            spec.coordinator_epoch
        ),
        Some(_) => format!("due to unexpected error: {error}"),
    };
    format!("WriteTxnMarkers request with {} failed {why}", spec_of(spec))
}

/// Why a producer could not be fenced.
pub fn of_fence(id: &str, error: &ClientError) -> String {
    let why = match coordinators_refusal(error) {
        None => return error.to_string(),
        Some(ErrorCode::ClusterAuthorizationFailed) => "cluster authorization failure",
        Some(ErrorCode::TransactionalIdAuthorizationFailed) => "transactional ID authorization failure",
        Some(_) => "unexpected error",
    };
    format!("InitProducerId request for transactionalId `{id}` failed due to {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> AbortSpec {
        AbortSpec { place: ("t".to_owned(), 1), producer_id: 5, producer_epoch: 3, coordinator_epoch: 2 }
    }

    #[test]
    fn what_cannot_be_aborted_is_told_with_who_it_is() {
        let told = of_abort(&spec(), &ClientError::refused(ErrorCode::InvalidProducerEpoch));
        let words = "WriteTxnMarkers request with AbortTransactionSpec(topicPartition=t-1, producerId=5, \
                     producerEpoch=3, coordinatorEpoch=2) failed due an invalid producer epoch";
        assert_eq!(told, words);
        let fenced = of_abort(&spec(), &ClientError::refused(ErrorCode::TransactionCoordinatorFenced));
        let words = "failed since the provided coordinator epoch 2 has been fenced by the active coordinator";
        assert!(fenced.ends_with(words), "{fenced}");
    }

    #[test]
    fn who_does_not_answer_is_told_as_such() {
        let away = ClientError::Disconnected("h:1".to_owned());
        let missing = ClientError::UnsupportedApi("WriteTxnMarkers");
        for told in [of_describe("t", &away), of_abort(&spec(), &away), of_fence("t", &away)] {
            assert_eq!(told, "the connection to `h:1` was lost");
        }
        assert_eq!(of_abort(&spec(), &missing), "The node does not support WRITE_TXN_MARKERS");
    }

    #[test]
    fn that_there_is_no_coordinator_is_told_in_the_words_of_who_was_asked_for_it() {
        let message = Some("this broker serves no transactions".to_owned());
        let none = ClientError::Refused { code: ErrorCode::UnsupportedVersion, message };
        for told in [of_describe("t", &none), of_fence("t", &none)] {
            assert_eq!(told, "this broker serves no transactions");
        }
    }

    #[test]
    fn a_state_of_a_later_release_is_unknown() {
        assert_eq!((state("Ongoing"), state("Prepared")), ("Ongoing", "Unknown"));
    }
}
