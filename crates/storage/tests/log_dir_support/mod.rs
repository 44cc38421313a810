//! A log directory on a simulated machine, and batches to append.
#![allow(dead_code, reason = "each test uses a part")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use host::Host;
use host::sim::{ManualClock, SeededRandom, SimDisk};
use protocol::Uuid;
use protocol::compression::Compression;
use protocol::records::{BatchBuilder, Batches};
use storage::{
    AppendInfo, Log, LogConfig, LogDir, LogDirOptions, Origin, ReadLimit, ReadRequest, RecoveryReport,
    SliceData, StorageError, TopicIdPartition,
};

pub const DIR: &str = "/data";
pub const NOW_MS: i64 = 1_700_000_000_000;

/// Waits until something is so, which the sentence says.
pub fn wait_until(sentence: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(20), "waited in vain until {sentence}");
        std::thread::yield_now();
    }
}

/// A machine whose disk is this one.
pub fn host(disk: &SimDisk, seed: u64) -> Host {
    host_at(disk, seed, &Arc::new(ManualClock::new(NOW_MS)))
}

/// A machine whose disk and clock are these.
pub fn host_at(disk: &SimDisk, seed: u64, clock: &Arc<ManualClock>) -> Host {
    Host { disk: Arc::new(disk.process()), clock: clock.clone(), random: Arc::new(SeededRandom::new(seed)) }
}

/// Settings with a small journal.
pub fn small_options() -> LogDirOptions {
    LogDirOptions {
        journal_bytes_min: 64 * 1024,
        checkpoint_bytes: 32 * 1024,
        default_config: small_segments(),
        ..LogDirOptions::default()
    }
}

/// Segments that roll often.
pub fn small_segments() -> LogConfig {
    LogConfig { segment_bytes: 8 * 1024, index_interval_bytes: 256, ..LogConfig::default() }
}

pub fn open(disk: &SimDisk, seed: u64) -> Result<(Arc<LogDir>, RecoveryReport), StorageError> {
    LogDir::open(host(disk, seed), Path::new(DIR), small_options())
}

pub fn id(topic: &str, partition: i32) -> TopicIdPartition {
    TopicIdPartition::new(topic, Uuid([7; 16]), partition)
}

/// A client's batch with so many records, which say a number.
pub fn batch(number: u64, records: usize, value_bytes: usize) -> Bytes {
    let mut builder = BatchBuilder::new(0, Compression::None);
    for index in 0..records {
        let mut value = format!("{number}/{index}/").into_bytes();
        value.resize(value.len().max(value_bytes), b'.');
        builder.push(NOW_MS, None, Some(&value), &[]);
    }
    builder.build()
}

pub fn info() -> AppendInfo {
    AppendInfo { leader_epoch: 3, now_ms: NOW_MS, origin: Origin::Client }
}

/// All batches of a log from an offset on, each with its base offset.
pub fn read_all(log: &Log, mut offset: i64) -> Vec<(i64, Bytes)> {
    let mut batches = Vec::new();
    loop {
        let request = ReadRequest { offset, max_bytes: 4_000, min_one_batch: true, up_to: ReadLimit::LogEnd };
        let bytes = match log.read(request).expect("it is there").data {
            SliceData::Empty => return batches,
            SliceData::Memory(slices) => slices.concat(),
            SliceData::File { file, position, len, .. } => {
                let mut bytes = vec![0; len];
                assert_eq!(file.read_at(&mut bytes, position).expect("it is there"), len);
                bytes
            }
        };
        for batch in Batches::new(&bytes) {
            let (header, batch) = batch.expect("it is there");
            protocol::records::verify(batch).expect("it is there");
            if header.last_offset() >= offset {
                batches.push((header.base_offset, Bytes::copy_from_slice(batch)));
                offset = header.next_offset();
            }
        }
    }
}

/// What a batch says apart from what the broker writes into it.
pub fn content(batch: &[u8]) -> &[u8] {
    &batch[17..]
}
