//! Elections of leaders (KIP-183, KIP-460).

use protocol::messages::ElectLeadersRequest;
use protocol::messages::elect_leaders_request::TopicPartitions;

use super::{ByPlace, by_topic};
use crate::cluster::{Cluster, millis};
use crate::consumer::Place;
use crate::error::{ClientError, check};

/// Who may be elected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElectionType {
    /// The first replica, if it is in sync.
    Preferred,
    /// Any replica that is there, if there is no leader: records may be lost.
    Unclean,
}

impl Cluster {
    /// Has leaders elected, of these partitions or of all that need it, and tells what became of each.
    pub async fn elect_leaders(
        &mut self,
        kind: ElectionType,
        partitions: Option<&[Place]>,
    ) -> Result<ByPlace<()>, ClientError> {
        let topic = |(topic, partitions)| TopicPartitions { topic, partitions };
        let request = ElectLeadersRequest {
            election_type: kind as i8,
            topic_partitions: partitions.map(|places| by_topic(places).into_iter().map(topic).collect()),
            timeout_ms: millis(self.options().request_timeout),
        };
        let response = self.ask(&request).await?;
        check(response.error_code, None)?;
        let mut outcome = ByPlace::new();
        for topic in response.replica_election_results {
            for partition in topic.partition_result {
                let result = check(partition.error_code, partition.error_message.as_deref());
                outcome.insert((topic.topic.clone(), partition.partition_id), result);
            }
        }
        Ok(outcome)
    }
}
