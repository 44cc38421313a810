//! What a partition knows of its idempotent and transactional producers (KIP-98, KIP-360), by rules alone: no file, no clock.
//!
//! A batch is first [checked](Producers::check), which changes nothing, and [recorded](Producers::record) once it has its offsets.
//! Recovery records batches without checking them.

mod state;
mod transactions;

use std::collections::HashMap;

use protocol::ErrorCode;
use protocol::records::{BatchHeader, EndTxn};
use thiserror::Error;

use state::ProducerState;
pub use state::{BATCHES_MAX, Duplicate};
use transactions::Transactions;

use crate::files::producer_snapshot::ProducerEntry;
use crate::files::transaction_index::AbortedTransaction;

/// Who appends a batch, which decides how strictly it is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSource {
    /// A producer.
    Client,
    /// A coordinator of this cluster.
    Coordinator,
}

/// What to do with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is to be appended.
    New,
    /// It is there already: the producer did not see the answer, and is to get it again.
    Duplicate(Duplicate),
}

/// Why a batch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProducerError {
    /// A newer instance of the producer has written.
    #[error("producer {producer_id} has epoch {current}, the batch {epoch}")]
    StaleEpoch {
        /// The producer.
        producer_id: i64,
        /// Its epoch in the batch.
        epoch: i16,
        /// The newest epoch that was seen.
        current: i16,
    },
    /// A batch is missing in between, or it is older than the last five.
    #[error("the sequence of producer {producer_id} goes on after {last}, the batch has {sequence}")]
    OutOfOrderSequence {
        /// The producer.
        producer_id: i64,
        /// Sequence of the batch's first record.
        sequence: i32,
        /// The last sequence that was appended, or -1.
        last: i32,
    },
    /// A batch outside of the transaction that the producer has open.
    #[error("producer {0} has a transaction open and wrote outside of it")]
    NotTransactional(i64),
    /// A transaction coordinator that is no longer in charge.
    #[error("the marker comes from coordinator epoch {epoch}, newer is {current}")]
    CoordinatorFenced {
        /// The epoch in the marker.
        epoch: i32,
        /// The newest epoch that was seen.
        current: i32,
    },
}

impl ProducerError {
    /// What to answer.
    pub fn code(self) -> ErrorCode {
        match self {
            ProducerError::StaleEpoch { .. } => ErrorCode::InvalidProducerEpoch,
            ProducerError::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
            ProducerError::NotTransactional(_) => ErrorCode::InvalidTxnState,
            ProducerError::CoordinatorFenced { .. } => ErrorCode::TransactionCoordinatorFenced,
        }
    }
}

/// The last that a producer has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRecord {
    /// Offset of its last record; none if it wrote nothing but markers in its epoch.
    pub data_offset: Option<i64>,
    /// Its epoch.
    pub epoch: i16,
}

/// The producers of one partition and their transactions.
#[derive(Clone, Debug, Default)]
pub struct Producers {
    // Boxed so that the table of a partition with one producer stays small.
    states: HashMap<i64, Box<ProducerState>>,
    transactions: Transactions,
}

impl Producers {
    /// From the entries of a snapshot; producers that have expired are left out.
    pub fn from_snapshot(entries: &[ProducerEntry], now_ms: i64, expiration_ms: i64) -> Producers {
        let mut producers = Producers::default();
        for entry in entries {
            let state = ProducerState::from_entry(entry);
            if let Some(first_offset) = state.transaction() {
                producers.transactions.begin(first_offset, entry.producer_id);
            }
            producers.states.insert(entry.producer_id, Box::new(state));
        }
        producers.expire(now_ms, expiration_ms);
        producers
    }

    /// The entries of a snapshot, by producer id.
    pub fn to_snapshot(&self) -> Vec<ProducerEntry> {
        let mut entries: Vec<_> = self.states.iter().map(|(id, state)| state.to_entry(*id)).collect();
        entries.sort_unstable_by_key(|entry| entry.producer_id);
        entries
    }

    /// What compaction has to leave of each producer.
    pub fn last_records(&self) -> HashMap<i64, LastRecord> {
        self.states.iter().map(|(id, state)| (*id, state.last_record())).collect()
    }

    /// Number of producers.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether no producer is known.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Whether the producer has a transaction open.
    pub fn has_transaction(&self, producer_id: i64) -> bool {
        self.states.get(&producer_id).is_some_and(|state| state.transaction().is_some())
    }

    /// Decides about a batch, whose offsets do not matter yet. `marker` is what it says if it ends a transaction.
    pub fn check(
        &self,
        batch: &BatchHeader,
        marker: Option<EndTxn>,
        source: BatchSource,
    ) -> Result<Admission, ProducerError> {
        let Some(state) = batch.has_producer_id().then(|| self.states.get(&batch.producer_id)).flatten()
        else {
            return Ok(Admission::New);
        };
        if let Some(marker) = marker {
            return state.check_marker(batch, marker).map(|()| Admission::New);
        }
        if source == BatchSource::Client
            && let Some(duplicate) = state.duplicate(batch)
        {
            return Ok(Admission::Duplicate(duplicate));
        }
        state.check_epoch(batch)?;
        if source == BatchSource::Client {
            state.check_sequence(batch)?;
        }
        state.check_transactional(batch)?;
        Ok(Admission::New)
    }

    /// Notes a batch that was appended, with its final offsets and timestamps. If it aborted a transaction, the entry of the
    /// transaction index is returned.
    pub fn record(&mut self, batch: &BatchHeader, marker: Option<EndTxn>) -> Option<AbortedTransaction> {
        if !batch.has_producer_id() {
            return None;
        }
        let state =
            self.states.entry(batch.producer_id).or_insert_with(|| Box::new(ProducerState::new(batch)));
        let Some(marker) = marker else {
            // A control batch that is no end marker, of a type to come, belongs to no transaction.
            if !batch.is_control() && state.record(batch) {
                self.transactions.begin(batch.base_offset, batch.producer_id);
            }
            return None;
        };
        let first_offset = state.record_marker(batch, marker)?;
        let last_stable_offset = self.transactions.end(first_offset, batch.last_offset());
        (!marker.committed).then_some(AbortedTransaction {
            producer_id: batch.producer_id,
            first_offset,
            last_offset: batch.last_offset(),
            last_stable_offset,
        })
    }

    /// The first offset of a transaction that is open, or whose marker is not below the high watermark yet. The last stable
    /// offset is this or the high watermark, whichever is lower.
    pub fn first_unstable_offset(&self) -> Option<i64> {
        self.transactions.first_unstable_offset()
    }

    /// Notes that all below this offset, exclusive, is replicated: transactions that ended there are stable.
    pub fn high_watermark_moved(&mut self, high_watermark: i64) {
        self.transactions.forget_ended_below(high_watermark);
    }

    /// Forgets producers that have not written for so long and have no transaction open. Returns how many.
    pub fn expire(&mut self, now_ms: i64, expiration_ms: i64) -> usize {
        let before = self.states.len();
        self.states.retain(|_, state| !state.is_expired(now_ms, expiration_ms));
        if self.states.is_empty() {
            self.states.shrink_to_fit();
        }
        before - self.states.len()
    }
}

#[cfg(test)]
mod tests;
