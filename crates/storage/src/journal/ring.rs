//! Where in the ring the next frame goes, by numbers alone.

use std::collections::VecDeque;

use super::Lsn;
use super::file::{RING_START, Superblock};

/// A frame in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameMark {
    pub(super) position: u64,
    pub(super) bytes: u64,
    pub(super) sequence: u64,
    /// Number of its last entry, whether or not that ends here.
    pub(super) last_lsn: u64,
    /// Which life of the broker wrote it.
    pub(super) session: u64,
}

/// The space of the ring. All positions are in the file.
#[derive(Debug)]
pub(super) struct Ring {
    end: u64,
    /// Where the next frame goes if there is room.
    head: u64,
    next_sequence: u64,
    /// Frames that are needed still, in their order.
    live: VecDeque<FrameMark>,
    used_bytes: u64,
}

impl Ring {
    /// A ring of so many bytes without frames.
    pub(super) fn empty(bytes: u64, head: u64, next_sequence: u64) -> Ring {
        Ring { end: RING_START + bytes, head, next_sequence, live: VecDeque::new(), used_bytes: 0 }
    }

    /// A ring with these frames.
    pub(super) fn with(bytes: u64, superblock: &Superblock, marks: Vec<FrameMark>) -> Ring {
        let mut ring = Ring::empty(bytes, superblock.tail_position, superblock.tail_sequence);
        marks.into_iter().for_each(|mark| ring.push(mark));
        ring
    }

    /// Its size.
    pub(super) fn capacity(&self) -> u64 {
        self.end - RING_START
    }

    /// Bytes in live frames.
    pub(super) fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// The sequence of the next frame.
    pub(super) fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Where a frame of so many bytes goes, if there is room: after the last frame, or at the start of the ring.
    pub(super) fn place(&self, bytes: u64) -> Option<u64> {
        let Some(tail) = self.live.front().map(|mark| mark.position) else {
            // Nothing is live.
            let at = if self.head + bytes <= self.end { self.head } else { RING_START };
            return (at + bytes <= self.end).then_some(at);
        };
        let fits = |at: u64, end: u64| (at + bytes <= end).then_some(at);
        if tail < self.head {
            fits(self.head, self.end).or_else(|| fits(RING_START, tail))
        } else {
            fits(self.head, tail)
        }
    }

    /// Notes a frame at the place that was given for it.
    pub(super) fn push(&mut self, mark: FrameMark) {
        self.head = mark.position + mark.bytes;
        self.next_sequence = mark.sequence + 1;
        self.used_bytes += mark.bytes;
        self.live.push_back(mark);
    }

    pub(super) fn grow(&mut self, bytes: u64) {
        self.end = self.end.max(RING_START + bytes);
    }

    /// How many of the live frames hold nothing behind this entry.
    fn released_by(&self, up_to: Lsn) -> usize {
        self.live.partition_point(|mark| mark.last_lsn <= up_to.0)
    }

    /// The superblock that lets go of the frames up to this entry; none if there are none.
    pub(super) fn superblock_after(&self, up_to: Lsn, current: &Superblock) -> Option<Superblock> {
        let count = self.released_by(up_to);
        let last = self.live.get(count.checked_sub(1)?)?;
        let next = self.live.get(count);
        Some(Superblock {
            journal_id: current.journal_id,
            number: current.number + 1,
            tail_position: next.map_or(last.position + last.bytes, |mark| mark.position),
            tail_sequence: last.sequence + 1,
            tail_lsn: last.last_lsn + 1,
            session: last.session,
        })
    }

    /// Lets go of the frames up to this entry.
    pub(super) fn release(&mut self, up_to: Lsn) {
        let count = self.released_by(up_to);
        self.used_bytes -= self.live.drain(..count).map(|mark| mark.bytes).sum::<u64>();
        if self.live.is_empty() {
            self.live.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(ring: &mut Ring, bytes: u64) -> Option<u64> {
        let position = ring.place(bytes)?;
        let sequence = ring.next_sequence();
        ring.push(FrameMark { position, bytes, sequence, last_lsn: sequence, session: 1 });
        Some(position - RING_START)
    }

    #[test]
    fn frames_follow_each_other_and_wrap_only_into_what_is_free() {
        let mut ring = Ring::empty(100, RING_START, 1);
        assert_eq!(
            [push(&mut ring, 40), push(&mut ring, 40), push(&mut ring, 40)],
            [Some(0), Some(40), None]
        );
        ring.release(Lsn(1));
        assert_eq!([push(&mut ring, 30), push(&mut ring, 20)], [Some(0), None]);
        assert_eq!([push(&mut ring, 10), push(&mut ring, 1)], [Some(30), None]);
        assert_eq!(ring.used_bytes(), 80);
        ring.release(Lsn(2));
        assert_eq!(push(&mut ring, 50), Some(40));
        ring.release(Lsn(5));
        assert_eq!((ring.used_bytes(), push(&mut ring, 95)), (0, Some(0)));
    }

    #[test]
    fn a_ring_that_grew_while_it_was_wrapped_uses_its_new_end_later() {
        let mut ring = Ring::empty(100, RING_START, 1);
        push(&mut ring, 60);
        push(&mut ring, 40);
        ring.release(Lsn(1));
        assert_eq!(push(&mut ring, 50), Some(0));
        ring.grow(200);
        assert_eq!(push(&mut ring, 50), None);
        ring.release(Lsn(2));
        assert_eq!([push(&mut ring, 140), push(&mut ring, 20)], [Some(50), None]);
    }

    #[test]
    fn the_superblock_points_at_the_first_frame_that_stays() {
        let mut ring = Ring::empty(100, RING_START, 1);
        let superblock = Superblock {
            journal_id: 1,
            number: 1,
            tail_position: RING_START,
            tail_sequence: 1,
            tail_lsn: 1,
            session: 1,
        };
        push(&mut ring, 10);
        push(&mut ring, 20);
        assert_eq!(ring.superblock_after(Lsn(0), &superblock), None);
        let after = ring.superblock_after(Lsn(1), &superblock).unwrap();
        assert_eq!((after.tail_position, after.tail_sequence, after.number), (RING_START + 10, 2, 2));
        let after = ring.superblock_after(Lsn(2), &superblock).unwrap();
        assert_eq!((after.tail_position, after.tail_sequence), (RING_START + 30, 3));
    }
}
