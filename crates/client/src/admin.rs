//! What an administrator asks of a cluster: topics here, the rest in a file an area.

mod configs;
mod credentials;
mod elections;
mod features;
mod log_dirs;
mod nodes;
mod quorum;
mod quotas;
mod reassignments;
mod transactions;

mod groups;
mod offsets;

use std::collections::BTreeMap;

use protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use protocol::messages::delete_topics_request::DeleteTopicState;
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use protocol::messages::describe_topic_partitions_response::DescribeTopicPartitionsResponsePartition;
use protocol::messages::metadata_response::MetadataResponsePartition;
use protocol::messages::metadata_response::MetadataResponseTopic;
use protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
    DescribeTopicPartitionsRequest,
};
use protocol::{ErrorCode, Uuid};

use crate::cluster::{Cluster, millis};
use crate::consumer::Place;
use crate::error::{ClientError, check};
pub use groups::{DescribedGroup, DescribedMember};
pub(crate) use offsets::list_offsets;
pub use offsets::{ByPlace, FoundOffset, OffsetSpec};

pub use configs::{ConfigResource, ConfigResourceType};
pub use credentials::{ScramChange, ScramUser};
pub use elections::ElectionType;
pub use features::{DescribedFeature, DescribedFeatures, UpgradeType};
pub use log_dirs::{Replica, ReplicaLogDirs};
pub use quorum::DescribedQuorum;
pub use quotas::{DescribedQuotas, QuotaEntity, QuotaEntityType, QuotaMatch};
pub use reassignments::PartitionReassignment;
pub use transactions::{
    AbortSpec, DescribedProducer, DescribedTransaction, ListedTransaction, TransactionFilter,
};

/// The resource type of topics in DescribeConfigs.
const TOPIC: i8 = 2;

/// A topic to be made.
#[derive(Clone, Debug, Default)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; the broker's `num.partitions` if none.
    pub partitions: Option<i32>,
    /// How many replicas of each; the broker's `default.replication.factor` if none.
    pub replication_factor: Option<i16>,
    /// The replicas of each partition by node id, in place of both numbers.
    pub assignment: Vec<Vec<i32>>,
    /// Settings of its own.
    pub configs: Vec<(String, String)>,
}

/// A topic as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribedTopic {
    /// Its name.
    pub name: String,
    /// Its id; zero where the broker does not know ids.
    pub topic_id: Uuid,
    /// Its partitions, by number.
    pub partitions: Vec<DescribedPartition>,
}

/// A partition as it is. Replicas are given by node id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribedPartition {
    /// Its number.
    pub partition: i32,
    /// The node that leads it, or -1.
    pub leader: i32,
    /// All of its replicas, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Those that are in sync.
    pub isr: Vec<i32>,
    /// Those that may lead though they are not in sync (KIP-966); none where the broker does not say.
    pub eligible_leader_replicas: Option<Vec<i32>>,
    /// Those that were eligible last; none where the broker does not say.
    pub last_known_elr: Option<Vec<i32>>,
}

impl Cluster {
    /// Makes a topic.
    pub async fn create_topic(&mut self, topic: &NewTopic) -> Result<(), ClientError> {
        let request = CreateTopicsRequest {
            topics: vec![creatable(topic)],
            timeout_ms: millis(self.options().request_timeout),
            validate_only: false,
        };
        let response = self.ask(&request).await?;
        response.topics.iter().try_for_each(|topic| check(topic.error_code, topic.error_message.as_deref()))
    }

    /// Removes topics; the first refusal is the error.
    pub async fn delete_topics(&mut self, names: &[String]) -> Result<(), ClientError> {
        let connection = self.any().await?;
        let by_state = connection.version::<DeleteTopicsRequest>(i16::MAX)? >= 6;
        let state =
            |name: &String| DeleteTopicState { name: Some(name.clone()), ..DeleteTopicState::default() };
        let request = DeleteTopicsRequest {
            topics: if by_state { names.iter().map(state).collect() } else { Vec::new() },
            topic_names: if by_state { Vec::new() } else { names.to_vec() },
            timeout_ms: millis(self.options().request_timeout),
        };
        let response = connection.call(&request).await?;
        names.iter().for_each(|name| self.forget(name));
        response
            .responses
            .iter()
            .try_for_each(|topic| check(topic.error_code, topic.error_message.as_deref()))
    }

    /// Gives a topic more partitions, `count` in all, on the nodes of `assignment` or on those that the cluster chooses.
    pub async fn create_partitions(
        &mut self,
        topic: &str,
        count: i32,
        assignment: Option<&[Vec<i32>]>,
    ) -> Result<(), ClientError> {
        let on = |nodes: &Vec<i32>| CreatePartitionsAssignment { broker_ids: nodes.clone() };
        let wanted = CreatePartitionsTopic {
            name: topic.to_owned(),
            count,
            assignments: assignment.map(|partitions| partitions.iter().map(on).collect()),
        };
        let request = CreatePartitionsRequest {
            topics: vec![wanted],
            timeout_ms: millis(self.options().request_timeout),
            validate_only: false,
        };
        let response = self.ask(&request).await?;
        self.forget(topic);
        let mut results = response.results.iter();
        results.try_for_each(|result| check(result.error_code, result.error_message.as_deref()))
    }

    /// Topics as they are, sorted by name. One that is not there (any more) is an error.
    pub async fn describe_topics(&mut self, names: &[String]) -> Result<Vec<DescribedTopic>, ClientError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        match self.describe_in_parts(names).await {
            Err(ClientError::UnsupportedApi(_)) => self.describe_by_metadata(names).await,
            described => described,
        }
    }

    /// By DescribeTopicPartitions, whose answers have at most so many partitions each (KIP-966).
    async fn describe_in_parts(&mut self, names: &[String]) -> Result<Vec<DescribedTopic>, ClientError> {
        let mut found: BTreeMap<String, DescribedTopic> = BTreeMap::new();
        let mut request = DescribeTopicPartitionsRequest {
            topics: names.iter().map(|name| TopicRequest { name: name.clone() }).collect(),
            ..DescribeTopicPartitionsRequest::default()
        };
        loop {
            let response = self.ask(&request).await?;
            for topic in response.topics {
                check(topic.error_code, None)?;
                let name = topic.name.unwrap_or_default();
                let known = found.entry(name.clone()).or_insert_with(|| DescribedTopic {
                    name,
                    topic_id: topic.topic_id,
                    partitions: Vec::new(),
                });
                known.partitions.extend(topic.partitions.into_iter().map(described));
            }
            let Some(next) = response.next_cursor else { break };
            request.topics.retain(|topic| topic.name >= next.topic_name);
            request.cursor =
                Some(Cursor { topic_name: next.topic_name, partition_index: next.partition_index });
        }
        let mut topics: Vec<DescribedTopic> = found.into_values().collect();
        topics.iter_mut().for_each(|topic| topic.partitions.sort_by_key(|it| it.partition));
        Ok(topics)
    }

    async fn describe_by_metadata(&mut self, names: &[String]) -> Result<Vec<DescribedTopic>, ClientError> {
        let mut topics = self.metadata(Some(names), false).await?.topics;
        topics.iter().try_for_each(|topic| check(topic.error_code, None))?;
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics.into_iter().map(described_by_metadata).collect())
    }

    /// The topics of the cluster, internal ones included, sorted by name.
    pub async fn topics(&mut self) -> Result<Vec<MetadataResponseTopic>, ClientError> {
        let mut topics = self.metadata(None, false).await?.topics;
        topics.retain(|topic| topic.error_code != ErrorCode::UnknownTopicOrPartition.code());
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        topics
            .iter_mut()
            .for_each(|topic| topic.partitions.sort_by_key(|partition| partition.partition_index));
        Ok(topics)
    }

    /// The settings of topics, in the order of the names.
    pub async fn topic_configs(
        &mut self,
        names: &[String],
    ) -> Result<Vec<Vec<DescribeConfigsResourceResult>>, ClientError> {
        let resource = |name: &String| DescribeConfigsResource {
            resource_type: TOPIC,
            resource_name: name.clone(),
            configuration_keys: None,
        };
        let request = DescribeConfigsRequest {
            resources: names.iter().map(resource).collect(),
            ..DescribeConfigsRequest::default()
        };
        let mut results = self.ask(&request).await?.results;
        results.iter().try_for_each(|result| check(result.error_code, result.error_message.as_deref()))?;
        results.sort_by_key(|result| names.iter().position(|name| *name == result.resource_name));
        Ok(results.into_iter().map(|result| result.configs).collect())
    }
}

fn described(partition: DescribeTopicPartitionsResponsePartition) -> DescribedPartition {
    DescribedPartition {
        partition: partition.partition_index,
        leader: partition.leader_id,
        replicas: partition.replica_nodes,
        isr: partition.isr_nodes,
        eligible_leader_replicas: partition.eligible_leader_replicas,
        last_known_elr: partition.last_known_elr,
    }
}

fn described_by_metadata(topic: MetadataResponseTopic) -> DescribedTopic {
    let partition = |partition: MetadataResponsePartition| DescribedPartition {
        partition: partition.partition_index,
        leader: partition.leader_id,
        replicas: partition.replica_nodes,
        isr: partition.isr_nodes,
        eligible_leader_replicas: None,
        last_known_elr: None,
    };
    let mut partitions: Vec<DescribedPartition> = topic.partitions.into_iter().map(partition).collect();
    partitions.sort_by_key(|partition| partition.partition);
    DescribedTopic { name: topic.name.unwrap_or_default(), topic_id: topic.topic_id, partitions }
}

fn creatable(topic: &NewTopic) -> CreatableTopic {
    let config = |(name, value): &(String, String)| CreatableTopicConfig {
        name: name.clone(),
        value: Some(value.clone()),
    };
    let assignment = |(partition, brokers): (i32, &Vec<i32>)| CreatableReplicaAssignment {
        partition_index: partition,
        broker_ids: brokers.clone(),
    };
    CreatableTopic {
        name: topic.name.clone(),
        num_partitions: topic.partitions.unwrap_or(-1),
        replication_factor: topic.replication_factor.unwrap_or(-1),
        assignments: (0..).zip(&topic.assignment).map(assignment).collect(),
        configs: topic.configs.iter().map(config).collect(),
    }
}

/// The numbers of the partitions of each topic.
fn by_topic(places: &[Place]) -> BTreeMap<String, Vec<i32>> {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in places {
        topics.entry(topic.clone()).or_default().push(*partition);
    }
    topics
}
