//! Journals and memory tails of the log directories.

use std::sync::Arc;

use storage::{LogDir, LogDirUsage};

use super::family::{Family, Value};

/// A metric of a directory: its name, what it is, and where it is found.
type DirectoryMetric = (&'static str, &'static str, fn(&LogDirUsage) -> Value);

const DIRECTORY_METRICS: [DirectoryMetric; 5] = [
    ("yeoul_journal_used_bytes", "Of the journal, what the segments do not hold durably yet", |usage| {
        Value::whole(usage.journal_used)
    }),
    ("yeoul_journal_capacity_bytes", "What the journal has grown to", |usage| {
        Value::whole(usage.journal_capacity)
    }),
    ("yeoul_journal_queued_bytes", "Records that wait for the journal to be written", |usage| {
        Value::whole(usage.journal_queued)
    }),
    ("yeoul_tail_used_bytes", "Memory that the newest records take", |usage| Value::whole(usage.tail_used)),
    ("yeoul_tail_max_bytes", "Memory that the newest records may take", |usage| Value::whole(usage.tail_max)),
];

/// By log directory.
pub(super) fn of_directories(log_dirs: &[Arc<LogDir>]) -> Vec<Family> {
    let usages: Vec<(String, LogDirUsage)> =
        log_dirs.iter().map(|dir| (dir.path().display().to_string(), dir.usage())).collect();
    let label = |path: &String| vec![("logDirectory", path.clone())];
    let gauges = DIRECTORY_METRICS.iter().map(|(name, help, of)| {
        let mut family = Family::gauge(name, help);
        usages.iter().for_each(|(path, usage)| family.add(label(path), of(usage)));
        family
    });
    let mut writes = Family::histogram(
        "kafka_log_logflushstats_logflushrateandtimems",
        "Writes of the journal, each until it was on disk",
    );
    for (path, usage) in &usages {
        writes.add(label(path), Value::millis(usage.journal_writes.clone()));
    }
    let failing = log_dirs.iter().filter(|dir| dir.failure().is_some()).count();
    let offline = Family::gauge(
        "kafka_log_logmanager_offlinelogdirectorycount",
        "Log directories that are not used any more, since their disks failed",
    );
    gauges.chain([writes, offline.with(Vec::new(), Value::whole(failing))]).collect()
}
