//! OffsetForLeaderEpoch (KIP-101, KIP-279, KIP-320): where an epoch of a partition's leaders ends.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use super::{Call, Handle};
use crate::Broker;
use crate::net::Started;

impl Handle for OffsetForLeaderEpochRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let topic = |topic: &OffsetForLeaderTopic| OffsetForLeaderTopicResult {
            topic: topic.topic.clone(),
            partitions: topic.partitions.iter().map(|asked| find(broker, &topic.topic, asked)).collect(),
        };
        let topics = self.topics.iter().map(topic).collect();
        call.done(&OffsetForLeaderEpochResponse { topics, ..Default::default() })
    }
}

fn find(broker: &Broker, topic: &str, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let partition = asked.partition;
    match end_of(broker, topic, asked) {
        Ok(Some((leader_epoch, end_offset))) => {
            EpochEndOffset { partition, leader_epoch, end_offset, ..Default::default() }
        }
        // A newer epoch than all that are known is no error.
        Ok(None) => EpochEndOffset { partition, ..Default::default() },
        Err(error) => EpochEndOffset { partition, error_code: error.code(), ..Default::default() },
    }
}

/// The largest epoch not above the one that is asked for, and where it ends.
fn end_of(
    broker: &Broker,
    topic: &str,
    asked: &OffsetForLeaderPartition,
) -> Result<Option<(i32, i64)>, ErrorCode> {
    let partition = broker.partition_by_name(topic, asked.partition)?;
    partition.check_claimed_epoch(asked.current_leader_epoch)?;
    Ok(partition.log.end_offset_for_epoch(asked.leader_epoch))
}
