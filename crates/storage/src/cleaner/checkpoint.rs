//! Up to where logs were cleaned: `cleaner-offset-checkpoint` of each log directory, as Kafka writes it.

use std::collections::HashMap;
use std::sync::Arc;

use host::Disk;
use parking_lot::Mutex;

use crate::files::offset_checkpoint::{self, PartitionOffset};
use crate::log_dir::LogDir;
use crate::{StorageError, TopicIdPartition, TopicPartition};

/// The checkpoints of one log directory.
pub(super) struct Checkpoints {
    dir: Arc<LogDir>,
    /// Held while the file is written.
    offsets: Mutex<HashMap<TopicIdPartition, i64>>,
}

impl Checkpoints {
    /// Those that the directory has. A file that makes no sense is passed over: then all is dirty.
    pub(super) fn load(disk: &dyn Disk, dir: Arc<LogDir>) -> Checkpoints {
        let path = dir.path().join(offset_checkpoint::CLEANER);
        let entries = offset_checkpoint::load(disk, &path).unwrap_or_else(|error| {
            tracing::warn!(%error, "what was cleaned before is not known");
            Vec::new()
        });
        let of_log = |PartitionOffset { topic, partition, offset }| {
            let log = dir.log(&TopicPartition::new(topic, partition))?;
            Some((log.id().clone(), offset))
        };
        let offsets = Mutex::new(entries.into_iter().filter_map(of_log).collect());
        Checkpoints { dir, offsets }
    }

    pub(super) fn dir(&self) -> &Arc<LogDir> {
        &self.dir
    }

    /// Up to where a log was cleaned, exclusive.
    pub(super) fn get(&self, log: &TopicIdPartition) -> Option<i64> {
        self.offsets.lock().get(log).copied()
    }

    /// Writes down up to where a log was cleaned. Those of logs that are gone are forgotten.
    pub(super) fn put(
        &self,
        disk: &dyn Disk,
        log: &TopicIdPartition,
        offset: i64,
    ) -> Result<(), StorageError> {
        let mut offsets = self.offsets.lock();
        offsets.insert(log.clone(), offset);
        offsets.retain(|id, _| self.dir.log(&id.topic_partition()).is_some_and(|log| log.id() == id));
        let mut entries: Vec<_> =
            offsets.iter().map(|(id, offset)| (&*id.topic, id.partition, *offset)).collect();
        entries.sort_unstable();
        let path = self.dir.path().join(offset_checkpoint::CLEANER);
        Ok(offset_checkpoint::store(disk, &path, entries.into_iter())?)
    }
}
