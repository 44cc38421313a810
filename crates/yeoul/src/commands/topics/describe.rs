//! The lines of `--describe`.

use client::{DescribedPartition, DescribedTopic};
use serde_json::{Map, Value, json};

/// Which topics and partitions are told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Partitions with fewer replicas in sync than replicas.
    pub under_replicated: bool,
    /// Partitions without a leader that lives.
    pub unavailable: bool,
    /// Partitions with fewer replicas in sync than they must have.
    pub under_min_isr: bool,
    /// Partitions with just as many replicas in sync as they must have.
    pub at_min_isr: bool,
    /// Topics with settings of their own, without their partitions.
    pub with_overrides: bool,
}

/// A topic, and its settings that are not the defaults in the order in which they are printed.
#[derive(Clone, Debug, Default)]
pub struct Topic {
    /// The topic.
    pub described: DescribedTopic,
    /// Keys and values.
    pub configs: Vec<(String, String)>,
    /// `min.insync.replicas`.
    pub min_isr: usize,
}

impl Selection {
    fn is_about_partitions(self) -> bool {
        self.under_replicated || self.unavailable || self.under_min_isr || self.at_min_isr
    }

    /// Whether a topic is told of by itself.
    fn has_header(self, topic: &Topic) -> bool {
        !self.is_about_partitions() && (!self.with_overrides || !topic.configs.is_empty())
    }

    /// The partitions of a topic that are told of.
    fn partitions<'a>(
        self,
        topic: &'a Topic,
        live: &'a [i32],
    ) -> impl Iterator<Item = &'a DescribedPartition> {
        let partitions = topic.described.partitions.iter().filter(move |_| !self.with_overrides);
        partitions.filter(move |partition| self.takes(partition, topic.min_isr, live))
    }

    fn takes(self, partition: &DescribedPartition, min_isr: usize, live: &[i32]) -> bool {
        let in_sync = partition.isr.len();
        !self.is_about_partitions()
            || self.under_replicated && in_sync < partition.replicas.len()
            || self.unavailable && !live.contains(&partition.leader)
            || self.under_min_isr && (partition.leader < 0 || in_sync < min_isr)
            || self.at_min_isr && in_sync == min_isr
    }
}

/// The lines about a topic; `live` are the brokers that are there.
pub fn lines(topic: &Topic, selection: Selection, live: &[i32]) -> Vec<String> {
    let mut lines = Vec::new();
    if selection.has_header(topic) {
        lines.push(header(topic));
    }
    lines.extend(selection.partitions(topic, live).map(|partition| row(&topic.described.name, partition)));
    lines
}

/// The same for programs: nothing of a topic that has no line. Partitions that are not told of are null.
pub fn json(topic: &Topic, selection: Selection, live: &[i32]) -> Option<Value> {
    let DescribedTopic { name, topic_id, partitions: all } = &topic.described;
    let partitions: Vec<Value> = selection.partitions(topic, live).map(partition_json).collect();
    let configs: Map<String, Value> =
        topic.configs.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    (selection.has_header(topic) || !partitions.is_empty()).then(|| {
        json!({
            "topic": name,
            "topicId": (!topic_id.is_zero()).then(|| topic_id.to_string()),
            "partitionCount": all.len(),
            "replicationFactor": all.first().map_or(0, |partition| partition.replicas.len()),
            "configs": configs,
            "partitions": (!selection.with_overrides).then_some(partitions),
        })
    })
}

fn partition_json(partition: &DescribedPartition) -> Value {
    json!({
        "partition": partition.partition,
        "leader": (partition.leader >= 0).then_some(partition.leader),
        "replicas": partition.replicas,
        "isr": partition.isr,
        "elr": partition.eligible_leader_replicas,
        "lastKnownElr": partition.last_known_elr,
    })
}

fn header(topic: &Topic) -> String {
    let DescribedTopic { name, topic_id, partitions } = &topic.described;
    let id = if topic_id.is_zero() { String::new() } else { format!("\tTopicId: {topic_id}") };
    let replicas = partitions.first().map_or(0, |partition| partition.replicas.len());
    let configs: Vec<String> = topic.configs.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!(
        "Topic: {name}{id}\tPartitionCount: {}\tReplicationFactor: {replicas}\tConfigs: {}",
        partitions.len(),
        configs.join(",")
    )
}

fn row(topic: &str, partition: &DescribedPartition) -> String {
    let leader = if partition.leader < 0 { "none".to_owned() } else { partition.leader.to_string() };
    let known = |nodes: &Option<Vec<i32>>| nodes.as_ref().map_or("N/A".to_owned(), |nodes| list(nodes));
    format!(
        "\tTopic: {topic}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}\tElr: {}\tLastKnownElr: {}",
        partition.partition,
        list(&partition.replicas),
        list(&partition.isr),
        known(&partition.eligible_leader_replicas),
        known(&partition.last_known_elr),
    )
}

fn list(nodes: &[i32]) -> String {
    nodes.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use protocol::Uuid;

    use super::*;

    fn partition(partition: i32, leader: i32, isr: &[i32]) -> DescribedPartition {
        DescribedPartition {
            partition,
            leader,
            replicas: vec![1, 2],
            isr: isr.to_vec(),
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: None,
        }
    }

    fn topic() -> Topic {
        let partitions = vec![partition(0, 1, &[1, 2]), partition(1, 2, &[2]), partition(2, -1, &[])];
        Topic {
            described: DescribedTopic { name: "t".to_owned(), topic_id: Uuid([0xff; 16]), partitions },
            configs: vec![
                ("retention.ms".to_owned(), "5".to_owned()),
                ("cleanup.policy".to_owned(), "compact,delete".to_owned()),
            ],
            min_isr: 1,
        }
    }

    fn partitions_told(selection: Selection) -> Vec<String> {
        let lines = lines(&topic(), selection, &[1]);
        lines.iter().map(|line| line.split('\t').nth(2).unwrap_or(line).to_owned()).collect()
    }

    #[test]
    fn a_topic_is_told_as_apache_kafka_tells_it() {
        let lines = lines(&topic(), Selection::default(), &[1, 2]);
        assert_eq!(
            lines[0],
            "Topic: t\tTopicId: _____________________w\tPartitionCount: 3\tReplicationFactor: 2\t\
             Configs: retention.ms=5,cleanup.policy=compact,delete"
        );
        assert_eq!(
            lines[1],
            "\tTopic: t\tPartition: 0\tLeader: 1\tReplicas: 1,2\tIsr: 1,2\tElr: \tLastKnownElr: N/A"
        );
        assert!(lines[3].contains("\tLeader: none\t"));
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn a_selection_of_partitions_drops_the_header() {
        let under_replicated = Selection { under_replicated: true, ..Selection::default() };
        assert_eq!(partitions_told(under_replicated), ["Partition: 1", "Partition: 2"]);
        let unavailable = Selection { unavailable: true, ..Selection::default() };
        assert_eq!(partitions_told(unavailable), ["Partition: 1", "Partition: 2"]);
        let under_min_isr = Selection { under_min_isr: true, ..Selection::default() };
        assert_eq!(partitions_told(under_min_isr), ["Partition: 2"]);
        let at_min_isr = Selection { at_min_isr: true, ..Selection::default() };
        assert_eq!(partitions_told(at_min_isr), ["Partition: 1"]);
    }

    #[test]
    fn topics_with_settings_of_their_own_are_told_without_partitions() {
        let selection = Selection { with_overrides: true, ..Selection::default() };
        assert_eq!(lines(&topic(), selection, &[]).len(), 1);
        let plain = Topic { configs: Vec::new(), ..topic() };
        assert_eq!(lines(&plain, selection, &[]), Vec::<String>::new());
        assert_eq!(json(&plain, selection, &[]), None);
        assert_eq!(json(&topic(), selection, &[]).unwrap()["partitions"], json!(null));
    }

    #[test]
    fn programs_are_told_the_same_with_numbers_as_numbers() {
        let unavailable = Selection { unavailable: true, ..Selection::default() };
        let json = json(&topic(), unavailable, &[1, 2]).unwrap();
        let lost = json!({
            "partition": 2, "leader": null, "replicas": [1, 2], "isr": [], "elr": [], "lastKnownElr": null,
        });
        assert_eq!(
            json,
            json!({
                "topic": "t", "topicId": "_____________________w", "partitionCount": 3, "replicationFactor": 2,
                "configs": {"retention.ms": "5", "cleanup.policy": "compact,delete"}, "partitions": [lost],
            })
        );
    }
}
