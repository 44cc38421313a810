//! Topics come, are looked at, and go.

use std::time::Duration;

use protocol::ErrorCode;
use protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use protocol::messages::delete_topics_request::DeleteTopicState;
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use protocol::messages::metadata_response::MetadataResponseTopic;
use protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest};

use crate::cluster::Cluster;
use crate::error::{ClientError, check};

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

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
