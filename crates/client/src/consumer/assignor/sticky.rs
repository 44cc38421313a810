//! Kafka's sticky assignor: members keep what they had as far as the shares stay even.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use protocol::{DecodeError, EncodeError, Reader, Writer};

use super::{Counts, Members, Place, Shares, by_topic};

/// What a member had before, and in which generation of the group that was. It tells this itself, in the part of its subscription
/// that only assignors read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Had {
    /// The partitions.
    pub places: Vec<Place>,
    /// The generation; -1 where an old member does not tell.
    pub generation: i32,
}

impl Had {
    /// As members tell it: topics with their partitions, then the generation.
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in &self.places {
            topics.entry(topic).or_default().push(*partition);
        }
        let mut writer = Writer::new();
        writer.i32(i32::try_from(topics.len()).unwrap_or(i32::MAX));
        for (topic, partitions) in topics {
            writer.string(false, topic)?;
            writer.array(false, &partitions)?;
        }
        writer.i32(self.generation);
        Ok(writer.into_bytes())
    }

    /// Reads what a member tells.
    pub fn decode(data: &Bytes) -> Result<Had, DecodeError> {
        let mut reader = Reader::new(data.clone());
        let mut places = Vec::new();
        for _ in 0..reader.i32()? {
            let topic = reader.string(false)?;
            let partitions: Vec<i32> = reader.array(false)?;
            places.extend(partitions.into_iter().map(|partition| (topic.clone(), partition)));
        }
        // Members of the first version end here.
        let generation = reader.i32().unwrap_or(-1);
        Ok(Had { places, generation })
    }
}

/// Shares topics out; `had` says what members had before.
pub fn assign_sticky(topics: &Counts, members: &Members, had: &BTreeMap<String, Had>) -> Shares {
    let mut table = Table::new(members, kept(topics, members, had));
    for (topic, count) in topics {
        for partition in 0..*count {
            table.give((topic.clone(), partition));
        }
    }
    table.level();
    table.shares()
}

/// Who keeps what: who had it last, if there is one such member and it still wants the topic.
fn kept(topics: &Counts, members: &Members, had: &BTreeMap<String, Had>) -> BTreeMap<Place, String> {
    let is_there =
        |(topic, partition): &Place| topics.get(topic).is_some_and(|n| (0..*n).contains(partition));
    let claims = Claims::of(had);
    let owners = had.iter().filter_map(|(member, had)| Some((member, members.get(member)?, had)));
    let keeps = |member: &str, wanted: &[String], place: &Place| {
        is_there(place) && wanted.contains(&place.0) && claims.is_last(place, member)
    };
    let places = owners.flat_map(|(member, wanted, had)| {
        let kept = had.places.iter().filter(move |place| keeps(member, wanted, place));
        kept.map(move |place| (place.clone(), member.clone()))
    });
    places.collect()
}

/// Who says to have had what, and in which generation of the group.
pub(super) struct Claims<'a>(BTreeMap<&'a Place, Vec<(i32, &'a str)>>);

impl<'a> Claims<'a> {
    pub(super) fn of(had: &'a BTreeMap<String, Had>) -> Claims<'a> {
        let mut claims: BTreeMap<&Place, Vec<(i32, &str)>> = BTreeMap::new();
        for (member, had) in had {
            for place in &had.places {
                claims.entry(place).or_default().push((had.generation, member));
            }
        }
        Claims(claims)
    }

    fn of_place(&self, place: &Place) -> &[(i32, &'a str)] {
        self.0.get(place).map_or(&[], Vec::as_slice)
    }

    /// How many other members claim a partition.
    pub(super) fn others(&self, place: &Place, member: &str) -> usize {
        self.of_place(place).iter().filter(|(_, other)| *other != member).count()
    }

    /// Whether a member had a partition later than all others who claim it. Of two in one generation neither can be believed.
    pub(super) fn is_last(&self, place: &Place, member: &str) -> bool {
        let claims = self.of_place(place);
        let own = claims.iter().find(|(_, other)| *other == member).map(|(generation, _)| *generation);
        let is_earlier =
            |own: i32| claims.iter().all(|(generation, other)| *other == member || *generation < own);
        own.is_some_and(is_earlier)
    }
}

/// Who has what while it is shared out.
struct Table<'a> {
    members: &'a Members,
    owners: BTreeMap<Place, String>,
    counts: BTreeMap<&'a str, usize>,
}

impl<'a> Table<'a> {
    fn new(members: &'a Members, owners: BTreeMap<Place, String>) -> Table<'a> {
        let mut counts: BTreeMap<&str, usize> = members.keys().map(|member| (member.as_str(), 0)).collect();
        for owner in owners.values() {
            if let Some(count) = counts.get_mut(owner.as_str()) {
                *count += 1;
            }
        }
        Table { members, owners, counts }
    }

    fn count(&self, member: &str) -> usize {
        self.counts.get(member).copied().unwrap_or(0)
    }

    /// Of those who want a topic the one who has least.
    fn poorest(&self, topic: &str) -> Option<&'a str> {
        let wanting = self.members.iter().filter(|(_, wants)| wants.iter().any(|wanted| wanted == topic));
        wanting.map(|(member, _)| member.as_str()).min_by_key(|member| self.count(member))
    }

    /// Gives a partition that nobody has.
    fn give(&mut self, place: Place) {
        if self.owners.contains_key(&place) {
            return;
        }
        if let Some(member) = self.poorest(&place.0) {
            self.own(place, member);
        }
    }

    fn own(&mut self, place: Place, member: &'a str) {
        *self.counts.entry(member).or_default() += 1;
        if let Some(former) = self.owners.insert(place, member.to_owned())
            && let Some(count) = self.counts.get_mut(former.as_str())
        {
            *count -= 1;
        }
    }

    /// Moves partitions to members who have at least two fewer, until there are none. Each move brings shares nearer, so that this
    /// ends.
    fn level(&mut self) {
        let places: BTreeSet<Place> = self.owners.keys().cloned().collect();
        let mut has_moved = true;
        while std::mem::take(&mut has_moved) {
            for place in &places {
                let owned = self.owners.get(place).map_or(0, |owner| self.count(owner));
                if let Some(poorest) =
                    self.poorest(&place.0).filter(|poorest| self.count(poorest) + 2 <= owned)
                {
                    self.own(place.clone(), poorest);
                    has_moved = true;
                }
            }
        }
    }

    fn shares(self) -> Shares {
        let mut places: BTreeMap<String, Vec<Place>> =
            self.members.keys().map(|member| (member.clone(), Vec::new())).collect();
        for (place, owner) in self.owners {
            places.entry(owner).or_default().push(place);
        }
        places.into_iter().map(|(member, places)| (member, by_topic(places))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(topic: &str, partition: i32) -> Place {
        (topic.to_owned(), partition)
    }

    fn members(wants: &[(&str, &[&str])]) -> Members {
        let topics = |topics: &[&str]| topics.iter().map(|topic| (*topic).to_owned()).collect();
        wants.iter().map(|(member, wanted)| ((*member).to_owned(), topics(wanted))).collect()
    }

    fn had(all: &[(&str, i32, &[Place])]) -> BTreeMap<String, Had> {
        let one = |(member, generation, places): &(&str, i32, &[Place])| {
            ((*member).to_owned(), Had { places: places.to_vec(), generation: *generation })
        };
        all.iter().map(one).collect()
    }

    fn counts(topics: &[(&str, i32)]) -> Counts {
        topics.iter().map(|(topic, count)| ((*topic).to_owned(), *count)).collect()
    }

    #[test]
    fn a_member_that_comes_takes_only_what_makes_it_even() {
        let before = had(&[
            ("a", 1, &[place("t", 0), place("t", 1), place("t", 4)]),
            ("b", 1, &[place("t", 2), place("t", 3)]),
        ]);
        let members = members(&[("a", &["t"]), ("b", &["t"]), ("c", &["t"])]);
        let shares = assign_sticky(&counts(&[("t", 5)]), &members, &before);
        let lens: Vec<usize> =
            shares.values().map(|share| share.iter().map(|(_, run)| run.len()).sum()).collect();
        assert_eq!(lens, [2, 2, 1]);
        assert_eq!(shares["b"], [("t".to_owned(), vec![2, 3])], "who has no more than its share keeps all");
        assert!(shares["a"][0].1.iter().all(|partition| [0, 1, 4].contains(partition)));
    }

    #[test]
    fn what_a_member_leaves_goes_to_the_others_who_keep_theirs() {
        let before = had(&[("a", 3, &[place("t", 0), place("t", 1)])]);
        let members = members(&[("a", &["t"]), ("b", &["t"])]);
        let shares = assign_sticky(&counts(&[("t", 4)]), &members, &before);
        assert_eq!(shares["a"], [("t".to_owned(), vec![0, 1])]);
        assert_eq!(shares["b"], [("t".to_owned(), vec![2, 3])]);
    }

    #[test]
    fn the_latest_generation_counts_and_only_what_is_there_and_wanted() {
        let before = had(&[
            ("a", 1, &[place("t", 0), place("gone", 0), place("t", 9)]),
            ("b", 2, &[place("t", 0), place("u", 0)]),
        ]);
        let members = members(&[("a", &["t", "u"]), ("b", &["t"])]);
        let shares = assign_sticky(&counts(&[("t", 1), ("u", 1)]), &members, &before);
        assert_eq!(shares["b"], [("t".to_owned(), vec![0])]);
        assert_eq!(shares["a"], [("u".to_owned(), vec![0])]);
    }

    #[test]
    fn what_a_member_had_is_told_as_javas_clients_tell_it() {
        let had = Had { places: vec![place("t", 1), place("t", 2)], generation: 7 };
        let told = had.encode().unwrap();
        assert_eq!(&told[..], b"\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\x01\0\0\0\x02\0\0\0\x07");
        assert_eq!(Had::decode(&told), Ok(had.clone()));
        assert_eq!(Had::decode(&told.slice(..told.len() - 4)), Ok(Had { generation: -1, ..had }));
        assert!(Had::decode(&Bytes::from_static(b"\0")).is_err());
    }
}
