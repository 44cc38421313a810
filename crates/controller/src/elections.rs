//! Who leads a partition that has no leader (KIP-966).

use metadata::{Image, Partition};
use protocol::Uuid;
use protocol::messages::{MetadataRecord, PartitionChangeRecord};

/// Changes to the partitions without a leader that a broker may lead now that it serves again.
pub(crate) fn elections_after_unfence(image: &Image, broker_id: i32) -> Vec<MetadataRecord> {
    let partitions = image
        .topics
        .iter()
        .flat_map(|topic| topic.partitions().map(move |(number, partition)| (topic.id, number, partition)));
    partitions
        .filter_map(|(id, number, partition)| elect(id, number, partition, broker_id))
        .map(Into::into)
        .collect()
}

/// One that is in sync leads at once; one that is eligible becomes the only one in sync; failing both, the last leader that was
/// known leads, and has to recover what it can.
fn elect(
    topic_id: Uuid,
    partition_id: i32,
    partition: &Partition,
    broker_id: i32,
) -> Option<PartitionChangeRecord> {
    if partition.leader != -1 {
        return None;
    }
    let change = PartitionChangeRecord {
        topic_id,
        partition_id,
        leader: broker_id,
        ..PartitionChangeRecord::default()
    };
    if partition.isr.contains(&broker_id) {
        return Some(change);
    }
    let eligible = partition.elr.contains(&broker_id);
    let nobody_else = partition.isr.is_empty() && partition.elr.is_empty();
    let last_known = nobody_else && partition.last_known_elr.first() == Some(&broker_id);
    if !(eligible || last_known) {
        return None;
    }
    let elr = partition.elr.iter().copied().filter(|id| *id != broker_id).collect();
    Some(PartitionChangeRecord {
        isr: Some(vec![broker_id]),
        eligible_leader_replicas: Some(elr),
        last_known_elr: (!partition.last_known_elr.is_empty()).then(Vec::new),
        leader_recovery_state: if eligible { -1 } else { 1 },
        ..change
    })
}
