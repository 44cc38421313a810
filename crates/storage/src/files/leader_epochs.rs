//! `leader-epoch-checkpoint`: at which offset each epoch of a partition's leaders starts (KIP-101, KIP-279).

use std::fmt::Write;
use std::path::Path;

use host::Disk;

use super::{FileError, Malformed, line_file, whole};

/// The name of the file.
pub const NAME: &str = "leader-epoch-checkpoint";

/// Where an epoch starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochStart {
    /// Epoch of the leader.
    pub epoch: i32,
    /// Offset of the first record that it appended.
    pub start_offset: i64,
}

/// The epochs of a partition. Both epochs and start offsets ascend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    // A box would do; most partitions have one or two.
    starts: Vec<EpochStart>,
}

impl LeaderEpochs {
    /// From entries in any order; ones that contradict later epochs are dropped, as when they were assigned one after the other.
    pub fn from_entries(mut entries: Vec<EpochStart>) -> LeaderEpochs {
        entries.sort_by_key(|entry| entry.epoch);
        let mut epochs = LeaderEpochs::default();
        for entry in entries {
            epochs.assign(entry.epoch, entry.start_offset);
        }
        epochs.starts.shrink_to_fit();
        epochs
    }

    /// All of them, ascending.
    pub fn entries(&self) -> &[EpochStart] {
        &self.starts
    }

    /// The newest epoch.
    pub fn latest(&self) -> Option<EpochStart> {
        self.starts.last().copied()
    }

    /// The oldest and the newest.
    pub fn ends(&self) -> Option<(EpochStart, EpochStart)> {
        Some((*self.starts.first()?, *self.starts.last()?))
    }

    /// Notes that a batch of this epoch was appended at this offset, and says whether that was news.
    pub fn assign(&mut self, epoch: i32, start_offset: i64) -> bool {
        let known = |last: EpochStart| last.epoch == epoch && last.start_offset <= start_offset;
        if epoch < 0 || start_offset < 0 || self.latest().is_some_and(known) {
            return false;
        }
        while self.latest().is_some_and(|last| last.epoch >= epoch || last.start_offset >= start_offset) {
            self.starts.pop();
        }
        self.starts.push(EpochStart { epoch, start_offset });
        true
    }

    /// The epoch of the record at this offset.
    pub fn epoch_at(&self, offset: i64) -> Option<i32> {
        let after = self.starts.partition_point(|entry| entry.start_offset <= offset);
        after.checked_sub(1).map(|at| self.starts[at].epoch)
    }

    /// The largest epoch not above the one asked for, and where it ends, exclusive: what OffsetForLeaderEpoch answers. None if
    /// the epoch is unknown because it is newer than all of these.
    pub fn end_offset_for(&self, epoch: i32, log_end_offset: i64) -> Option<(i32, i64)> {
        if epoch < 0 {
            return None;
        }
        if self.latest().is_some_and(|last| last.epoch == epoch) {
            return Some((epoch, log_end_offset));
        }
        let above = self.starts.partition_point(|entry| entry.epoch <= epoch);
        let end_offset = self.starts.get(above)?.start_offset;
        // An epoch before all that are known ended where the first of them starts.
        let floor = above.checked_sub(1).map_or(epoch, |at| self.starts[at].epoch);
        Some((floor, end_offset))
    }

    /// Forgets epochs that start at or above the new end of the log, and says whether there were any.
    pub fn truncate_from_end(&mut self, end_offset: i64) -> bool {
        let before = self.starts.len();
        self.starts.retain(|entry| entry.start_offset < end_offset);
        before != self.starts.len()
    }

    /// Lets the oldest epoch begin at the new start of the log, and says whether that changed anything.
    pub fn truncate_from_start(&mut self, start_offset: i64) -> bool {
        let gone = self.starts.partition_point(|entry| entry.start_offset <= start_offset);
        let Some(last_gone) = gone.checked_sub(1) else { return false };
        if last_gone == 0 && self.starts[0].start_offset == start_offset {
            return false;
        }
        self.starts.drain(..last_gone);
        self.starts[0].start_offset = start_offset;
        true
    }
}

/// The text of the file.
pub fn encode(epochs: &LeaderEpochs) -> String {
    line_file::encode(epochs.entries().iter(), |text, entry| {
        let _ = write!(text, "{} {}", entry.epoch, entry.start_offset);
    })
}

/// The epochs in the text of the file.
pub fn decode(text: &str) -> Result<LeaderEpochs, Malformed> {
    let entries = line_file::decode(text, |line| {
        let (epoch, start_offset) = line.split_once(char::is_whitespace)?;
        Some(EpochStart { epoch: epoch.parse().ok()?, start_offset: start_offset.trim().parse().ok()? })
    })?;
    Ok(LeaderEpochs::from_entries(entries))
}

/// Reads the file; one that is missing has no epochs.
pub fn load(disk: &dyn Disk, path: &Path) -> Result<LeaderEpochs, FileError> {
    Ok(whole::load_text(disk, path, decode)?.unwrap_or_default())
}

/// Replaces the file; it is on disk when this returns.
pub fn store(disk: &dyn Disk, path: &Path, epochs: &LeaderEpochs) -> Result<(), FileError> {
    whole::store_whole(disk, path, encode(epochs).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        let entry = |&(epoch, start_offset): &(i32, i64)| EpochStart { epoch, start_offset };
        LeaderEpochs { starts: entries.iter().map(entry).collect() }
    }

    #[test]
    fn the_epochs_of_kafka_are_read_and_written_byte_for_byte() {
        let text = include_str!("../../tests/fixtures/stopped/plain-0/leader-epoch-checkpoint");
        let read = decode(text).unwrap();
        assert_eq!(read, epochs(&[(0, 0)]));
        assert_eq!(encode(&read), text);
        assert_eq!(encode(&LeaderEpochs::default()), "0\n0\n");
    }

    #[test]
    fn an_epoch_is_noted_once_and_replaces_what_contradicts_it() {
        let mut noted = LeaderEpochs::default();
        assert!(noted.assign(1, 10));
        assert!(!noted.assign(1, 12));
        assert!(noted.assign(3, 20));
        assert!(noted.assign(4, 20));
        assert_eq!(noted, epochs(&[(1, 10), (4, 20)]));
        assert!(noted.assign(2, 15));
        assert_eq!(noted, epochs(&[(1, 10), (2, 15)]));
        assert!(!noted.assign(-1, 30));
    }

    #[test]
    fn the_end_of_an_epoch_is_the_start_of_the_next() {
        let known = epochs(&[(2, 10), (4, 20), (7, 30)]);
        for (asked, expected) in [
            (7, Some((7, 99))),
            (6, Some((4, 30))),
            (4, Some((4, 30))),
            (3, Some((2, 20))),
            (1, Some((1, 10))),
            (8, None),
            (-1, None),
        ] {
            assert_eq!(known.end_offset_for(asked, 99), expected, "epoch {asked}");
        }
        assert_eq!(LeaderEpochs::default().end_offset_for(0, 99), None);
    }

    #[test]
    fn truncation_forgets_epochs_at_either_end() {
        let mut known = epochs(&[(2, 10), (4, 20), (7, 30)]);
        assert!(!known.truncate_from_end(31));
        assert!(known.truncate_from_end(30));
        assert!(!known.truncate_from_start(9));
        assert!(!known.truncate_from_start(10));
        assert!(known.truncate_from_start(15));
        assert_eq!(known, epochs(&[(2, 15), (4, 20)]));
        assert!(known.truncate_from_start(20));
        assert_eq!(known, epochs(&[(4, 20)]));
        assert_eq!([19, 20, 500].map(|offset| known.epoch_at(offset)), [None, Some(4), Some(4)]);
    }
}
