//! What a leader remembers of a reader's fetches, so that only what changes is told it (pure): the sessions of
//! [KIP-227](https://cwiki.apache.org/confluence/display/KAFKA/KIP-227%3A+Introduce+Incremental+FetchRequests+to+Increase+Partition+Scalability).

use std::collections::BTreeMap;

use protocol::ErrorCode;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use protocol::messages::{FetchRequest, FetchResponse};

use super::Place;
use crate::error::ClientError;

/// The number of a request that asks for a new session, and ends the one that it names.
const FIRST: i32 = 0;
/// The number of a request that ends its session.
const LAST: i32 = -1;

/// Where a partition is to be read, as its leader of this epoch has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) from: i64,
    pub(super) leader_epoch: i32,
}

/// The fetches of one leader.
#[derive(Debug, Default)]
pub(super) struct FetchSession {
    /// 0 before the leader has given one.
    id: i32,
    /// The number of the next request.
    epoch: i32,
    /// What the leader knows to be wanted.
    known: BTreeMap<Place, Wanted>,
}

impl FetchSession {
    /// The request whose answer tells of these partitions and of no others: all of them, or what is other than in the request before.
    pub(super) fn next(&mut self, wanted: BTreeMap<Place, Wanted>, partition_bytes_max: i32) -> FetchRequest {
        let known = std::mem::replace(&mut self.known, wanted);
        let known = if self.epoch == FIRST { BTreeMap::new() } else { known };
        let mut request =
            FetchRequest { session_id: self.id, session_epoch: self.epoch, ..FetchRequest::default() };
        for (place, wanted) in self.known.iter().filter(|(place, wanted)| known.get(*place) != Some(*wanted))
        {
            add(&mut request.topics, place, *wanted, partition_bytes_max);
        }
        for place in known.keys().filter(|place| !self.known.contains_key(*place)) {
            forget(&mut request.forgotten_topics_data, place);
        }
        request
    }

    /// Goes on after an answer, or begins anew. That a leader does not know the session is no failure: it is told all in the next request.
    pub(super) fn took(
        &mut self,
        response: Result<FetchResponse, ClientError>,
    ) -> Result<FetchResponse, ClientError> {
        match response {
            Ok(response) if is_forgotten(&response) => {
                self.begin_anew();
                Ok(FetchResponse::default())
            }
            Ok(response) if response.error_code == ErrorCode::None.code() => {
                self.go_on(response.session_id);
                Ok(response)
            }
            other => {
                self.begin_anew();
                other
            }
        }
    }

    /// A leader that has no room for a session says so by 0: each request tells all then.
    fn go_on(&mut self, id: i32) {
        self.epoch = match (id, self.epoch) {
            (0, _) => FIRST,
            (_, epoch) => epoch.checked_add(1).unwrap_or(FIRST + 1),
        };
        self.id = id;
    }

    /// Begins anew, after a request of which nobody knows whether it came.
    pub(super) fn begin_anew(&mut self) {
        self.epoch = FIRST;
    }

    /// The request that ends the session, if there is one.
    pub(super) fn end(&self) -> Option<FetchRequest> {
        let last = FetchRequest { session_id: self.id, session_epoch: LAST, ..FetchRequest::default() };
        (self.id != 0).then_some(last)
    }
}

/// Whether the leader does not know the session, or not as it is.
fn is_forgotten(response: &FetchResponse) -> bool {
    let code = ErrorCode::from(response.error_code);
    matches!(code, ErrorCode::FetchSessionIdNotFound | ErrorCode::InvalidFetchSessionEpoch)
}

fn add(topics: &mut Vec<FetchTopic>, (topic, partition): &Place, wanted: Wanted, partition_bytes_max: i32) {
    let data = FetchPartition {
        partition: *partition,
        current_leader_epoch: wanted.leader_epoch,
        fetch_offset: wanted.from,
        partition_max_bytes: partition_bytes_max,
        ..FetchPartition::default()
    };
    match topics.last_mut().filter(|last| last.topic == *topic) {
        Some(last) => last.partitions.push(data),
        None => {
            topics.push(FetchTopic { topic: topic.clone(), partitions: vec![data], ..FetchTopic::default() });
        }
    }
}

fn forget(topics: &mut Vec<ForgottenTopic>, (topic, partition): &Place) {
    match topics.last_mut().filter(|last| last.topic == *topic) {
        Some(last) => last.partitions.push(*partition),
        None => topics.push(ForgottenTopic {
            topic: topic.clone(),
            partitions: vec![*partition],
            ..ForgottenTopic::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(partitions: &[(i32, i64)]) -> BTreeMap<Place, Wanted> {
        let wanted = |(partition, from): &(i32, i64)| {
            (("t".to_owned(), *partition), Wanted { from: *from, leader_epoch: 3 })
        };
        partitions.iter().map(wanted).collect()
    }

    /// Session, number, what is told to be wanted and what no more.
    type Told = ((i32, i32), Vec<(i32, i64)>, Vec<i32>);

    fn next(session: &mut FetchSession, partitions: &[(i32, i64)]) -> Told {
        let request = session.next(wanted(partitions), 1_000);
        let told = request.topics.iter().flat_map(|topic| &topic.partitions);
        let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| topic.partitions.clone());
        let number = (request.session_id, request.session_epoch);
        (number, told.map(|told| (told.partition, told.fetch_offset)).collect(), forgotten.collect())
    }

    #[test]
    fn only_what_changes_is_told_once_there_is_a_session() {
        let mut session = FetchSession::default();
        assert_eq!(next(&mut session, &[(0, 5), (1, 8)]), ((0, 0), vec![(0, 5), (1, 8)], vec![]));
        session.go_on(7);
        assert_eq!(next(&mut session, &[(0, 6), (1, 8)]), ((7, 1), vec![(0, 6)], vec![]));
        session.go_on(7);
        assert_eq!(next(&mut session, &[(0, 6), (2, 0)]), ((7, 2), vec![(2, 0)], vec![1]));
        session.go_on(7);
        assert_eq!(next(&mut session, &[(0, 6), (2, 0)]), ((7, 3), vec![], vec![]));
    }

    #[test]
    fn another_epoch_of_the_leader_is_a_change() {
        let mut session = FetchSession::default();
        session.next(wanted(&[(0, 5)]), 1);
        session.go_on(7);
        let newer = BTreeMap::from([(("t".to_owned(), 0), Wanted { from: 5, leader_epoch: 4 })]);
        let request = session.next(newer, 1);
        assert_eq!(request.topics[0].partitions[0].current_leader_epoch, 4);
    }

    #[test]
    fn a_leader_without_room_for_a_session_is_told_all_each_time() {
        let mut session = FetchSession::default();
        for _ in 0..2 {
            assert_eq!(next(&mut session, &[(0, 5)]), ((0, 0), vec![(0, 5)], vec![]));
            session.go_on(0);
        }
        assert_eq!(session.end(), None);
    }

    #[test]
    fn what_begins_anew_ends_the_session_before_and_tells_all() {
        let mut session = FetchSession::default();
        session.next(wanted(&[(0, 5), (1, 8)]), 1);
        session.go_on(7);
        session.begin_anew();
        assert_eq!(next(&mut session, &[(0, 5)]), ((7, 0), vec![(0, 5)], vec![]));
        session.go_on(9);
        let last = session.end().unwrap();
        assert_eq!((last.session_id, last.session_epoch), (9, -1));
    }

    #[test]
    fn numbers_begin_again_after_the_largest() {
        let mut session = FetchSession { id: 7, epoch: i32::MAX, ..FetchSession::default() };
        session.go_on(7);
        assert_eq!(session.epoch, 1);
    }
}
