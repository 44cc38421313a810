//! Committed offsets: kept, committed, fetched, deleted, forgotten.

mod commit;
mod delete;
mod fetch;
mod retention;

use std::collections::BTreeMap;

pub(crate) use commit::commit_error;
pub(crate) use fetch::fetch_error;
pub use fetch::{offset_fetch_groups, offset_fetch_response};

use crate::{CommittedOffset, GroupCoordinatorState, Record};

/// A group's committed offsets, by topic and partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offsets(BTreeMap<String, BTreeMap<i32, CommittedOffset>>);

impl Offsets {
    /// The offset of a partition.
    pub fn get(&self, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.0.get(topic)?.get(&partition)
    }

    /// The partitions of a topic for which there is an offset.
    pub(crate) fn partitions_of(&self, topic: &str) -> impl Iterator<Item = i32> {
        self.0.get(topic).into_iter().flat_map(|partitions| partitions.keys().copied())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All offsets, in the order of topics and partitions.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i32, &CommittedOffset)> {
        self.0.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(|(partition, offset)| (topic.as_str(), *partition, offset))
        })
    }

    pub(crate) fn set(&mut self, topic: &str, partition: i32, offset: Option<CommittedOffset>) {
        match (self.0.get_mut(topic), offset) {
            (Some(partitions), Some(offset)) => drop(partitions.insert(partition, offset)),
            (Some(partitions), None) => {
                partitions.remove(&partition);
                if partitions.is_empty() {
                    self.0.remove(topic);
                }
            }
            (None, Some(offset)) => {
                self.0.insert(topic.to_owned(), BTreeMap::from([(partition, offset)]));
            }
            (None, None) => {}
        }
    }
}

impl GroupCoordinatorState {
    fn offsets(&self, group_id: &str) -> Option<&Offsets> {
        self.groups.get(group_id).map(|saved| &saved.offsets)
    }
}

fn tombstone(group_id: &str, topic: &str, partition: i32) -> Record {
    Record::Offset { group_id: group_id.to_owned(), topic: topic.to_owned(), partition, value: None }
}
