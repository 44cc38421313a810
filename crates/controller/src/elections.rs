//! Who leads a partition that has no leader (KIP-966), or is to have another (ElectLeaders: KIP-183, KIP-460).

use metadata::{Image, Partition, Topic};
use protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use protocol::messages::{ElectLeadersRequest, ElectLeadersResponse, MetadataRecord, PartitionChangeRecord};
use protocol::{ErrorCode, Uuid};

use crate::{Decision, Refusal};

/// Changes to the partitions without a leader that a broker may lead now that it serves again.
pub(crate) fn elections_after_unfence(image: &Image, broker_id: i32) -> Vec<MetadataRecord> {
    let partitions = image
        .topics
        .iter()
        .flat_map(|topic| topic.partitions().map(move |(number, partition)| (topic.id, number, partition)));
    partitions
        .filter(|(_, _, partition)| has_online_replica(image, partition, broker_id))
        .filter_map(|(id, number, partition)| elect(id, number, partition, broker_id))
        .map(Into::into)
        .collect()
}

/// Whether the log directory of the replica serves; whether the broker does is just being changed.
fn has_online_replica(image: &Image, partition: &Partition, broker_id: i32) -> bool {
    image.cluster.is_directory_online(broker_id, partition.directory_of(broker_id))
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
    let eligible = partition.elr.contains(&broker_id);
    let nobody_else = partition.isr.is_empty() && partition.elr.is_empty();
    let last_known = nobody_else && partition.last_known_elr.first() == Some(&broker_id);
    let may_lead = partition.isr.contains(&broker_id) || eligible || last_known;
    may_lead.then(|| change_to(topic_id, partition_id, partition, broker_id, !eligible))
}

/// The change that lets a broker lead. If it was not in sync, it is the only one that is now; if `unclean`, it may lack records.
fn change_to(
    topic_id: Uuid,
    partition_id: i32,
    partition: &Partition,
    leader: i32,
    unclean: bool,
) -> PartitionChangeRecord {
    let change = PartitionChangeRecord { topic_id, partition_id, leader, ..PartitionChangeRecord::default() };
    if partition.isr.contains(&leader) {
        return change;
    }
    let elr = partition.elr.iter().copied().filter(|id| *id != leader).collect();
    PartitionChangeRecord {
        isr: Some(vec![leader]),
        eligible_leader_replicas: Some(elr),
        last_known_elr: (!partition.last_known_elr.is_empty()).then(Vec::new),
        leader_recovery_state: if unclean { 1 } else { -1 },
        ..change
    }
}

/// What kind of election is asked for; the numbers of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Election {
    /// The first replica is to lead.
    Preferred,
    /// Anybody is to lead where nobody does, even if records are lost.
    Unclean,
}

/// Decides which partitions get another leader. Fails as a whole if the kind of election is unknown.
///
/// If the request names no partitions all are looked at, and those are left out of the reply that need no election.
pub fn elect_leaders(
    image: &Image,
    request: &ElectLeadersRequest,
) -> Result<Decision<ElectLeadersResponse>, Refusal> {
    let election = match request.election_type {
        0 => Election::Preferred,
        1 => Election::Unclean,
        other => {
            let message = format!("Unknown election type {other}");
            return Err(Refusal::new(ErrorCode::InvalidRequest, message));
        }
    };
    let mut records = Vec::new();
    let mut result_of = |topic: &str, partition_id: i32| {
        let elected = elect_leader(image, topic, partition_id, election);
        partition_result(partition_id, elected.map(|change| records.push(change.into())))
    };
    let replica_election_results = match &request.topic_partitions {
        Some(topics) => topics
            .iter()
            .map(|topic| ReplicaElectionResult {
                topic: topic.topic.clone(),
                partition_result: topic.partitions.iter().map(|id| result_of(&topic.topic, *id)).collect(),
            })
            .collect(),
        None => image.topics.iter().map(|topic| election_in(topic, &mut result_of)).collect(),
    };
    Ok(Decision { records, reply: ElectLeadersResponse { replica_election_results, ..Default::default() } })
}

fn election_in(
    topic: &Topic,
    mut result_of: impl FnMut(&str, i32) -> PartitionResult,
) -> ReplicaElectionResult {
    let results = topic.partitions().map(|(number, _)| result_of(&topic.name, number));
    let needed = |result: &PartitionResult| result.error_code != ErrorCode::ElectionNotNeeded.code();
    ReplicaElectionResult {
        topic: topic.name.to_string(),
        partition_result: results.filter(needed).collect(),
    }
}

fn partition_result(partition_id: i32, elected: Result<(), Refusal>) -> PartitionResult {
    let (error_code, error_message) = match elected {
        Ok(()) => (0, None),
        Err(refusal) => (refusal.error.code(), Some(refusal.message)),
    };
    PartitionResult { partition_id, error_code, error_message }
}

fn elect_leader(
    image: &Image,
    topic: &str,
    partition_id: i32,
    election: Election,
) -> Result<PartitionChangeRecord, Refusal> {
    let unknown = |what: String| Refusal::new(ErrorCode::UnknownTopicOrPartition, what);
    let topic = image.topics.by_name(topic).ok_or_else(|| unknown(format!("No such topic as {topic}")))?;
    let partition = topic
        .partition(partition_id)
        .ok_or_else(|| unknown(format!("No such partition as {}-{partition_id}", topic.name)))?;
    let is_led_well = match election {
        Election::Preferred => partition.replicas.first() == Some(&partition.leader),
        Election::Unclean => partition.leader != -1,
    };
    if is_led_well {
        let message = "Leader election not needed for topic partition.";
        return Err(Refusal::new(ErrorCode::ElectionNotNeeded, message));
    }
    match new_leader(image, partition, election) {
        Some((leader, unclean)) if leader != partition.leader => {
            Ok(change_to(topic.id, partition_id, partition, leader, unclean))
        }
        _ if election == Election::Preferred => {
            let message = "The preferred leader was not available.";
            Err(Refusal::new(ErrorCode::PreferredLeaderNotAvailable, message))
        }
        _ => {
            let message = "Eligible topic partition leaders are not available.";
            Err(Refusal::new(ErrorCode::EligibleLeadersNotAvailable, message))
        }
    }
}

/// Who is to lead, and whether records may be lost by it. A leader that may lead on does, unless the preferred one may.
fn new_leader(image: &Image, partition: &Partition, election: Election) -> Option<(i32, bool)> {
    let is_active = |id: &i32| image.cluster.is_active(*id);
    let has_all =
        |id: &i32| partition.isr.contains(id) || (partition.isr.is_empty() && partition.elr.contains(id));
    let may_lead = |id: &i32| has_all(id) && is_active(id);
    let preferred = partition.replicas.first().filter(|_| election == Election::Preferred);
    let clean =
        preferred.into_iter().chain([&partition.leader]).chain(&partition.replicas).find(|id| may_lead(id));
    let unclean = || {
        let only_known = match &partition.last_known_elr[..] {
            [only] if partition.isr.is_empty() && partition.elr.is_empty() => {
                Some(only).filter(|id| is_active(id))
            }
            _ => None,
        };
        let any =
            || partition.replicas.iter().find(|id| is_active(id)).filter(|_| election == Election::Unclean);
        only_known.or_else(any)
    };
    clean.map(|id| (*id, false)).or_else(|| unclean().map(|id| (*id, true)))
}
