//! Where on their brokers the replicas are (KIP-858), which log directories have failed, and which take no new replicas (KIP-1066).

use metadata::{DirectoryId, Image, Partition};
use protocol::Uuid;
use protocol::messages::{BrokerRegistrationChangeRecord, MetadataRecord, PartitionChangeRecord};

use crate::brokers::check_epoch;
use crate::{Decision, Refusal};

/// Where a broker says that one of its replicas is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Id of the topic.
    pub topic_id: Uuid,
    /// Number of the partition.
    pub partition: i32,
    /// The log directory.
    pub directory: Uuid,
}

/// Takes down where a broker has put replicas. What it says of topics that are gone or not its own, and of directories that it has
/// not registered, is passed over.
pub fn assign_directories(
    image: &Image,
    broker_id: i32,
    broker_epoch: i64,
    assignments: &[Assignment],
) -> Decision<Result<(), Refusal>> {
    if let Err(refusal) = check_epoch(image, broker_id, broker_epoch) {
        return Decision::unchanged(Err(refusal));
    }
    let records = assignments.iter().filter_map(|assignment| assign(image, broker_id, assignment));
    Decision { records: records.collect(), reply: Ok(()) }
}

fn assign(image: &Image, broker_id: i32, assignment: &Assignment) -> Option<MetadataRecord> {
    let Assignment { topic_id, partition: partition_id, directory } = *assignment;
    let registered = image.cluster.broker(broker_id)?;
    let partition = image.topics.by_id(topic_id)?.partition(partition_id)?;
    let place = partition.replicas.iter().position(|id| *id == broker_id)?;
    if !registered.log_dirs.contains(&directory) || partition.directory_of(broker_id) == directory {
        return None;
    }
    let mut directories = partition.directories.clone();
    // Of older partitions nothing is known.
    directories.resize(partition.replicas.len(), DirectoryId::MIGRATING);
    directories[place] = directory;
    let directories = Some(directories);
    Some(PartitionChangeRecord { topic_id, partition_id, directories, ..Default::default() }.into())
}

/// Leaves a broker with those of its log directories that serve. Replicas in others lead nothing any more and are not in sync; a
/// partition that has no other replica keeps this one eligible, as nothing that it acknowledged is lost. Says how many those are.
pub fn keep_directories(
    image: &Image,
    broker_id: i32,
    broker_epoch: i64,
    online: &[Uuid],
) -> Decision<Result<usize, Refusal>> {
    if let Err(refusal) = check_epoch(image, broker_id, broker_epoch) {
        return Decision::unchanged(Err(refusal));
    }
    let is_offline = |partition: &Partition| {
        let directory = partition.directory_of(broker_id);
        let is_named = !DirectoryId::is_reserved(directory) || directory == DirectoryId::LOST;
        is_named && !online.contains(&directory)
    };
    let mut records = Vec::new();
    for topic in image.topics.iter() {
        let offline = topic.partitions().filter(|(_, partition)| is_offline(partition));
        records
            .extend(offline.filter_map(|(number, known)| leave(image, topic.id, number, known, broker_id)));
    }
    let count = records.len();
    let registered =
        image.cluster.broker(broker_id).map(|broker| broker.log_dirs.as_slice()).unwrap_or_default();
    // An empty list would say that nothing changes. A broker without directories stops.
    if registered.iter().any(|id| !online.contains(id)) && !online.is_empty() {
        let log_dirs = online.to_vec();
        let change =
            BrokerRegistrationChangeRecord { broker_id, broker_epoch, log_dirs, ..Default::default() };
        records.push(change.into());
    }
    Decision { records, reply: Ok(count) }
}

/// A partition without the replica of a broker.
fn leave(
    image: &Image,
    topic_id: Uuid,
    partition_id: i32,
    partition: &Partition,
    broker_id: i32,
) -> Option<MetadataRecord> {
    if partition.leader != broker_id && !partition.isr.contains(&broker_id) {
        return None;
    }
    let change = PartitionChangeRecord { topic_id, partition_id, ..Default::default() };
    let isr: Vec<i32> = partition.isr.iter().copied().filter(|id| *id != broker_id).collect();
    let change = if !isr.is_empty() {
        let next =
            partition.replicas.iter().copied().find(|id| isr.contains(id) && image.cluster.is_active(*id));
        let leader = if partition.leader == broker_id { next.unwrap_or(-1) } else { change.leader };
        PartitionChangeRecord { leader, isr: Some(isr), ..change }
    } else if image.features.elr_enabled() {
        let mut elr = partition.elr.clone();
        elr.push(broker_id);
        let (elr, last) = (Some(elr), Some(vec![broker_id]));
        PartitionChangeRecord {
            leader: -1,
            isr: Some(isr),
            eligible_leader_replicas: elr,
            last_known_elr: last,
            ..change
        }
    } else {
        // The last one stays in the list, so that only it may lead again.
        PartitionChangeRecord { leader: -1, ..change }
    };
    Some(change.into())
}

/// Says which log directories of a broker take no new replicas.
pub fn cordon_directories(
    image: &Image,
    broker_id: i32,
    broker_epoch: i64,
    cordoned: &[Uuid],
) -> Decision<Result<(), Refusal>> {
    if let Err(refusal) = check_epoch(image, broker_id, broker_epoch) {
        return Decision::unchanged(Err(refusal));
    }
    let known = image.cluster.broker(broker_id).and_then(|broker| broker.cordoned_log_dirs.clone());
    let is_supported = image.features.metadata_version().has_cordoned_directories();
    if !is_supported || known.unwrap_or_default() == cordoned {
        return Decision::unchanged(Ok(()));
    }
    let cordoned_log_dirs = Some(cordoned.to_vec());
    let record =
        BrokerRegistrationChangeRecord { broker_id, broker_epoch, cordoned_log_dirs, ..Default::default() };
    Decision { records: vec![record.into()], reply: Ok(()) }
}
