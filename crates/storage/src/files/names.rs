//! Names of files and directories.

/// The metadata log's directory.
pub const METADATA_DIR: &str = "__cluster_metadata-0";
/// Suffix of a log file.
pub const LOG: &str = ".log";
/// Suffix of an offset index.
pub const OFFSET_INDEX: &str = ".index";
/// Suffix of a time index.
pub const TIME_INDEX: &str = ".timeindex";
/// Suffix of an index of aborted transactions.
pub const TRANSACTION_INDEX: &str = ".txnindex";
/// Suffix of a producer snapshot.
pub const PRODUCER_SNAPSHOT: &str = ".snapshot";
/// Suffix of a snapshot of the metadata log.
pub const CHECKPOINT: &str = ".checkpoint";
/// Added to the name of a file that compaction writes and that is not complete.
pub const CLEANED: &str = ".cleaned";
/// Added to the name of a file that is complete and about to take the place of others.
pub const SWAP: &str = ".swap";
/// Added to the name of a file that is to be removed.
pub const DELETED: &str = ".deleted";

/// The name of a file that starts at this offset: twenty digits and the suffix.
pub fn of_offset(offset: i64, suffix: &str) -> String {
    format!("{offset:020}{suffix}")
}

/// The offset in the name of a file with this suffix; none if it is another file.
pub fn offset_in(name: &str, suffix: &str) -> Option<i64> {
    let digits = name.strip_suffix(suffix)?;
    (digits.len() == 20 && all_digits(digits)).then(|| digits.parse().ok()).flatten()
}

/// The name of a snapshot of the metadata log that covers all offsets below `end_offset`, and whose last record was written in
/// this epoch.
pub fn of_snapshot(end_offset: i64, epoch: i32) -> String {
    format!("{end_offset:020}-{epoch:010}{CHECKPOINT}")
}

/// End offset, exclusive, and epoch in the name of a snapshot of the metadata log; none if it is another file.
pub fn snapshot_in(name: &str) -> Option<(i64, i32)> {
    let (offset, epoch) = name.strip_suffix(CHECKPOINT)?.split_once('-')?;
    if offset.len() != 20 || epoch.len() != 10 || !all_digits(offset) || !all_digits(epoch) {
        return None;
    }
    Some((offset.parse().ok()?, epoch.parse().ok()?))
}

/// The name of a partition's directory.
pub fn of_partition(topic: &str, partition: i32) -> String {
    format!("{topic}-{partition}")
}

/// Topic and partition in the name of a partition's directory; none if it is another directory, as one to be deleted.
pub fn partition_in(name: &str) -> Option<(&str, i32)> {
    let (topic, partition) = name.rsplit_once('-')?;
    if topic.is_empty() || !all_digits(partition) {
        return None;
    }
    Some((topic, partition.parse().ok()?))
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        assert_eq!(of_offset(15, LOG), "00000000000000000015.log");
        assert_eq!(offset_in("00000000000000000015.log", LOG), Some(15));
        assert_eq!(of_snapshot(143, 2), "00000000000000000143-0000000002.checkpoint");
        assert_eq!(snapshot_in("00000000000000000143-0000000002.checkpoint"), Some((143, 2)));
        assert_eq!(partition_in(&of_partition("a-b", 7)), Some(("a-b", 7)));
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in [
            "15.log",
            "00000000000000000015.log.deleted",
            "+0000000000000000015.log",
            "99999999999999999999.log",
        ] {
            assert_eq!(offset_in(name, LOG), None, "{name}");
        }
        for name in
            ["bootstrap.checkpoint", "00000000000000000143-0000000002.checkpoint.part", "x-y.checkpoint"]
        {
            assert_eq!(snapshot_in(name), None, "{name}");
        }
        for name in ["topic", "-0", "topic-", "topic-+1", "a-0.0123456789abcdef-delete", "t-99999999999"] {
            assert_eq!(partition_in(name), None, "{name}");
        }
    }
}
