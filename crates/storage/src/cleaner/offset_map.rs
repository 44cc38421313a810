//! For each key of the dirty part of a log, the offset of its last record.
//!
//! Keys are not kept but a hash of 128 bits, as Kafka has it; ours has a secret, so that nobody can choose keys that collide.

use std::hash::Hasher;

use bytemuck::{Pod, Zeroable};
use siphasher::sip128::{Hasher128, SipHasher13};

/// Even the smallest map has room for so many keys.
const SLOTS_MIN: usize = 1024;

/// A place for a key. All zeroes is a free one.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Slot {
    hash: [u64; 2],
    /// The offset and one.
    after: u64,
}

/// Bytes that a key takes.
pub const SLOT_BYTES: usize = size_of::<Slot>();

/// Offsets by key, in memory of a fixed size.
pub struct OffsetMap {
    slots: Box<[Slot]>,
    used: usize,
    used_max: usize,
    latest_offset: i64,
    hasher: SipHasher13,
}

impl OffsetMap {
    /// A map of at most so many bytes, of which a part is to be used, for at most so many keys.
    pub fn new(bytes_max: usize, load_factor: f64, keys_max: usize, secret: &[u8; 16]) -> OffsetMap {
        let load_factor = if load_factor > 0.0 { load_factor.min(1.0) } else { 1.0 };
        // A free slot has to be left, or a search would not end.
        let slots_max = bytes_max / SLOT_BYTES;
        let wanted = (keys_max.min(slots_max) as f64 / load_factor) as usize + 2;
        let slots = wanted.min(slots_max).max(SLOTS_MIN);
        OffsetMap {
            slots: bytemuck::zeroed_slice_box(slots),
            used: 0,
            used_max: ((slots as f64 * load_factor) as usize).min(slots - 1),
            latest_offset: -1,
            hasher: SipHasher13::new_with_key(secret),
        }
    }

    /// Notes that a key has a record at this offset, which lies behind all before. False if the map is full: then nothing is noted.
    pub fn put(&mut self, key: &[u8], offset: i64) -> bool {
        if self.used >= self.used_max {
            return false;
        }
        let hash = self.hash(key);
        let place = self.find(hash);
        let slot = &mut self.slots[place];
        self.used += usize::from(slot.after == 0);
        *slot = Slot { hash, after: offset as u64 + 1 };
        self.note_offset(offset);
        true
    }

    /// The last offset of a key.
    pub fn get(&self, key: &[u8]) -> Option<i64> {
        let slot = &self.slots[self.find(self.hash(key))];
        (slot.after != 0).then(|| slot.after as i64 - 1)
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.used
    }

    /// All records up to this offset are in the map; -1 if there is none.
    pub fn latest_offset(&self) -> i64 {
        self.latest_offset
    }

    /// Says that there is nothing of interest up to this offset.
    pub fn note_offset(&mut self, offset: i64) {
        self.latest_offset = self.latest_offset.max(offset);
    }

    fn hash(&self, key: &[u8]) -> [u64; 2] {
        let mut hasher = self.hasher;
        hasher.write(key);
        let hash = hasher.finish128();
        [hash.h1, hash.h2]
    }

    /// The slot that has this hash, or the free one where it belongs.
    fn find(&self, hash: [u64; 2]) -> usize {
        let count = self.slots.len();
        let mut place = ((u128::from(hash[0]) * count as u128) >> 64) as usize;
        loop {
            let slot = &self.slots[place];
            if slot.after == 0 || slot.hash == hash {
                return place;
            }
            place = if place + 1 == count { 0 } else { place + 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn map(bytes: usize, load: f64, keys: usize) -> OffsetMap {
        OffsetMap::new(bytes, load, keys, &[7; 16])
    }

    #[test]
    fn the_last_offset_of_every_key_is_known() {
        let mut map = map(1 << 20, 0.9, 30_000);
        let mut known = HashMap::new();
        for offset in 0..60_000_i64 {
            let key = (offset * offset % 20_011).to_be_bytes();
            assert!(map.put(&key, offset));
            known.insert(key, offset);
        }
        assert_eq!((map.len(), map.latest_offset()), (known.len(), 59_999));
        assert!(known.iter().all(|(key, offset)| map.get(key) == Some(*offset)));
        assert_eq!((map.get(b""), map.get(b"another")), (None, None));
    }

    #[test]
    fn a_full_map_takes_nothing_more_and_forgets_nothing() {
        let mut map = map(2_000 * SLOT_BYTES, 0.5, usize::MAX / 2);
        let mut offset = 0;
        while map.put(&offset.to_string().into_bytes(), offset) {
            offset += 1;
        }
        assert_eq!((offset, map.latest_offset()), (1_000, 999));
        assert!((0..offset).all(|offset| map.get(&offset.to_string().into_bytes()) == Some(offset)));
        assert_eq!(map.get(b"1000"), None);
    }

    #[test]
    fn a_map_is_not_larger_than_its_keys_need() {
        assert_eq!(map(128 << 20, 0.9, 9).slots.len(), SLOTS_MIN);
        assert_eq!(map(128 << 20, 0.5, 10_000).slots.len(), 20_002);
        assert_eq!(map(1 << 20, 0.9, 1 << 40).slots.len(), (1 << 20) / SLOT_BYTES);
        let mut full = map(0, 1.0, 0);
        assert!(
            (0..2_000).filter(|offset| full.put(&[*offset as u8, (*offset >> 8) as u8], *offset)).count()
                == SLOTS_MIN - 1
        );
    }
}
