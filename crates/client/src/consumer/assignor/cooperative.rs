//! What is left of a share while the owners of what moves have not given it up yet (KIP-429).

use std::collections::BTreeMap;

use super::sticky::Claims;
use super::{Had, Place, Shares};

/// Takes out of the shares what another member may read still. Who has it gives it up by this assignment and joins again, and
/// then the new owner gets it.
pub(super) fn withhold(shares: Shares, had: &BTreeMap<String, Had>) -> Shares {
    let claims = Claims::of(had);
    let is_free =
        |member: &str, place: &Place| claims.others(place, member) == 0 || claims.is_last(place, member);
    let kept = |member: &str, share: Vec<(String, Vec<i32>)>| {
        let topics = share.into_iter().map(|(topic, mut partitions)| {
            partitions.retain(|partition| is_free(member, &(topic.clone(), *partition)));
            (topic, partitions)
        });
        topics.filter(|(_, partitions)| !partitions.is_empty()).collect()
    };
    shares
        .into_iter()
        .map(|(member, share)| {
            let share = kept(&member, share);
            (member, share)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer::assignor::{Assignor, Members};

    fn had(all: &[(&str, i32, &[i32])]) -> BTreeMap<String, Had> {
        let places = |partitions: &[i32]| partitions.iter().map(|it| ("t".to_owned(), *it)).collect();
        let one = |(member, generation, partitions): &(&str, i32, &[i32])| {
            ((*member).to_owned(), Had { places: places(partitions), generation: *generation })
        };
        all.iter().map(one).collect()
    }

    fn assign(partitions: i32, members: &[&str], had: &BTreeMap<String, Had>) -> BTreeMap<String, Vec<i32>> {
        let members: Members = members.iter().map(|id| ((*id).to_owned(), vec!["t".to_owned()])).collect();
        let topics = BTreeMap::from([("t".to_owned(), partitions)]);
        let shares = Assignor::CooperativeSticky.assign(&topics, &members, had);
        let flat = |share: Vec<(String, Vec<i32>)>| share.into_iter().flat_map(|(_, run)| run).collect();
        shares.into_iter().map(|(member, share)| (member, flat(share))).collect()
    }

    /// What members have after an assignment, of which they tell at the next one.
    fn told(shares: &BTreeMap<String, Vec<i32>>, generation: i32) -> BTreeMap<String, Had> {
        let all: Vec<(&str, i32, &[i32])> =
            shares.iter().map(|(member, share)| (member.as_str(), generation, share.as_slice())).collect();
        had(&all)
    }

    #[test]
    fn what_moves_is_given_to_nobody_until_its_owner_has_given_it_up() {
        let first = assign(5, &["a", "b"], &had(&[("a", 1, &[0, 1, 2, 3, 4]), ("b", -1, &[])]));
        assert_eq!((first["a"].len(), first["b"].len()), (3, 0));
        let second = assign(5, &["a", "b"], &told(&first, 2));
        assert_eq!(second["a"], first["a"], "who has its share keeps it");
        assert_eq!(second["b"].len(), 2);
    }

    #[test]
    fn what_is_new_or_was_left_behind_is_given_at_once() {
        let shares = assign(4, &["a", "b"], &had(&[("a", 3, &[0, 1]), ("b", -1, &[])]));
        assert_eq!((shares["a"].as_slice(), shares["b"].as_slice()), (&[0, 1][..], &[2, 3][..]));
    }

    #[test]
    fn a_claim_of_an_old_generation_keeps_nothing_from_its_owner() {
        let shares = assign(2, &["a", "b"], &had(&[("a", 2, &[0, 1]), ("b", 1, &[0])]));
        assert_eq!(shares["a"].len(), 1);
        assert!(shares["b"].is_empty(), "{shares:?}");
    }

    #[test]
    fn what_two_claim_in_one_generation_both_give_up() {
        let shares = assign(1, &["a", "b"], &had(&[("a", 2, &[0]), ("b", 2, &[0])]));
        assert!(shares.values().all(Vec::is_empty), "{shares:?}");
    }

    /// Numbers that look random and are the same each time.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % bound
        }
    }

    #[test]
    fn members_that_come_and_go_never_share_a_partition_and_end_up_even_in_two_rounds() {
        let mut dice = Dice(7);
        let names: Vec<String> = (0..6).map(|number| format!("m{number}")).collect();
        let mut shares = BTreeMap::new();
        for generation in 0..400 {
            let count = i32::try_from(dice.below(12)).unwrap();
            let mut members: Vec<&str> =
                names.iter().filter(|_| dice.below(2) == 0).map(String::as_str).collect();
            if members.is_empty() {
                members.push("m0");
            }
            shares.retain(|member: &String, _: &mut Vec<i32>| members.contains(&member.as_str()));
            let before = shares.clone();
            shares = assign(count, &members, &told(&before, 2 * generation));
            for (member, partition) in
                shares.iter().flat_map(|(it, share)| share.iter().map(move |p| (it, p)))
            {
                let owner =
                    before.iter().find(|(_, share)| share.contains(partition)).map(|(owner, _)| owner);
                assert!(
                    owner.is_none_or(|owner| owner == member),
                    "{partition} of {owner:?} went to {member}"
                );
            }
            let kept = shares.clone();
            shares = assign(count, &members, &told(&kept, 2 * generation + 1));
            for (member, share) in &kept {
                assert!(share.iter().all(|it| shares[member].contains(it)), "{member} had to give up more");
            }
            let mut all: Vec<i32> = shares.values().flatten().copied().collect();
            all.sort_unstable();
            assert_eq!(all, (0..count).collect::<Vec<_>>(), "each has one owner");
            let sizes = || shares.values().map(Vec::len);
            assert!(sizes().max() <= sizes().min().map(|least| least + 1), "{shares:?}");
        }
    }
}
