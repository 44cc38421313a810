//! Kafka's range assignor: each topic is cut into runs of partitions, one a member.

use std::collections::BTreeMap;

/// Shares topics out among members. `topics` says how many partitions each has, `members` which topics each wants; the runs
/// go to the members in the order of their ids, longer ones first.
pub fn assign_ranges(
    topics: &BTreeMap<String, i32>,
    members: &BTreeMap<String, Vec<String>>,
) -> BTreeMap<String, Vec<(String, Vec<i32>)>> {
    let mut assigned: BTreeMap<String, Vec<(String, Vec<i32>)>> =
        members.keys().map(|member| (member.clone(), Vec::new())).collect();
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
