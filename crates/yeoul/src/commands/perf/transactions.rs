//! The producer that is measured, with its transactions if it makes any.

use std::time::Duration;

use client::{
    Cluster, Producer, ProducerOptions, ProducerRecord, Receipt, TransactionError, TransactionOptions,
    TransactionalProducer,
};
use protocol::ErrorCode;
use tokio::time::Instant;

use crate::failure::Failure;

/// The transactions that records are sent in.
#[derive(Clone, Debug)]
pub struct Transactions {
    pub options: TransactionOptions,
    /// How long each lasts.
    pub duration: Duration,
}

/// What sends the records.
pub enum Sender {
    Plain(Producer),
    InTransactions {
        producer: Box<TransactionalProducer>,
        duration: Duration,
        /// When the transaction began that is open.
        since: Option<Instant>,
    },
}

impl Sender {
    /// Starts to send, as the only producer of its transactional id.
    pub async fn start(
        cluster: Cluster,
        options: ProducerOptions,
        transactions: Option<Transactions>,
    ) -> Result<Sender, Failure> {
        let Some(Transactions { options: transaction, duration }) = transactions else {
            return Ok(Sender::Plain(Producer::new(cluster, options)));
        };
        let patience = cluster.options().retry_for;
        let id = transaction.transactional_id.clone();
        let producer = TransactionalProducer::start(cluster, options, transaction).await;
        let producer = producer.map_err(|error| not_started(error, &id, patience))?;
        Ok(Sender::InTransactions { producer: Box::new(producer), duration, since: None })
    }

    /// Hands a record over, now, in a transaction that begins with it where none is open. Its fate is an error where none can be.
    pub async fn send(&mut self, record: ProducerRecord, now: Instant) -> Receipt {
        match self {
            Sender::Plain(producer) => producer.send(record).await,
            Sender::InTransactions { producer, since, .. } => {
                if since.is_none() && producer.begin().is_ok() {
                    *since = Some(now);
                }
                producer.send(record).await
            }
        }
    }

    /// Commits the transaction if it has lasted long enough by now.
    pub async fn commit_after(&mut self, now: Instant) -> Result<(), Failure> {
        match self {
            Sender::InTransactions { since: Some(since), duration, .. } if now - *since >= *duration => {
                self.commit().await
            }
            _ => Ok(()),
        }
    }

    /// Commits the transaction that is open, if one is.
    pub async fn commit(&mut self) -> Result<(), Failure> {
        let Sender::InTransactions { producer, since, .. } = self else { return Ok(()) };
        match since.take() {
            Some(_) => producer.commit().await.map_err(failure),
            None => Ok(()),
        }
    }

    /// Ends, when the fate of every record is known. A transaction that is open is aborted.
    pub async fn close(self) {
        match self {
            Sender::Plain(producer) => producer.close().await,
            Sender::InTransactions { producer, .. } => producer.close().await,
        }
    }
}

/// Why no transaction can be begun, in the words of Kafka's producer.
fn not_started(error: TransactionError, id: &str, patience: Duration) -> Failure {
    Failure::Failed(match error {
        // Only who is asked for the coordinator says so.
        TransactionError::Fatal(refusal) if refusal.code == ErrorCode::UnsupportedVersion => format!(
            "Could not find a coordinator with type TRANSACTION with key {id} due to unexpected error: {}",
            refusal.message
        ),
        TransactionError::Fatal(refusal) if !refusal.code.is_retriable() => {
            format!("Unexpected error in InitProducerIdResponse; {}", refusal.message)
        }
        _ => format!(
            "Timeout expired after {}ms while awaiting InitProducerId. InitTransactions timed out - did not complete \
             coordinator discovery or receive the InitProducerId response within max.block.ms.",
            patience.as_millis()
        ),
    })
}

fn failure(error: TransactionError) -> Failure {
    Failure::Failed(match error {
        TransactionError::Fatal(refusal) | TransactionError::Abortable(refusal)
            if is_fenced(refusal.code) =>
        {
            refusal.message
        }
        // In the words of Kafka's producer.
        error => format!("Cannot execute transactional method because we are in an error state: {error}"),
    })
}

/// Whether another producer has taken the name: what Kafka's says of that it says alone.
fn is_fenced(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::ProducerFenced | ErrorCode::InvalidProducerEpoch)
}

#[cfg(test)]
mod tests {
    use client::TransactionRefusal;

    use super::*;

    #[test]
    fn who_is_fenced_hears_so_and_who_lost_a_record_that_nothing_can_be_committed() {
        let refusal = |code| TransactionRefusal { code, message: "why".to_owned() };
        let told = |error| match failure(error) {
            Failure::Failed(words) => words,
            other => format!("{other:?}"),
        };
        assert_eq!(told(TransactionError::Fatal(refusal(ErrorCode::ProducerFenced))), "why");
        assert_eq!(told(TransactionError::Abortable(refusal(ErrorCode::InvalidProducerEpoch))), "why");
        let words = "Cannot execute transactional method because we are in an error state: why";
        assert_eq!(told(TransactionError::Abortable(refusal(ErrorCode::MessageTooLarge))), words);
    }

    #[test]
    fn where_no_coordinator_answers_it_is_told_how_long_was_waited() {
        let told = |code| {
            let refusal = TransactionRefusal { code, message: "why".to_owned() };
            not_started(TransactionError::Fatal(refusal), "t", Duration::from_secs(1))
        };
        let refused = Failure::failed("Unexpected error in InitProducerIdResponse; why");
        assert_eq!(told(ErrorCode::InvalidTransactionTimeout), refused);
        let words =
            "Could not find a coordinator with type TRANSACTION with key t due to unexpected error: why";
        assert_eq!(told(ErrorCode::UnsupportedVersion), Failure::failed(words));
        let Failure::Failed(words) = told(ErrorCode::NotCoordinator) else { panic!("it failed") };
        assert!(words.starts_with("Timeout expired after 1000ms while awaiting InitProducerId."), "{words}");
    }
}
