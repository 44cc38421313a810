//! What consumers of a classic group tell each other inside of JoinGroup and SyncGroup: subscriptions and assignments, as the pages
//! of the protocol name them. The coordinator passes them on.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::messages::consumer_protocol_assignment::TopicPartition;
use protocol::messages::consumer_protocol_subscription::TopicPartition as OwnedPartition;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use protocol::{DecodeError, EncodeError, Message, Reader, Writer};

use crate::consumer::Place;
use crate::consumer::assignor::{Assignor, Had};

/// With what a member owns, and since which generation; without it where members must not hold on to anything.
const SUBSCRIPTION_VERSION: i16 = 3;
/// Newer versions say nothing more.
const ASSIGNMENT_VERSION: i16 = 0;

/// What a member tells about itself.
#[derive(Clone, Debug)]
pub(super) struct Told<'a> {
    /// The topics that it wants.
    pub(super) topics: &'a [String],
    /// What it goes on reading while the group shares out anew.
    pub(super) owned: &'a [Place],
    /// What it was given last.
    pub(super) had: &'a Had,
}

impl Told<'_> {
    /// The same in the words of an assignor.
    pub(super) fn to(&self, assignor: Assignor) -> Result<JoinGroupRequestProtocol, EncodeError> {
        let owned = by_topic(self.owned).into_iter();
        let subscription = ConsumerProtocolSubscription {
            topics: self.topics.to_vec(),
            user_data: self.data(assignor)?,
            owned_partitions: owned.map(|(topic, partitions)| OwnedPartition { topic, partitions }).collect(),
            generation_id: self.had.generation,
            rack_id: None,
        };
        let metadata = versioned(&subscription, SUBSCRIPTION_VERSION)?;
        Ok(JoinGroupRequestProtocol { name: assignor.name().to_owned(), metadata })
    }

    /// What only the assignor reads. Both that are sticky had to tell of generations here before subscriptions did.
    fn data(&self, assignor: Assignor) -> Result<Option<Bytes>, EncodeError> {
        match assignor {
            Assignor::Range | Assignor::RoundRobin => Ok(None),
            Assignor::Sticky => self.had.encode().map(Some),
            Assignor::CooperativeSticky => {
                Ok(Some(Bytes::copy_from_slice(&self.had.generation.to_be_bytes())))
            }
        }
    }
}

/// What a member has told: the topics that it wants, and what it had as far as the assignor takes notice.
pub(super) fn heard(assignor: Assignor, metadata: &Bytes) -> Result<(Vec<String>, Option<Had>), DecodeError> {
    let told: ConsumerProtocolSubscription = read_versioned(metadata)?;
    let had = match assignor {
        Assignor::Range | Assignor::RoundRobin => None,
        Assignor::Sticky => told.user_data.as_ref().map(Had::decode).transpose()?,
        Assignor::CooperativeSticky => {
            let by_data = || told.user_data.as_ref().and_then(|data| data.first_chunk().copied());
            let of_old = || by_data().map_or(-1, i32::from_be_bytes);
            let generation = if told.generation_id >= 0 { told.generation_id } else { of_old() };
            let places = told.owned_partitions.into_iter().flat_map(|it| places(it.topic, it.partitions));
            Some(Had { places: places.collect(), generation })
        }
    };
    Ok((told.topics, had))
}

/// What a member gets, as the leader tells it.
pub(super) fn assignment(
    member_id: String,
    share: Vec<(String, Vec<i32>)>,
) -> Result<SyncGroupRequestAssignment, EncodeError> {
    let assigned_partitions =
        share.into_iter().map(|(topic, partitions)| TopicPartition { topic, partitions }).collect();
    let assignment = ConsumerProtocolAssignment { assigned_partitions, user_data: None };
    Ok(SyncGroupRequestAssignment { member_id, assignment: versioned(&assignment, ASSIGNMENT_VERSION)? })
}

/// The partitions of an assignment; none of an empty one, as members get that have not been given anything.
pub(crate) fn assigned_places(assignment: &Bytes) -> Result<Vec<Place>, DecodeError> {
    if assignment.is_empty() {
        return Ok(Vec::new());
    }
    let assignment: ConsumerProtocolAssignment = read_versioned(assignment)?;
    Ok(assignment.assigned_partitions.into_iter().flat_map(|it| places(it.topic, it.partitions)).collect())
}

fn places(topic: String, partitions: Vec<i32>) -> impl Iterator<Item = Place> {
    partitions.into_iter().map(move |partition| (topic.clone(), partition))
}

fn by_topic(places: &[Place]) -> BTreeMap<String, Vec<i32>> {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in places {
        topics.entry(topic.clone()).or_default().push(*partition);
    }
    topics
}

/// A message after its version, as the consumer protocol writes it.
fn versioned<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    writer.i16(version);
    message.encode(&mut writer, version)?;
    Ok(writer.into_bytes())
}

/// What a newer member added comes after the fields that are known.
fn read_versioned<M: Message>(bytes: &Bytes) -> Result<M, DecodeError> {
    let mut reader = Reader::new(bytes.clone());
    let version = reader.i16()?;
    M::decode(&mut reader, version.min(M::MAX_VERSION))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_to(assignor: Assignor) -> Bytes {
        let had = Had { places: vec![("t".to_owned(), 1)], generation: 7 };
        let told = Told { topics: &["t".to_owned()], owned: &had.places, had: &had };
        told.to(assignor).unwrap().metadata
    }

    #[test]
    fn what_is_owned_is_told_as_javas_clients_tell_it() {
        let bytes = told_to(Assignor::CooperativeSticky);
        let topics = b"\0\x03\0\0\0\x01\0\x01t";
        let user_data = b"\0\0\0\x04\0\0\0\x07";
        let owned = b"\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x01";
        let generation_and_rack = b"\0\0\0\x07\xff\xff";
        assert_eq!(bytes, [&topics[..], user_data, owned, generation_and_rack].concat());
    }

    #[test]
    fn each_assignor_hears_what_it_was_told() {
        for assignor in Assignor::ALL {
            let (topics, had) = heard(assignor, &told_to(assignor)).unwrap();
            let is_sticky = matches!(assignor, Assignor::Sticky | Assignor::CooperativeSticky);
            assert_eq!((topics, had.is_some()), (vec!["t".to_owned()], is_sticky));
            assert!(had.is_none_or(|had| had.generation == 7 && had.places == [("t".to_owned(), 1)]));
        }
    }

    #[test]
    fn a_member_of_an_older_client_tells_its_generation_to_the_assignor_alone() {
        let subscription = ConsumerProtocolSubscription {
            topics: vec!["t".to_owned()],
            user_data: Some(Bytes::from_static(b"\0\0\0\x05")),
            ..ConsumerProtocolSubscription::default()
        };
        let (_, had) = heard(Assignor::CooperativeSticky, &versioned(&subscription, 1).unwrap()).unwrap();
        assert_eq!(had, Some(Had { places: Vec::new(), generation: 5 }));
        let nothing = ConsumerProtocolSubscription { user_data: None, ..subscription };
        let (_, had) = heard(Assignor::CooperativeSticky, &versioned(&nothing, 1).unwrap()).unwrap();
        assert_eq!(had.unwrap().generation, -1);
    }

    #[test]
    fn an_assignment_is_read_as_it_was_written_and_an_empty_one_is_none() {
        let share = vec![("t".to_owned(), vec![0, 2])];
        let told = assignment("m".to_owned(), share).unwrap();
        assert_eq!(assigned_places(&told.assignment).unwrap(), [("t".to_owned(), 0), ("t".to_owned(), 2)]);
        assert_eq!(assigned_places(&Bytes::new()).unwrap(), []);
        assert!(assigned_places(&Bytes::from_static(b"\0")).is_err());
    }
}
