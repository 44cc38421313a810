//! On which brokers a plan that is proposed puts partitions: spread over racks, and over the brokers of each.

use std::collections::BTreeMap;

/// A broker that can have replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its node id.
    pub id: i32,
    /// Its rack; none where racks do not matter.
    pub rack: Option<String>,
}

/// The brokers of a rack in a circle.
#[derive(Debug)]
struct Rack {
    brokers: Vec<i32>,
    /// Where the round begins in the circle.
    start: usize,
    /// How many were taken in this round.
    taken: usize,
    round: usize,
}

impl Rack {
    /// The next broker of a round, which begins one place after the round before; none when all were taken.
    fn next(&mut self, round: usize) -> Option<i32> {
        if self.round != round {
            (self.round, self.taken, self.start) = (round, 0, self.start + 1);
        }
        if self.taken == self.brokers.len() {
            return None;
        }
        self.taken += 1;
        self.brokers.get((self.start + self.taken - 1) % self.brokers.len()).copied()
    }
}

/// Racks that take turns.
struct Racks<R> {
    racks: Vec<Rack>,
    brokers: usize,
    /// The rack of the next leader.
    first: usize,
    /// How many partitions were placed.
    round: usize,
    /// A number below its argument.
    random: R,
}

/// The brokers of each of so many partitions, the first of each to lead. `random` gives a number below its argument.
///
/// Racks take turns with leaders, and so do the brokers of a rack. The replicas of a partition go round all racks, but come back to
/// the leader's only after the others. When every broker has had its turn both are shuffled, so that a broker whose neighbour
/// fails is not the one that leads all of its partitions.
///
/// # Errors
/// Kafka's sentence, if there are fewer brokers than replicas.
pub fn place(
    candidates: &[Candidate],
    partitions: usize,
    replicas: usize,
    random: impl FnMut(usize) -> usize,
) -> Result<Vec<Vec<i32>>, String> {
    if candidates.is_empty() {
        return Err(
            "All brokers are currently fenced, or have all their log directories cordoned.".to_owned()
        );
    }
    if replicas > candidates.len() {
        return Err(format!(
            "The target replication factor of {replicas} cannot be reached because only {} broker(s) are registered or \
             some brokers have all their log directories cordoned.",
            candidates.len()
        ));
    }
    let mut racks = Racks::new(candidates, random);
    Ok((0..partitions).map(|_| racks.next(replicas)).collect())
}

impl<R: FnMut(usize) -> usize> Racks<R> {
    fn new(candidates: &[Candidate], mut random: R) -> Racks<R> {
        let mut by_name: BTreeMap<&Option<String>, Vec<i32>> = BTreeMap::new();
        for candidate in candidates {
            by_name.entry(&candidate.rack).or_default().push(candidate.id);
        }
        let mut rack = |mut brokers: Vec<i32>| {
            brokers.sort_unstable();
            Rack { start: random(brokers.len()), brokers, taken: 0, round: 0 }
        };
        let racks: Vec<Rack> = by_name.into_values().map(&mut rack).collect();
        let first = random(racks.len());
        Racks { racks, brokers: candidates.len(), first, round: 0, random }
    }

    /// The brokers of the next partition, of which there are as many as replicas.
    fn next(&mut self, replicas: usize) -> Vec<i32> {
        if self.round > 0 && self.round.is_multiple_of(self.brokers) {
            self.shuffle();
        }
        let (count, first) = (self.racks.len(), self.first % self.racks.len());
        let leader = self.racks[first].next(self.round);
        let mut placed: Vec<i32> = leader.into_iter().collect();
        // From the leader's rack on, which has had its turn in this one.
        for turn in 1.. {
            if placed.len() >= replicas {
                break;
            }
            placed.extend(self.racks[(first + turn) % count].next(self.round));
        }
        (self.round, self.first) = (self.round + 1, first + 1);
        placed
    }

    fn shuffle(&mut self) {
        shuffle(&mut self.racks, &mut self.random);
        for rack in &mut self.racks {
            shuffle(&mut rack.brokers, &mut self.random);
        }
    }
}

fn shuffle<T>(values: &mut [T], random: &mut impl FnMut(usize) -> usize) {
    for left in (2..=values.len()).rev() {
        values.swap(left - 1, random(left));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Brokers 1, 2, … in these racks.
    fn candidates(racks: &[&str]) -> Vec<Candidate> {
        let rack = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        (1..).zip(racks).map(|(id, name)| Candidate { id, rack: rack(name) }).collect()
    }

    fn without_luck(racks: &[&str], partitions: usize, replicas: usize) -> Vec<Vec<i32>> {
        place(&candidates(racks), partitions, replicas, |_| 0).unwrap()
    }

    #[test]
    fn partitions_are_placed_where_apache_kafka_places_them() {
        // As `StripedReplicaPlacer` of 4.3.1 placed them, with a source of random numbers that gives zeros.
        let placed = [[1, 2], [2, 3], [3, 1], [2, 3], [3, 1], [1, 2], [3, 1]];
        assert_eq!(without_luck(&["", "", ""], 7, 2), placed);
        let placed = [[1, 3, 5], [4, 5, 2], [5, 1, 3], [2, 4, 5], [3, 5, 1], [1, 3, 5], [4, 5, 2]];
        assert_eq!(without_luck(&["a", "a", "b", "b", "c"], 7, 3), placed);
        assert_eq!(without_luck(&["a", "b", "b"], 4, 1), [[1], [3], [1], [1]]);
        assert_eq!(without_luck(&["a", "b", "b"], 4, 3), [[1, 2, 3], [3, 1, 2], [1, 2, 3], [1, 2, 3]]);
    }

    #[test]
    fn whatever_the_luck_replicas_are_on_brokers_of_their_own_and_in_all_racks() {
        let (racks, mut seed) = (["a", "b", "c", "a", "b", "c", "a"], 1u64);
        let random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        for replicas in place(&candidates(&racks), 500, 3, random).unwrap() {
            let of: std::collections::BTreeSet<&str> =
                replicas.iter().map(|id| racks[*id as usize - 1]).collect();
            assert_eq!(of.len(), 3, "{replicas:?}");
        }
    }

    #[test]
    fn as_many_brokers_are_needed_as_replicas() {
        let none = "All brokers are currently fenced, or have all their log directories cordoned.";
        assert_eq!(place(&[], 1, 1, |_| 0), Err(none.to_owned()));
        let words = place(&candidates(&[""]), 1, 2, |_| 0).unwrap_err();
        assert!(
            words.starts_with("The target replication factor of 2 cannot be reached because only 1"),
            "{words}"
        );
    }
}
