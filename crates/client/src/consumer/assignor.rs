//! Kafka's assignors, by which the leader of a classic group shares topics out.

mod cooperative;
mod sticky;

use std::collections::BTreeMap;

use super::Place;
use super::subscription::Counts;
pub use sticky::{Had, assign_sticky};

/// The topics that each member wants.
pub type Members = BTreeMap<String, Vec<String>>;
/// What each member gets: partitions by topic.
pub type Shares = BTreeMap<String, Vec<(String, Vec<i32>)>>;

/// A way to share topics out among the members of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// Each topic is cut into runs of partitions, one a member.
    Range,
    /// One partition after the other goes to one member after the other.
    RoundRobin,
    /// Shares are even, and members keep what they had as far as that goes (KIP-54).
    Sticky,
    /// The same, and members go on reading what they keep while the group shares out anew (KIP-429).
    CooperativeSticky,
}

impl Assignor {
    /// All that there are.
    pub const ALL: [Assignor; 4] =
        [Assignor::Range, Assignor::RoundRobin, Assignor::Sticky, Assignor::CooperativeSticky];

    /// What members call it among each other.
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Range => "range",
            Assignor::RoundRobin => "roundrobin",
            Assignor::Sticky => "sticky",
            Assignor::CooperativeSticky => "cooperative-sticky",
        }
    }

    /// The class of Kafka's client that does the same.
    pub fn class(self) -> &'static str {
        match self {
            Assignor::Range => "org.apache.kafka.clients.consumer.RangeAssignor",
            Assignor::RoundRobin => "org.apache.kafka.clients.consumer.RoundRobinAssignor",
            Assignor::Sticky => "org.apache.kafka.clients.consumer.StickyAssignor",
            Assignor::CooperativeSticky => "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
        }
    }

    /// The assignor of this name, or of this class of Kafka's client.
    pub fn named(name: &str) -> Option<Assignor> {
        Assignor::ALL.into_iter().find(|assignor| assignor.name() == name || assignor.class() == name)
    }

    /// Whether a member with these assignors keeps what it has while the group shares out anew: only if all of them allow it.
    pub fn are_cooperative(assignors: &[Assignor]) -> bool {
        assignors.iter().all(|assignor| *assignor == Assignor::CooperativeSticky)
    }

    /// Shares topics out; `had` says what members had before, of which only those that are sticky take notice.
    pub fn assign(self, topics: &Counts, members: &Members, had: &BTreeMap<String, Had>) -> Shares {
        match self {
            Assignor::Range => assign_ranges(topics, members),
            Assignor::RoundRobin => assign_in_turn(topics, members),
            Assignor::Sticky => assign_sticky(topics, members, had),
            Assignor::CooperativeSticky => cooperative::withhold(assign_sticky(topics, members, had), had),
        }
    }
}

/// Partitions as a share has them.
fn by_topic(places: Vec<Place>) -> Vec<(String, Vec<i32>)> {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in places {
        topics.entry(topic).or_default().push(partition);
    }
    topics.into_iter().collect()
}

/// Gives one partition after the other to the next member that wants its topic, in the order of the members' ids.
fn assign_in_turn(topics: &Counts, members: &Members) -> Shares {
    let mut places: BTreeMap<&str, Vec<Place>> =
        members.keys().map(|member| (member.as_str(), Vec::new())).collect();
    let mut turn = members.iter().cycle();
    for (topic, count) in
        topics.iter().filter(|(topic, _)| members.values().any(|wants| wants.contains(topic)))
    {
        for partition in 0..*count {
            let next = turn.find(|(_, wants)| wants.contains(topic));
            if let Some(share) = next.and_then(|(member, _)| places.get_mut(member.as_str())) {
                share.push((topic.clone(), partition));
            }
        }
    }
    places.into_iter().map(|(member, places)| (member.to_owned(), by_topic(places))).collect()
}

/// Cuts each topic into runs, which go to the members in the order of their ids, longer ones first.
fn assign_ranges(topics: &Counts, members: &Members) -> Shares {
    let mut assigned: Shares = members.keys().map(|member| (member.clone(), Vec::new())).collect();
    for (topic, partitions) in topics {
        let wanting: Vec<&String> =
            members.iter().filter(|(_, wants)| wants.contains(topic)).map(|(member, _)| member).collect();
        for (member, run) in wanting.iter().zip(runs(*partitions, wanting.len())) {
            if let Some(share) = assigned.get_mut(*member).filter(|_| !run.is_empty()) {
                share.push((topic.clone(), run));
            }
        }
    }
    assigned
}

fn runs(partitions: i32, members: usize) -> impl Iterator<Item = Vec<i32>> {
    let members = i32::try_from(members).unwrap_or(i32::MAX).max(1);
    let (each, more) = (partitions / members, partitions % members);
    (0..members).map(move |at| {
        let first = at * each + at.min(more);
        (first..first + each + i32::from(at < more)).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(partitions: i32, members: &[&str]) -> Vec<Vec<i32>> {
        let topics = BTreeMap::from([("t".to_owned(), partitions)]);
        let members = members.iter().map(|id| ((*id).to_owned(), vec!["t".to_owned()])).collect();
        let assigned = assign_ranges(&topics, &members);
        assigned.into_values().map(|share| share.into_iter().flat_map(|(_, run)| run).collect()).collect()
    }

    #[test]
    fn the_first_members_take_what_does_not_divide() {
        assert_eq!(shares(7, &["b", "a", "c"]), [vec![0, 1, 2], vec![3, 4], vec![5, 6]]);
        assert_eq!(shares(2, &["a", "b", "c"]), [vec![0], vec![1], vec![]]);
        assert_eq!(shares(3, &["a"]), [vec![0, 1, 2]]);
    }

    #[test]
    fn members_take_turns() {
        let topics = BTreeMap::from([("t".to_owned(), 3), ("u".to_owned(), 2), ("v".to_owned(), 1)]);
        let both = vec!["t".to_owned(), "u".to_owned()];
        let members = BTreeMap::from([
            ("a".to_owned(), both.clone()),
            ("b".to_owned(), both),
            ("c".to_owned(), vec!["u".to_owned()]),
        ]);
        let shares = assign_in_turn(&topics, &members);
        assert_eq!(shares["a"], [("t".to_owned(), vec![0, 2])]);
        assert_eq!(shares["b"], [("t".to_owned(), vec![1]), ("u".to_owned(), vec![0])]);
        assert_eq!(shares["c"], [("u".to_owned(), vec![1])]);
        assert!(assign_in_turn(&topics, &BTreeMap::new()).is_empty());
    }

    #[test]
    fn a_member_gets_only_what_it_wants() {
        let topics = BTreeMap::from([("t".to_owned(), 2), ("u".to_owned(), 2)]);
        let members = BTreeMap::from([
            ("a".to_owned(), vec!["t".to_owned(), "u".to_owned()]),
            ("b".to_owned(), vec!["u".to_owned()]),
        ]);
        let assigned = assign_ranges(&topics, &members);
        assert_eq!(assigned["a"], [("t".to_owned(), vec![0, 1]), ("u".to_owned(), vec![0])]);
        assert_eq!(assigned["b"], [("u".to_owned(), vec![1])]);
    }
}
