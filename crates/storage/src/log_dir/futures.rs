//! Logs that are being copied here from another log directory, and take the place of the originals when they are complete (KIP-113).
//!
//! Until then the directory of one is called `TOPIC-P.<32 hexadecimal digits>-future`. The journal knows it by its partition like any
//! other log: a log directory never holds both a partition and its copy.

use std::sync::Arc;
use std::time::Duration;

use super::LogDir;
use super::delete::{deletion, entry};
use crate::files::partition_metadata;
use crate::journal::EntryKind;
use crate::log::{Log, LogConfig, LogFiles, Replay};
use crate::{StorageError, TopicIdPartition, TopicPartition};

/// Ends the name of the directory of a copy.
const FUTURE: &str = "-future";

impl LogDir {
    /// The copy of a partition's log that is being made here.
    pub fn future_log(&self, partition: &TopicPartition) -> Option<Arc<Log>> {
        self.context.futures.read().get(partition).cloned()
    }

    /// All copies that are being made here, in no order.
    pub fn future_logs(&self) -> Vec<Arc<Log>> {
        self.context.futures.read().values().cloned().collect()
    }

    /// Begins a copy that starts at an offset. Its name and its topic's id are on disk when this returns. Waits for the disk.
    pub fn create_future_log(
        &self,
        id: &TopicIdPartition,
        config: LogConfig,
        start_offset: i64,
    ) -> Result<Arc<Log>, StorageError> {
        self.check_online()?;
        let mut bits = [0; 16];
        self.context.host.random.fill(&mut bits);
        // Never cut, for it says whose the copy is.
        let name = format!("{}.{:032x}{FUTURE}", id.dir_name(), u128::from_be_bytes(bits));
        let dir = self.context.dir.join(name);
        self.make_dir(&dir, id)?;
        // Whoever goes on with the copy after a crash has to know whose it is.
        let disk = &*self.context.host.disk;
        partition_metadata::store(disk, &dir.join(partition_metadata::NAME), id.topic_id)?;
        let synced = disk.sync_dir(&self.context.dir);
        synced.map_err(|source| StorageError::io(&self.context.dir, source))?;
        let log = Log::create(self.context.clone(), id.clone(), dir, config, start_offset);
        // The journal may still say that another log of this partition was deleted here.
        let begun = self.context.journal.submit(entry(EntryKind::Create, &log))?;
        self.context.journal.wait_durable(begun)?;
        self.context.futures.write().insert(id.topic_partition(), log.clone());
        Ok(log)
    }

    /// Gives a copy up, and says whether there was one. No crash brings it back. Waits for the disk.
    pub fn delete_future_log(&self, partition: &TopicPartition) -> Result<bool, StorageError> {
        let Some(log) = self.future_log(partition) else { return Ok(false) };
        log.close();
        let deleted = self.context.journal.submit(deletion(&log))?;
        self.context.journal.wait_durable(deleted)?;
        self.context.futures.write().remove(partition);
        log.delete(|| self.set_aside(log.dir(), Duration::ZERO))?;
        Ok(true)
    }

    /// Makes a complete copy the log of its partition; none if there is no copy. Its new name is on disk when this returns. Waits for
    /// the disk.
    pub fn promote_future_log(&self, partition: &TopicPartition) -> Result<Option<Arc<Log>>, StorageError> {
        let Some(future) = self.future_log(partition) else { return Ok(None) };
        future.close();
        // All of it is in the segments then, and they are as after a clean stop.
        self.checkpoint()?;
        future.finish()?;
        let log = self.rename_and_open(&future)?;
        let mut logs = self.context.logs.write();
        logs.insert(partition.clone(), log.clone());
        self.context.futures.write().remove(partition);
        drop(logs);
        self.context.store_recovery_points()?;
        Ok(Some(log))
    }

    fn rename_and_open(&self, future: &Arc<Log>) -> Result<Arc<Log>, StorageError> {
        let disk = &*self.context.host.disk;
        let (recovery_point, log_start) = (future.log_end_offset(), future.log_start_offset());
        let dir = self.context.dir.join(future.id().dir_name());
        future.delete(|| disk.rename(future.dir(), &dir).map_err(|source| StorageError::io(&dir, source)))?;
        disk.sync_dir(&self.context.dir).map_err(|source| StorageError::io(&self.context.dir, source))?;
        let entries = disk.list(&dir).map_err(|source| StorageError::io(&dir, source))?;
        let (id, replay) = (future.id().clone(), Replay::default());
        let files = LogFiles { id, dir, entries, recovery_point, log_start, clean: true, replay };
        let config = (*future.config()).clone();
        Ok(Log::open(self.context.clone(), config, files)?.0)
    }
}

/// The name of the partition's directory in that of its copy; none if it is another directory.
pub(super) fn copied_partition(name: &str) -> Option<&str> {
    let (partition, unique) = name.strip_suffix(FUTURE)?.rsplit_once('.')?;
    let is_unique = unique.len() == 32 && unique.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_unique.then_some(partition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_known_by_the_name_of_its_directory() {
        let unique = "0123456789abcdef0123456789abcdef";
        assert_eq!(copied_partition(&format!("a.b-7.{unique}-future")), Some("a.b-7"));
        for other in [
            format!("a-7.{unique}-delete"),
            format!("a-7.{unique}"),
            "a-7-future".to_owned(),
            "a-7.x-future".to_owned(),
        ] {
            assert_eq!(copied_partition(&other), None, "{other}");
        }
    }
}
