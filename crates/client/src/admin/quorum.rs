//! The quorum of the metadata log (KIP-836, KIP-853).

use protocol::messages::add_raft_voter_request::Listener;
use protocol::messages::describe_quorum_request::{PartitionData as Asked, TopicData};
use protocol::messages::describe_quorum_response::{Node, PartitionData};
use protocol::messages::{AddRaftVoterRequest, DescribeQuorumRequest, RemoveRaftVoterRequest};
use protocol::{ErrorCode, Uuid};

use crate::cluster::{Cluster, millis};
use crate::error::{ClientError, check};

/// The topic of the metadata log.
const METADATA_TOPIC: &str = "__cluster_metadata";

/// How the metadata log stands.
#[derive(Clone, Debug, PartialEq)]
pub struct DescribedQuorum {
    /// Leader, high watermark, voters and observers.
    pub state: PartitionData,
    /// Where voters listen.
    pub nodes: Vec<Node>,
}

impl Cluster {
    /// How the metadata log stands.
    pub async fn describe_quorum(&mut self) -> Result<DescribedQuorum, ClientError> {
        let request = DescribeQuorumRequest {
            topics: vec![TopicData {
                topic_name: METADATA_TOPIC.to_owned(),
                partitions: vec![Asked { partition_index: 0 }],
            }],
        };
        let response = self.ask(&request).await?;
        check(response.error_code, response.error_message.as_deref())?;
        let state = response.topics.into_iter().flat_map(|topic| topic.partitions).next();
        let state = state.ok_or_else(|| ClientError::refused(ErrorCode::UnknownTopicOrPartition))?;
        check(state.error_code, state.error_message.as_deref())?;
        Ok(DescribedQuorum { state, nodes: response.nodes })
    }

    /// Has a controller vote that has only watched. It must run, and have caught up.
    pub async fn add_raft_voter(
        &mut self,
        id: i32,
        directory: Uuid,
        listeners: &[Listener],
    ) -> Result<(), ClientError> {
        let request = AddRaftVoterRequest {
            timeout_ms: millis(self.options().request_timeout),
            voter_id: id,
            voter_directory_id: directory,
            listeners: listeners.to_vec(),
            ..AddRaftVoterRequest::default()
        };
        let response = self.ask(&request).await?;
        check(response.error_code, response.error_message.as_deref())
    }

    /// Takes a voter out of the quorum.
    pub async fn remove_raft_voter(&mut self, id: i32, directory: Uuid) -> Result<(), ClientError> {
        let request =
            RemoveRaftVoterRequest { cluster_id: None, voter_id: id, voter_directory_id: directory };
        let response = self.ask(&request).await?;
        check(response.error_code, response.error_message.as_deref())
    }
}
