//! `N.index`: for some batches of a segment, where they begin.
//!
//! Entries of 8 bytes: the offset of the batch's last record relative to the segment's base offset, and the batch's position in
//! the file; both i32, both ascending. A running Kafka keeps the file at its full size with zeros behind the entries.

use super::Malformed;

/// Bytes of an entry.
pub const ENTRY_BYTES: usize = 8;

/// An entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetEntry {
    /// Offset of the batch's last record, relative to the segment's base offset.
    pub relative_offset: u32,
    /// Where the batch begins in the log file.
    pub position: u32,
}

impl OffsetEntry {
    /// The entry as it stands in the file.
    pub fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        (u64::from(self.relative_offset) << 32 | u64::from(self.position)).to_be_bytes()
    }

    pub(crate) fn from_bytes(bytes: [u8; ENTRY_BYTES]) -> OffsetEntry {
        let both = u64::from_be_bytes(bytes);
        OffsetEntry { relative_offset: (both >> 32) as u32, position: both as u32 }
    }

    fn may_follow(self, before: Option<OffsetEntry>) -> bool {
        let i32_max = i32::MAX as u32;
        let ascends = match before {
            Some(before) => self.relative_offset > before.relative_offset && self.position > before.position,
            // The first batch of a segment is never indexed.
            None => self.position > 0,
        };
        ascends && self.relative_offset <= i32_max && self.position <= i32_max
    }
}

/// The content of the file.
pub fn encode(entries: &[OffsetEntry]) -> Vec<u8> {
    entries.iter().flat_map(|entry| entry.to_bytes()).collect()
}

/// The entries in the content of the file.
pub fn decode(bytes: &[u8]) -> Result<Vec<OffsetEntry>, Malformed> {
    let entries = decode_prefix(bytes);
    let padding = &bytes[entries.len() * ENTRY_BYTES..];
    if !bytes.len().is_multiple_of(ENTRY_BYTES) || padding.iter().any(|byte| *byte != 0) {
        return Err(Malformed::because("the entries of the offset index do not ascend"));
    }
    Ok(entries)
}

/// The entries up to the first that cannot follow the one before: what is left after a crash.
pub fn decode_prefix(bytes: &[u8]) -> Vec<OffsetEntry> {
    let mut last = None;
    let ascending = |chunk: &[u8; ENTRY_BYTES]| {
        let entry = OffsetEntry::from_bytes(*chunk);
        let follows = entry.may_follow(last);
        last = Some(entry);
        follows.then_some(entry)
    };
    bytes.as_chunks().0.iter().map_while(ascending).collect()
}

/// The last entry whose batch does not end above this offset: the batch that holds the offset lies there or later.
pub fn floor(entries: &[OffsetEntry], relative_offset: u32) -> Option<OffsetEntry> {
    let after = entries.partition_point(|entry| entry.relative_offset <= relative_offset);
    after.checked_sub(1).map(|at| entries[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &[u8] = include_bytes!("../../tests/fixtures/stopped/plain-0/00000000000000000015.index");

    #[test]
    fn the_index_of_kafka_is_read_and_written_byte_for_byte() {
        let entries = decode(INDEX).unwrap();
        assert_eq!(entries, [OffsetEntry { relative_offset: 11, position: 5_682 }]);
        assert_eq!(encode(&entries), INDEX);
    }

    #[test]
    fn zeros_behind_the_entries_are_those_of_a_running_kafka() {
        let padded = [INDEX, &[0; 800]].concat();
        assert_eq!(decode(&padded), decode(INDEX));
        assert_eq!(decode(&[0; 80]), Ok(vec![]));
    }

    #[test]
    fn what_does_not_ascend_or_fit_is_refused() {
        let entry = |relative_offset, position| OffsetEntry { relative_offset, position };
        let good = [entry(1, 100), entry(5, 200)];
        assert!(decode(&encode(&good)).is_ok());
        assert!(decode(&encode(&good)[..15]).is_err());
        for bad in [entry(5, 300), entry(6, 200), entry(0x8000_0000, 300), entry(6, 0x8000_0000), entry(0, 1)]
        {
            assert!(decode(&encode(&[good[0], good[1], bad])).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_floor_is_the_last_entry_not_above() {
        let entries = [5, 9].map(|n| OffsetEntry { relative_offset: n, position: n * 10 });
        assert_eq!(floor(&entries, 4), None);
        assert_eq!(floor(&entries, 5), Some(entries[0]));
        assert_eq!(floor(&entries, 8), Some(entries[0]));
        assert_eq!(floor(&entries, 9), Some(entries[1]));
        assert_eq!(floor(&entries, u32::MAX), Some(entries[1]));
    }
}
