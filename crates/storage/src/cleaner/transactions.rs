//! Which transactions' records and markers may go. Pure.
//!
//! Records of aborted transactions go at once. A marker stays until all records of its transaction are gone, and then for as long as
//! a tombstone, so that no reader misses it (KIP-534).

use std::collections::{HashMap, HashSet, VecDeque};

use protocol::records::{BatchHeader, EndTxn};

use crate::files::transaction_index::AbortedTransaction;

/// The transactions of a log while its batches pass by in order.
#[derive(Debug, Default)]
pub(super) struct CleanedTransactions {
    /// Those to come, by first offset.
    aborted: VecDeque<AbortedTransaction>,
    /// By producer; with whether any batch of it was seen.
    aborting: HashMap<i64, (AbortedTransaction, bool)>,
    /// Producers of committed ones of which a batch was seen.
    committing: HashSet<i64>,
}

/// What a marker is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MarkerUse {
    /// Nothing of its transaction is left.
    pub(super) is_idle: bool,
    /// What the transaction index has to say still.
    pub(super) index_entry: Option<AbortedTransaction>,
}

impl CleanedTransactions {
    /// With all aborted transactions that the batches to come may belong to.
    pub(super) fn new(mut aborted: Vec<AbortedTransaction>) -> CleanedTransactions {
        aborted.sort_unstable_by_key(|entry| entry.first_offset);
        CleanedTransactions { aborted: aborted.into(), ..CleanedTransactions::default() }
    }

    /// Takes in a batch of records, and says whether its transaction was aborted.
    pub(super) fn see_records(&mut self, batch: &BatchHeader) -> bool {
        self.begin_up_to(batch.last_offset());
        if !batch.is_transactional() {
            return false;
        }
        if let Some((_, seen)) = self.aborting.get_mut(&batch.producer_id) {
            *seen = true;
            return true;
        }
        self.committing.insert(batch.producer_id);
        false
    }

    /// Takes in a control batch; `marker` is what it says if it ends a transaction.
    pub(super) fn see_control(&mut self, batch: &BatchHeader, marker: Option<EndTxn>) -> MarkerUse {
        self.begin_up_to(batch.last_offset());
        let idle = |is_idle| MarkerUse { is_idle, index_entry: None };
        match marker {
            Some(EndTxn { committed: true, .. }) => idle(!self.committing.remove(&batch.producer_id)),
            Some(EndTxn { committed: false, .. }) => match self.aborting.remove(&batch.producer_id) {
                Some((entry, true)) => MarkerUse { is_idle: false, index_entry: Some(entry) },
                _ => idle(true),
            },
            // One without records was cleaned before.
            None => idle(batch.records_count == 0),
        }
    }

    fn begin_up_to(&mut self, offset: i64) {
        while let Some(next) = self.aborted.front().filter(|next| next.first_offset <= offset) {
            self.aborting.entry(next.producer_id).or_insert((*next, false));
            self.aborted.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::compression::Compression;
    use protocol::records::BatchBuilder;

    fn batch(offset: i64, producer_id: i64) -> BatchHeader {
        let builder =
            BatchBuilder::new(offset, Compression::None).producer(producer_id, 0, 0).transactional();
        BatchHeader::parse(&builder.append(1, Some(b"k"), None, &[]).build()).expect("a batch")
    }

    fn aborted(producer_id: i64, first_offset: i64, last_offset: i64) -> AbortedTransaction {
        AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset: last_offset + 1 }
    }

    fn end(committed: bool) -> Option<EndTxn> {
        Some(EndTxn { committed, coordinator_epoch: 0 })
    }

    #[test]
    fn a_marker_is_idle_once_nothing_of_its_transaction_is_left() {
        let entry = aborted(1, 0, 5);
        let mut transactions = CleanedTransactions::new(vec![aborted(1, 20, 21), entry]);
        assert!(transactions.see_records(&batch(0, 1)) && !transactions.see_records(&batch(1, 2)));
        assert_eq!(
            transactions.see_control(&batch(4, 2), end(true)),
            MarkerUse { is_idle: false, index_entry: None }
        );
        let abort = transactions.see_control(&batch(5, 1), end(false));
        assert_eq!(abort, MarkerUse { is_idle: false, index_entry: Some(entry) });
        for (offset, committed) in [(6, true), (7, false), (21, false)] {
            let marker = transactions.see_control(&batch(offset, 1), end(committed));
            assert_eq!(marker, MarkerUse { is_idle: true, index_entry: None }, "{offset}");
        }
    }

    #[test]
    fn a_producer_that_aborts_once_may_commit_before_and_after() {
        let mut transactions = CleanedTransactions::new(vec![aborted(1, 10, 12)]);
        assert!(!transactions.see_records(&batch(0, 1)));
        assert!(!transactions.see_control(&batch(1, 1), end(true)).is_idle);
        assert!(transactions.see_records(&batch(10, 1)));
        assert!(!transactions.see_control(&batch(12, 1), end(false)).is_idle);
        assert!(!transactions.see_records(&batch(13, 1)));
        assert!(!transactions.see_control(&batch(14, 1), end(true)).is_idle);
    }

    #[test]
    fn control_batches_of_other_kinds_stay_and_empty_ones_go() {
        let mut transactions = CleanedTransactions::default();
        assert!(!transactions.see_control(&batch(0, 1), None).is_idle);
        let empty = BatchHeader { records_count: 0, ..batch(1, 1) };
        assert!(transactions.see_control(&empty, None).is_idle);
    }
}
