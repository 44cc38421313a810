//! The log directories of brokers (KIP-113).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};

use protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use protocol::messages::describe_log_dirs_response::DescribeLogDirsResult;
use protocol::messages::{AlterReplicaLogDirsRequest, DescribeLogDirsRequest};

use super::by_topic;
use crate::cluster::Cluster;
use crate::consumer::Place;
use crate::error::{ClientError, check};

/// A replica of a partition. They are sorted by broker, then by partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Replica {
    /// The node that has it.
    pub broker: i32,
    /// Topic and partition.
    pub place: Place,
}

impl Display for Replica {
    /// Writes `topic-partition-broker`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Replica { broker, place: (topic, partition) } = self;
        write!(f, "{topic}-{partition}-{broker}")
    }
}

/// The log directories that a replica is in, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaLogDirs {
    /// Where it is; none if no directory that is online has it.
    pub current: Option<String>,
    /// Where it is being moved to.
    pub future: Option<String>,
}

impl Cluster {
    /// The log directories of a broker, and what is in them. A directory that failed says so itself.
    pub async fn describe_log_dirs(
        &mut self,
        broker: i32,
    ) -> Result<Vec<DescribeLogDirsResult>, ClientError> {
        self.log_dirs(broker, &DescribeLogDirsRequest { topics: None }).await
    }

    async fn log_dirs(
        &mut self,
        broker: i32,
        request: &DescribeLogDirsRequest,
    ) -> Result<Vec<DescribeLogDirsResult>, ClientError> {
        let response = self.node(broker).await?.call(request).await?;
        check(response.error_code, None)?;
        Ok(response.results)
    }

    /// Where each of these replicas is, and where it goes.
    pub async fn replica_log_dirs(
        &mut self,
        replicas: &BTreeSet<Replica>,
    ) -> Result<BTreeMap<Replica, ReplicaLogDirs>, ClientError> {
        let mut found: BTreeMap<Replica, ReplicaLogDirs> =
            replicas.iter().map(|replica| (replica.clone(), ReplicaLogDirs::default())).collect();
        for (broker, places) in by_broker(replicas.iter()) {
            let topic = |(topic, partitions)| DescribableLogDirTopic { topic, partitions };
            let topics = by_topic(&places).into_iter().map(topic).collect();
            let directories = self.log_dirs(broker, &DescribeLogDirsRequest { topics: Some(topics) }).await?;
            directories.into_iter().for_each(|directory| note(&mut found, broker, directory));
        }
        Ok(found)
    }

    /// Has replicas move to other log directories of their brokers, given by path, and tells for each whether that has begun.
    pub async fn alter_replica_log_dirs(
        &mut self,
        wanted: &BTreeMap<Replica, String>,
    ) -> Result<BTreeMap<Replica, Result<(), ClientError>>, ClientError> {
        let mut outcome = BTreeMap::new();
        for broker in by_broker(wanted.keys()).into_keys() {
            let request = AlterReplicaLogDirsRequest { dirs: by_path(wanted, broker) };
            for topic in self.node(broker).await?.call(&request).await?.results {
                for it in topic.partitions {
                    let place = (topic.topic_name.clone(), it.partition_index);
                    outcome.insert(Replica { broker, place }, check(it.error_code, None));
                }
            }
        }
        Ok(outcome)
    }
}

fn by_broker<'a>(replicas: impl Iterator<Item = &'a Replica>) -> BTreeMap<i32, Vec<Place>> {
    let mut brokers: BTreeMap<i32, Vec<Place>> = BTreeMap::new();
    for replica in replicas {
        brokers.entry(replica.broker).or_default().push(replica.place.clone());
    }
    brokers
}

/// What one broker is told: the partitions that are to be in each of its directories.
fn by_path(wanted: &BTreeMap<Replica, String>, broker: i32) -> Vec<AlterReplicaLogDir> {
    let mut paths: BTreeMap<&String, Vec<Place>> = BTreeMap::new();
    for (replica, path) in wanted.iter().filter(|(replica, _)| replica.broker == broker) {
        paths.entry(path).or_default().push(replica.place.clone());
    }
    let topic = |(name, partitions)| AlterReplicaLogDirTopic { name, partitions };
    let directory = |(path, places): (&String, Vec<Place>)| AlterReplicaLogDir {
        path: path.clone(),
        topics: by_topic(&places).into_iter().map(topic).collect(),
    };
    paths.into_iter().map(directory).collect()
}

/// Takes down what is in a directory. One that failed has nothing.
fn note(found: &mut BTreeMap<Replica, ReplicaLogDirs>, broker: i32, directory: DescribeLogDirsResult) {
    for topic in directory.topics {
        for it in topic.partitions {
            let replica = Replica { broker, place: (topic.name.clone(), it.partition_index) };
            let Some(known) = found.get_mut(&replica) else { continue };
            let part = if it.is_future_key { &mut known.future } else { &mut known.current };
            *part = Some(directory.log_dir.clone());
        }
    }
}
