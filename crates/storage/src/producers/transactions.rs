//! Transactions that keep the last stable offset back.

use std::collections::BTreeMap;

/// Open transactions, and those that have ended but not yet below the high watermark; both by their first offset.
#[derive(Clone, Debug, Default)]
pub(super) struct Transactions {
    /// Producer ids.
    open: BTreeMap<i64, i64>,
    /// Offsets of the markers.
    ended: BTreeMap<i64, i64>,
}

impl Transactions {
    pub(super) fn begin(&mut self, first_offset: i64, producer_id: i64) {
        self.open.insert(first_offset, producer_id);
    }

    /// Ends a transaction at the offset of its marker, and gives the last stable offset that an index entry is to have: where
    /// the oldest of the others begins, or after the marker.
    pub(super) fn end(&mut self, first_offset: i64, marker_offset: i64) -> i64 {
        self.open.remove(&first_offset);
        self.ended.insert(first_offset, marker_offset);
        self.open.first_key_value().map_or(marker_offset + 1, |(first_offset, _)| *first_offset)
    }

    pub(super) fn first_unstable_offset(&self) -> Option<i64> {
        let first = |map: &BTreeMap<i64, i64>| map.first_key_value().map(|(first_offset, _)| *first_offset);
        [first(&self.open), first(&self.ended)].into_iter().flatten().min()
    }

    pub(super) fn forget_ended_below(&mut self, high_watermark: i64) {
        if !self.ended.is_empty() {
            self.ended.retain(|_, marker_offset| *marker_offset >= high_watermark);
        }
    }
}
