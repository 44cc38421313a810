//! `partition.metadata`: the id of the topic that a directory belongs to (KIP-516).

use std::path::Path;

use host::Disk;
use protocol::Uuid;

use super::{FileError, Malformed, whole};

/// The name of the file.
pub const NAME: &str = "partition.metadata";

/// The text of the file. It ends without a newline.
pub fn encode(topic_id: Uuid) -> String {
    format!("version: 0\ntopic_id: {topic_id}")
}

/// The topic id in the text of the file.
pub fn decode(text: &str) -> Result<Uuid, Malformed> {
    let mut lines = text.lines();
    let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(": ").map(str::trim);
    if field("version") != Some("0") {
        return Err(Malformed::because("the version of partition.metadata is not 0"));
    }
    let id: Option<Uuid> = field("topic_id").and_then(|id| id.parse().ok());
    match id {
        Some(id) if !id.is_zero() => Ok(id),
        _ => Err(Malformed::because("no topic id in partition.metadata")),
    }
}

/// Reads the file, if it is there.
pub fn load(disk: &dyn Disk, path: &Path) -> Result<Option<Uuid>, FileError> {
    whole::load_text(disk, path, decode)
}

/// Replaces the file; it is on disk when this returns.
pub fn store(disk: &dyn Disk, path: &Path, topic_id: Uuid) -> Result<(), FileError> {
    whole::store_whole(disk, path, encode(topic_id).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_kafka_is_read_and_written_byte_for_byte() {
        for text in [
            include_str!("../../tests/fixtures/stopped/plain-0/partition.metadata"),
            include_str!("../../tests/fixtures/stopped/__cluster_metadata-0/partition.metadata"),
        ] {
            assert_eq!(encode(decode(text).unwrap()), text);
        }
        let metadata = include_str!("../../tests/fixtures/stopped/__cluster_metadata-0/partition.metadata");
        assert_eq!(decode(metadata), Ok(Uuid::METADATA_TOPIC_ID));
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        let text = encode(Uuid::METADATA_TOPIC_ID);
        for len in 0..text.len() {
            assert!(decode(&text[..len]).is_err(), "{len} bytes");
        }
        assert!(decode(&encode(Uuid::ZERO)).is_err());
    }
}
