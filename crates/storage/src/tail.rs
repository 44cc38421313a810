//! The newest batches of a log, in memory: those that are not in a segment yet, and before them some that are.

use std::collections::VecDeque;

use bytes::Bytes;

/// A batch in memory.
#[derive(Clone, Debug)]
pub(crate) struct TailBatch {
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    pub(crate) max_timestamp: i64,
    /// Whether a segment begins with it.
    pub(crate) rolls: bool,
    pub(crate) bytes: Bytes,
}

impl TailBatch {
    /// What it takes of the memory budget, in bytes.
    fn cost(&self) -> usize {
        self.bytes.len() + size_of::<TailBatch>()
    }
}

/// Batches in the order of their offsets.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    batches: VecDeque<TailBatch>,
    /// How many of the first ones are in a segment too.
    destaged: usize,
    /// The offset after the last batch, or of the first one to come.
    end_offset: i64,
}

impl Tail {
    pub(crate) fn starting_at(end_offset: i64) -> Tail {
        Tail { batches: VecDeque::new(), destaged: 0, end_offset }
    }

    /// Where the log ends, exclusive.
    pub(crate) fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// Offset of the first batch that is here, or where the next will be. What lies before is in the segments.
    pub(crate) fn start_offset(&self) -> i64 {
        self.batches.front().map_or(self.end_offset, |batch| batch.base_offset)
    }

    /// Adds a batch and says what it costs.
    pub(crate) fn push(&mut self, batch: TailBatch) -> usize {
        let cost = batch.cost();
        self.end_offset = batch.last_offset + 1;
        self.batches.push_back(batch);
        cost
    }

    /// The first batch that ends at this offset or later.
    fn index_of(&self, offset: i64) -> usize {
        self.batches.partition_point(|batch| batch.last_offset < offset)
    }

    /// Batches from the one that holds an offset on, which end below a limit, of at most so many bytes, or one that is larger if
    /// `min_one`.
    pub(crate) fn read(&self, offset: i64, limit: i64, max_bytes: usize, min_one: bool) -> Vec<Bytes> {
        let mut bytes = 0;
        let within = |batch: &&TailBatch| {
            bytes += batch.bytes.len();
            batch.last_offset < limit && bytes <= max_bytes
        };
        let start = self.index_of(offset);
        let mut slices: Vec<Bytes> =
            self.batches.range(start..).take_while(within).map(|batch| batch.bytes.clone()).collect();
        if slices.is_empty() && min_one {
            let first = self.batches.get(start).filter(|batch| batch.last_offset < limit);
            slices.extend(first.map(|batch| batch.bytes.clone()));
        }
        slices
    }

    /// Bytes of the batches that are here, and of those of them that are in no segment yet.
    pub(crate) fn bytes(&self) -> (usize, usize) {
        let sum = |from: usize| self.batches.range(from..).map(|batch| batch.bytes.len()).sum();
        (sum(0), sum(self.destaged))
    }

    /// The batches that end at an offset or later, for a look at each.
    pub(crate) fn since(&self, offset: i64) -> impl Iterator<Item = &TailBatch> {
        self.batches.range(self.index_of(offset)..)
    }

    /// The next batches for the segment: they end below a limit and belong to one segment, at most so many bytes or one batch.
    pub(crate) fn next_to_destage(&self, limit: i64, max_bytes: usize) -> Vec<TailBatch> {
        let mut run = Vec::new();
        let mut bytes = 0;
        for batch in self.batches.range(self.destaged..) {
            bytes += batch.bytes.len();
            let fits = run.is_empty() || (bytes <= max_bytes && !batch.rolls);
            if batch.last_offset >= limit || !fits {
                break;
            }
            run.push(batch.clone());
        }
        run
    }

    /// The next batches are in a segment now.
    pub(crate) fn note_destaged(&mut self, count: usize) {
        self.destaged += count;
    }

    /// Lets go of batches below an offset that are in a segment, and says what they cost.
    pub(crate) fn evict_below(&mut self, offset: i64) -> usize {
        let count = self.index_of(offset).min(self.destaged);
        self.destaged -= count;
        let freed = self.batches.drain(..count).map(|batch| batch.cost()).sum();
        if self.batches.is_empty() {
            self.batches.shrink_to_fit();
        }
        freed
    }

    /// Forgets all batches, but not where they end, and says what they cost.
    pub(crate) fn clear(&mut self) -> usize {
        self.destaged = 0;
        std::mem::take(&mut self.batches).iter().map(TailBatch::cost).sum()
    }

    /// The batches from an offset on have to be written to a segment again.
    pub(crate) fn undestage_from(&mut self, offset: i64) {
        self.destaged = self.destaged.min(self.index_of(offset));
    }

    /// Forgets all from an offset on, which becomes the end, and says what that cost.
    pub(crate) fn cut(&mut self, end_offset: i64) -> usize {
        let index = self.index_of(end_offset);
        self.destaged = self.destaged.min(index);
        self.end_offset = end_offset;
        self.batches.drain(index..).map(|batch| batch.cost()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(base_offset: i64, records: i64, rolls: bool) -> TailBatch {
        let last_offset = base_offset + records - 1;
        TailBatch {
            base_offset,
            last_offset,
            max_timestamp: -1,
            rolls,
            bytes: Bytes::from(vec![base_offset as u8; 10]),
        }
    }

    fn tail() -> Tail {
        let mut tail = Tail::starting_at(10);
        for (base_offset, rolls) in [(10, true), (12, false), (14, true), (16, false)] {
            tail.push(batch(base_offset, 2, rolls));
        }
        tail
    }

    fn firsts(slices: &[Bytes]) -> Vec<u8> {
        slices.iter().map(|bytes| bytes[0]).collect()
    }

    #[test]
    fn whole_batches_are_read_up_to_the_limits() {
        let tail = tail();
        assert_eq!(firsts(&tail.read(13, 18, 100, false)), [12, 14, 16]);
        assert_eq!(firsts(&tail.read(13, 16, 100, false)), [12, 14]);
        assert_eq!(firsts(&tail.read(10, 18, 25, false)), [10, 12]);
        assert_eq!(firsts(&tail.read(10, 18, 5, true)), [10]);
        assert!(tail.read(10, 18, 5, false).is_empty() && tail.read(10, 10, 5, true).is_empty());
    }

    #[test]
    fn batches_go_to_their_segments_in_order_and_may_be_forgotten_then() {
        let mut tail = tail();
        let run = |tail: &Tail, limit, bytes| {
            tail.next_to_destage(limit, bytes).iter().map(|b| b.base_offset).collect::<Vec<_>>()
        };
        assert_eq!(run(&tail, 18, 100), [10, 12]);
        assert_eq!(run(&tail, 18, 1), [10]);
        assert!(run(&tail, 11, 100).is_empty());
        tail.note_destaged(2);
        assert_eq!(run(&tail, 18, 100), [14, 16]);
        assert!(tail.evict_below(16) > 20);
        assert_eq!((tail.start_offset(), tail.end_offset()), (14, 18));
        assert_eq!(tail.evict_below(16), 0);
    }

    #[test]
    fn a_cut_tail_ends_where_it_was_cut() {
        let mut tail = tail();
        tail.note_destaged(4);
        tail.cut(14);
        assert_eq!((tail.start_offset(), tail.end_offset()), (10, 14));
        assert!(tail.next_to_destage(18, 100).is_empty());
        tail.push(batch(14, 1, false));
        assert_eq!(tail.next_to_destage(18, 100).len(), 1);
    }
}
