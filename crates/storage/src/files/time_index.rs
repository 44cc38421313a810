//! `N.timeindex`: the largest timestamp up to some places of a segment.
//!
//! Entries of 12 bytes: a timestamp in milliseconds, i64, and the offset of the last record of the batch that has it, relative to
//! the segment's base offset, i32; no record before that batch's end has a larger timestamp. Both ascend. A running Kafka
//! keeps the file at its full size with zeros behind the entries.

use super::Malformed;

/// Bytes of an entry.
pub const ENTRY_BYTES: usize = 12;

/// An entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeEntry {
    /// The largest timestamp so far, in milliseconds.
    pub timestamp: i64,
    /// Offset of the last record of the batch that has it, relative to the segment's base offset.
    pub relative_offset: u32,
}

impl TimeEntry {
    /// The entry as it stands in the file.
    pub fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..].copy_from_slice(&self.relative_offset.to_be_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; ENTRY_BYTES]) -> TimeEntry {
        let [t0, t1, t2, t3, t4, t5, t6, t7, o0, o1, o2, o3] = bytes;
        TimeEntry {
            timestamp: i64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7]),
            relative_offset: u32::from_be_bytes([o0, o1, o2, o3]),
        }
    }

    /// Whether Kafka would add this entry after the one before: only for a larger timestamp, and no smaller offset.
    pub fn may_follow(self, before: Option<TimeEntry>) -> bool {
        let ascends = match before {
            Some(before) => {
                self.timestamp > before.timestamp && self.relative_offset >= before.relative_offset
            }
            None => self.timestamp > -1,
        };
        ascends && self.relative_offset <= i32::MAX as u32
    }
}

/// The content of the file.
pub fn encode(entries: &[TimeEntry]) -> Vec<u8> {
    entries.iter().flat_map(|entry| entry.to_bytes()).collect()
}

/// The entries in the content of the file.
pub fn decode(bytes: &[u8]) -> Result<Vec<TimeEntry>, Malformed> {
    let entries = decode_prefix(bytes);
    let padding = &bytes[entries.len() * ENTRY_BYTES..];
    if !bytes.len().is_multiple_of(ENTRY_BYTES) || padding.iter().any(|byte| *byte != 0) {
        return Err(Malformed::because("the entries of the time index do not ascend"));
    }
    Ok(entries)
}

/// The entries up to the first that cannot follow the one before: what is left after a crash.
pub fn decode_prefix(bytes: &[u8]) -> Vec<TimeEntry> {
    let mut last = None;
    let ascending = |chunk: &[u8; ENTRY_BYTES]| {
        // A first entry of zeros says nothing, and is what a file has that was never written.
        let entry = TimeEntry::from_bytes(*chunk);
        let follows = entry.may_follow(last) && (last.is_some() || *chunk != [0; ENTRY_BYTES]);
        last = Some(entry);
        follows.then_some(entry)
    };
    bytes.as_chunks().0.iter().map_while(ascending).collect()
}

/// The last entry whose timestamp is below this one: the first record that reaches it lies after that entry's offset.
pub fn below(entries: &[TimeEntry], timestamp: i64) -> Option<TimeEntry> {
    let at = entries.partition_point(|entry| entry.timestamp < timestamp);
    at.checked_sub(1).map(|at| entries[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &[u8] =
        include_bytes!("../../tests/fixtures/stopped/plain-0/00000000000000000015.timeindex");

    fn entry(timestamp: i64, relative_offset: u32) -> TimeEntry {
        TimeEntry { timestamp, relative_offset }
    }

    #[test]
    fn the_index_of_kafka_is_read_and_written_byte_for_byte() {
        let entries = decode(INDEX).unwrap();
        assert_eq!(entries, [entry(1_790_000_008_002, 11)]);
        assert_eq!(encode(&entries), INDEX);
        assert_eq!(decode(&[INDEX, &[0; 1_200]].concat()), Ok(entries));
        assert_eq!(decode(&[0; 1_200]), Ok(vec![]));
    }

    #[test]
    fn what_does_not_ascend_or_fit_is_refused() {
        let good = [entry(100, 4), entry(200, 9)];
        assert_eq!(decode(&encode(&good)), Ok(good.to_vec()));
        assert!(decode(&encode(&good)[..23]).is_err());
        for bad in [entry(200, 10), entry(150, 10), entry(300, 8), entry(300, 0x8000_0000)] {
            assert!(decode(&encode(&[good[0], good[1], bad])).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_entry_below_a_timestamp_is_strictly_below() {
        let entries = [entry(100, 4), entry(200, 9)];
        assert_eq!(below(&entries, 100), None);
        assert_eq!(below(&entries, 101), Some(entries[0]));
        assert_eq!(below(&entries, 201), Some(entries[1]));
    }
}
