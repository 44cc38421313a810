//! DeleteRecords (KIP-107): logs start later, and the answer waits until that is on disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::delete_records_request::DeleteRecordsTopic;
use protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use tokio::sync::oneshot;

use super::{Call, Handle};
use crate::Broker;
use crate::internal_topics::is_internal;
use crate::net::Started;
use crate::partitions::Partition;

/// Stands for no offset.
const NO_LOW_WATERMARK: i64 = -1;

/// A partition of the request. The last of those that name the same one counts, as with Kafka.
type Asked = BTreeMap<(String, i32), i64>;

/// A partition whose log starts later as soon as the disk says so.
type Submitted = (Arc<Partition>, Option<oneshot::Receiver<bool>>);

impl Handle for DeleteRecordsRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let submitted: Vec<_> = asked(self.topics)
            .into_iter()
            .map(|((topic, number), offset)| {
                let submitted = submit(broker, &topic, number, offset);
                (topic, number, submitted)
            })
            .collect();
        call.working(async move {
            let mut response = DeleteRecordsResponse::default();
            for (topic, number, submitted) in submitted {
                let result = settle(number, submitted).await;
                of_topic(&mut response, topic).partitions.push(result);
            }
            response
        })
    }
}

fn asked(topics: Vec<DeleteRecordsTopic>) -> Asked {
    let of = |topic: DeleteRecordsTopic| {
        let name = topic.name;
        topic.partitions.into_iter().map(move |asked| ((name.clone(), asked.partition_index), asked.offset))
    };
    topics.into_iter().flat_map(of).collect()
}

fn submit(broker: &Broker, topic: &str, number: i32, offset: i64) -> Result<Submitted, ErrorCode> {
    let partition = broker.partition_by_name(topic, number);
    if is_internal(topic) && !matches!(partition, Err(ErrorCode::UnknownTopicOrPartition)) {
        return Err(ErrorCode::InvalidTopicException);
    }
    let partition = partition?;
    let lsn = partition.log.delete_records(offset).map_err(|error| error.code())?;
    let waits = lsn.map(|lsn| partition.flushes.wait(lsn));
    Ok((partition, waits))
}

async fn settle(number: i32, submitted: Result<Submitted, ErrorCode>) -> DeleteRecordsPartitionResult {
    let (low_watermark, error) = match low_watermark(submitted).await {
        Ok(offset) => (offset, ErrorCode::None),
        Err(error) => (NO_LOW_WATERMARK, error),
    };
    DeleteRecordsPartitionResult { partition_index: number, low_watermark, error_code: error.code() }
}

async fn low_watermark(submitted: Result<Submitted, ErrorCode>) -> Result<i64, ErrorCode> {
    let (partition, waits) = submitted?;
    if let Some(flushed) = waits
        && !flushed.await.unwrap_or(false)
    {
        return Err(ErrorCode::KafkaStorageError);
    }
    Ok(partition.log.log_start_offset())
}

fn of_topic(response: &mut DeleteRecordsResponse, name: String) -> &mut DeleteRecordsTopicResult {
    let topics = &mut response.topics;
    if topics.last().is_none_or(|last| last.name != name) {
        topics.push(DeleteRecordsTopicResult { name, ..Default::default() });
    }
    let last = topics.len() - 1;
    &mut topics[last]
}
