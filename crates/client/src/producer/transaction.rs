//! A producer's transactions (KIP-98), as a state that only says what may be done next (pure). Who asks the coordinator is
//! [`transactional`](super::transactional).

mod severity;

use std::collections::BTreeSet;

use protocol::ErrorCode;
use thiserror::Error;

use super::Place;
use super::batch::Identity;
use crate::error::ClientError;
pub(super) use severity::{Severity, of_answer, of_delivery};

/// The level of the feature `transaction.version` from which on brokers add partitions to a transaction by themselves, and a
/// transaction's end gives the producer its next epoch (KIP-890).
const IMPLICIT_FROM: i16 = 2;

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Commit,
    Abort,
}

impl Outcome {
    fn call(self) -> &'static str {
        match self {
            Outcome::Commit => "commit",
            Outcome::Abort => "abort",
        }
    }
}

/// Why a call of a transactional producer did not do what it should, and what can be done about it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TransactionError {
    /// The transaction can only be aborted. The producer can go on after that.
    #[error("{0}")]
    Abortable(TransactionRefusal),
    /// Nothing more can be done with this producer: another has taken its name, or it may not do what it asks for.
    #[error("{0}")]
    Fatal(TransactionRefusal),
    /// Whether the transaction has ended is not known. Only the same call may be made again.
    #[error("how the transaction ended is not known: {0}")]
    Unknown(TransactionRefusal),
    /// The call does not belong here.
    #[error("cannot {call}: {why}")]
    Misplaced {
        /// What was called.
        call: &'static str,
        /// What stands against it.
        why: &'static str,
    },
}

/// A refusal that is told as often as it is asked for.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{message}")]
pub struct TransactionRefusal {
    /// The broker's code; [`ErrorCode::NetworkException`] where it was not reached.
    pub code: ErrorCode,
    /// What it means.
    pub message: String,
}

impl TransactionRefusal {
    pub(super) fn of(error: &ClientError) -> TransactionRefusal {
        let code = match error {
            error if error.is_retriable() => error.code().unwrap_or(ErrorCode::NetworkException),
            error => error.code().unwrap_or(ErrorCode::UnknownServerError),
        };
        let message = match code {
            ErrorCode::ProducerFenced => FENCED.to_owned(),
            _ => error.to_string(),
        };
        TransactionRefusal { code, message }
    }
}

/// In the words of Kafka's producer.
pub(super) const FENCED: &str =
    "There is a newer producer with the same transactionalId which fences the current one.";

impl From<TransactionRefusal> for ClientError {
    fn from(refusal: TransactionRefusal) -> ClientError {
        ClientError::Refused { code: refusal.code, message: Some(refusal.message) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Between two transactions.
    Ready,
    /// Records and offsets may be added.
    Open,
    /// Something of the transaction is lost.
    Abortable(TransactionRefusal),
    /// Its end is under way.
    Ending(Outcome),
    /// Over and out.
    Fatal(TransactionRefusal),
}

/// The transactions of a producer, one after the other.
#[derive(Debug)]
pub(super) struct Transaction {
    id: String,
    identity: Identity,
    is_implicit: bool,
    state: State,
    /// The partitions that are part of it.
    partitions: BTreeSet<Place>,
    has_offsets: bool,
    /// Whether something was given up: it may leave a gap in the sequence of a partition, or be known to the coordinator all the
    /// same, which only a new epoch puts right.
    needs_epoch: bool,
}

impl Transaction {
    /// That of a producer that the coordinator knows by this identity, in a cluster with this level of `transaction.version`.
    pub(super) fn new(id: String, identity: Identity, version: i16) -> Transaction {
        Transaction {
            id,
            identity,
            is_implicit: version >= IMPLICIT_FROM,
            state: State::Ready,
            partitions: BTreeSet::new(),
            has_offsets: false,
            needs_epoch: false,
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn identity(&self) -> Identity {
        self.identity
    }

    /// Whether the brokers add partitions and groups, without being asked by the producer.
    pub(super) fn is_implicit(&self) -> bool {
        self.is_implicit
    }

    /// Opens a transaction.
    pub(super) fn begin(&mut self) -> Result<(), TransactionError> {
        match &self.state {
            State::Ready => self.state = State::Open,
            State::Fatal(refusal) => return Err(TransactionError::Fatal(refusal.clone())),
            _ => return Err(misplaced("begin a transaction", "the one before has not ended")),
        }
        Ok(())
    }

    /// Whether records and offsets can be added now.
    pub(super) fn check_open(&self) -> Result<(), TransactionError> {
        match &self.state {
            State::Open => Ok(()),
            State::Ready => Err(misplaced("send", "no transaction has begun")),
            State::Ending(_) => Err(misplaced("send", "the transaction ends")),
            State::Abortable(refusal) => Err(TransactionError::Abortable(refusal.clone())),
            State::Fatal(refusal) => Err(TransactionError::Fatal(refusal.clone())),
        }
    }

    /// The partitions of which the coordinator must be told before records go there.
    ///
    /// # Errors
    /// If no record may go anywhere any more.
    pub(super) fn missing<'a>(&self, places: &'a [Place]) -> Result<Vec<&'a Place>, TransactionRefusal> {
        match &self.state {
            State::Fatal(refusal) => Err(refusal.clone()),
            // Not the code of the reason, which may be one that is worth another try.
            State::Abortable(reason) => Err(aborted(&reason.message)),
            State::Ending(Outcome::Abort) => {
                Err(aborted("the transaction was aborted before the record was sent"))
            }
            _ => Ok(places.iter().filter(|place| !self.partitions.contains(*place)).collect()),
        }
    }

    /// Partitions that are part of the transaction from now on.
    pub(super) fn add<'a>(&mut self, places: impl IntoIterator<Item = &'a Place>) {
        self.partitions.extend(places.into_iter().cloned());
    }

    /// Offsets are part of the transaction from now on.
    pub(super) fn add_offsets(&mut self) {
        self.has_offsets = true;
    }

    /// A batch was given up.
    pub(super) fn lose(&mut self, error: &ClientError) {
        let mut refusal = TransactionRefusal::of(error);
        if refusal.code == ErrorCode::InvalidProducerEpoch {
            let Identity { id, epoch, .. } = self.identity;
            // In the words of Kafka's producer.
            refusal.message = format!(
                "Producer with transactionalId '{}' and (producerId={id}, epoch={epoch}) attempted to produce with an \
                 old epoch",
                self.id
            );
        }
        self.fail(of_delivery(error), refusal);
    }

    /// Something went wrong. What is being aborted already loses nothing by it, and what is over stays over.
    pub(super) fn fail(&mut self, severity: Severity, refusal: TransactionRefusal) {
        match (&self.state, severity) {
            (State::Fatal(_), _) => {}
            (_, Severity::Fatal) => self.state = State::Fatal(refusal),
            (State::Open | State::Ending(Outcome::Commit), Severity::Abortable) => {
                self.state = State::Abortable(refusal);
                self.needs_epoch = true;
            }
            (State::Ready | State::Abortable(_) | State::Ending(Outcome::Abort), Severity::Abortable) => {
                self.needs_epoch = true;
            }
        }
    }

    /// What the state says of an error that has been noted, for who has made the call.
    pub(super) fn error(&self, refusal: TransactionRefusal) -> TransactionError {
        match &self.state {
            State::Fatal(refusal) => TransactionError::Fatal(refusal.clone()),
            State::Ending(_) => TransactionError::Unknown(refusal),
            _ => TransactionError::Abortable(refusal),
        }
    }

    /// Begins to abort, after which no more records leave.
    pub(super) fn begin_abort(&mut self) -> Result<(), TransactionError> {
        match &self.state {
            State::Open | State::Abortable(_) | State::Ending(Outcome::Abort) => {
                self.state = State::Ending(Outcome::Abort);
                Ok(())
            }
            _ => Err(self.not_now(Outcome::Abort)),
        }
    }

    /// Begins to commit, when the fate of every record is known.
    pub(super) fn begin_commit(&mut self) -> Result<(), TransactionError> {
        match &self.state {
            State::Open | State::Ending(Outcome::Commit) => {
                self.state = State::Ending(Outcome::Commit);
                Ok(())
            }
            State::Abortable(refusal) => Err(TransactionError::Abortable(refusal.clone())),
            _ => Err(self.not_now(Outcome::Commit)),
        }
    }

    fn not_now(&self, wanted: Outcome) -> TransactionError {
        match &self.state {
            State::Fatal(refusal) => TransactionError::Fatal(refusal.clone()),
            State::Ending(_) => {
                misplaced(wanted.call(), "the end that was asked for before is not known yet")
            }
            _ => misplaced(wanted.call(), "no transaction has begun"),
        }
    }

    /// Whether the coordinator knows of the transaction.
    pub(super) fn is_known(&self) -> bool {
        self.has_offsets || !self.partitions.is_empty()
    }

    /// The transaction has ended, and the producer is known by this identity.
    pub(super) fn end(&mut self, identity: Identity) {
        self.needs_epoch &= identity == self.identity;
        self.identity = identity;
        self.partitions.clear();
        self.has_offsets = false;
        if !matches!(self.state, State::Fatal(_)) {
            self.state = State::Ready;
        }
    }

    /// Whether the producer needs a new epoch before it sends again.
    pub(super) fn needs_epoch(&self) -> bool {
        self.needs_epoch
    }
}

fn aborted(why: &str) -> TransactionRefusal {
    TransactionRefusal { code: ErrorCode::TransactionAbortable, message: why.to_owned() }
}

fn misplaced(call: &'static str, why: &'static str) -> TransactionError {
    TransactionError::Misplaced { call, why }
}

#[cfg(test)]
mod tests;
