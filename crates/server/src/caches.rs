//! Where each partition's bytes are (memory tail, page cache, disk), and who reads from where.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use coordinator::{Reply, Request};
use meter::WINDOW_SECONDS;
use serde::Serialize;
use storage::files::names;

use crate::Broker;
use crate::meters::{PartitionReading, SourcesReading};
use crate::metrics::groups_of;
use crate::partitions::Partition;
use crate::seen::Serving;

/// Segment files that are looked up in the page cache for one view. Of partitions beyond that it is not told.
const FILES_MAX: usize = 20_000;

/// The view.
#[derive(Debug, Serialize)]
pub(crate) struct CacheView {
    /// What `recent` looks back on, at least.
    window_seconds: u64,
    partitions: Vec<PartitionView>,
    readers: Vec<ReaderView>,
}

/// A partition's bytes by where they are, and where its readers found theirs.
#[derive(Debug, Serialize)]
struct PartitionView {
    topic: Arc<str>,
    partition: i32,
    log_dir: PathBuf,
    /// Bytes of all batches.
    bytes: u64,
    /// Of these, in the memory tail.
    tail_bytes: u64,
    /// Of these, in no segment yet: in the journal and the tail only.
    unwritten_bytes: u64,
    /// Bytes of the segment files.
    segment_bytes: u64,
    /// Bytes of the segment files that are in the page cache; none where the system does not say.
    page_cache_bytes: Option<u64>,
    /// Bytes that are neither in the tail nor in the page cache, at least.
    disk_only_bytes: Option<u64>,
    recent: SourcesReading,
    total: SourcesReading,
}

/// A reader, the groups in which he is a member, and where he found what he was sent.
#[derive(Debug, Serialize)]
struct ReaderView {
    client_id: Arc<str>,
    /// None for those who share a place since there are too many.
    address: Option<String>,
    groups: Vec<String>,
    recent: SourcesReading,
    total: SourcesReading,
    /// The same for each partition, if there are not too many to be told apart.
    partitions: Vec<ReadPartitionView>,
}

/// Where a reader found what he was sent of a partition.
#[derive(Debug, Serialize)]
struct ReadPartitionView {
    topic: Arc<str>,
    partition: i32,
    recent: SourcesReading,
    total: SourcesReading,
}

impl From<PartitionReading> for ReadPartitionView {
    fn from(reading: PartitionReading) -> ReadPartitionView {
        let PartitionReading { partition, recent, total } = reading;
        ReadPartitionView { topic: partition.topic, partition: partition.partition, recent, total }
    }
}

/// Looks everywhere. Waits for the system to say what is in its page cache.
pub(crate) async fn view(serving: &Arc<Serving>) -> CacheView {
    let readers = readers(&serving.broker).await;
    let kept = Arc::clone(serving);
    let looked = tokio::task::spawn_blocking(move || partitions(&kept.broker)).await;
    CacheView { window_seconds: WINDOW_SECONDS, partitions: looked.unwrap_or_default(), readers }
}

fn partitions(broker: &Broker) -> Vec<PartitionView> {
    let mut all = broker.partitions.all();
    all.sort_by_cached_key(|partition| (Arc::clone(&partition.log.id().topic), partition.log.id().partition));
    let segments: Vec<Vec<(i64, u64)>> = all.iter().map(|partition| partition.log.segment_sizes()).collect();
    let mut files = Vec::new();
    let mut places = Vec::with_capacity(all.len());
    for (partition, segments) in all.iter().zip(&segments) {
        let begin = files.len();
        let log_file = |(base_offset, _): &(i64, u64)| {
            partition.log.dir().join(names::of_offset(*base_offset, names::LOG))
        };
        let is_within = begin + segments.len() <= FILES_MAX;
        files.extend(segments.iter().map(log_file).take(if is_within { segments.len() } else { 0 }));
        places.push(is_within.then_some(begin..files.len()));
    }
    let resident = broker.host.disk.resident_bytes(&files);
    let now = broker.host.clock.monotonic().as_secs();
    let views = all.iter().zip(segments).zip(places).map(|((partition, segments), place)| {
        let page_cache_bytes = place.and_then(|place| resident.get(place)?.iter().copied().sum());
        let segment_bytes = segments.iter().map(|(_, bytes)| bytes).sum();
        partition_view(partition, segment_bytes, page_cache_bytes, now)
    });
    views.collect()
}

fn partition_view(
    partition: &Partition,
    segment_bytes: u64,
    page_cache_bytes: Option<u64>,
    now_seconds: u64,
) -> PartitionView {
    let (log, reads) = (&partition.log, partition.meter.reads_so_far());
    let tail = log.tail_bytes();
    let (tail_bytes, unwritten_bytes) = (tail.total as u64, tail.unwritten as u64);
    let in_both = tail_bytes.saturating_sub(unwritten_bytes);
    PartitionView {
        topic: Arc::clone(&log.id().topic),
        partition: log.id().partition,
        log_dir: partition.log_dir.path().to_owned(),
        bytes: segment_bytes + unwritten_bytes,
        tail_bytes,
        unwritten_bytes,
        segment_bytes,
        page_cache_bytes,
        disk_only_bytes: page_cache_bytes.map(|cached| segment_bytes.saturating_sub(cached + in_both)),
        recent: reads.map(|reads| reads.recent(now_seconds)).unwrap_or_default(),
        total: reads.map(|reads| reads.total()).unwrap_or_default(),
    }
}

/// The groups by the client ids and addresses of their members.
type Memberships = HashMap<(String, String), Vec<String>>;

async fn readers(broker: &Broker) -> Vec<ReaderView> {
    let memberships = memberships(broker).await;
    let now = broker.host.clock.monotonic().as_secs();
    let mut readers: Vec<ReaderView> = broker
        .meters
        .readers
        .read(now)
        .into_iter()
        .map(|reading| {
            let address = reading.reader.address.map(|address| address.to_string());
            let member = (
                reading.reader.client_id.to_string(),
                format!("/{}", address.as_deref().unwrap_or_default()),
            );
            ReaderView {
                client_id: Arc::clone(&reading.reader.client_id),
                address,
                groups: memberships.get(&member).cloned().unwrap_or_default(),
                recent: reading.recent,
                total: reading.total,
                partitions: read_partitions(reading.partitions),
            }
        })
        .collect();
    readers.sort_by(|a, b| (&a.client_id, &a.address).cmp(&(&b.client_id, &b.address)));
    readers
}

fn read_partitions(readings: Vec<PartitionReading>) -> Vec<ReadPartitionView> {
    let mut partitions: Vec<ReadPartitionView> = readings.into_iter().map(ReadPartitionView::from).collect();
    partitions.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    partitions
}

async fn memberships(broker: &Broker) -> Memberships {
    let mut memberships = Memberships::new();
    for group in groups_of(broker).await {
        let request = Request::DescribeGroup { version: 5, group_id: group.id.clone() };
        let Ok(Reply::DescribeGroup(described)) = broker.groups.ask(request).await else { continue };
        for member in described.members {
            let groups = memberships.entry((member.client_id, member.client_host)).or_default();
            if groups.last() != Some(&group.id) {
                groups.push(group.id.clone());
            }
        }
    }
    memberships
}
