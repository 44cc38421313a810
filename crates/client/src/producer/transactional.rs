//! A transactional producer (KIP-98): what the state of [`transaction`](super::transaction) lets it do is asked of the coordinator.

mod requests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::ErrorCode;
use tokio::time::Instant;

use super::batch::Identity;
use super::transaction::{Outcome, Severity, Transaction, TransactionError, TransactionRefusal, of_answer};
use super::{Place, Producer, ProducerOptions, ProducerRecord, Receipt};
use crate::cluster::Cluster;
use crate::consumer;
use crate::error::ClientError;
pub use requests::GroupMember;
use requests::TRANSACTION_VERSION;

/// Produce up to this version leaves it to the producer to add partitions to a transaction (KIP-890).
const PRODUCE_VERSION_EXPLICIT: i16 = 11;
/// Topics go by their names up to this version of Produce.
const PRODUCE_VERSION_IMPLICIT: i16 = 12;

/// Under which name transactions are made, and how long they may be.
#[derive(Clone, Debug)]
pub struct TransactionOptions {
    /// The name. A producer that starts under it ends what an earlier one has left open, and fences that.
    pub transactional_id: String,
    /// How long a transaction may stay open before the coordinator aborts it.
    pub timeout: Duration,
}

/// A producer whose records are read, by who reads only what is committed, all of a transaction or none.
///
/// A record whose fate is an error leaves its transaction only [`abort`](TransactionalProducer::abort).
#[derive(Debug)]
pub struct TransactionalProducer {
    producer: Producer,
    cluster: Cluster,
    options: TransactionOptions,
    enlisted: Enlisted,
}

impl TransactionalProducer {
    /// Makes the name this producer's own (InitProducerId), with a connection of its own to the coordinator.
    ///
    /// # Errors
    /// [`TransactionError::Fatal`] where the coordinator refuses, or is not there for as long as retries go.
    pub async fn start(
        mut cluster: Cluster,
        producer: ProducerOptions,
        options: TransactionOptions,
    ) -> Result<TransactionalProducer, TransactionError> {
        let identity = requests::init(&mut cluster, &options, None).await;
        let start = async {
            let identity = identity?;
            let features = cluster.describe_features().await?.features;
            let version = features.iter().find(|feature| feature.name == TRANSACTION_VERSION);
            let version = version.map_or(0, |feature| feature.level);
            Ok((Transaction::new(options.transactional_id.clone(), identity, version), cluster.twin().await?))
        };
        let fatal = |error: ClientError| TransactionError::Fatal(TransactionRefusal::of(&error));
        let (transaction, twin) = start.await.map_err(fatal)?;
        let enlisted = Enlisted(Arc::new(Mutex::new(transaction)));
        let producer = Producer::start(twin, producer, Some(enlisted.clone()));
        Ok(TransactionalProducer { producer, cluster, options, enlisted })
    }

    /// Begins a transaction. The coordinator hears of it with the first record.
    pub fn begin(&mut self) -> Result<(), TransactionError> {
        self.enlisted.locked().begin()
    }

    /// Hands a record over, as [`Producer::send`] does. Outside of a transaction its fate is an error.
    pub async fn send(&self, record: ProducerRecord) -> Receipt {
        let open = self.enlisted.locked().check_open();
        let receipt = match open {
            Ok(()) => self.producer.send(record).await,
            Err(error) => return Receipt::of_failure(refused(&error)),
        };
        // One that was not even tried is lost all the same.
        if let Some(Err(error)) = receipt.known_fate() {
            self.enlisted.lose(&error);
        }
        receipt
    }

    /// Commits offsets of a group with the transaction, so that what was read counts as read if what was made of it is there.
    pub async fn send_offsets(
        &mut self,
        offsets: &[(consumer::Place, i64)],
        member: &GroupMember,
    ) -> Result<(), TransactionError> {
        self.enlisted.locked().check_open()?;
        if offsets.is_empty() {
            return Ok(());
        }
        let (enlisted, cluster) = (&self.enlisted, &mut self.cluster);
        let producer = enlisted.member();
        let fail = |error: ClientError| enlisted.fail(of_answer(&error), &error);
        if !producer.is_implicit {
            requests::add_group(cluster, &producer, &member.group_id).await.map_err(fail)?;
        }
        enlisted.locked().add_offsets();
        requests::commit_offsets(cluster, &producer, offsets, member).await.map_err(fail)
    }

    /// Sends what waits, and makes all of the transaction readable.
    ///
    /// # Errors
    /// Where anything of it was lost it can only be aborted; where the end is not known the call is to be made again.
    pub async fn commit(&mut self) -> Result<(), TransactionError> {
        self.producer.flush().await;
        self.enlisted.locked().begin_commit()?;
        self.end(Outcome::Commit).await
    }

    /// Gives up all of the transaction, with what was not sent yet.
    pub async fn abort(&mut self) -> Result<(), TransactionError> {
        self.enlisted.locked().begin_abort()?;
        self.producer.flush().await;
        self.end(Outcome::Abort).await
    }

    async fn end(&mut self, outcome: Outcome) -> Result<(), TransactionError> {
        let member = self.enlisted.member();
        let mut identity = member.identity;
        if self.enlisted.locked().is_known() {
            let ended = requests::end(&mut self.cluster, &member, outcome).await;
            identity = ended.map_err(|error| self.enlisted.fail_to_end(&error))?;
        }
        self.enlisted.locked().end(identity);
        let needs_epoch = self.enlisted.locked().needs_epoch();
        if needs_epoch { self.renew(identity).await } else { Ok(()) }
    }

    /// Takes a new epoch, with which sequences begin anew.
    async fn renew(&mut self, identity: Identity) -> Result<(), TransactionError> {
        let renewed = requests::init(&mut self.cluster, &self.options, Some(identity)).await;
        let renewed = renewed.map_err(|error| self.enlisted.fail(Severity::Fatal, &error))?;
        self.enlisted.locked().end(renewed);
        Ok(())
    }

    /// Ends. A transaction that is open is aborted, if that can be: what is not committed is not to be waited for.
    pub async fn close(mut self) {
        let _ = self.abort().await;
        self.producer.close().await;
    }
}

fn refused(error: &TransactionError) -> ClientError {
    match error {
        TransactionError::Abortable(refusal)
        | TransactionError::Fatal(refusal)
        | TransactionError::Unknown(refusal) => refusal.clone().into(),
        TransactionError::Misplaced { .. } => {
            ClientError::Refused { code: ErrorCode::InvalidTxnState, message: Some(error.to_string()) }
        }
    }
}

/// Who asks for something of a transaction.
#[derive(Clone, Debug)]
struct Member {
    id: String,
    identity: Identity,
    is_implicit: bool,
}

/// The transaction that a producer's records are part of, as the task knows it that sends them.
#[derive(Clone, Debug)]
pub(super) struct Enlisted(Arc<Mutex<Transaction>>);

impl Enlisted {
    fn locked(&self) -> MutexGuard<'_, Transaction> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn member(&self) -> Member {
        let transaction = self.locked();
        Member {
            id: transaction.id().to_owned(),
            identity: transaction.identity(),
            is_implicit: transaction.is_implicit(),
        }
    }

    pub(super) fn id(&self) -> String {
        self.locked().id().to_owned()
    }

    pub(super) fn identity(&self) -> Identity {
        self.locked().identity()
    }

    pub(super) fn produce_version_max(&self) -> i16 {
        match self.locked().is_implicit() {
            true => PRODUCE_VERSION_IMPLICIT,
            false => PRODUCE_VERSION_EXPLICIT,
        }
    }

    /// Makes partitions part of the transaction before records go there. Tries once.
    pub(super) async fn admit(&self, cluster: &mut Cluster, places: &[Place]) -> Result<(), ClientError> {
        let missing: Vec<Place> = self.locked().missing(places)?.into_iter().cloned().collect();
        let member = self.member();
        if !missing.is_empty() && !member.is_implicit {
            let added = requests::add_partitions(cluster, &member, &missing, Instant::now()).await;
            added.inspect_err(|error| self.note(error))?;
        }
        self.locked().add(&missing);
        Ok(())
    }

    /// Notes an error of the coordinator that another try does not cure.
    fn note(&self, error: &ClientError) {
        if !error.is_retriable() {
            self.fail(of_answer(error), error);
        }
    }

    /// A record was given up.
    pub(super) fn lose(&self, error: &ClientError) {
        self.locked().lose(error);
    }

    /// Notes an error, and says what can be done about it.
    fn fail(&self, severity: Severity, error: &ClientError) -> TransactionError {
        let refusal = TransactionRefusal::of(error);
        let mut transaction = self.locked();
        transaction.fail(severity, refusal.clone());
        transaction.error(refusal)
    }

    /// The same of an error of the end, which is not known if nobody has said anything.
    fn fail_to_end(&self, error: &ClientError) -> TransactionError {
        match error.is_retriable() {
            true => self.locked().error(TransactionRefusal::of(error)),
            false => self.fail(of_answer(error), error),
        }
    }
}
