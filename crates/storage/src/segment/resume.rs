//! Where readers stopped: they will go on there, and then nobody has to look for the place.

use parking_lot::Mutex;

/// Readers of one segment whose places are remembered.
const PLACES_MAX: usize = 4;

/// Places in a segment, by offset.
#[derive(Default)]
pub(super) struct ResumePlaces {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// How often the segment was cut. What was found before counts no more.
    cuts: u32,
    /// Offset and position, the oldest first.
    places: Vec<(i64, u64)>,
}

impl ResumePlaces {
    /// How often the segment was cut so far.
    pub(super) fn cuts(&self) -> u32 {
        self.known.lock().cuts
    }

    /// The position of the batch that begins at this offset, if a reader has stopped before it.
    pub(super) fn get(&self, offset: i64) -> Option<u64> {
        let known = self.known.lock();
        known.places.iter().find(|(at, _)| *at == offset).map(|(_, position)| *position)
    }

    /// Notes the position of the batch that begins at an offset, unless the segment was cut since `cuts` was read.
    pub(super) fn note(&self, cuts: u32, offset: i64, position: u64) {
        let mut known = self.known.lock();
        if known.cuts != cuts || known.places.iter().any(|(at, _)| *at == offset) {
            return;
        }
        if known.places.len() == PLACES_MAX {
            known.places.remove(0);
        }
        known.places.push((offset, position));
    }

    /// The segment is cut.
    pub(super) fn forget(&self) {
        let mut known = self.known.lock();
        known.cuts += 1;
        known.places = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_places_are_known_and_none_from_before_a_cut() {
        let places = ResumePlaces::default();
        let cuts = places.cuts();
        (0..6).for_each(|at| places.note(cuts, at, at as u64 * 100));
        assert_eq!([0, 1, 2, 5].map(|at| places.get(at)), [None, None, Some(200), Some(500)]);
        places.forget();
        places.note(cuts, 7, 700);
        assert_eq!([2, 5, 7].map(|at| places.get(at)), [None; 3]);
        places.note(places.cuts(), 7, 800);
        assert_eq!(places.get(7), Some(800));
    }
}
