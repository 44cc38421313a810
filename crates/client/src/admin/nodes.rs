//! The nodes of a cluster, and what each of them can do.

use protocol::messages::api_versions_response::ApiVersion;
use protocol::messages::{
    ApiVersionsResponse, DescribeClusterRequest, DescribeClusterResponse, MetadataRequest,
    UnregisterBrokerRequest,
};

use crate::cluster::Cluster;
use crate::connection::introduction;
use crate::error::{ClientError, check};

/// The endpoints that DescribeCluster tells of (KIP-919).
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

impl Cluster {
    /// The cluster's id and its nodes by number: brokers, or controllers where a controller is asked.
    pub async fn describe_nodes(
        &mut self,
        with_fenced_brokers: bool,
    ) -> Result<DescribeClusterResponse, ClientError> {
        // Only brokers answer Metadata, and an endpoint must be asked for what it is.
        let is_broker = self.any().await?.version::<MetadataRequest>(i16::MAX).is_ok();
        let request = DescribeClusterRequest {
            endpoint_type: if is_broker { BROKERS } else { CONTROLLERS },
            include_fenced_brokers: with_fenced_brokers,
            ..DescribeClusterRequest::default()
        };
        let mut response = self.ask(&request).await?;
        check(response.error_code, response.error_message.as_deref())?;
        response.brokers.sort_by_key(|node| node.broker_id);
        Ok(response)
    }

    /// Has the cluster forget a broker that is gone for good.
    pub async fn unregister_broker(&mut self, broker_id: i32) -> Result<(), ClientError> {
        let response = self.ask(&UnregisterBrokerRequest { broker_id }).await?;
        check(response.error_code, response.error_message.as_deref())
    }

    /// The APIs that a node serves, by key.
    pub async fn api_versions(&mut self, node: i32) -> Result<Vec<ApiVersion>, ClientError> {
        let response = self.node(node).await?.call(&introduction()).await?;
        check(response.error_code, None)?;
        let mut keys = response.api_keys;
        keys.sort_by_key(|key| key.api_key);
        Ok(keys)
    }

    /// What any node says of versions and features.
    pub(super) async fn any_api_versions(&mut self) -> Result<ApiVersionsResponse, ClientError> {
        let response = self.ask(&introduction()).await?;
        check(response.error_code, None)?;
        Ok(response)
    }
}
