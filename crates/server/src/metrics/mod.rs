//! Metrics as OpenMetrics text, gathered when somebody asks. Names and meanings are Kafka's: see `docs/metrics.md`.

mod cluster;
mod directories;
mod family;
mod groups;
mod partitions;
mod requests;

use std::fmt;
use std::sync::Arc;

pub(crate) use groups::{GroupSeen, NextRecords, groups_of};

use crate::seen::{Seen, Serving, Stage};
use family::Family;

/// Partitions that have series of their own, and partitions of groups. The rest is counted in sums only.
const SERIES_MAX: usize = 10_000;

/// Everything that is counted now, as text. One scrape is under way at a time.
pub(crate) async fn scrape(seen: &Arc<Seen>) -> Result<String, fmt::Error> {
    let mut next_records = seen.next_records.lock().await;
    let mut families = cluster::of_process(seen);
    if let Stage::Serving(serving) = seen.stage() {
        let groups = groups_of(&serving.broker).await;
        let known = std::mem::take(&mut *next_records);
        let now_ms = seen.now_ms();
        // Looking for the next records of slow groups may wait for the disk.
        let gathered = tokio::task::spawn_blocking(move || {
            let mut known = known;
            let families = of_serving(&serving, &groups, &mut known, now_ms);
            (families, known)
        });
        let (more, known) = gathered.await.unwrap_or_default();
        *next_records = known;
        families.extend(more);
    }
    family::text(families)
}

fn of_serving(
    serving: &Serving,
    groups: &[GroupSeen],
    next_records: &mut NextRecords,
    now_ms: i64,
) -> Vec<Family> {
    let broker = &serving.broker;
    let mut families = requests::of_apis(&broker.meters);
    families.extend(requests::of_connections(broker));
    families.extend(partitions::of_partitions(broker));
    families.extend(cluster::of_cluster(broker));
    families.extend(directories::of_directories(&serving.log_dirs));
    families.extend(groups::of_groups(broker, groups, next_records, now_ms));
    families
}
