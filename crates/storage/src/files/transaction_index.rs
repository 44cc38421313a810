//! `N.txnindex`: the aborted transactions of a segment, in the order of their ends.
//!
//! Entries of 34 bytes: version 0, i16, then producer id, first offset, last offset (that of the marker) and the last stable
//! offset when it was written, i64 each. The file is there only if the segment has any.

use super::Malformed;

/// Bytes of an entry.
pub const ENTRY_BYTES: usize = 34;

/// An aborted transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Its producer.
    pub producer_id: i64,
    /// Offset of its first record.
    pub first_offset: i64,
    /// Offset of the marker that ends it.
    pub last_offset: i64,
    /// The last stable offset, exclusive, when the marker was appended. Later entries concern records from there on only.
    pub last_stable_offset: i64,
}

impl AbortedTransaction {
    /// The entry as it stands in the file.
    pub fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        let fields = [self.producer_id, self.first_offset, self.last_offset, self.last_stable_offset];
        for (place, field) in bytes[2..].chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_be_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Result<AbortedTransaction, Malformed> {
        let (version, fields) = bytes.split_at(2);
        if version != [0, 0] {
            return Err(Malformed::because("the version of an aborted transaction is not 0"));
        }
        let (fields, _) = fields.as_chunks();
        let [producer_id, first_offset, last_offset, last_stable_offset] =
            std::array::from_fn(|at| i64::from_be_bytes(fields[at]));
        Ok(AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset })
    }

    /// Whether a reader of these offsets, the end exclusive, has to know of it.
    pub fn concerns(&self, first_offset: i64, end_offset: i64) -> bool {
        self.last_offset >= first_offset && self.first_offset < end_offset
    }
}

/// The content of the file.
pub fn encode(entries: &[AbortedTransaction]) -> Vec<u8> {
    entries.iter().flat_map(|entry| entry.to_bytes()).collect()
}

/// The entries in the content of the file of a segment with this base offset.
pub fn decode(bytes: &[u8], base_offset: i64) -> Result<Vec<AbortedTransaction>, Malformed> {
    let (chunks, rest) = bytes.as_chunks();
    let entries: Vec<_> = chunks.iter().map(AbortedTransaction::from_bytes).collect::<Result<_, _>>()?;
    let ascend = entries.windows(2).all(|pair| pair[0].last_offset <= pair[1].last_offset);
    if !rest.is_empty() || !ascend || entries.first().is_some_and(|entry| entry.last_offset < base_offset) {
        return Err(Malformed::because("the entries of the transaction index do not ascend"));
    }
    Ok(entries)
}

/// The entries up to the first that cannot follow the one before: what is left after a crash.
pub fn decode_prefix(bytes: &[u8], base_offset: i64) -> Vec<AbortedTransaction> {
    let mut last_offset = base_offset;
    let ascending = |chunk: &[u8; ENTRY_BYTES]| {
        let entry = AbortedTransaction::from_bytes(chunk).ok()?;
        // A marker follows what it aborts; zeros do not look so.
        if entry.last_offset < last_offset || entry.first_offset >= entry.last_offset {
            return None;
        }
        last_offset = entry.last_offset;
        Some(entry)
    };
    bytes.as_chunks().0.iter().map_while(ascending).collect()
}

/// Adds those that concern a reader of these offsets, the end exclusive, and says whether no later segment can have more.
pub fn collect_aborted(
    entries: &[AbortedTransaction],
    first_offset: i64,
    end_offset: i64,
    found: &mut Vec<AbortedTransaction>,
) -> bool {
    for entry in entries {
        if entry.concerns(first_offset, end_offset) {
            found.push(*entry);
        }
        if entry.last_stable_offset >= end_offset {
            return true;
        }
    }
    false
}

/// How many entries remain when the log is cut at this offset, exclusive.
pub fn count_below(entries: &[AbortedTransaction], end_offset: i64) -> usize {
    entries.partition_point(|entry| entry.last_offset < end_offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &[u8] = include_bytes!("../../tests/fixtures/stopped/txn-0/00000000000000000004.txnindex");

    #[test]
    fn the_index_of_kafka_is_read_and_written_byte_for_byte() {
        let entries = decode(INDEX, 4).unwrap();
        let transaction = |producer_id, first_offset, last_offset, last_stable_offset| AbortedTransaction {
            producer_id,
            first_offset,
            last_offset,
            last_stable_offset,
        };
        assert_eq!(entries, [transaction(9, 0, 5, 6), transaction(10, 6, 7, 8)]);
        assert_eq!(encode(&entries), INDEX);
        assert!(decode(INDEX, 6).is_err());
    }

    #[test]
    fn a_file_cut_within_an_entry_is_refused() {
        for len in 0..INDEX.len() {
            assert_eq!(decode(&INDEX[..len], 4).is_ok(), len % ENTRY_BYTES == 0, "{len} bytes");
        }
        let mut version = INDEX.to_vec();
        version[1] = 1;
        assert!(decode(&version, 4).is_err());
    }

    #[test]
    fn what_a_crash_left_behind_the_entries_is_told_from_them() {
        let entries = decode(INDEX, 4).unwrap();
        for tail in [&[0; 34][..], &[0; 5], &[0xff; 70], INDEX] {
            assert_eq!(decode_prefix(&[INDEX, tail].concat(), 4), entries);
        }
        assert_eq!(decode_prefix(&[0; 68], 0), []);
    }

    #[test]
    fn a_reader_is_told_of_what_overlaps_its_range() {
        let entries = decode(INDEX, 4).unwrap();
        let told = |first, end| {
            let mut found = Vec::new();
            let complete = collect_aborted(&entries, first, end, &mut found);
            (found.iter().map(|entry| entry.producer_id).collect::<Vec<_>>(), complete)
        };
        assert_eq!(told(0, 3), (vec![9], true));
        assert_eq!(told(4, 7), (vec![9, 10], true));
        assert_eq!(told(6, 20), (vec![10], false));
        assert_eq!(told(8, 20), (vec![], false));
        assert_eq!([5, 6, 7, 8].map(|end| count_below(&entries, end)), [0, 1, 1, 2]);
    }
}
