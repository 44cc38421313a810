//! AlterReplicaLogDirs (KIP-113): a replica moves to another log directory in the background.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use protocol::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse};

use super::{Call, Handle};
use crate::net::Started;
use crate::{Broker, moves};

type Results = BTreeMap<String, Vec<AlterReplicaLogDirPartitionResult>>;

impl Handle for AlterReplicaLogDirsRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let broker = Arc::clone(broker);
        call.working(async move {
            let kept = self.clone();
            // A copy is begun on the disk.
            let altered = tokio::task::spawn_blocking(move || {
                alter(&kept, &|path, topic, partition| begin(&broker, path, topic, partition))
            });
            let refused = |_: &str, _: &str, _| Err(ErrorCode::UnknownServerError);
            answer(altered.await.unwrap_or_else(|_| alter(&self, &refused)))
        })
    }
}

fn answer(results: Results) -> AlterReplicaLogDirsResponse {
    let topic = |(topic_name, partitions)| AlterReplicaLogDirTopicResult { topic_name, partitions };
    AlterReplicaLogDirsResponse { results: results.into_iter().map(topic).collect(), ..Default::default() }
}

fn alter(
    request: &AlterReplicaLogDirsRequest,
    begin: &dyn Fn(&str, &str, i32) -> Result<(), ErrorCode>,
) -> Results {
    let mut results = Results::new();
    for dir in &request.dirs {
        // Only partitions are answered: a topic without any is not told.
        for topic in dir.topics.iter().filter(|topic| !topic.partitions.is_empty()) {
            let result = |partition_index: &i32| AlterReplicaLogDirPartitionResult {
                partition_index: *partition_index,
                error_code: begin(&dir.path, &topic.name, *partition_index).err().map_or(0, ErrorCode::code),
            };
            results.entry(topic.name.clone()).or_default().extend(topic.partitions.iter().map(result));
        }
    }
    results
}

/// The directory is looked at before the replica, as Kafka does.
fn begin(broker: &Broker, path: &str, topic: &str, partition: i32) -> Result<(), ErrorCode> {
    let directories = &broker.directories;
    let home = directories.by_path(Path::new(path)).ok_or(ErrorCode::LogDirNotFound)?;
    let to = home.online().ok_or(ErrorCode::KafkaStorageError)?;
    if directories.ids_of(&broker.config().logs.cordoned_dirs).contains(&to.id) {
        return Err(ErrorCode::InvalidReplicaAssignment);
    }
    moves::begin(broker, &*broker.partition_by_name(topic, partition)?, to)
}
