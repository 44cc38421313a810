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

#[cfg(test)]
mod tests {
    use protocol::compression::Compression;
    use protocol::records::{BatchBuilder, end_txn_marker};

    use super::*;

    fn batch(offset: i64, values: &[&'static str], producer: Option<i64>) -> Bytes {
        let mut builder = BatchBuilder::new(offset, Compression::Lz4);
        if let Some(id) = producer {
            builder = builder.producer(id, 0, 0).transactional();
        }
        for value in values {
            builder.push(1, None, Some(value.as_bytes()), &[]);
        }
        builder.build()
    }

    fn marker(offset: i64, producer_id: i64, committed: bool) -> Bytes {
        let mut marker = end_txn_marker(1, producer_id, 0, committed, 0).to_vec();
        // The offset comes first, and the checksum does not cover it.
        marker[..8].copy_from_slice(&offset.to_be_bytes());
        marker.into()
    }

    /// What is read of these bytes from an offset on, where reading goes on, and whether all of it could be read.
    fn values(
        read_committed: bool,
        from: i64,
        batches: &[Bytes],
        aborted: &[(i64, i64)],
    ) -> (Vec<String>, Position, bool) {
        let options = ConsumerOptions { read_committed, ..ConsumerOptions::default() };
        let aborted = aborted
            .iter()
            .map(|(producer_id, first_offset)| AbortedTransaction {
                producer_id: *producer_id,
                first_offset: *first_offset,
            })
            .collect();
        let data = PartitionData {
            records: Records::Bytes(batches.concat().into()),
            aborted_transactions: Some(aborted),
            ..PartitionData::default()
        };
        let mut position = Position::At(from);
        let mut found = Vec::new();
        let result = read(&options, &("t".to_owned(), 0), &mut position, data, &mut found);
        let text = |record: ConsumerRecord| String::from_utf8_lossy(&record.value.unwrap()).into_owned();
        (found.into_iter().map(text).collect(), position, result.is_ok())
    }

    #[test]
    fn records_before_the_position_are_part_of_the_batch_and_not_given() {
        let batches = [batch(10, &["a", "b", "c"], None), batch(13, &["d"], None)];
        let (values, position, is_whole) = values(false, 11, &batches, &[]);
        assert_eq!(
            (values, position, is_whole),
            (vec!["b".into(), "c".into(), "d".into()], Position::At(14), true)
        );
    }

    #[test]
    fn a_batch_that_is_cut_off_comes_with_the_next_fetch() {
        let whole = batch(1, &["b"], None);
        let batches = [batch(0, &["a"], None), whole.slice(..whole.len() - 1)];
        assert_eq!(values(false, 0, &batches, &[]), (vec!["a".into()], Position::At(1), true));
    }

    #[test]
    fn what_comes_before_a_damaged_batch_is_given() {
        let mut damaged = batch(1, &["b"], None).to_vec();
        *damaged.last_mut().unwrap() ^= 1;
        let batches = [batch(0, &["a"], None), damaged.into()];
        assert_eq!(values(false, 0, &batches, &[]), (vec!["a".into()], Position::At(1), false));
    }

    #[test]
    fn what_was_aborted_is_hidden_from_who_reads_what_is_committed() {
        let batches = [
            batch(0, &["aborted"], Some(7)),
            batch(1, &["committed"], Some(8)),
            marker(2, 7, false),
            batch(3, &["committed later"], Some(7)),
            marker(4, 7, true),
            marker(5, 8, true),
        ];
        let committed = vec!["committed".to_owned(), "committed later".to_owned()];
        assert_eq!(values(true, 0, &batches, &[(7, 0)]), (committed, Position::At(6), true));
        let all = vec!["aborted".to_owned(), "committed".to_owned(), "committed later".to_owned()];
        assert_eq!(values(false, 0, &batches, &[(7, 0)]), (all, Position::At(6), true));
    }
}
