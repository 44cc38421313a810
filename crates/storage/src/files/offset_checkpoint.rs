//! `recovery-point-offset-checkpoint`, `log-start-offset-checkpoint`, `replication-offset-checkpoint` and
//! `cleaner-offset-checkpoint`: an offset for each partition of the log directory.

use std::fmt::Write;
use std::path::Path;

use host::Disk;

use super::{FileError, Malformed, line_file, whole};

/// Up to where, exclusive, the log is known to be on disk.
pub const RECOVERY_POINT: &str = "recovery-point-offset-checkpoint";
/// Where the log starts, for partitions in which that is not the start of a segment.
pub const LOG_START: &str = "log-start-offset-checkpoint";
/// High watermarks, exclusive.
pub const HIGH_WATERMARK: &str = "replication-offset-checkpoint";
/// Up to where, exclusive, the log has been compacted.
pub const CLEANER: &str = "cleaner-offset-checkpoint";

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionOffset {
    /// Name of the topic.
    pub topic: String,
    /// Number of the partition.
    pub partition: i32,
    /// What the name of the file says it is.
    pub offset: i64,
}

/// The text of the file.
pub fn encode<'a>(entries: impl ExactSizeIterator<Item = (&'a str, i32, i64)>) -> String {
    line_file::encode(entries, |text, (topic, partition, offset)| {
        let _ = write!(text, "{topic} {partition} {offset}");
    })
}

/// The entries in the text of the file.
pub fn decode(text: &str) -> Result<Vec<PartitionOffset>, Malformed> {
    line_file::decode(text, |line| {
        let mut words = line.split_whitespace();
        let topic = words.next()?.to_owned();
        let partition = words.next()?.parse().ok()?;
        let offset = words.next()?.parse().ok()?;
        words.next().is_none().then_some(PartitionOffset { topic, partition, offset })
    })
}

/// Reads the file; one that is missing has no entries.
pub fn load(disk: &dyn Disk, path: &Path) -> Result<Vec<PartitionOffset>, FileError> {
    Ok(whole::load_text(disk, path, decode)?.unwrap_or_default())
}

/// Replaces the file; it is on disk when this returns.
pub fn store<'a>(
    disk: &dyn Disk,
    path: &Path,
    entries: impl ExactSizeIterator<Item = (&'a str, i32, i64)>,
) -> Result<(), FileError> {
    whole::store_whole(disk, path, encode(entries).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checkpoints_of_kafka_are_read_and_written_byte_for_byte() {
        for text in [
            include_str!("../../tests/fixtures/stopped/recovery-point-offset-checkpoint"),
            include_str!("../../tests/fixtures/stopped/replication-offset-checkpoint"),
            include_str!("../../tests/fixtures/stopped/log-start-offset-checkpoint"),
        ] {
            let entries = decode(text).unwrap();
            assert_eq!(encode(entries.iter().map(|e| (&*e.topic, e.partition, e.offset))), text);
        }
        assert_eq!(
            decode(include_str!("../../tests/fixtures/stopped/cleaner-offset-checkpoint")),
            Ok(vec![])
        );
    }

    #[test]
    fn a_checkpoint_cut_at_any_byte_is_refused_or_lacks_only_its_last_newline() {
        let text = "0\n2\nplain 0 84\nanother-topic 11 12\n";
        let whole = decode(text).unwrap();
        for len in 1..text.len() {
            if let Ok(entries) = decode(&text[..len]) {
                assert_eq!(entries[0], whole[0], "{len} bytes");
                assert!(len >= text.len() - 2, "{len} bytes");
            }
        }
    }

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        for text in [
            "1\n0\n",
            "0\n",
            "0\n-1\n",
            "0\n1\nplain 0\n",
            "0\n1\nplain 0 x\n",
            "0\n1\na b 0 1\n",
            "0\n0\na 0 1\n",
            "0\n9999999999\n",
        ] {
            assert!(decode(text).is_err(), "{text:?}");
        }
    }
}
