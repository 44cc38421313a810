//! Loading a partition's groups from its log.

use std::io;

use bytes::Bytes;
use coordinator::Loader;
use host::File;
use protocol::records::{BatchError, Batches};
use storage::{Log, ReadError, ReadLimit, ReadRequest, SliceData};
use thiserror::Error;

use super::partition::Partition;

/// What is read at once, in bytes; a larger batch is read whole.
const RUN_BYTES: usize = 1024 * 1024;

/// Why a log cannot be loaded.
#[derive(Debug, Error)]
enum LoadError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("a segment cannot be read: {0}")]
    File(#[from] io::Error),
    #[error("the batch at offset {offset} has no header: {source}")]
    Header { offset: i64, source: BatchError },
}

/// Feeds the whole log to the partition's coordinator. May wait for the disk if the log [is cold](Log::is_cold).
pub(super) fn run(partition: &Partition) {
    let end = partition.log().log_end_offset();
    let mut load = Load { partition, loader: Loader::new(), offset: partition.log().log_start_offset() };
    match load.feed_up_to(end) {
        Ok(true) => {
            load.report(end);
            partition.finish_load(end.max(load.offset));
        }
        Ok(false) => {}
        Err(error) => {
            tracing::error!(partition = %partition.log().id(), %error, "groups cannot be loaded; trying again");
            partition.fail_load();
        }
    }
}

struct Load<'a> {
    partition: &'a Partition,
    loader: Loader,
    /// Up to where the log was fed, exclusive.
    offset: i64,
}

impl Load<'_> {
    /// False if nobody wants it any more.
    fn feed_up_to(&mut self, end: i64) -> Result<bool, LoadError> {
        while self.offset < end {
            let runs = read_runs(self.partition.log(), self.offset)?;
            if runs.is_empty() {
                // Compaction may have taken the last records.
                break;
            }
            for run in &runs {
                if !self.feed_run(run)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn feed_run(&mut self, run: &Bytes) -> Result<bool, LoadError> {
        for batch in Batches::new(run) {
            let (header, batch) =
                batch.map_err(|source| LoadError::Header { offset: self.offset, source })?;
            let Some(fed) = self.partition.feed(&mut self.loader, &run.slice_ref(batch)) else {
                return Ok(false);
            };
            if let Err(error) = fed {
                let (partition, offset) = (self.partition.log().id(), header.base_offset);
                tracing::error!(%partition, offset, %error, "a batch of groups cannot be read and is passed over");
            }
            self.offset = header.next_offset();
        }
        Ok(true)
    }

    fn report(&self, end: i64) {
        let (partition, broken) = (self.partition.log().id(), self.loader.broken_records());
        if broken > 0 {
            tracing::error!(%partition, broken, "records of groups could not be read and were passed over");
        }
        tracing::debug!(%partition, end, "groups loaded");
    }
}

/// Some whole batches from an offset on, none at the log's end.
fn read_runs(log: &Log, offset: i64) -> Result<Vec<Bytes>, LoadError> {
    let request = ReadRequest { offset, max_bytes: RUN_BYTES, min_one_batch: true, up_to: ReadLimit::LogEnd };
    Ok(match log.read(request)?.data {
        SliceData::Empty => Vec::new(),
        SliceData::Memory(batches) => batches,
        SliceData::File { file, position, len, .. } => {
            let read = read_file(&*file, position, len);
            vec![read.inspect_err(|error| log.note_unreadable(error))?]
        }
    })
}

fn read_file(file: &dyn File, position: u64, len: usize) -> io::Result<Bytes> {
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, position)?;
    Ok(bytes.into())
}
