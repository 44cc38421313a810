//! Fetching: one request a leader, all at once, and the records of what comes back.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::fetch_response::{AbortedTransaction, PartitionData};
use protocol::messages::{FetchRequest, FetchResponse};
use protocol::records::{BatchError, BatchHeader, Batches, read_end_txn, records, verify};
use protocol::{ErrorCode, Records};
use tokio::task::JoinSet;

use super::{ConsumerOptions, ConsumerRecord, Place, Position, Start};
use crate::cluster::Cluster;
use crate::error::ClientError;

/// Topics go by their names up to this version of Fetch.
const FETCH_VERSION_MAX: i16 = 12;
/// What a batch may grow to when it is decompressed.
const INFLATED_BYTES_MAX: usize = 256 << 20;

/// Reads what there is at the positions, waits for it if there is nothing, and moves the positions on. An error is told only where
/// there are no records: it comes again.
///
/// A caller that stops waiting loses nothing: positions move in the last step, which waits for nothing.
pub(super) async fn fetch(
    cluster: &mut Cluster,
    options: &ConsumerOptions,
    positions: &mut BTreeMap<Place, Position>,
) -> Result<Vec<ConsumerRecord>, ClientError> {
    let mut requests = JoinSet::new();
    for (leader, topics) in by_leader(cluster, options, positions).await? {
        let connection = cluster.node(leader).await?;
        let request = request(options, topics);
        requests.spawn(async move { connection.call_up_to(&request, FETCH_VERSION_MAX).await });
    }
    let mut responses = Vec::new();
    while let Some(response) = requests.join_next().await {
        let response = response.map_err(|_| ClientError::refused(ErrorCode::UnknownServerError));
        responses.push(response.flatten());
    }
    let mut found = Vec::new();
    let taken: Vec<_> =
        responses.into_iter().map(|response| take(options, positions, response?, &mut found)).collect();
    match taken.into_iter().collect::<Result<(), _>>() {
        Err(error) if found.is_empty() => Err(error),
        Err(_) => {
            positions.keys().for_each(|(topic, _)| cluster.forget(topic));
            Ok(found)
        }
        Ok(()) => Ok(found),
    }
}

type ByLeader = BTreeMap<i32, BTreeMap<String, Vec<FetchPartition>>>;

async fn by_leader(
    cluster: &mut Cluster,
    options: &ConsumerOptions,
    positions: &BTreeMap<Place, Position>,
) -> Result<ByLeader, ClientError> {
    let mut requests = ByLeader::new();
    for ((topic, partition), position) in positions {
        let Position::At(offset) = position else { continue };
        let known = cluster.partitions(topic, true).await?;
        let known = known.iter().find(|known| known.partition == *partition);
        let leader = known.ok_or_else(|| ClientError::refused(ErrorCode::UnknownTopicOrPartition))?;
        let wanted = FetchPartition {
            partition: *partition,
            current_leader_epoch: leader.leader_epoch,
            fetch_offset: *offset,
            partition_max_bytes: options.partition_bytes_max,
            ..FetchPartition::default()
        };
        requests.entry(leader.leader).or_default().entry(topic.clone()).or_default().push(wanted);
    }
    Ok(requests)
}

fn request(options: &ConsumerOptions, topics: BTreeMap<String, Vec<FetchPartition>>) -> FetchRequest {
    FetchRequest {
        max_wait_ms: i32::try_from(options.wait_max.as_millis()).unwrap_or(i32::MAX),
        min_bytes: 1,
        max_bytes: options.fetch_bytes_max,
        isolation_level: i8::from(options.read_committed),
        topics: topics
            .into_iter()
            .map(|(topic, partitions)| FetchTopic { topic, partitions, ..FetchTopic::default() })
            .collect(),
        ..FetchRequest::default()
    }
}

fn take(
    options: &ConsumerOptions,
    positions: &mut BTreeMap<Place, Position>,
    response: FetchResponse,
    found: &mut Vec<ConsumerRecord>,
) -> Result<(), ClientError> {
    crate::error::check(response.error_code, None)?;
    let mut result = Ok(());
    for topic in response.responses {
        for data in topic.partitions {
            let place = (topic.topic.clone(), data.partition_index);
            let Some(position) = positions.get_mut(&place) else { continue };
            match ErrorCode::from(data.error_code) {
                ErrorCode::None => result = result.and(read(options, &place, position, data, found)),
                ErrorCode::OffsetOutOfRange => *position = Position::Unresolved(nearest(options)),
                code => result = result.and(Err(ClientError::refused(code))),
            }
        }
    }
    result
}

fn nearest(options: &ConsumerOptions) -> Start {
    match options.reset {
        Start::At(_) => Start::Latest,
        start => start,
    }
}

fn read(
    options: &ConsumerOptions,
    place: &Place,
    position: &mut Position,
    data: PartitionData,
    found: &mut Vec<ConsumerRecord>,
) -> Result<(), ClientError> {
    let Records::Bytes(bytes) = data.records else { return Ok(()) };
    let mut aborted = Aborted::new(options.read_committed, data.aborted_transactions);
    let corrupt = |error: BatchError| ClientError::Corrupt {
        topic: place.0.clone(),
        partition: place.1,
        why: error.to_string(),
    };
    for batch in Batches::new(&bytes) {
        let (header, batch) = match batch {
            // The last batch of a fetch may be cut off.
            Err(BatchError::Short { .. }) => break,
            batch => batch.map_err(corrupt)?,
        };
        verify(batch).map_err(corrupt)?;
        if !aborted.hides(&header, batch).map_err(corrupt)? {
            let batch = bytes.slice_ref(batch);
            found.extend(records_of(place, position, &header, &batch).map_err(corrupt)?);
        }
        *position = Position::At(header.next_offset());
    }
    Ok(())
}

fn records_of(
    (topic, partition): &Place,
    position: &Position,
    header: &BatchHeader,
    batch: &Bytes,
) -> Result<Vec<ConsumerRecord>, BatchError> {
    let from = match position {
        Position::At(offset) => *offset,
        Position::Unresolved(_) => 0,
    };
    let timestamp_type = header.timestamp_type();
    let wanted = records(batch, INFLATED_BYTES_MAX)?
        .filter(|record| record.as_ref().map_or(true, |record| record.offset >= from));
    let owned = |record: protocol::records::Record| ConsumerRecord {
        topic: topic.clone(),
        partition: *partition,
        offset: record.offset,
        timestamp: record.timestamp,
        timestamp_type,
        key: record.key,
        value: record.value,
        headers: record.headers,
    };
    wanted.map(|record| record.map(owned)).collect()
}

/// Which producers' transactions are aborted at the place that has been read up to.
struct Aborted {
    /// Still to come, by descending first offset.
    ahead: Vec<AbortedTransaction>,
    now: HashSet<i64>,
}

impl Aborted {
    fn new(read_committed: bool, listed: Option<Vec<AbortedTransaction>>) -> Aborted {
        let mut ahead = listed.filter(|_| read_committed).unwrap_or_default();
        ahead.sort_by_key(|transaction| std::cmp::Reverse(transaction.first_offset));
        Aborted { ahead, now: HashSet::new() }
    }

    /// Whether a batch is not for the caller: a marker, or part of an aborted transaction.
    fn hides(&mut self, header: &BatchHeader, batch: &[u8]) -> Result<bool, BatchError> {
        while self.ahead.last().is_some_and(|next| next.first_offset <= header.last_offset()) {
            self.now.extend(self.ahead.pop().map(|transaction| transaction.producer_id));
        }
        if header.is_control() {
            if read_end_txn(batch)?.is_some_and(|end| !end.committed) {
                self.now.remove(&header.producer_id);
            }
            return Ok(true);
        }
        Ok(header.is_transactional() && self.now.contains(&header.producer_id))
    }
}
