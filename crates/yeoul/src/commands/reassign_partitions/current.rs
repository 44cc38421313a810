//! Where partitions are now.

use std::collections::{BTreeMap, BTreeSet};

use client::{ClientError, Cluster, Place, Replica};
use protocol::ErrorCode;

use super::plan::{Replicas, joined, named};
use super::thrown;
use crate::failure::Failure;

/// The partitions of some topics.
#[derive(Debug, Default)]
pub struct Current {
    /// The brokers of each.
    pub replicas: Replicas,
    /// Topics that are not there.
    pub missing: BTreeSet<String>,
    /// The brokers that are there.
    live: BTreeSet<i32>,
}

impl Current {
    /// Asks for the partitions of topics.
    pub async fn of_topics(cluster: &mut Cluster, topics: BTreeSet<String>) -> Result<Current, Failure> {
        let names: Vec<String> = topics.into_iter().collect();
        let metadata = cluster.metadata(Some(&names), false).await.map_err(thrown)?;
        let live = metadata.brokers.iter().map(|broker| broker.node_id).collect();
        let mut current = Current { live, ..Current::default() };
        for topic in metadata.topics {
            let name = topic.name.unwrap_or_default();
            match ErrorCode::from(topic.error_code) {
                ErrorCode::None => {}
                ErrorCode::UnknownTopicOrPartition => {
                    current.missing.insert(name);
                    continue;
                }
                code => return Err(thrown(ClientError::refused(code))),
            }
            let replicas = topic.partitions.into_iter();
            let placed = replicas.map(|it| ((name.clone(), it.partition_index), it.replica_nodes));
            current.replicas.extend(placed);
        }
        Ok(current)
    }

    /// Asks for these partitions, of which some may be missing.
    pub async fn of_places(cluster: &mut Cluster, places: &BTreeSet<Place>) -> Result<Current, Failure> {
        let topics = places.iter().map(|(topic, _)| topic.clone()).collect();
        let mut current = Current::of_topics(cluster, topics).await?;
        current.replicas.retain(|place, _| places.contains(place));
        Ok(current)
    }

    /// Refuses to go on where a topic is missing.
    pub fn with_all_topics(self) -> Result<Current, Failure> {
        match self.missing.first() {
            Some(topic) => Err(not_there(format!("Topic {topic} not found."))),
            None => Ok(self),
        }
    }

    /// Refuses to go on where one of these partitions is missing.
    pub fn with_all_of(self, places: &BTreeSet<Place>) -> Result<Current, Failure> {
        let current = self.with_all_topics()?;
        let missing = places.iter().filter(|place| !current.replicas.contains_key(*place));
        match joined(missing.map(named), ", ") {
            missing if missing.is_empty() => Ok(current),
            missing => Err(not_there(format!("Unable to find partition: {missing}"))),
        }
    }

    /// The log directories that the replicas are in, of those whose broker is there.
    pub async fn log_dirs(&self, cluster: &mut Cluster) -> Result<BTreeMap<Replica, String>, Failure> {
        let on_brokers = |(place, brokers): (&Place, &Vec<i32>)| {
            let live: Vec<i32> = brokers.iter().copied().filter(|id| self.live.contains(id)).collect();
            let place = place.clone();
            live.into_iter().map(move |broker| Replica { broker, place: place.clone() })
        };
        let replicas = self.replicas.iter().flat_map(on_brokers).collect();
        let found = cluster.replica_log_dirs(&replicas).await.map_err(thrown)?;
        Ok(found.into_iter().filter_map(|(replica, log_dirs)| Some((replica, log_dirs.current?))).collect())
    }
}

fn not_there(message: String) -> Failure {
    let code = ErrorCode::UnknownTopicOrPartition;
    thrown(ClientError::Refused { code, message: Some(message) })
}
