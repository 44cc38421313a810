//! Partitions that are to be on other brokers (KIP-455, KIP-860).

use std::collections::BTreeMap;

use protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use protocol::messages::{AlterPartitionReassignmentsRequest, ListPartitionReassignmentsRequest};

use super::{ByPlace, by_topic};
use crate::cluster::{Cluster, millis};
use crate::consumer::Place;
use crate::error::{ClientError, check};

/// The brokers of a partition while they change, by node id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionReassignment {
    /// All of them: those that stay, those that come and those that go.
    pub replicas: Vec<i32>,
    /// Those that come.
    pub adding_replicas: Vec<i32>,
    /// Those that go.
    pub removing_replicas: Vec<i32>,
}

impl Cluster {
    /// The reassignments that are under way, of these partitions or of all.
    pub async fn partition_reassignments(
        &mut self,
        partitions: Option<&[Place]>,
    ) -> Result<BTreeMap<Place, PartitionReassignment>, ClientError> {
        let topic = |(name, partition_indexes)| ListPartitionReassignmentsTopics { name, partition_indexes };
        let request = ListPartitionReassignmentsRequest {
            timeout_ms: millis(self.options().request_timeout),
            topics: partitions.map(|places| by_topic(places).into_iter().map(topic).collect()),
        };
        let response = self.ask(&request).await?;
        check(response.error_code, response.error_message.as_deref())?;
        let mut ongoing = BTreeMap::new();
        for topic in response.topics {
            for it in topic.partitions {
                let reassignment = PartitionReassignment {
                    replicas: it.replicas,
                    adding_replicas: it.adding_replicas,
                    removing_replicas: it.removing_replicas,
                };
                ongoing.insert((topic.name.clone(), it.partition_index), reassignment);
            }
        }
        Ok(ongoing)
    }

    /// Has partitions move to these brokers, the preferred leader first, or has what is under way given up where there are none.
    /// Tells for each whether that has begun.
    ///
    /// # Errors
    /// If all of it is refused; a cluster older than Kafka 4.1 cannot be told to keep the number of replicas.
    pub async fn alter_partition_reassignments(
        &mut self,
        targets: &BTreeMap<Place, Option<Vec<i32>>>,
        allow_replication_factor_change: bool,
    ) -> Result<ByPlace<()>, ClientError> {
        let request = AlterPartitionReassignmentsRequest {
            timeout_ms: millis(self.options().request_timeout),
            allow_replication_factor_change,
            topics: reassignable(targets),
        };
        let response = self.ask(&request).await?;
        check(response.error_code, response.error_message.as_deref())?;
        let mut outcome = ByPlace::new();
        for topic in response.responses {
            for it in topic.partitions {
                let result = check(it.error_code, it.error_message.as_deref());
                outcome.insert((topic.name.clone(), it.partition_index), result);
            }
        }
        Ok(outcome)
    }
}

fn reassignable(targets: &BTreeMap<Place, Option<Vec<i32>>>) -> Vec<ReassignableTopic> {
    let mut topics: BTreeMap<&String, Vec<ReassignablePartition>> = BTreeMap::new();
    for ((topic, partition), replicas) in targets {
        let partition = ReassignablePartition { partition_index: *partition, replicas: replicas.clone() };
        topics.entry(topic).or_default().push(partition);
    }
    topics
        .into_iter()
        .map(|(name, partitions)| ReassignableTopic { name: name.clone(), partitions })
        .collect()
}
