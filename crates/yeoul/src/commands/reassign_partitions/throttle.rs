//! Which replicas and brokers are slowed down while partitions move.

use std::collections::{BTreeMap, BTreeSet};

use client::{PartitionReassignment, Place};

use super::plan::{Replicas, named};

/// Settings of brokers that say how fast partitions move.
pub const OF_BROKERS: [&str; 3] = [LEADER_RATE, FOLLOWER_RATE, LOG_DIRS_RATE];
/// Settings of topics that say which of their replicas are slowed down.
pub const OF_TOPICS: [&str; 2] = [LEADER_REPLICAS, FOLLOWER_REPLICAS];

pub const LEADER_RATE: &str = "leader.replication.throttled.rate";
pub const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
pub const LOG_DIRS_RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";
const LEADER_REPLICAS: &str = "leader.replication.throttled.replicas";
const FOLLOWER_REPLICAS: &str = "follower.replication.throttled.replicas";

/// From which brokers to which others a partition moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    sources: BTreeSet<i32>,
    destinations: BTreeSet<i32>,
}

/// The moves that are under way, and those that a plan adds or changes. One that changes goes on from where it came.
///
/// # Errors
/// If nobody knows where a partition of the plan is.
pub fn moves(
    ongoing: &BTreeMap<Place, PartitionReassignment>,
    plan: &Replicas,
    current: &Replicas,
) -> Result<BTreeMap<Place, Move>, String> {
    let mut moves: BTreeMap<Place, Move> =
        ongoing.iter().map(|(place, known)| (place.clone(), under_way(known))).collect();
    for (place, target) in plan {
        let sources = match (moves.get(place), current.get(place)) {
            (Some(known), _) => known.sources.clone(),
            (None, Some(replicas)) => replicas.iter().copied().collect(),
            (None, None) => {
                return Err(format!("Trying to reassign a topic partition {} with 0 replicas", named(place)));
            }
        };
        let destinations = target.iter().copied().filter(|broker| !sources.contains(broker)).collect();
        moves.insert(place.clone(), Move { sources, destinations });
    }
    Ok(moves)
}

fn under_way(known: &PartitionReassignment) -> Move {
    let destinations: BTreeSet<i32> = known.adding_replicas.iter().copied().collect();
    let sources = known.replicas.iter().copied().filter(|broker| !destinations.contains(broker)).collect();
    Move { sources, destinations }
}

/// The brokers between which something moves.
pub fn brokers(moves: &BTreeMap<Place, Move>) -> BTreeSet<i32> {
    moves.values().flat_map(|known| known.sources.union(&known.destinations).copied()).collect()
}

/// The settings of each topic that name the replicas to be slowed down, as `partition:broker,partition:broker`.
pub fn of_topics(moves: &BTreeMap<Place, Move>) -> BTreeMap<String, [(&'static str, String); 2]> {
    let mut topics: BTreeMap<&String, [BTreeSet<String>; 2]> = BTreeMap::new();
    for ((topic, partition), known) in moves {
        let [leaders, followers] = topics.entry(topic).or_default();
        leaders.extend(known.sources.iter().map(|broker| format!("{partition}:{broker}")));
        followers.extend(known.destinations.iter().map(|broker| format!("{partition}:{broker}")));
    }
    let list = |replicas: BTreeSet<String>| replicas.into_iter().collect::<Vec<_>>().join(",");
    let settings = |[leaders, followers]: [BTreeSet<String>; 2]| {
        [(LEADER_REPLICAS, list(leaders)), (FOLLOWER_REPLICAS, list(followers))]
    };
    topics.into_iter().map(|(topic, replicas)| (topic.clone(), settings(replicas))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(partition: i32) -> Place {
        ("t".to_owned(), partition)
    }

    #[test]
    fn leaders_are_slowed_down_where_partitions_come_from_and_followers_where_they_go() {
        let current = Replicas::from([(place(0), vec![1, 2]), (place(10), vec![1]), (place(2), vec![3])]);
        let plan = Replicas::from([(place(0), vec![2, 3]), (place(10), vec![4]), (place(2), vec![3])]);
        let moves = moves(&BTreeMap::new(), &plan, &current).unwrap();
        assert_eq!(brokers(&moves), BTreeSet::from([1, 2, 3, 4]));
        // In the order of texts.
        let leaders = (LEADER_REPLICAS, "0:1,0:2,10:1,2:3".to_owned());
        let followers = (FOLLOWER_REPLICAS, "0:3,10:4".to_owned());
        assert_eq!(of_topics(&moves), BTreeMap::from([("t".to_owned(), [leaders, followers])]));
    }

    #[test]
    fn what_is_under_way_counts_and_keeps_its_sources_when_it_goes_elsewhere() {
        let known = |replicas: &[i32], adding: &[i32]| PartitionReassignment {
            replicas: replicas.to_vec(),
            adding_replicas: adding.to_vec(),
            removing_replicas: Vec::new(),
        };
        let ongoing = BTreeMap::from([(place(0), known(&[1, 2], &[2])), (place(1), known(&[1, 5], &[5]))]);
        let plan = Replicas::from([(place(0), vec![3])]);
        let current = Replicas::from([(place(0), vec![1, 2])]);
        let moves = moves(&ongoing, &plan, &current).unwrap();
        assert_eq!(moves[&place(0)].sources, BTreeSet::from([1]));
        assert_eq!(moves[&place(0)].destinations, BTreeSet::from([3]));
        assert_eq!(brokers(&moves), BTreeSet::from([1, 3, 5]));
    }

    #[test]
    fn a_partition_that_is_nowhere_cannot_move() {
        let plan = Replicas::from([(place(0), vec![3])]);
        let words = "Trying to reassign a topic partition t-0 with 0 replicas".to_owned();
        assert_eq!(moves(&BTreeMap::new(), &plan, &Replicas::new()), Err(words));
    }
}
