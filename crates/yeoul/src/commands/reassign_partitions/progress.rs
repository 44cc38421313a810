//! How far a plan is, in the lines of Kafka's tool.

use std::collections::BTreeMap;

use client::{PartitionReassignment, Place, Replica, ReplicaLogDirs};

use super::plan::{Replicas, joined, named};

/// What is under way.
pub fn ongoing(reassignments: &BTreeMap<Place, PartitionReassignment>) -> Vec<String> {
    if reassignments.is_empty() {
        return vec!["No partition reassignments found.".to_owned()];
    }
    let some = |what: &str, brokers: &[i32]| match brokers {
        [] => String::new(),
        _ => format!(" {what}: {}.", joined(brokers, ",")),
    };
    let line = |(place, known): (&Place, &PartitionReassignment)| {
        let (place, replicas) = (named(place), joined(&known.replicas, ","));
        let adding = some("adding", &known.adding_replicas);
        format!("{place}: replicas: {replicas}.{adding}{}", some("removing", &known.removing_replicas))
    };
    let title = "Current partition reassignments:".to_owned();
    std::iter::once(title).chain(reassignments.iter().map(line)).collect()
}

/// How far the partitions of a plan are. `current` has those that are there, with their brokers.
pub fn of_partitions(
    plan: &Replicas,
    ongoing: &BTreeMap<Place, PartitionReassignment>,
    current: &Replicas,
) -> Vec<String> {
    let line = |(place, target): (&Place, &Vec<i32>)| {
        let name = named(place);
        if ongoing.contains_key(place) {
            return format!("Reassignment of partition {name} is still in progress.");
        }
        match current.get(place).map_or(&[][..], Vec::as_slice) {
            current if current == target => format!("Reassignment of partition {name} is completed."),
            current => format!(
                "There is no active reassignment of partition {name}, but replica set is {} rather than {}.",
                joined(current, ","),
                joined(target, ",")
            ),
        }
    };
    let title = "Status of partition reassignment:".to_owned();
    std::iter::once(title).chain(plan.iter().map(line)).collect()
}

/// Whether a replica is in a log directory and goes to no other, whichever they are.
pub fn is_settled(found: &ReplicaLogDirs) -> bool {
    found.current.is_some() && found.future.is_none()
}

/// How far the replicas are that a plan wants in these log directories.
pub fn of_replicas(
    wanted: &BTreeMap<Replica, String>,
    found: &BTreeMap<Replica, ReplicaLogDirs>,
) -> Vec<String> {
    let nowhere = ReplicaLogDirs::default();
    let found = |replica| found.get(replica).unwrap_or(&nowhere);
    wanted.iter().map(|(replica, target)| of_replica(replica, target, found(replica))).collect()
}

fn of_replica(replica: &Replica, target: &str, found: &ReplicaLogDirs) -> String {
    let (place, broker) = (named(&replica.place), replica.broker);
    match (found.current.as_deref(), found.future.as_deref()) {
        (None, _) => format!(
            "Partition {place} is not found in any live log dir on broker {broker}. There is likely an offline log \
             directory on the broker."
        ),
        (Some(_), Some(future)) if future == target => {
            format!("Reassignment of replica {replica} is still in progress.")
        }
        (Some(_), Some(future)) => format!(
            "Partition {place} on broker {broker} is being moved to log dir {future} instead of {target}."
        ),
        (Some(current), None) if current == target => {
            format!("Reassignment of replica {replica} completed successfully.")
        }
        (Some(current), None) => format!(
            "Partition {place} on broker {broker} is not being moved from log dir {current} to {target}."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(partition: i32) -> Place {
        ("t".to_owned(), partition)
    }

    fn reassignment(replicas: &[i32], adding: &[i32], removing: &[i32]) -> PartitionReassignment {
        PartitionReassignment {
            replicas: replicas.to_vec(),
            adding_replicas: adding.to_vec(),
            removing_replicas: removing.to_vec(),
        }
    }

    #[test]
    fn what_is_under_way_is_told_with_who_comes_and_goes() {
        assert_eq!(ongoing(&BTreeMap::new()), ["No partition reassignments found."]);
        let known = BTreeMap::from([
            (place(0), reassignment(&[1, 2, 3], &[3], &[1, 2])),
            (place(1), reassignment(&[1, 2], &[], &[2])),
        ]);
        let told = [
            "Current partition reassignments:",
            "t-0: replicas: 1,2,3. adding: 3. removing: 1,2.",
            "t-1: replicas: 1,2. removing: 2.",
        ];
        assert_eq!(ongoing(&known), told);
    }

    #[test]
    fn a_partition_is_there_or_on_its_way_or_somewhere_else() {
        let plan = Replicas::from([0, 1, 2, 3].map(|partition| (place(partition), vec![2, 1])));
        let ongoing = BTreeMap::from([(place(1), reassignment(&[1, 2], &[2], &[]))]);
        let current = Replicas::from([(place(0), vec![2, 1]), (place(1), vec![1]), (place(2), vec![1])]);
        let told = [
            "Status of partition reassignment:",
            "Reassignment of partition t-0 is completed.",
            "Reassignment of partition t-1 is still in progress.",
            "There is no active reassignment of partition t-2, but replica set is 1 rather than 2,1.",
            "There is no active reassignment of partition t-3, but replica set is  rather than 2,1.",
        ];
        assert_eq!(of_partitions(&plan, &ongoing, &current), told);
    }

    #[test]
    fn a_replica_is_in_its_directory_or_on_its_way_or_somewhere_else() {
        let replica = Replica { broker: 1, place: place(0) };
        let state = |current: &str, future: &str| {
            let path = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            of_replica(&replica, "/b", &ReplicaLogDirs { current: path(current), future: path(future) })
        };
        assert_eq!(state("/b", ""), "Reassignment of replica t-0-1 completed successfully.");
        assert_eq!(state("/a", "/b"), "Reassignment of replica t-0-1 is still in progress.");
        let elsewhere = "Partition t-0 on broker 1 is being moved to log dir /c instead of /b.";
        assert_eq!(state("/a", "/c"), elsewhere);
        let stays = "Partition t-0 on broker 1 is not being moved from log dir /a to /b.";
        assert_eq!(state("/a", ""), stays);
        let nowhere = "Partition t-0 is not found in any live log dir on broker 1. There is likely an offline log directory on the broker.";
        assert_eq!(state("", ""), nowhere);
    }
}
