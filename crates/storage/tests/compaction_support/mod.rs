//! A compacted log on a simulated machine, and what is known of its keys.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use host::sim::{ManualClock, SeededRandom, SimDisk};
use host::{Disk, Host};
use protocol::compression::Compression;
use protocol::records::{BatchBuilder, records};
use storage::{Cleaned, Cleaner, CleanerSettings, CompactionRules, Log, LogConfig, LogDir};

use crate::support::*;

pub type Value = Option<String>;

/// A machine at a time.
pub fn host_at(disk: &SimDisk, seed: u64, now_ms: i64) -> Host {
    Host {
        disk: Arc::new(disk.process()),
        clock: Arc::new(ManualClock::new(now_ms)),
        random: Arc::new(SeededRandom::new(seed)),
    }
}

/// Small segments that are cleaned whenever there is something to clean.
pub fn compacted() -> LogConfig {
    let compaction = CompactionRules { min_cleanable_dirty_ratio: 0.0, ..CompactionRules::default() };
    LogConfig {
        compacted: true,
        compaction,
        segment_bytes: 2_048,
        file_delete_delay_ms: 0,
        ..small_segments()
    }
}

/// A log directory with one compacted log.
pub struct Life {
    pub dir: Arc<LogDir>,
    pub log: Arc<Log>,
    pub cleaner: Arc<Cleaner>,
}

impl Life {
    pub fn begin(disk: &SimDisk, seed: u64, now_ms: i64, settings: CleanerSettings) -> Life {
        Life::try_begin(disk, seed, now_ms, settings).expect("the directory can be opened")
    }

    pub fn try_begin(disk: &SimDisk, seed: u64, now_ms: i64, settings: CleanerSettings) -> Option<Life> {
        let host = host_at(disk, seed, now_ms);
        let (dir, _) = LogDir::open(host.clone(), Path::new(DIR), small_options()).ok()?;
        let log = dir.create_log(&id("t", 0), compacted()).ok()?;
        let cleaner = Cleaner::new(host, vec![dir.clone()], move || settings.clone());
        Some(Life { dir, log, cleaner })
    }

    /// Cleans until nothing is left to clean, and says what was done.
    pub fn clean_all(&self) -> Vec<Cleaned> {
        std::iter::from_fn(|| self.cleaner.clean_filthiest()).take(100).collect()
    }

    /// Appends a batch, and waits until it is on disk.
    pub fn append(&self, keys: &mut Keys, compression: Compression, rows: &[(String, Value)]) {
        let mut builder = BatchBuilder::new(0, compression);
        for (key, value) in rows {
            builder.push(NOW_MS, Some(key.as_bytes()), value.as_deref().map(str::as_bytes), &[]);
        }
        let appended = self.log.append(builder.build(), info()).expect("it is appended");
        self.dir.journal().wait_durable(appended.position).expect("it is on disk");
        for (offset, (key, value)) in (appended.base_offset..).zip(rows) {
            keys.appended.push((offset, key.clone(), value.clone()));
        }
    }
}

/// Every record that was appended.
#[derive(Default)]
pub struct Keys {
    pub appended: Vec<(i64, String, Value)>,
}

impl Keys {
    /// A log holds of each key the last value, and before that nothing that was never there.
    pub fn check(&self, log: &Log, context: &str) {
        let found = read_records(log);
        for row in &found {
            assert!(self.appended.contains(row), "{context}: {row:?} was never appended");
        }
        assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0), "{context}: offsets ascend");
        let (last, found) = (last_of_each(&self.appended), last_of_each(&found));
        for (key, (offset, value)) in &last {
            match (found.get(key), value) {
                (None, None) => {}
                (there, _) => assert_eq!(there, Some(&(*offset, value.clone())), "{context}: key {key}"),
            }
        }
    }
}

fn last_of_each(rows: &[(i64, String, Value)]) -> BTreeMap<String, (i64, Value)> {
    rows.iter().map(|(offset, key, value)| (key.clone(), (*offset, value.clone()))).collect()
}

/// Every record of a log.
pub fn read_records(log: &Log) -> Vec<(i64, String, Value)> {
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).expect("text");
    let mut rows = Vec::new();
    for (_, batch) in read_all(log, log.log_start_offset()) {
        for record in records(&batch, 1 << 20).expect("a batch") {
            let record = record.expect("a record");
            rows.push((record.offset, record.key.map(text).expect("a key"), record.value.map(text)));
        }
    }
    rows
}

/// The names of the log's files.
pub fn file_names(disk: &SimDisk) -> Vec<String> {
    let entries = disk.list(&Path::new(DIR).join("t-0")).expect("the directory is there");
    entries.into_iter().map(|entry| entry.name).collect()
}

pub fn settings(direct: bool) -> CleanerSettings {
    CleanerSettings { direct, ..CleanerSettings::default() }
}
