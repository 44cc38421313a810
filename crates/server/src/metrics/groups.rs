//! Groups by state, and how far each is behind: in records, and in the age of the next one.

use std::collections::HashMap;
use std::sync::Arc;

use coordinator::{Reply, Request};
use futures::future::join_all;
use protocol::messages::ListGroupsRequest;
use protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use protocol::records::{BatchHeader, HEADER_BYTES};
use storage::{Log, ReadLimit, ReadRequest, SliceData};

use super::SERIES_MAX;
use super::family::{Family, Labels, Value};
use crate::Broker;

/// Records that are looked up on disk for one scrape. For the others the age is not shown.
const LOOKUPS_MAX: usize = 1_000;

const STATES: [(&str, &str); 5] = [
    ("kafka_coordinator_group_groupmetadatamanager_numgroupspreparingrebalance", "PreparingRebalance"),
    ("kafka_coordinator_group_groupmetadatamanager_numgroupscompletingrebalance", "CompletingRebalance"),
    ("kafka_coordinator_group_groupmetadatamanager_numgroupsstable", "Stable"),
    ("kafka_coordinator_group_groupmetadatamanager_numgroupsempty", "Empty"),
    ("kafka_coordinator_group_groupmetadatamanager_numgroupsdead", "Dead"),
];

/// A group with what it has committed.
pub(crate) struct GroupSeen {
    pub(crate) id: String,
    pub(crate) state: String,
    /// Topic, partition and offset.
    pub(crate) committed: Vec<(String, i32, i64)>,
}

/// All groups that this broker coordinates; those of partitions that are being loaded are left out.
pub(crate) async fn groups_of(broker: &Broker) -> Vec<GroupSeen> {
    let partitions = broker.groups.partitions_led().into_iter();
    let list = || Request::ListGroups(ListGroupsRequest::default());
    let asked: Vec<_> = partitions.map(|partition| broker.groups.ask_partition(partition, list())).collect();
    let mut seen = Vec::new();
    for reply in join_all(asked).await {
        let Ok(Reply::ListGroups(listed)) = reply else { continue };
        for group in listed.groups {
            let committed = committed_by(broker, &group.group_id).await;
            seen.push(GroupSeen { id: group.group_id, state: group.group_state, committed });
        }
    }
    seen
}

async fn committed_by(broker: &Broker, group_id: &str) -> Vec<(String, i32, i64)> {
    let request =
        OffsetFetchRequestGroup { group_id: group_id.to_owned(), topics: None, ..Default::default() };
    let Ok(Reply::OffsetFetch(answer)) = broker.groups.ask(Request::OffsetFetch(request)).await else {
        return Vec::new();
    };
    let of_topic = |topic: protocol::messages::offset_fetch_response::OffsetFetchResponseTopics| {
        let partitions = topic.partitions.into_iter().filter(|partition| partition.committed_offset >= 0);
        let name = topic.name;
        partitions
            .map(|partition| (name.clone(), partition.partition_index, partition.committed_offset))
            .collect::<Vec<_>>()
    };
    answer.topics.into_iter().flat_map(of_topic).collect()
}

/// When the records were written that groups have to read next, as far as they were looked up before.
#[derive(Default)]
pub(crate) struct NextRecords {
    /// By topic, partition and offset: milliseconds since 1970.
    known: HashMap<(String, i32, i64), i64>,
    /// What was asked for since.
    used: HashMap<(String, i32, i64), i64>,
    lookups: usize,
}

impl NextRecords {
    /// Forgets what was not asked for since the last time.
    fn begin(&mut self) {
        self.known = std::mem::take(&mut self.used);
        self.lookups = 0;
    }

    /// The timestamp of the batch that holds an offset. May wait for the disk, but not often.
    fn timestamp(&mut self, log: &Log, topic: &str, partition: i32, offset: i64) -> Option<i64> {
        let key = (topic.to_owned(), partition, offset);
        let found = match self.known.get(&key).or_else(|| self.used.get(&key)) {
            Some(known) => Some(*known),
            None if self.lookups >= LOOKUPS_MAX => None,
            None => {
                self.lookups += 1;
                batch_timestamp(log, offset)
            }
        }?;
        self.used.insert(key, found);
        Some(found)
    }
}

/// When the first record was written of the batch that holds an offset.
fn batch_timestamp(log: &Log, offset: i64) -> Option<i64> {
    let request = ReadRequest { offset, max_bytes: 1, min_one_batch: true, up_to: ReadLimit::HighWatermark };
    let header = match log.read(request).ok()?.data {
        SliceData::Empty => return None,
        SliceData::Memory(batches) => BatchHeader::parse(batches.first()?).ok()?,
        SliceData::File { file, position, .. } => {
            let mut bytes = [0; HEADER_BYTES];
            file.read_alone_exact_at(&mut bytes, position).ok()?;
            BatchHeader::parse(&bytes).ok()?
        }
    };
    Some(header.base_timestamp).filter(|timestamp| *timestamp >= 0)
}

/// Groups by state, and the lag of each.
pub(super) fn of_groups(
    broker: &Broker,
    groups: &[GroupSeen],
    next_records: &mut NextRecords,
    now_ms: i64,
) -> Vec<Family> {
    let all =
        Family::gauge("kafka_coordinator_group_groupmetadatamanager_numgroups", "Groups coordinated here");
    let mut families = vec![all.with(Vec::new(), Value::whole(groups.len()))];
    for (name, state) in STATES {
        let count = groups.iter().filter(|group| group.state == state).count();
        families.push(Family::gauge(name, "Groups in this state").with(Vec::new(), Value::whole(count)));
    }
    families.extend(lags(broker, groups, next_records, now_ms));
    families
}

fn lags(broker: &Broker, groups: &[GroupSeen], next_records: &mut NextRecords, now_ms: i64) -> [Family; 3] {
    next_records.begin();
    let mut offsets =
        Family::gauge("kafka_consumergroup_current_offset", "The offset that the group has committed");
    let mut records =
        Family::gauge("kafka_consumergroup_lag", "Offsets up to the end that the group has yet to read");
    let mut seconds =
        Family::gauge("yeoul_consumergroup_lag_seconds", "Age of the next record that the group has to read");
    let committed =
        groups.iter().flat_map(|group| group.committed.iter().map(move |committed| (&group.id, committed)));
    for (group, (topic, number, offset)) in committed.take(SERIES_MAX) {
        let labels = || -> Labels {
            let (topic, partition) = (topic.clone(), number.to_string());
            vec![("consumergroup", group.clone()), ("topic", topic), ("partition", partition)]
        };
        offsets.add(labels(), Value::whole(*offset));
        let Ok(partition) = broker.partition_by_name(topic, *number) else { continue };
        let log: &Arc<Log> = &partition.log;
        let end = log.high_watermark();
        records.add(labels(), Value::whole(lag(*offset, end)));
        let next = (*offset).max(log.log_start_offset());
        let age = if next >= end {
            Some(0.0)
        } else {
            next_records
                .timestamp(log, topic, *number, next)
                .map(|written_ms| age_seconds(written_ms, now_ms))
        };
        if let Some(age) = age {
            seconds.add(labels(), Value::Gauge(age));
        }
    }
    [offsets, records, seconds]
}

/// As Kafka's tools count it: what was deleted before it was read is in it.
fn lag(committed: i64, end: i64) -> i64 {
    end.saturating_sub(committed).max(0)
}

fn age_seconds(written_ms: i64, now_ms: i64) -> f64 {
    now_ms.saturating_sub(written_ms).max(0) as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_is_ahead_of_the_log_or_of_the_clock_is_not_behind() {
        assert_eq!(lag(10, 7), 0);
        assert_eq!(lag(3, 7), 4);
        assert!(age_seconds(2_000, 1_000).abs() < f64::EPSILON);
        assert!((age_seconds(500, 2_000) - 1.5).abs() < f64::EPSILON);
    }
}
