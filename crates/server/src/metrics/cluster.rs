//! The process, the cluster as this node knows it, and the metadata.

use super::family::{Family, Value};
use crate::Broker;
use crate::seen::{Seen, Stage};

/// Kafka's numbers of a broker's states.
const STARTING: u8 = 1;
const RUNNING: u8 = 3;
const STOPPING: u8 = 6;

/// What there is to tell of a process before it serves, too.
pub(super) fn of_process(seen: &Seen) -> Vec<Family> {
    let state = match seen.stage() {
        Stage::Starting => STARTING,
        Stage::Serving(_) => RUNNING,
        Stage::Stopping => STOPPING,
    };
    let gauge = |name, help, value| Family::gauge(name, help).with(Vec::new(), value);
    let mut families = vec![
        gauge(
            "kafka_server_kafkaserver_brokerstate",
            "1 starting, 3 running, 6 stopping",
            Value::whole(state),
        ),
        gauge("yeoul_uptime_seconds", "Since the start", Value::Gauge(seen.uptime().as_secs_f64())),
        Family::gauge("yeoul_build_info", "The version that runs")
            .with(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], Value::whole(1)),
    ];
    if let Some(usage) = host::process_usage() {
        families.push(gauge(
            "process_resident_memory_bytes",
            "Memory of the process in RAM",
            Value::whole(usage.resident_bytes),
        ));
        families.push(gauge("process_open_fds", "Open descriptors", Value::whole(usage.open_files)));
        families.push(gauge(
            "process_max_fds",
            "Descriptors that may be open",
            Value::whole(usage.open_files_max),
        ));
    }
    families
}

/// Kafka's controller, and the metadata as far as this broker has followed it.
pub(super) fn of_cluster(broker: &Broker) -> Vec<Family> {
    let published = broker.published();
    let (topics, cluster) = (&published.image.topics, &published.image.cluster);
    let partitions = || topics.iter().flat_map(|topic| topic.partitions().map(|(_, partition)| partition));
    let registered = cluster.brokers().count();
    let active = cluster.brokers().filter(|known| cluster.is_active(known.broker_id)).count();
    let counts: [(&'static str, &'static str, usize); 6] = [
        (
            "kafka_controller_kafkacontroller_activecontrollercount",
            "Whether this node is the active controller",
            1,
        ),
        ("kafka_controller_kafkacontroller_activebrokercount", "Brokers that serve", active),
        (
            "kafka_controller_kafkacontroller_fencedbrokercount",
            "Registered brokers that do not serve",
            registered - active,
        ),
        ("kafka_controller_kafkacontroller_globaltopiccount", "Topics", topics.len()),
        ("kafka_controller_kafkacontroller_globalpartitioncount", "Partitions", partitions().count()),
        (
            "kafka_controller_kafkacontroller_offlinepartitionscount",
            "Partitions without a leader",
            partitions().filter(|partition| partition.leader < 0).count(),
        ),
    ];
    let family = |(name, help, count)| Family::gauge(name, help).with(Vec::new(), Value::whole(count));
    let applied = Family::gauge(
        "kafka_server_broker_metadata_metrics_last_applied_record_offset",
        "Offset of the last record of the metadata that this broker follows",
    );
    let epoch = Family::gauge("yeoul_broker_epoch", "Epoch of this broker's registration");
    counts
        .into_iter()
        .map(family)
        .chain([
            applied.with(Vec::new(), Value::whole(published.offset - 1)),
            epoch.with(Vec::new(), Value::whole(broker.epoch())),
        ])
        .collect()
}
