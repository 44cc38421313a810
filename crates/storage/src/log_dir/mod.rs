//! A log directory: the logs in it, their journal, and the threads that move batches from the one to the others.
//!
//! | thread | does |
//! |---|---|
//! | journal | writes what is appended, and tells those who wait |
//! | destage | writes what is durable to the segments, flushes them, moves the recovery points, frees the journal |
//! | remove | removes what was deleted, after `file.delete.delay.ms` |

mod checkpoint;
mod close;
mod cold_pace;
mod cold_reads;
mod context;
mod delete;
mod destager;
mod futures;
mod health;
mod open;
mod options;
mod pace;
mod removals;
mod report;
mod retention;
mod usage;
mod work;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;

use host::FileLock;
use parking_lot::Mutex;

pub use close::recover;
pub use cold_reads::ColdReads;
pub(crate) use context::Context;
pub use options::{DestageMode, LogDirOptions};
pub(crate) use pace::Pace;
pub use report::RecoveryReport;
pub use usage::LogDirUsage;

use crate::files::{names, partition_metadata};
use crate::journal::Journal;
use crate::log::{Log, LogConfig};
use crate::{StorageError, TopicIdPartition, TopicPartition};

/// A log directory that is open, and locked against other processes.
///
/// Dropping it is like a crash: what is not on disk is lost. See [`close`](LogDir::close).
pub struct LogDir {
    context: Arc<Context>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    broker_epoch: AtomicI64,
    /// Given back when all else is done.
    lock: Mutex<Option<Box<dyn FileLock>>>,
}

impl LogDir {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.context.dir
    }

    /// Its journal.
    pub fn journal(&self) -> &Journal {
        &self.context.journal
    }

    /// A log that is there.
    pub fn log(&self, partition: &TopicPartition) -> Option<Arc<Log>> {
        self.context.logs.read().get(partition).cloned()
    }

    /// All logs, in no order.
    pub fn logs(&self) -> Vec<Arc<Log>> {
        self.context.logs.read().values().cloned().collect()
    }

    /// The log of a partition; it is made if it is not there, and its settings are set if it is. Its directory is not flushed: the
    /// metadata log says which partitions there are, and whatever is appended is in the journal.
    pub fn create_log(&self, id: &TopicIdPartition, config: LogConfig) -> Result<Arc<Log>, StorageError> {
        let partition = id.topic_partition();
        if let Some(log) = self.log(&partition) {
            return adopt(log, id, config);
        }
        self.check_online()?;
        let mut logs = self.context.logs.write();
        if let Some(log) = logs.get(&partition) {
            return adopt(log.clone(), id, config);
        }
        let dir = self.context.dir.join(id.dir_name());
        self.make_dir(&dir, id)?;
        let log = Log::create(self.context.clone(), id.clone(), dir, config, 0);
        logs.insert(partition, log.clone());
        Ok(log)
    }

    fn make_dir(&self, dir: &Path, id: &TopicIdPartition) -> Result<(), StorageError> {
        let disk = &*self.context.host.disk;
        let make = || {
            disk.create_dir_all(dir)?;
            let metadata = disk.open(&dir.join(partition_metadata::NAME), host::OpenMode::ReadWrite)?;
            let text = partition_metadata::encode(id.topic_id);
            metadata.write_all_at(text.as_bytes(), 0)?;
            // Only if it is needed: a file that was truncated is written out by some file systems when it is closed.
            if metadata.len()? == text.len() as u64 { Ok(()) } else { metadata.set_len(text.len() as u64) }
        };
        make().map_err(|source| StorageError::io(dir, source))?;
        self.context.work.name_added();
        Ok(())
    }

    /// The room of the file system that it is on. Waits for the disk.
    pub fn space(&self) -> Result<host::Space, StorageError> {
        let space = self.context.host.disk.space(&self.context.dir);
        space.map_err(|source| StorageError::io(&self.context.dir, source))
    }

    /// The broker's epoch, which the marker of a clean end says.
    pub fn set_broker_epoch(&self, broker_epoch: i64) {
        self.broker_epoch.store(broker_epoch, Ordering::Release);
    }

    /// Writes all that is durable to the segments, flushes them and frees the journal, at once. Waits for the disk.
    pub fn checkpoint(&self) -> Result<(), StorageError> {
        self.context.work.checkpoint_and_wait()
    }
}

/// A log that is there already.
fn adopt(log: Arc<Log>, id: &TopicIdPartition, config: LogConfig) -> Result<Arc<Log>, StorageError> {
    if log.id().topic_id != id.topic_id && !log.id().topic_id.is_zero() {
        return Err(StorageError::OtherTopic(id.dir_name()));
    }
    log.update_config(config);
    Ok(log)
}

/// Whether a directory is that of a partition.
fn is_partition(name: &str) -> bool {
    names::partition_in(name).is_some()
}

impl Drop for LogDir {
    fn drop(&mut self) {
        self.stop_threads(false);
        // Logs know the directory, and it them.
        self.context.work.clear();
        self.context.logs.write().clear();
        self.context.futures.write().clear();
    }
}

impl std::fmt::Debug for LogDir {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogDir({})", self.context.dir.display())
    }
}
