//! Where in the log the entries of openraft are.

use std::collections::VecDeque;

/// A batch of the log as an entry of openraft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of the entry.
    pub(crate) index: u64,
    /// The epoch of the leader that appended it: its term.
    pub(crate) epoch: i32,
    /// Offset of its first record.
    pub(crate) base_offset: i64,
    /// The offset after its last record.
    pub(crate) end_offset: i64,
}

#[derive(Clone, Copy, Debug)]
struct Batch {
    base_offset: i64,
    epoch: i32,
}

/// The batches behind the newest snapshot, numbered.
///
/// The log does not say how many batches lie before it, nor does the snapshot. So the last that the snapshot covers gets the
/// number of its last record, which is at least that many and never goes back.
#[derive(Debug)]
pub(crate) struct IndexMap {
    /// The last entry that is only in the snapshot: its index and epoch.
    purged: Option<(u64, i32)>,
    batches: VecDeque<Batch>,
    end_offset: i64,
}

impl IndexMap {
    /// Nothing behind a snapshot that ends there, exclusive, and whose last record is of this epoch. An end of 0 is no snapshot.
    pub(crate) fn behind_snapshot(end_offset: i64, epoch: i32) -> IndexMap {
        let last_index = u64::try_from(end_offset - 1).ok();
        IndexMap { purged: last_index.map(|index| (index, epoch)), batches: VecDeque::new(), end_offset }
    }

    fn first_index(&self) -> u64 {
        self.purged.map_or(0, |(index, _)| index + 1)
    }

    /// Adds the next batch and gives it its index.
    pub(crate) fn push(&mut self, base_offset: i64, end_offset: i64, epoch: i32) -> u64 {
        self.batches.push_back(Batch { base_offset, epoch });
        self.end_offset = end_offset;
        self.first_index() + self.batches.len() as u64 - 1
    }

    /// Takes back the entries that begin at an offset or later.
    pub(crate) fn take_back(&mut self, end_offset: i64) {
        while self.batches.back().is_some_and(|batch| batch.base_offset >= end_offset) {
            self.batches.pop_back();
        }
        self.end_offset = end_offset;
    }

    /// The entry of this index, if it is here.
    pub(crate) fn get(&self, index: u64) -> Option<Place> {
        let at = usize::try_from(index.checked_sub(self.first_index())?).ok()?;
        let batch = self.batches.get(at)?;
        let end_offset = self.batches.get(at + 1).map_or(self.end_offset, |next| next.base_offset);
        Some(Place { index, epoch: batch.epoch, base_offset: batch.base_offset, end_offset })
    }

    /// Index and epoch of the last entry, be it only in the snapshot.
    pub(crate) fn last(&self) -> Option<(u64, i32)> {
        match self.batches.back() {
            Some(last) => Some((self.first_index() + self.batches.len() as u64 - 1, last.epoch)),
            None => self.purged,
        }
    }

    /// Index and epoch of the last entry that is only in the snapshot.
    pub(crate) fn purged(&self) -> Option<(u64, i32)> {
        self.purged
    }

    /// The offset after the last record.
    pub(crate) fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// Forgets entries up to this index, inclusive: the snapshot has them.
    pub(crate) fn purge(&mut self, index: u64) {
        while self.first_index() <= index {
            let first = self.first_index();
            let Some(batch) = self.batches.pop_front() else { return };
            self.purged = Some((first, batch.epoch));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_batches(snapshot_end: i64) -> IndexMap {
        let mut map = IndexMap::behind_snapshot(snapshot_end, 4);
        map.push(snapshot_end, snapshot_end + 1, 5);
        map.push(snapshot_end + 1, snapshot_end + 10, 5);
        map.push(snapshot_end + 10, snapshot_end + 12, 7);
        map
    }

    #[test]
    fn an_index_counts_batches_and_an_offset_records() {
        let map = three_batches(0);
        let places: Vec<_> = (0..4).map(|index| map.get(index)).collect();
        let place =
            |index, epoch, base_offset, end_offset| Some(Place { index, epoch, base_offset, end_offset });
        assert_eq!(places, [place(0, 5, 0, 1), place(1, 5, 1, 10), place(2, 7, 10, 12), None]);
        assert_eq!((map.last(), map.purged(), map.end_offset()), (Some((2, 7)), None, 12));
    }

    #[test]
    fn indexes_behind_a_snapshot_go_on_from_its_last_record() {
        let map = three_batches(100);
        assert_eq!((map.purged(), map.last()), (Some((99, 4)), Some((102, 7))));
        assert_eq!(map.get(99), None);
        assert_eq!(map.get(100).map(|place| place.base_offset), Some(100));
        let empty = IndexMap::behind_snapshot(100, 4);
        assert_eq!((empty.last(), empty.end_offset()), (Some((99, 4)), 100));
    }

    #[test]
    fn what_a_snapshot_covers_is_forgotten_and_the_rest_keeps_its_index() {
        let mut map = three_batches(0);
        map.purge(1);
        assert_eq!((map.purged(), map.get(1), map.last()), (Some((1, 5)), None, Some((2, 7))));
        assert_eq!(map.get(2).map(|place| place.base_offset), Some(10));
        map.purge(9);
        assert_eq!((map.purged(), map.last()), (Some((2, 7)), Some((2, 7))));
        assert_eq!(map.push(12, 13, 7), 3);
    }
}
