//! What an error means for a transaction, as Kafka's producer judges it.

use protocol::ErrorCode;

use crate::error::ClientError;

/// How bad an error is that another try does not cure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::producer) enum Severity {
    /// The transaction is lost, the producer is not.
    Abortable,
    /// The producer is lost.
    Fatal,
}

/// Of a batch that was given up.
pub(in crate::producer) fn of_delivery(error: &ClientError) -> Severity {
    match error {
        ClientError::UnsupportedApi(_) => Severity::Fatal,
        error => match error.code() {
            Some(
                ErrorCode::ClusterAuthorizationFailed
                | ErrorCode::TransactionalIdAuthorizationFailed
                | ErrorCode::ProducerFenced
                | ErrorCode::UnsupportedVersion
                | ErrorCode::InvalidProducerIdMapping,
            ) => Severity::Fatal,
            _ => Severity::Abortable,
        },
    }
}

/// Of an answer of a coordinator, or of none: that of transactions, and that of a group.
pub(in crate::producer) fn of_answer(error: &ClientError) -> Severity {
    match error.code() {
        // Whether it would have been added, or has ended, nobody has said.
        _ if error.is_retriable() => Severity::Abortable,
        Some(
            ErrorCode::TransactionAbortable
            | ErrorCode::UnknownProducerId
            | ErrorCode::TopicAuthorizationFailed
            | ErrorCode::GroupAuthorizationFailed
            | ErrorCode::OperationNotAttempted
            | ErrorCode::FencedInstanceId
            | ErrorCode::UnknownMemberId
            | ErrorCode::IllegalGeneration,
        ) => Severity::Abortable,
        _ => Severity::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: ErrorCode) -> ClientError {
        ClientError::refused(code)
    }

    #[test]
    fn a_producer_that_is_fenced_is_lost_and_one_that_lost_a_batch_is_not() {
        assert_eq!(of_delivery(&refused(ErrorCode::ProducerFenced)), Severity::Fatal);
        assert_eq!(of_delivery(&refused(ErrorCode::MessageTooLarge)), Severity::Abortable);
        assert_eq!(of_delivery(&refused(ErrorCode::InvalidTxnState)), Severity::Abortable);
        // An old epoch may be one that the coordinator has given up for us: the abort tells.
        assert_eq!(of_delivery(&refused(ErrorCode::InvalidProducerEpoch)), Severity::Abortable);
        assert_eq!(of_delivery(&ClientError::Disconnected("h:1".to_owned())), Severity::Abortable);
        assert_eq!(of_delivery(&ClientError::UnsupportedApi("Produce")), Severity::Fatal);
    }

    #[test]
    fn what_a_coordinator_does_not_know_of_the_transaction_is_fatal_and_what_it_may_not_do_is_not() {
        for code in [
            ErrorCode::ProducerFenced,
            ErrorCode::InvalidProducerEpoch,
            ErrorCode::InvalidTxnState,
            ErrorCode::InvalidProducerIdMapping,
            ErrorCode::TransactionalIdAuthorizationFailed,
        ] {
            assert_eq!(of_answer(&refused(code)), Severity::Fatal, "{code}");
        }
        for code in [
            ErrorCode::TransactionAbortable,
            ErrorCode::TopicAuthorizationFailed,
            ErrorCode::IllegalGeneration,
            ErrorCode::NotCoordinator,
        ] {
            assert_eq!(of_answer(&refused(code)), Severity::Abortable, "{code}");
        }
    }
}
