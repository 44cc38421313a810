//! `N.snapshot`: what is known of producers at offset N.
//!
//! Version 1 as i16, the CRC-32C of everything after it as u32, the number of entries as i32, and entries of 46 bytes. Of each
//! producer only the last batch is kept.

use std::path::Path;

use bytes::Bytes;
use host::Disk;
use protocol::messages::ProducerSnapshot;
pub use protocol::messages::producer_snapshot::ProducerEntry;
use protocol::{Message, Reader, Writer};

use super::{FileError, Malformed, whole};

const VERSION: i16 = 1;
const CRC_AT: usize = 2;
const CRC_END: usize = 6;

/// The content of the file.
pub fn encode(entries: Vec<ProducerEntry>) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.i16(VERSION);
    let snapshot = ProducerSnapshot { crc: 0, producer_entries: entries };
    snapshot.encode(&mut writer, VERSION).expect("integers fit in every version");
    let mut bytes = Vec::from(writer.into_bytes());
    let crc = crc32c::crc32c(&bytes[CRC_END..]);
    bytes[CRC_AT..CRC_END].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// The entries in the content of the file.
pub fn decode(bytes: &[u8]) -> Result<Vec<ProducerEntry>, Malformed> {
    let mut reader = Reader::new(Bytes::copy_from_slice(bytes));
    let malformed = |error: protocol::DecodeError| Malformed(error.to_string().into());
    if reader.i16().map_err(malformed)? != VERSION {
        return Err(Malformed::because("the version of the producer snapshot is not 1"));
    }
    let snapshot = ProducerSnapshot::decode(&mut reader, VERSION).map_err(malformed)?;
    if crc32c::crc32c(&bytes[CRC_END..]) != snapshot.crc {
        return Err(Malformed::because("the CRC of the producer snapshot is wrong"));
    }
    if reader.remaining() > 0 {
        return Err(Malformed::because("bytes follow the last entry of the producer snapshot"));
    }
    Ok(snapshot.producer_entries)
}

/// Reads the file, if it is there.
pub fn load(disk: &dyn Disk, path: &Path) -> Result<Option<Vec<ProducerEntry>>, FileError> {
    let Some(bytes) = whole::load_whole(disk, path)? else { return Ok(None) };
    decode(&bytes).map(Some).map_err(|source| FileError::Malformed { path: path.to_owned(), source })
}

/// Replaces the file; it is on disk when this returns.
pub fn store(disk: &dyn Disk, path: &Path, entries: Vec<ProducerEntry>) -> Result<(), FileError> {
    whole::store_whole(disk, path, &encode(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNAPSHOT: &[u8] =
        include_bytes!("../../tests/fixtures/stopped/txn-0/00000000000000000009.snapshot");
    const EMPTY: &[u8] =
        include_bytes!("../../tests/fixtures/stopped/__cluster_metadata-0/00000000000000000143.snapshot");

    #[test]
    fn the_snapshots_of_kafka_are_read_and_written_byte_for_byte() {
        let entries = decode(SNAPSHOT).unwrap();
        let open = entries.iter().find(|entry| entry.producer_id == 9).unwrap();
        assert_eq!((open.epoch, open.last_sequence, open.last_offset), (1, 0, 8));
        assert_eq!(open.current_txn_first_offset, 8);
        assert_eq!(encode(entries), SNAPSHOT);
        assert_eq!(decode(EMPTY), Ok(vec![]));
        assert_eq!(encode(vec![]), EMPTY);
    }

    #[test]
    fn a_snapshot_that_is_cut_or_changed_anywhere_is_refused() {
        for len in 0..SNAPSHOT.len() {
            assert!(decode(&SNAPSHOT[..len]).is_err(), "{len} bytes");
        }
        for at in 0..SNAPSHOT.len() * 8 {
            let mut bad = SNAPSHOT.to_vec();
            bad[at / 8] ^= 1 << (at % 8);
            assert!(decode(&bad).is_err(), "bit {at}");
        }
        assert!(decode(&[SNAPSHOT, b"x"].concat()).is_err());
    }
}
