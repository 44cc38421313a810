//! On which brokers the replicas of a partition are.

use std::collections::BTreeMap;

use metadata::{DirectoryId, Image, LeaderRecovery, Partition};
use protocol::{ErrorCode, Uuid};

use crate::{Context, Refusal};

/// Replicas of new partitions, spread over brokers and racks; the first of each is to lead.
///
/// The brokers stand in a circle, racks taking turns, those that are fenced at the end. Each partition starts one place after
/// the one before, at a random place at first, so that leaders and followers are spread evenly.
pub(crate) fn place(
    context: &mut Context<'_>,
    partitions: usize,
    replication_factor: i16,
) -> Result<Vec<Vec<i32>>, Refusal> {
    let (active, inactive) = circles(context.image);
    let refused = |why: &str| {
        let message = format!("Unable to replicate the partition {replication_factor} time(s): {why}");
        Err(Refusal::new(ErrorCode::InvalidReplicationFactor, message))
    };
    let (registered, wanted) =
        (active.len() + inactive.len(), usize::from(replication_factor.unsigned_abs()));
    if wanted > registered {
        return refused(&format!(
            "The target replication factor of {replication_factor} cannot be reached because only {registered} \
             broker(s) are registered or some brokers have all their log directories cordoned."
        ));
    }
    if active.is_empty() {
        return refused("All brokers are currently fenced, or have all their log directories cordoned.");
    }
    let start = ((context.random)() % active.len() as u64) as usize;
    let replicas = |partition: usize| {
        let turned = active.iter().cycle().skip((start + partition) % active.len()).take(active.len());
        turned.chain(&inactive).copied().take(wanted).collect()
    };
    Ok((0..partitions).map(replicas).collect())
}

fn takes_partitions(image: &Image, id: i32) -> bool {
    image.cluster.is_active(id) && image.cluster.takes_replicas(id)
}

/// Brokers that take partitions, and the others, each with the racks taking turns.
fn circles(image: &Image) -> (Vec<i32>, Vec<i32>) {
    let circle = |active: bool| {
        let mut racks: BTreeMap<Option<&str>, Vec<i32>> = BTreeMap::new();
        let brokers =
            image.cluster.brokers().filter(|broker| takes_partitions(image, broker.broker_id) == active);
        for broker in brokers {
            racks.entry(broker.rack.as_deref()).or_default().push(broker.broker_id);
        }
        let longest = racks.values().map(Vec::len).max().unwrap_or(0);
        (0..longest)
            .flat_map(|place| racks.values().filter_map(move |rack| rack.get(place).copied()))
            .collect()
    };
    (circle(true), circle(false))
}

/// Checks replicas that a client chose, which must be as many as those of the partition before.
pub(crate) fn check_manual(
    image: &Image,
    replicas: &[i32],
    replication_factor: Option<usize>,
) -> Result<(), Refusal> {
    let refused = |message: String| Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
    if replicas.is_empty() {
        return refused("The manual partition assignment includes an empty replica list.".into());
    }
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    if let Some(unknown) = sorted.iter().find(|id| image.cluster.broker(**id).is_none()) {
        return refused(format!(
            "The manual partition assignment includes broker {unknown}, but no such broker is registered."
        ));
    }
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return refused(format!(
            "The manual partition assignment includes the broker {} more than once.",
            pair[0]
        ));
    }
    match replication_factor {
        Some(expected) if expected != replicas.len() => refused(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is not consistent with \
             previous partitions, which have {expected} replica(s).",
            replicas.len()
        )),
        _ => Ok(()),
    }
}

/// A new partition on these brokers: those that are active are in sync, and the first of them leads; none if none is.
pub(crate) fn new_partition(image: &Image, replicas: Vec<i32>) -> Option<Partition> {
    let isr: Vec<i32> = replicas.iter().copied().filter(|id| image.cluster.is_active(*id)).collect();
    let directories = match image.features.metadata_version().has_directories() {
        true => replicas.iter().map(|id| default_directory(image, *id)).collect(),
        false => Vec::new(),
    };
    Some(Partition {
        leader: *isr.first()?,
        replicas,
        directories,
        isr,
        removing_replicas: Vec::new(),
        adding_replicas: Vec::new(),
        elr: Vec::new(),
        last_known_elr: Vec::new(),
        leader_recovery: LeaderRecovery::Recovered,
        leader_epoch: 0,
        partition_epoch: 0,
    })
}

/// The log directory of a broker that has but one; of several the broker chooses, and tells (KIP-858).
fn default_directory(image: &Image, broker_id: i32) -> Uuid {
    match image.cluster.broker(broker_id).map(|broker| broker.log_dirs.as_slice()) {
        Some([only]) => *only,
        Some([]) | None => DirectoryId::MIGRATING,
        Some(_) => DirectoryId::UNASSIGNED,
    }
}
