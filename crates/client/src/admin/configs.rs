//! Settings of topics, brokers, groups and clients' metrics.

use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::messages::{
    DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest, MetadataRequest,
};

use crate::cluster::Cluster;
use crate::connection::Connection;
use crate::error::{ClientError, check};

/// The operations of IncrementalAlterConfigs that set and delete (KIP-339).
const SET: i8 = 0;
const DELETE: i8 = 1;

/// What kinds of things have settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigResourceType {
    /// Topics, by name.
    Topic,
    /// Brokers, by node id; the empty name stands for what all of them start from.
    Broker,
    /// The loggers of a broker, by node id.
    BrokerLogger,
    /// What metrics clients are to send, by name (KIP-714).
    ClientMetrics,
    /// Groups, by id.
    Group,
}

impl ConfigResourceType {
    /// The number in requests.
    pub fn code(self) -> i8 {
        match self {
            ConfigResourceType::Topic => 2,
            ConfigResourceType::Broker => 4,
            ConfigResourceType::BrokerLogger => 8,
            ConfigResourceType::ClientMetrics => 16,
            ConfigResourceType::Group => 32,
        }
    }
}

/// Something that has settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigResource {
    /// What it is.
    pub kind: ConfigResourceType,
    /// Which one it is.
    pub name: String,
}

impl Cluster {
    /// The settings of a resource with where each comes from, in the order of the answer.
    pub async fn describe_configs(
        &mut self,
        resource: &ConfigResource,
    ) -> Result<Vec<DescribeConfigsResourceResult>, ClientError> {
        let wanted = DescribeConfigsResource {
            resource_type: resource.kind.code(),
            resource_name: resource.name.clone(),
            configuration_keys: None,
        };
        let request = DescribeConfigsRequest {
            resources: vec![wanted],
            include_synonyms: true,
            ..DescribeConfigsRequest::default()
        };
        let results = self.responsible(resource).await?.call(&request).await?.results;
        let mut configs = Vec::new();
        for result in results {
            check(result.error_code, result.error_message.as_deref())?;
            configs.extend(result.configs);
        }
        Ok(configs)
    }

    /// Sets the settings that have a value and deletes those that have none.
    pub async fn alter_configs(
        &mut self,
        resource: &ConfigResource,
        changes: &[(String, Option<String>)],
    ) -> Result<(), ClientError> {
        let change = |(name, value): &(String, Option<String>)| AlterableConfig {
            name: name.clone(),
            config_operation: if value.is_some() { SET } else { DELETE },
            value: value.clone(),
        };
        let altered = AlterConfigsResource {
            resource_type: resource.kind.code(),
            resource_name: resource.name.clone(),
            configs: changes.iter().map(change).collect(),
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![altered], validate_only: false };
        let responses = self.responsible(resource).await?.call(&request).await?.responses;
        responses
            .iter()
            .try_for_each(|response| check(response.error_code, response.error_message.as_deref()))
    }

    /// The names of the resources of a kind that have settings of their own.
    pub async fn config_resources(&mut self, kind: ConfigResourceType) -> Result<Vec<String>, ClientError> {
        let request = ListConfigResourcesRequest { resource_types: vec![kind.code()] };
        let response = self.ask(&request).await?;
        check(response.error_code, None)?;
        Ok(response.config_resources.into_iter().map(|resource| resource.resource_name).collect())
    }

    /// Who answers for a resource: a broker for itself and its loggers, anybody for the rest. Controllers answer for all.
    async fn responsible(&mut self, resource: &ConfigResource) -> Result<Connection, ClientError> {
        let any = self.any().await?;
        let is_of_a_node =
            matches!(resource.kind, ConfigResourceType::Broker | ConfigResourceType::BrokerLogger);
        let Some(id) = resource.name.parse().ok().filter(|_| is_of_a_node) else { return Ok(any) };
        if any.version::<MetadataRequest>(i16::MAX).is_err() {
            return Ok(any);
        }
        self.metadata(Some(&[]), false).await?;
        self.node(id).await
    }
}
