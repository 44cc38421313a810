//! What records hold that are sent only to be measured.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use host::Random;

/// As many letters are drawn at least; records are pieces of them, one after the other, so that a batch does not repeat itself.
const LETTERS_MIN: usize = 4 << 20;

/// Where values of records come from.
#[derive(Debug)]
pub enum Payload {
    /// Pieces of random letters, all of one size in bytes.
    Letters(Bytes, usize),
    /// One of these, by chance.
    OneOf(Vec<Bytes>),
    /// The number of the record, from 0.
    Number,
}

impl Payload {
    /// Letters of this size, from A to Z.
    pub fn letters(size: usize, random: &dyn Random) -> Payload {
        let mut letters = vec![0; LETTERS_MIN.max(size)];
        random.fill(&mut letters);
        for letter in &mut letters {
            *letter = b'A' + *letter % 26;
        }
        Payload::Letters(letters.into(), size)
    }

    /// The pieces of a text between delimiters. What follows the last one is none if it is empty.
    pub fn pieces(text: &str, delimiter: &str) -> Payload {
        let mut pieces: Vec<Bytes> =
            text.split(delimiter).map(|piece| Bytes::copy_from_slice(piece.as_bytes())).collect();
        while pieces.last().is_some_and(Bytes::is_empty) {
            pieces.pop();
        }
        Payload::OneOf(pieces)
    }

    /// How many pieces there are to choose from.
    pub fn choices(&self) -> usize {
        match self {
            Payload::OneOf(pieces) => pieces.len(),
            Payload::Letters(..) | Payload::Number => 1,
        }
    }

    /// The value of a record by its number.
    pub fn value(&self, number: u64, random: &dyn Random) -> Bytes {
        match self {
            Payload::Letters(letters, size) => {
                let places = letters.len() / (*size).max(1);
                let begin = place(number, places) * size;
                letters.slice(begin..begin + size)
            }
            Payload::OneOf(pieces) => {
                pieces.get(place(random.next_u64(), pieces.len())).cloned().unwrap_or_default()
            }
            Payload::Number => number.to_string().into(),
        }
    }
}

/// Numbers that cost next to nothing and are good enough to draw pieces by (SplitMix64). Not for secrets.
#[derive(Debug)]
pub struct Dice(AtomicU64);

impl Dice {
    /// Begins anywhere.
    pub fn new(seed: &dyn Random) -> Dice {
        Dice(AtomicU64::new(seed.next_u64()))
    }
}

impl Random for Dice {
    fn fill(&self, buf: &mut [u8]) {
        for piece in buf.chunks_mut(8) {
            piece.copy_from_slice(&self.next_u64().to_ne_bytes()[..piece.len()]);
        }
    }

    fn next_u64(&self) -> u64 {
        let state = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// One of so many places.
fn place(number: u64, places: usize) -> usize {
    usize::try_from(number % (places as u64).max(1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use host::OsRandom;

    use super::*;

    #[test]
    fn letters_have_their_size_and_do_not_repeat_at_once() {
        let payload = Payload::letters(100, &OsRandom);
        let (first, second) = (payload.value(0, &OsRandom), payload.value(1, &OsRandom));
        assert!(first.len() == 100 && first.iter().all(u8::is_ascii_uppercase));
        assert_ne!(first, second);
        assert_eq!(payload.value(u64::MAX, &OsRandom).len(), 100);
        assert_eq!(Payload::letters(LETTERS_MIN + 1, &OsRandom).value(3, &OsRandom).len(), LETTERS_MIN + 1);
    }

    #[test]
    fn a_file_is_cut_at_its_delimiter() {
        let Payload::OneOf(pieces) = Payload::pieces("a;b;;c;", ";") else { panic!("no pieces") };
        assert_eq!(pieces, ["a", "b", "", "c"]);
        assert_eq!(Payload::pieces("x", ";").value(9, &OsRandom), "x");
    }

    #[test]
    fn every_piece_is_drawn_in_time() {
        let payload = Payload::pieces("a\nb\nc\nd", "\n");
        let dice = Dice::new(&OsRandom);
        let drawn: HashSet<Bytes> = (0..1_000).map(|number| payload.value(number, &dice)).collect();
        assert_eq!(drawn.len(), 4);
    }

    #[test]
    fn numbers_count_the_records() {
        assert_eq!(Payload::Number.value(12, &OsRandom), "12");
    }
}
