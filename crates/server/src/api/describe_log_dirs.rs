//! DescribeLogDirs (KIP-113, KIP-827, KIP-1066).

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use storage::{Log, StorageError};

use super::{Call, Handle};
use crate::Broker;
use crate::directories::{Home, Opened};
use crate::internal_topics::METADATA;
use crate::net::Started;

impl Handle for DescribeLogDirsRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let broker = Arc::clone(broker);
        call.working(async move {
            // To ask for the room on a disk may wait for it.
            let described = tokio::task::spawn_blocking(move || describe(&broker, self.topics.as_deref()));
            match described.await {
                Ok(results) => DescribeLogDirsResponse { results, ..Default::default() },
                Err(_) => DescribeLogDirsResponse {
                    error_code: ErrorCode::UnknownServerError.code(),
                    ..Default::default()
                },
            }
        })
    }
}

fn describe(broker: &Broker, topics: Option<&[DescribableLogDirTopic]>) -> Vec<DescribeLogDirsResult> {
    let cordoned = broker.directories.ids_of(&broker.config().logs.cordoned_dirs);
    let describe = |home: &Home| {
        let (log_dir, is_cordoned) =
            (home.path.display().to_string(), home.id.is_some_and(|id| cordoned.contains(&id)));
        let described = home.online().map(|opened| describe_one(broker, opened, topics));
        let described = described.unwrap_or(Err(StorageError::Closed)).unwrap_or_else(|error| {
            DescribeLogDirsResult { error_code: error.code().code(), ..Default::default() }
        });
        DescribeLogDirsResult { log_dir, is_cordoned, ..described }
    };
    broker.directories.all().iter().map(describe).collect()
}

fn describe_one(
    broker: &Broker,
    opened: &Opened,
    topics: Option<&[DescribableLogDirTopic]>,
) -> Result<DescribeLogDirsResult, StorageError> {
    let space = opened.dir.space()?;
    let mut described: BTreeMap<Arc<str>, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    let mut add = |log: &Arc<Log>, offset_lag: i64, is_future_key: bool| {
        let id = log.id();
        if is_wanted(topics, &id.topic, id.partition) {
            described.entry(Arc::clone(&id.topic)).or_default().push(DescribeLogDirsPartition {
                partition_index: id.partition,
                partition_size: i64::try_from(log.size_bytes()).unwrap_or(i64::MAX),
                offset_lag,
                is_future_key,
            });
        }
    };
    opened.dir.logs().iter().for_each(|log| add(log, 0, false));
    opened.dir.future_logs().iter().for_each(|log| add(log, lag(broker, log), true));
    let topics = described.into_iter().map(|(name, mut partitions)| {
        partitions.sort_by_key(|partition| partition.partition_index);
        DescribeLogDirsTopic { name: name.to_string(), partitions }
    });
    Ok(DescribeLogDirsResult {
        topics: topics.collect(),
        total_bytes: i64::try_from(space.total_bytes).unwrap_or(i64::MAX),
        usable_bytes: i64::try_from(space.usable_bytes).unwrap_or(i64::MAX),
        ..Default::default()
    })
}

/// The metadata log belongs to the controller, and is never listed.
fn is_wanted(topics: Option<&[DescribableLogDirTopic]>, name: &str, partition: i32) -> bool {
    let named = |topic: &DescribableLogDirTopic| topic.topic == name && topic.partitions.contains(&partition);
    name != METADATA && topics.is_none_or(|topics| topics.iter().any(named))
}

/// How many offsets a copy is behind its original.
fn lag(broker: &Broker, copy: &Log) -> i64 {
    let original = broker.partitions.get(copy.id().topic_id, copy.id().partition);
    original.map_or(0, |original| (original.log.log_end_offset() - copy.log_end_offset()).max(0))
}
