//! Which batches may go to a log at all, in the order in which Kafka asks.

use std::sync::Arc;

use protocol::compression::Compression;
use protocol::messages::ProduceRequest;
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::records::{BatchError, BatchHeader};
use protocol::{ErrorCode, Records};

use crate::Broker;
use crate::api::Call;
use crate::internal_topics::is_internal;
use crate::partitions::Partition;

const ACKS_ALL: i16 = -1;
const TOPIC_IDS_SINCE: i16 = 13;
const ZSTD_SINCE: i16 = 7;
/// Who has it as its client id may write to internal topics.
const ADMIN_CLIENT_ID: &str = "__admin_client";

/// What of a request decides for all of its batches.
pub(super) struct Rules {
    version: i16,
    acks: i16,
    /// Batches of a transaction, but not the transaction's id.
    lacks_transactional_id: bool,
    /// Whether the client may write to internal topics.
    is_admin: bool,
}

impl Rules {
    pub(super) fn of(call: &Call, request: &ProduceRequest) -> Rules {
        let mut batches = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
        let transactional = |data: &PartitionProduceData| match &data.records {
            Records::Bytes(bytes) => is_transactional(bytes),
            _ => false,
        };
        Rules {
            version: call.version,
            acks: request.acks,
            lacks_transactional_id: request.transactional_id.is_none() && batches.any(transactional),
            is_admin: &*call.client_id == ADMIN_CLIENT_ID,
        }
    }

    /// Where a batch belongs, or why it is not taken.
    pub(super) fn find(
        &self,
        broker: &Broker,
        topic: &TopicProduceData,
        index: i32,
        records: &[u8],
    ) -> Result<Arc<Partition>, ErrorCode> {
        if self.lacks_transactional_id {
            return Err(ErrorCode::TransactionalIdAuthorizationFailed);
        }
        let partition = match self.version {
            TOPIC_IDS_SINCE.. => broker.partition_by_id(topic.topic_id, index),
            _ => broker.partition_by_name(&topic.name, index),
        }?;
        check_shape(records, self.version)?;
        if !(-1..=1).contains(&self.acks) {
            return Err(ErrorCode::InvalidRequiredAcks);
        }
        if !self.is_admin && is_internal(&partition.log.id().topic) {
            return Err(ErrorCode::InvalidTopicException);
        }
        if self.acks == ACKS_ALL && !partition.has_enough_in_sync() {
            return Err(ErrorCode::NotEnoughReplicas);
        }
        Ok(partition)
    }
}

/// What Kafka demands of the batch before it looks at the log: one, whole, of this format, in a codec that the version has.
fn check_shape(records: &[u8], version: i16) -> Result<(), ErrorCode> {
    let header = match BatchHeader::parse(records) {
        Ok(header) => header,
        Err(BatchError::Short { .. } | BatchError::UnsupportedMagic(0 | 1)) => {
            return Err(ErrorCode::InvalidRecord);
        }
        // The log has the word for all else.
        Err(_) => return Ok(()),
    };
    let more = records.get(header.size_in_bytes()..).ok_or(ErrorCode::InvalidRecord)?;
    if BatchHeader::parse(more).is_ok() {
        return Err(ErrorCode::InvalidRecord);
    }
    match header.compression() {
        Ok(Compression::Zstd) if version < ZSTD_SINCE => Err(ErrorCode::UnsupportedCompressionType),
        Err(_) if version < ZSTD_SINCE => Err(ErrorCode::UnknownServerError),
        _ => Ok(()),
    }
}

pub(super) fn is_transactional(records: &[u8]) -> bool {
    BatchHeader::parse(records).is_ok_and(|header| header.is_transactional())
}

#[cfg(test)]
mod tests {
    use protocol::records::BatchBuilder;

    use super::*;

    fn batch(compression: Compression) -> Vec<u8> {
        let mut builder = BatchBuilder::new(0, compression);
        builder.push(0, None, Some(b"value"), &[]);
        builder.build().to_vec()
    }

    #[test]
    fn a_request_brings_one_whole_batch() {
        let one = batch(Compression::None);
        assert_eq!(check_shape(&one, 9), Ok(()));
        assert_eq!(check_shape(&[], 9), Err(ErrorCode::InvalidRecord));
        assert_eq!(check_shape(&one[..one.len() - 1], 9), Err(ErrorCode::InvalidRecord));
        assert_eq!(check_shape(&[&one[..], &one].concat(), 9), Err(ErrorCode::InvalidRecord));
    }

    #[test]
    fn what_follows_a_batch_and_is_none_is_left_to_its_checksum() {
        assert_eq!(check_shape(&[&batch(Compression::None)[..], b"x"].concat(), 9), Ok(()));
    }

    #[test]
    fn zstd_came_with_version_7() {
        let zstd = batch(Compression::Zstd);
        assert_eq!(check_shape(&zstd, 6), Err(ErrorCode::UnsupportedCompressionType));
        assert_eq!(check_shape(&zstd, 7), Ok(()));
    }
}
