//! What is counted of topics, partitions and logs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::SERIES_MAX;
use super::family::{Family, Labels, Value};
use crate::Broker;
use crate::meters::{PartitionCounts, SourcesReading};
use crate::partitions::Partition;

/// A metric of BrokerTopicMetrics: its name, what it is, and where it is counted.
type TopicMetric = (&'static str, &'static str, fn(&PartitionCounts) -> u64);

const TOPIC_METRICS: [TopicMetric; 8] = [
    ("kafka_server_brokertopicmetrics_messagesin", "Records appended", |counts| counts.records_in),
    ("kafka_server_brokertopicmetrics_bytesin", "Bytes of batches appended", |counts| counts.bytes_in),
    ("kafka_server_brokertopicmetrics_bytesout", "Bytes of records answered to fetches", |counts| {
        counts.bytes_out
    }),
    ("kafka_server_brokertopicmetrics_bytesrejected", "Bytes of batches refused as too large", |counts| {
        counts.rejected_bytes
    }),
    ("kafka_server_brokertopicmetrics_totalproducerequests", "Partitions in Produce requests", |counts| {
        counts.produce_requests
    }),
    (
        "kafka_server_brokertopicmetrics_failedproducerequests",
        "Partitions in Produce requests that failed otherwise than in the course of things",
        |counts| counts.failed_produce,
    ),
    ("kafka_server_brokertopicmetrics_totalfetchrequests", "Partitions in Fetch requests", |counts| {
        counts.fetch_requests
    }),
    (
        "kafka_server_brokertopicmetrics_failedfetchrequests",
        "Partitions in Fetch requests that failed otherwise than in the course of things",
        |counts| counts.failed_fetch,
    ),
];

/// A metric of a log or partition: its name, what it is, and where it is found.
type PartitionMetric = (&'static str, &'static str, fn(&Partition) -> Value);

const PARTITION_METRICS: [PartitionMetric; 5] = [
    ("kafka_log_log_size", "Bytes of the log's batches", |partition| {
        Value::whole(partition.log.size_bytes())
    }),
    ("kafka_log_log_logstartoffset", "Offset of the first record", |partition| {
        Value::whole(partition.log.log_start_offset())
    }),
    ("kafka_log_log_logendoffset", "Offset after the last record", |partition| {
        Value::whole(partition.log.log_end_offset())
    }),
    ("kafka_log_log_numlogsegments", "Segments", |partition| Value::whole(partition.log.segment_count())),
    (
        "kafka_cluster_partition_underminisr",
        "Whether there are fewer in sync than min.insync.replicas",
        |partition| Value::flag(!partition.has_enough_in_sync()),
    ),
];

/// Topics' traffic, logs' sizes, replicas' states.
pub(super) fn of_partitions(broker: &Broker) -> Vec<Family> {
    let (mut partitions, past) = broker.partitions.all_and_past();
    let place = |partition: &Arc<Partition>| {
        let id = partition.log.id();
        (Arc::clone(&id.topic), id.partition)
    };
    partitions.sort_by_cached_key(place);
    let mut families = of_topics(&partitions, past);
    families.extend(of_logs(&partitions));
    families.extend(of_replicas(broker, &partitions));
    families
}

/// What the partitions of a topic come to.
#[derive(Default)]
struct TopicSum {
    counts: PartitionCounts,
    reads: SourcesReading,
}

fn of_topics(partitions: &[Arc<Partition>], past: PartitionCounts) -> Vec<Family> {
    let mut total = past;
    let mut topics: BTreeMap<&str, TopicSum> = BTreeMap::new();
    for partition in partitions {
        let counts = partition.counts();
        total += counts;
        let topic = topics.entry(&partition.log.id().topic).or_default();
        topic.counts += counts;
        if let Some(reads) = partition.meter.reads_so_far() {
            topic.reads.add(&reads.total());
        }
    }
    let traffic = TOPIC_METRICS.iter().map(|(name, help, of)| {
        let mut family = Family::counter(name, help).with(Vec::new(), Value::Counter(of(&total)));
        for (topic, sum) in topics.iter().take(SERIES_MAX) {
            family.add(vec![("topic", (*topic).to_owned())], Value::Counter(of(&sum.counts)));
        }
        family
    });
    traffic.chain([of_reads(&topics)]).collect()
}

fn of_reads(topics: &BTreeMap<&str, TopicSum>) -> Family {
    let mut family = Family::counter("yeoul_read_bytes", "Bytes of records sent, by where they came from");
    for (topic, TopicSum { reads, .. }) in topics.iter().take(SERIES_MAX) {
        let sources =
            [("tail", reads.tail_bytes), ("page_cache", reads.page_cache_bytes), ("disk", reads.disk_bytes)];
        for (source, bytes) in sources {
            let labels = vec![("topic", (*topic).to_owned()), ("source", source.to_owned())];
            family.add(labels, Value::Counter(bytes));
        }
    }
    family
}

fn of_logs(partitions: &[Arc<Partition>]) -> Vec<Family> {
    let labels = |partition: &Partition| -> Labels {
        let id = partition.log.id();
        vec![("topic", id.topic.to_string()), ("partition", id.partition.to_string())]
    };
    let family = |(name, help, of): &PartitionMetric| {
        let mut family = Family::gauge(name, help);
        for partition in partitions.iter().take(SERIES_MAX) {
            family.add(labels(partition), of(partition));
        }
        family
    };
    let left_out = partitions.len().saturating_sub(SERIES_MAX);
    let left =
        Family::gauge("yeoul_partitions_without_series", "Partitions that have no series of their own");
    PARTITION_METRICS.iter().map(family).chain([left.with(Vec::new(), Value::whole(left_out))]).collect()
}

fn of_replicas(broker: &Broker, partitions: &[Arc<Partition>]) -> Vec<Family> {
    let published = broker.published();
    let assigned: Vec<_> = published
        .image
        .topics
        .iter()
        .flat_map(|topic| topic.partitions().map(|(_, partition)| partition))
        .filter(|partition| partition.replicas.contains(&broker.node_id))
        .collect();
    let led =
        |wanted: &dyn Fn(&Partition) -> bool| partitions.iter().filter(|partition| wanted(partition)).count();
    let offline = assigned.iter().filter(|partition| partition.leader == broker.node_id).count();
    let under_replicated = assigned
        .iter()
        .filter(|partition| {
            partition.leader == broker.node_id && partition.isr.len() < partition.replicas.len()
        })
        .count();
    let counts: [(&'static str, &'static str, usize); 6] = [
        ("kafka_server_replicamanager_partitioncount", "Replicas on this broker", assigned.len()),
        ("kafka_server_replicamanager_leadercount", "Partitions that this broker leads", partitions.len()),
        (
            "kafka_server_replicamanager_offlinereplicacount",
            "Replicas of which the log cannot be used",
            offline.saturating_sub(partitions.len()),
        ),
        (
            "kafka_server_replicamanager_underreplicatedpartitions",
            "Partitions led here with replicas that are not in sync",
            under_replicated,
        ),
        (
            "kafka_server_replicamanager_underminisrpartitioncount",
            "Partitions led here with fewer in sync than min.insync.replicas",
            led(&|partition| partition.in_sync < partition.in_sync_min),
        ),
        (
            "kafka_server_replicamanager_atminisrpartitioncount",
            "Partitions led here with as many in sync as min.insync.replicas",
            led(&|partition| partition.in_sync == partition.in_sync_min),
        ),
    ];
    let family = |(name, help, count)| Family::gauge(name, help).with(Vec::new(), Value::whole(count));
    counts.into_iter().map(family).collect()
}
