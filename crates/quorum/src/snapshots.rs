//! When snapshots are taken, what they say, and when they go.

use protocol::metadata_record;
use protocol::records::{BatchHeader, HEADER_BYTES};
use storage::files::snapshot::{self, SnapshotWriter};
use storage::files::{names, remove_if_there};

use crate::shared::Shared;
use crate::{CommittedImage, QuorumError, QuorumSettings};

/// When the next snapshot is due.
#[derive(Debug)]
pub(crate) struct SnapshotRules {
    bytes_max: u64,
    interval_ms: i64,
    /// Bytes of batches since the last one.
    bytes: u64,
    /// When the last one was taken, or the quorum started.
    since_ms: i64,
}

impl SnapshotRules {
    /// With so many bytes of batches behind the last snapshot.
    pub(crate) fn new(settings: &QuorumSettings, bytes: u64, now_ms: i64) -> SnapshotRules {
        let QuorumSettings { snapshot_bytes, snapshot_interval_ms, .. } = *settings;
        SnapshotRules {
            bytes_max: snapshot_bytes,
            interval_ms: snapshot_interval_ms,
            bytes,
            since_ms: now_ms,
        }
    }

    /// A batch of records was applied.
    pub(crate) fn applied(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// A snapshot is being taken.
    pub(crate) fn taken(&mut self, now_ms: i64) {
        self.bytes = 0;
        self.since_ms = now_ms;
    }

    /// Whether to take one: after enough bytes, or after enough time if there is anything new.
    pub(crate) fn is_due(&self, now_ms: i64) -> bool {
        let late = self.interval_ms > 0 && now_ms.saturating_sub(self.since_ms) >= self.interval_ms;
        self.bytes > 0 && (self.bytes >= self.bytes_max || late)
    }
}

/// Writes a snapshot. It is on disk when this returns, and of no use to anybody before.
pub(crate) fn write(
    shared: &Shared,
    image: &CommittedImage,
    last_timestamp_ms: i64,
) -> Result<(), QuorumError> {
    let now_ms = shared.host.clock.now_ms();
    let voters = shared.voter.for_snapshot();
    let mut writer = SnapshotWriter::new(image.epoch, last_timestamp_ms, now_ms, voters)?;
    let version = image.image.features.metadata_version();
    for record in image.image.to_records() {
        writer.push(&metadata_record::encode(&record, version.record_version(&record))?);
    }
    let path = shared.log.dir().join(names::of_snapshot(image.offset, image.epoch));
    snapshot::store(&*shared.host.disk, &path, &writer.finish())?;
    tracing::info!(path = %path.display(), "snapshot of the metadata written");
    Ok(())
}

/// A snapshot that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    end_offset: i64,
    epoch: i32,
    bytes: u64,
    /// When it was written, in milliseconds since 1970.
    written_ms: i64,
}

/// Removes snapshots that are not needed any more, and lets the log start where the oldest of the others ends. What cannot be removed
/// now is tried again later.
pub(crate) fn expire(shared: &Shared) {
    let kept = list(shared);
    let count = expired(&kept, shared.log.size_bytes(), shared.host.clock.now_ms(), &shared.settings);
    for old in &kept[..count] {
        let path = shared.log.dir().join(names::of_snapshot(old.end_offset, old.epoch));
        if let Err(error) = remove_if_there(&*shared.host.disk, &path) {
            tracing::warn!(%error, "an old snapshot of the metadata cannot be removed");
        }
    }
    if count > 0
        && let Err(error) = shared.log.advance_log_start(kept[count].end_offset)
    {
        tracing::warn!(%error, "the old part of the metadata log cannot be removed");
    }
}

/// How many of the snapshots, the oldest first, may go. The newest never does. Each of the others goes when it is too old, or when all
/// together with the log are too large.
fn expired(kept: &[Kept], log_bytes: u64, now_ms: i64, settings: &QuorumSettings) -> usize {
    let mut bytes = log_bytes + kept.iter().map(|snapshot| snapshot.bytes).sum::<u64>();
    let candidates = &kept[..kept.len().saturating_sub(1)];
    let goes = |snapshot: &&Kept| {
        let too_large = u64::try_from(settings.retention_bytes).is_ok_and(|bytes_max| bytes > bytes_max);
        let too_old = settings.retention_ms >= 0 && now_ms - snapshot.written_ms > settings.retention_ms;
        bytes -= snapshot.bytes;
        too_large || too_old
    };
    candidates.iter().take_while(goes).count()
}

/// All snapshots, the oldest first.
fn list(shared: &Shared) -> Vec<Kept> {
    let entries = shared.host.disk.list(shared.log.dir()).unwrap_or_default();
    let kept = |entry: host::DirEntry| {
        let (end_offset, epoch) = names::snapshot_in(&entry.name)?;
        let written_ms = written_ms(shared, &entry.name)?;
        Some(Kept { end_offset, epoch, bytes: entry.len, written_ms })
    };
    let mut all: Vec<Kept> = entries.into_iter().filter_map(kept).collect();
    all.sort_unstable_by_key(|snapshot| (snapshot.end_offset, snapshot.epoch));
    all
}

/// The timestamp of its first batch.
fn written_ms(shared: &Shared, name: &str) -> Option<i64> {
    let file = shared.host.disk.open(&shared.log.dir().join(name), host::OpenMode::Read).ok()?;
    let mut header = [0; HEADER_BYTES];
    file.read_at(&mut header, 0).ok()?;
    BatchHeader::parse(&header).ok().map(|header| header.max_timestamp)
}

#[cfg(test)]
mod tests {
    use protocol::Uuid;

    use super::*;

    fn settings() -> QuorumSettings {
        let defaults = QuorumSettings::new(1, Uuid::ZERO, Vec::new());
        QuorumSettings {
            snapshot_bytes: 1_000,
            snapshot_interval_ms: 60_000,
            retention_bytes: 10_000,
            retention_ms: 100_000,
            ..defaults
        }
    }

    #[test]
    fn a_snapshot_is_due_after_enough_bytes_or_time_with_something_new() {
        let mut rules = SnapshotRules::new(&settings(), 900, 0);
        assert!(!rules.is_due(59_999));
        assert!(rules.is_due(60_000));
        rules.applied(100);
        assert!(rules.is_due(1));
        rules.taken(70_000);
        assert!(!rules.is_due(500_000), "nothing is new");
        rules.applied(1);
        assert!(!rules.is_due(129_999));
        assert!(rules.is_due(130_000));
    }

    #[test]
    fn old_snapshots_go_but_the_newest_stays() {
        let kept = |end_offset, bytes, written_ms| Kept { end_offset, epoch: 1, bytes, written_ms };
        let three = [kept(10, 500, 0), kept(20, 500, 50_000), kept(30, 500, 90_000)];
        assert_eq!(expired(&three, 1_000, 100_000, &settings()), 0);
        assert_eq!(expired(&three, 1_000, 100_001, &settings()), 1, "too old");
        assert_eq!(expired(&three, 1_000, 1_000_000, &settings()), 2);
        assert_eq!(expired(&three, 9_000, 100_000, &settings()), 1, "too large");
        assert_eq!(expired(&three, 90_000, 100_000, &settings()), 2);
        assert_eq!(expired(&[], 90_000, 100_000, &settings()), 0);
        let unlimited = QuorumSettings { retention_bytes: -1, retention_ms: -1, ..settings() };
        assert_eq!(expired(&three, 90_000, i64::MAX, &unlimited), 0);
    }
}
