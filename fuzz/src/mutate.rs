//! Breaks bytes.

use crate::wire::{Encoded, Source};

/// Lengths that promise more than there is, or less than nothing, as integers and as varints.
const GIANTS: [&[u8]; 9] = [
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\xfe",
    b"\x00\xff\xff\xff",
    b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\x07",
    b"\x80\x80\x80\x80\x80\x80",
    b"\x7f\xff",
    b"\xff\xff",
];
const BYTES: [u8; 8] = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff, 0x0f];
/// Inputs do not grow beyond this.
const LEN_MAX: usize = 128 * 1024;

/// Breaks a seed in one to four ways; `other` lends bytes to it.
pub fn mutate(seed: &Encoded, other: &[u8], source: &mut Source) -> Vec<u8> {
    let mut bytes = seed.bytes.clone();
    for round in 0..=source.below(4) {
        // Places of lengths hold until something was inserted or cut.
        let lengths: &[usize] = if round == 0 { &seed.lengths } else { &[] };
        mutate_once(&mut bytes, lengths, other, source);
    }
    bytes.truncate(LEN_MAX);
    bytes
}

fn mutate_once(bytes: &mut Vec<u8>, lengths: &[usize], other: &[u8], source: &mut Source) {
    let at = source.below(bytes.len() + 1);
    let end = (at + source.below(16)).min(bytes.len());
    match source.below(9) {
        0 if !lengths.is_empty() => stuff(bytes, lengths[source.below(lengths.len())], source),
        1 | 2 if !lengths.is_empty() => giant_length(bytes, lengths[source.below(lengths.len())], source),
        0 | 3 if at < bytes.len() => bytes[at] ^= 1 << source.below(8),
        1 | 4 if at < bytes.len() => bytes[at] = BYTES[source.below(BYTES.len())],
        5 => drop(bytes.drain(at..end)),
        6 => repeat(bytes, at, end, source),
        7 => splice(bytes, at, other, source),
        8 => bytes.truncate(at),
        _ => bytes.insert(at, source.next() as u8),
    }
}

fn giant_length(bytes: &mut Vec<u8>, at: usize, source: &mut Source) {
    let giant = GIANTS[source.below(GIANTS.len())];
    let at = at.min(bytes.len());
    let replaced = if source.one_in(2) { giant.len().min(bytes.len() - at) } else { 1.min(bytes.len() - at) };
    bytes.splice(at..at + replaced, giant.iter().copied());
}

/// A count that is kept, of the smallest elements there are: what is short on the wire and long in memory.
fn stuff(bytes: &mut Vec<u8>, at: usize, source: &mut Source) {
    let at = at.min(bytes.len());
    let count = 1 << source.below(16);
    let mut stuffing = match source.below(2) {
        0 => u32::to_be_bytes(count).to_vec(),
        _ => vec![count as u8 | 0x80, (count >> 7) as u8 | 0x80, (count >> 14) as u8],
    };
    let fill = if source.one_in(2) { 1 } else { BYTES[source.below(BYTES.len())] };
    stuffing.resize(stuffing.len() + count as usize * (1 + source.below(2)), fill);
    let replaced = if source.one_in(2) { 1 } else { 4 };
    let end = (at + replaced).min(bytes.len());
    bytes.splice(at..end, stuffing);
}

fn repeat(bytes: &mut Vec<u8>, from: usize, to: usize, source: &mut Source) {
    let piece = bytes[from..to].repeat(1 + source.below(200));
    bytes.splice(to..to, piece);
}

fn splice(bytes: &mut Vec<u8>, at: usize, other: &[u8], source: &mut Source) {
    let from = source.below(other.len() + 1);
    let to = (from + source.below(64)).min(other.len());
    bytes.splice(at..at, other[from..to].iter().copied());
}
