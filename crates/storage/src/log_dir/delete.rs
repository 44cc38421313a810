//! Deleting logs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::LogDir;
use super::futures::copied_partition;
use crate::journal::{Entry, EntryKind, Lsn};
use crate::log::Log;
use crate::{StorageError, TopicPartition};

/// The longest name of a directory, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// Ends the name of a directory that is to be removed.
const DELETED: &str = "-delete";
/// Ends the name of a directory of which nobody knows whose it is. It stays until somebody looks.
const STRAY: &str = "-stray";

impl LogDir {
    /// Deletes a log, and says whether it was there. It is gone when this returns, and no crash brings it back; its directory gets
    /// another name, and is removed after `file.delete.delay.ms`. Waits for the disk.
    pub fn delete_log(&self, partition: &TopicPartition) -> Result<bool, StorageError> {
        Ok(self.delete_logs(std::slice::from_ref(partition))? == 1)
    }

    /// Deletes several logs with one wait for the disk, and says how many were there.
    pub fn delete_logs(&self, partitions: &[TopicPartition]) -> Result<usize, StorageError> {
        let doomed: Vec<Arc<Log>> = partitions.iter().filter_map(|partition| self.log(partition)).collect();
        let mut last = Lsn(0);
        for log in &doomed {
            log.close();
            last = last.max(self.context.journal.submit(deletion(log))?);
        }
        self.context.journal.wait_durable(last)?;
        for log in &doomed {
            self.context.logs.write().remove(&log.id().topic_partition());
            let delay_ms = u64::try_from(log.config().file_delete_delay_ms).unwrap_or(0);
            log.delete(|| self.set_aside(log.dir(), Duration::from_millis(delay_ms)))?;
        }
        if !doomed.is_empty() {
            // The next logs of these names have offsets of their own.
            self.context.store_recovery_points()?;
        }
        Ok(doomed.len())
    }

    /// Sets logs aside which belong to no partition of the cluster, by other names of their directories, as Kafka does. Nothing of
    /// them is removed. Waits for the disk.
    pub fn set_strays_aside(&self, partitions: &[TopicPartition]) -> Result<(), StorageError> {
        if partitions.is_empty() {
            return Ok(());
        }
        // All of them goes to the segments, and the journal forgets them.
        self.checkpoint()?;
        for log in partitions.iter().filter_map(|partition| self.log(partition)) {
            log.close();
            self.context.logs.write().remove(&log.id().topic_partition());
            let stray = log.delete(|| self.rename(log.dir(), STRAY))?;
            tracing::warn!(dir = %stray.display(), "set aside a log that belongs to no partition of the cluster");
        }
        self.context.store_recovery_points()?;
        self.context.work.name_added();
        Ok(())
    }

    /// Renames a directory and has it removed in so long.
    pub(super) fn set_aside(&self, dir: &Path, delay: Duration) -> Result<(), StorageError> {
        let target = self.rename(dir, DELETED)?;
        self.context.work.name_added();
        self.context.remove_after(vec![target], delay);
        Ok(())
    }

    fn rename(&self, dir: &Path, suffix: &str) -> Result<PathBuf, StorageError> {
        let mut bits = [0; 16];
        self.context.host.random.fill(&mut bits);
        let target = unique_name(dir, &bits, suffix);
        let renamed = self.context.host.disk.rename(dir, &target);
        renamed.map_err(|source| StorageError::io(dir, source))?;
        Ok(target)
    }
}

pub(super) fn deletion(log: &Arc<Log>) -> Entry {
    entry(EntryKind::Delete, log)
}

/// An entry that is about the whole of a log.
pub(super) fn entry(kind: EntryKind, log: &Arc<Log>) -> Entry {
    Entry {
        kind,
        owner: log.clone(),
        offset: 0,
        end_offset: i64::MIN,
        leader_epoch: -1,
        records: Bytes::new(),
    }
}

/// `TOPIC-P.<32 hexadecimal digits>` and the suffix, the topic cut so that the name is not too long.
fn unique_name(dir: &Path, bits: &[u8; 16], suffix: &str) -> PathBuf {
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // A copy that is given up has such a name already.
    let name = copied_partition(&name).map_or_else(|| name.clone(), str::to_owned);
    let tail = format!(".{:032x}{suffix}", u128::from_be_bytes(*bits));
    let (topic, partition) = name.rsplit_once('-').unwrap_or((&name, "0"));
    // Names of topics are ASCII.
    let room = NAME_BYTES_MAX - tail.len() - partition.len() - 1;
    dir.with_file_name(format!("{}-{partition}{tail}", &topic[..topic.len().min(room)]))
}

/// Whether a directory is that of a deleted log.
pub(super) fn is_deleted(name: &str) -> bool {
    name.ends_with(DELETED)
}

/// Whether a directory was set aside because nobody knew whose it is.
pub(super) fn is_stray(name: &str) -> bool {
    name.ends_with(STRAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_deleted_log_fits_a_directory() {
        let name = |topic: &str| {
            let dir = Path::new("/data").join(format!("{topic}-11"));
            unique_name(&dir, &[0xab; 16], DELETED).file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(name("a-b"), "a-b-11.abababababababababababababababab-delete");
        assert!(is_deleted(&name("a-b")));
        let long = name(&"x".repeat(249));
        assert_eq!(long.len(), 255);
        assert!(long.contains("x-11."));
    }
}
