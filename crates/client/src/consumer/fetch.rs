//! Fetching: a request a leader is under way while the answers before it are read.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use protocol::ErrorCode;
use protocol::messages::{FetchRequest, FetchResponse};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::fetch_session::{FetchSession, Wanted};
use super::fetched::Fetched;
use super::{ConsumerOptions, ConsumerRecord, Place, Position, Start};
use crate::cluster::{Cluster, Partition, millis};
use crate::connection::Connection;
use crate::error::{ClientError, check};

/// Topics go by their names up to this version of Fetch.
const FETCH_VERSION_MAX: i16 = 12;
/// How much longer than the broker may wait for records its answer is waited for at a time.
const GRACE: Duration = Duration::from_millis(100);

/// How long it may take to tell a leader that nothing is fetched any more: it finds out by itself, later.
const GOODBYE: Duration = Duration::from_secs(1);

/// What was asked for: where from, of each partition.
type Asked = Vec<(Place, i64)>;

/// The answer of a leader.
#[derive(Debug)]
struct Answer {
    leader: i32,
    asked: Asked,
    response: Result<FetchResponse, ClientError>,
}

/// What is fetched ahead of the caller.
#[derive(Debug, Default)]
pub(super) struct Fetcher {
    /// Connections of its own: a broker answers the requests of one in turn, and a fetch may wait for records.
    connections: HashMap<i32, Connection>,
    sessions: HashMap<i32, FetchSession>,
    requests: JoinSet<Answer>,
    /// The leaders that requests are under way to.
    asked: Vec<i32>,
    /// How many leaders there were to ask.
    leaders: usize,
    /// What is given next comes first. What does not begin at its partition's position is not wanted any more.
    fetched: VecDeque<Fetched>,
}

impl Fetcher {
    /// Gives what there is at the positions, waits for it if there is nothing, and moves the positions on. An error is told only where
    /// there are no records: it comes again.
    ///
    /// A caller that stops waiting loses nothing: positions move in the last step, which waits for nothing.
    pub(super) async fn poll(
        &mut self,
        cluster: &mut Cluster,
        options: &ConsumerOptions,
        positions: &mut BTreeMap<Place, Position>,
    ) -> Result<Vec<ConsumerRecord>, ClientError> {
        let deadline = Instant::now() + options.wait_max + GRACE;
        let asked = self.ask(cluster, options, positions).await;
        while let Some(answer) = self.requests.try_join_next() {
            self.accept(cluster, options, positions, answer.ok())?;
        }
        if self.fetched.is_empty() {
            asked?;
            // An answer that takes longer is there at a later call.
            if let Ok(Some(answer)) = timeout_at(deadline, self.requests.join_next()).await {
                self.accept(cluster, options, positions, answer.ok())?;
            }
            // What comes next comes while the caller has what is given now. Why it does not is told when it is waited for.
            let _ = self.ask(cluster, options, positions).await;
        }
        self.give(options, positions)
    }

    /// Asks the leaders that nothing was asked of yet for what comes after that which is there.
    async fn ask(
        &mut self,
        cluster: &mut Cluster,
        options: &ConsumerOptions,
        positions: &BTreeMap<Place, Position>,
    ) -> Result<(), ClientError> {
        if !self.asked.is_empty() && self.asked.len() >= self.leaders {
            return Ok(());
        }
        for (leader, wanted) in self.wanted(cluster, options, positions).await? {
            let connection = self.connection(cluster, leader).await?;
            let asked = wanted.iter().map(|(place, wanted)| (place.clone(), wanted.from)).collect();
            let session = self.sessions.entry(leader).or_default();
            let request = request(options, session.next(wanted, options.partition_bytes_max));
            self.asked.push(leader);
            self.requests.spawn(async move {
                let response = connection.call_up_to(&request, FETCH_VERSION_MAX).await;
                Answer { leader, asked, response }
            });
        }
        Ok(())
    }

    /// What is to be asked for, by leader. Partitions of which there is much already are left out.
    async fn wanted(
        &mut self,
        cluster: &mut Cluster,
        options: &ConsumerOptions,
        positions: &BTreeMap<Place, Position>,
    ) -> Result<BTreeMap<i32, BTreeMap<Place, Wanted>>, ClientError> {
        let ahead = Ahead::of(&self.fetched, positions);
        let mut leaders = BTreeMap::<i32, BTreeMap<Place, Wanted>>::new();
        let mut known: (&str, Vec<Partition>) = ("", Vec::new());
        for (place, position) in positions {
            let Position::At(position) = *position else { continue };
            if known.0 != place.0 {
                known = (&place.0, cluster.partitions(&place.0, true).await?);
            }
            let leader = known.1.iter().find(|known| known.partition == place.1);
            let leader = leader.ok_or_else(|| ClientError::refused(ErrorCode::UnknownTopicOrPartition))?;
            let wanted = leaders.entry(leader.leader).or_default();
            if let Some(from) = ahead.next(place, position, options) {
                wanted.insert(place.clone(), Wanted { from, leader_epoch: leader.leader_epoch });
            }
        }
        self.leaders = leaders.len();
        leaders.retain(|leader, wanted| !wanted.is_empty() && !self.asked.contains(leader));
        Ok(leaders)
    }

    /// Ends the sessions with leaders that can be reached.
    pub(super) async fn close(&mut self, cluster: &mut Cluster) {
        for (leader, session) in std::mem::take(&mut self.sessions) {
            let is_reached = self.connections.get(&leader).is_some_and(Connection::is_open);
            if let Some(last) = session.end().filter(|_| is_reached) {
                let _ = timeout(GOODBYE, end(cluster, leader, &last)).await;
            }
        }
    }

    async fn connection(&mut self, cluster: &mut Cluster, leader: i32) -> Result<Connection, ClientError> {
        if let Some(open) = self.connections.get(&leader).filter(|connection| connection.is_open()) {
            return Ok(open.clone());
        }
        let connection = cluster.connect_apart(leader).await?;
        self.connections.insert(leader, connection.clone());
        Ok(connection)
    }

    /// Takes an answer in; none is that of a request that did not end.
    fn accept(
        &mut self,
        cluster: &mut Cluster,
        options: &ConsumerOptions,
        positions: &mut BTreeMap<Place, Position>,
        answer: Option<Answer>,
    ) -> Result<(), ClientError> {
        let Some(Answer { leader, asked, response }) = answer else {
            self.asked.clear();
            self.sessions.values_mut().for_each(FetchSession::begin_anew);
            return Err(ClientError::refused(ErrorCode::UnknownServerError));
        };
        self.asked.retain(|other| *other != leader);
        let response = self.sessions.entry(leader).or_default().took(response);
        let taken = response.and_then(|response| self.take(options, positions, &asked, response));
        if taken.is_err() && !self.fetched.is_empty() {
            positions.keys().for_each(|(topic, _)| cluster.forget(topic));
            return Ok(());
        }
        taken
    }

    fn take(
        &mut self,
        options: &ConsumerOptions,
        positions: &mut BTreeMap<Place, Position>,
        asked: &Asked,
        response: FetchResponse,
    ) -> Result<(), ClientError> {
        check(response.error_code, None)?;
        let asked: HashMap<&Place, i64> = asked.iter().map(|(place, from)| (place, *from)).collect();
        let mut result = Ok(());
        for topic in response.responses {
            for data in topic.partitions {
                let place = (topic.topic.clone(), data.partition_index);
                let Some(from) = asked.get(&place).copied() else { continue };
                match ErrorCode::from(data.error_code) {
                    ErrorCode::None => {
                        let fetched = Fetched::new(place, from, options.read_committed, data);
                        self.fetched.extend((!fetched.is_empty()).then_some(fetched));
                    }
                    ErrorCode::OffsetOutOfRange => {
                        let here = positions.get_mut(&place).filter(|here| **here == Position::At(from));
                        result = result.and(here.map_or(Ok(()), |here| reset(options, &place, here)));
                    }
                    code => result = result.and(Err(ClientError::refused(code))),
                }
            }
        }
        result
    }

    /// The next records, and the positions after them.
    fn give(
        &mut self,
        options: &ConsumerOptions,
        positions: &mut BTreeMap<Place, Position>,
    ) -> Result<Vec<ConsumerRecord>, ClientError> {
        let mut found = Vec::new();
        while found.len() < options.poll_records_max {
            let Some(first) = self.fetched.front_mut() else { break };
            let here = positions.get_mut(&first.place).filter(|here| **here == Position::At(first.next()));
            let Some(here) = here else {
                self.fetched.pop_front();
                continue;
            };
            let given = first.give(&mut found, options.poll_records_max);
            *here = Position::At(first.next());
            if !matches!(given, Ok(false)) {
                self.fetched.pop_front();
            }
            match given {
                Ok(_) => {}
                Err(error) if found.is_empty() => return Err(error),
                // It is fetched again, and told then.
                Err(_) => break,
            }
        }
        Ok(found)
    }
}

/// How much is there of each partition that was not given yet: where it ends, and its bytes.
struct Ahead<'a> {
    by_place: HashMap<&'a Place, (i64, usize)>,
    bytes: usize,
}

impl<'a> Ahead<'a> {
    fn of(fetched: &'a VecDeque<Fetched>, positions: &BTreeMap<Place, Position>) -> Ahead<'a> {
        let mut ahead = Ahead { by_place: HashMap::new(), bytes: 0 };
        for fetched in fetched {
            let end = ahead.by_place.get(&fetched.place).map(|(end, _)| Position::At(*end));
            // What does not go on from there is not wanted any more.
            if end.or(positions.get(&fetched.place).copied()) == Some(Position::At(fetched.next())) {
                let (end, bytes) = ahead.by_place.entry(&fetched.place).or_default();
                *end = fetched.end();
                *bytes += fetched.bytes();
                ahead.bytes += fetched.bytes();
            }
        }
        ahead
    }

    /// Where the next fetch of a partition goes on; none while there is enough: an answer's share of the partition, so that the leader
    /// puts the next one together while this one is read, or half of what an answer may have altogether.
    fn next(&self, place: &Place, position: i64, options: &ConsumerOptions) -> Option<i64> {
        let (end, bytes) = self.by_place.get(place).copied().unwrap_or((position, 0));
        let much = |bytes: usize, max: i32| bytes > usize::try_from(max).unwrap_or(0);
        let is_enough =
            much(bytes, options.partition_bytes_max) || much(self.bytes, options.fetch_bytes_max / 2);
        (!is_enough).then_some(end)
    }
}

/// Tells it on the connection that is everybody's: the fetcher's own may be busy with waiting for records.
async fn end(cluster: &mut Cluster, leader: i32, last: &FetchRequest) -> Result<(), ClientError> {
    let connection = cluster.node(leader).await?;
    connection.call_up_to(last, FETCH_VERSION_MAX).await.map(drop)
}

fn request(options: &ConsumerOptions, told: FetchRequest) -> FetchRequest {
    FetchRequest {
        max_wait_ms: millis(options.wait_max),
        min_bytes: 1,
        max_bytes: options.fetch_bytes_max,
        isolation_level: i8::from(options.read_committed),
        ..told
    }
}

/// Goes on where the options say, after an offset at which there is nothing.
fn reset(options: &ConsumerOptions, place: &Place, position: &mut Position) -> Result<(), ClientError> {
    let start = match (options.reset, *position) {
        (Start::Nowhere, Position::At(offset)) => {
            let (topic, partition) = place.clone();
            return Err(ClientError::OffsetOutOfRange { topic, partition, offset });
        }
        (Start::At(_), _) => Start::Latest,
        (start, _) => start,
    };
    *position = Position::Unresolved(start);
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use protocol::Records;
    use protocol::compression::Compression;
    use protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
    use protocol::records::BatchBuilder;

    use super::*;

    fn place(partition: i32) -> Place {
        ("t".to_owned(), partition)
    }

    fn data(partition: i32, code: ErrorCode, records: Bytes) -> PartitionData {
        PartitionData {
            partition_index: partition,
            error_code: code.code(),
            records: Records::Bytes(records),
            ..PartitionData::default()
        }
    }

    /// One record of so many bytes at an offset.
    fn batch(offset: i64, bytes: usize) -> Bytes {
        BatchBuilder::new(offset, Compression::None).append(1, None, Some(&vec![0; bytes]), &[]).build()
    }

    /// A fetcher and the positions after an answer to what was asked for.
    fn answered(
        asked: &[(i32, i64)],
        partitions: Vec<PartitionData>,
        positions: &mut BTreeMap<Place, Position>,
    ) -> (Fetcher, Result<(), ClientError>) {
        let mut fetcher = Fetcher::default();
        let asked = asked.iter().map(|(partition, from)| (place(*partition), *from)).collect();
        let topic = FetchableTopicResponse { topic: "t".to_owned(), partitions, ..Default::default() };
        let response = FetchResponse { responses: vec![topic], ..FetchResponse::default() };
        let taken = fetcher.take(&ConsumerOptions::default(), positions, &asked, response);
        (fetcher, taken)
    }

    fn offsets(fetcher: &mut Fetcher, positions: &mut BTreeMap<Place, Position>) -> Vec<(i32, i64)> {
        let found = fetcher.give(&ConsumerOptions::default(), positions).unwrap();
        found.into_iter().map(|record| (record.partition, record.offset)).collect()
    }

    #[test]
    fn what_was_fetched_is_given_only_where_it_begins_at_the_position() {
        let mut positions = BTreeMap::from([(place(0), Position::At(5)), (place(1), Position::At(8))]);
        let none = ErrorCode::None;
        let came = vec![data(0, none, batch(5, 1)), data(1, none, batch(7, 1)), data(2, none, batch(0, 1))];
        let (mut fetcher, taken) = answered(&[(0, 5), (1, 7), (2, 0)], came, &mut positions);
        assert!(taken.is_ok());
        assert_eq!(offsets(&mut fetcher, &mut positions), [(0, 5)]);
        assert_eq!(positions[&place(0)], Position::At(6));
        assert!(fetcher.fetched.is_empty(), "what nobody wants any more is let go of");
    }

    #[test]
    fn an_offset_that_is_not_there_is_looked_up_anew_unless_the_caller_went_elsewhere() {
        let mut positions = BTreeMap::from([(place(0), Position::At(5)), (place(1), Position::At(8))]);
        let gone = ErrorCode::OffsetOutOfRange;
        let came = vec![data(0, gone, Bytes::new()), data(1, gone, Bytes::new())];
        let (_, taken) = answered(&[(0, 5), (1, 7)], came, &mut positions);
        assert!(taken.is_ok());
        assert_eq!(positions[&place(0)], Position::Unresolved(Start::Latest));
        assert_eq!(positions[&place(1)], Position::At(8));
    }

    #[test]
    fn an_error_of_one_partition_does_not_keep_the_records_of_another() {
        let mut positions = BTreeMap::from([(place(0), Position::At(0)), (place(1), Position::At(0))]);
        let came = vec![
            data(0, ErrorCode::NotLeaderOrFollower, Bytes::new()),
            data(1, ErrorCode::None, batch(0, 1)),
        ];
        let (mut fetcher, taken) = answered(&[(0, 0), (1, 0)], came, &mut positions);
        assert_eq!(taken.unwrap_err().code(), Some(ErrorCode::NotLeaderOrFollower));
        assert_eq!(offsets(&mut fetcher, &mut positions), [(1, 0)]);
    }

    #[test]
    fn the_next_fetch_goes_on_after_what_is_there_unless_there_is_much() {
        let options = ConsumerOptions { partition_bytes_max: 1_000, ..ConsumerOptions::default() };
        let positions = BTreeMap::from([0, 1, 2].map(|partition| (place(partition), Position::At(3))));
        let fetched = |partition, from, bytes| {
            Fetched::new(place(partition), from, false, data(partition, ErrorCode::None, batch(from, bytes)))
        };
        let fetched = VecDeque::from([
            fetched(0, 3, 100),
            fetched(0, 4, 100),
            fetched(1, 3, 1_100),
            // The caller went elsewhere since.
            fetched(2, 7, 1_100),
        ]);
        let ahead = Ahead::of(&fetched, &positions);
        let next = |partition| ahead.next(&place(partition), 3, &options);
        assert_eq!([next(0), next(1), next(2)], [Some(5), None, Some(3)]);
    }
}
