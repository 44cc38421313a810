//! Where logs begin and end, and where they are cut off at the front.

use std::collections::{BTreeMap, BTreeSet};

use protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::{DeleteRecordsRequest, ListOffsetsRequest};
use protocol::{ErrorCode, Request};
use tokio::time::Instant;

use crate::cluster::{Cluster, millis};
use crate::connection::Connection;
use crate::consumer::Place;
use crate::error::{ClientError, check, unsupported};

/// What is looked for in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The offset that the next record will have.
    Latest,
    /// The oldest record.
    Earliest,
    /// The record with the largest timestamp (KIP-734).
    MaxTimestamp,
    /// The oldest record on the broker's own disks (KIP-405).
    EarliestLocal,
    /// The last record that is in the remote storage (KIP-1005).
    LatestTiered,
    /// The oldest record that is yet to be copied to the remote storage (KIP-1023).
    EarliestPendingUpload,
    /// The first record that is not older than this, in milliseconds since 1970.
    Timestamp(i64),
}

impl OffsetSpec {
    /// The number that stands for it in a request.
    pub(crate) fn timestamp(self) -> i64 {
        match self {
            OffsetSpec::Latest => -1,
            OffsetSpec::Earliest => -2,
            OffsetSpec::MaxTimestamp => -3,
            OffsetSpec::EarliestLocal => -4,
            OffsetSpec::LatestTiered => -5,
            OffsetSpec::EarliestPendingUpload => -6,
            OffsetSpec::Timestamp(timestamp) => timestamp,
        }
    }

    /// The first version of ListOffsets that knows it: an older broker would take the number for a time.
    fn since(self) -> i16 {
        match self {
            OffsetSpec::Latest | OffsetSpec::Earliest | OffsetSpec::Timestamp(_) => 1,
            OffsetSpec::MaxTimestamp => 7,
            OffsetSpec::EarliestLocal => 8,
            OffsetSpec::LatestTiered => 9,
            OffsetSpec::EarliestPendingUpload => 11,
        }
    }
}

/// A place in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundOffset {
    /// The offset; -1 where there is no such record.
    pub offset: i64,
    /// The record's time in milliseconds since 1970; -1 where it was not asked for by time.
    pub timestamp: i64,
}

/// What came of a request, for each partition that it named.
pub type ByPlace<T> = BTreeMap<Place, Result<T, ClientError>>;

impl Cluster {
    /// Looks offsets up. A partition that has no leader, or is not there, is an error of its own.
    ///
    /// # Errors
    /// If the cluster cannot be asked at all.
    pub async fn list_offsets(
        &mut self,
        wanted: Vec<(Place, OffsetSpec)>,
        read_committed: bool,
    ) -> Result<ByPlace<FoundOffset>, ClientError> {
        self.ask_leaders(wanted, async |leader, places| list_offsets(leader, places, read_committed).await)
            .await
    }

    /// Deletes the records before an offset of each partition; -1 stands for all that every replica has. Gives the oldest offset
    /// that is left.
    ///
    /// # Errors
    /// If the cluster cannot be asked at all.
    pub async fn delete_records(&mut self, before: Vec<(Place, i64)>) -> Result<ByPlace<i64>, ClientError> {
        let timeout_ms = millis(self.options().request_timeout);
        self.ask_leaders(before, async |leader, places| delete_records(leader, places, timeout_ms).await)
            .await
    }

    /// Asks the leader of each partition, and again where another answer may come in time.
    async fn ask_leaders<T: Copy, Answer>(
        &mut self,
        wanted: Vec<(Place, T)>,
        ask: impl AsyncFn(
            &Connection,
            &[(Place, T)],
        ) -> Result<Vec<(Place, Result<Answer, ClientError>)>, ClientError>,
    ) -> Result<ByPlace<Answer>, ClientError> {
        let deadline = Instant::now() + self.options().retry_for;
        let mut answers = ByPlace::new();
        let mut open = wanted;
        loop {
            answers.extend(self.ask_leaders_once(&open, &ask).await?);
            open.retain(|(place, _)| matches!(answers.get(place), Some(Err(error)) if is_passing(error)));
            if open.is_empty() || !self.pause(deadline).await {
                return Ok(answers);
            }
        }
    }

    async fn ask_leaders_once<T: Copy, Answer>(
        &mut self,
        wanted: &[(Place, T)],
        ask: &impl AsyncFn(
            &Connection,
            &[(Place, T)],
        ) -> Result<Vec<(Place, Result<Answer, ClientError>)>, ClientError>,
    ) -> Result<ByPlace<Answer>, ClientError> {
        let mut answers = ByPlace::new();
        let mut by_leader: BTreeMap<i32, Vec<(Place, T)>> = BTreeMap::new();
        let leaders = self.leaders_of(wanted.iter().map(|(place, _)| place)).await?;
        for (place, what) in wanted {
            match leaders.get(place) {
                Some(leader) if *leader >= 0 => {
                    by_leader.entry(*leader).or_default().push((place.clone(), *what));
                }
                known => {
                    let is_there = known.is_some();
                    let code = if is_there {
                        ErrorCode::LeaderNotAvailable
                    } else {
                        ErrorCode::UnknownTopicOrPartition
                    };
                    answers.insert(place.clone(), Err(ClientError::refused(code)));
                }
            }
        }
        for (leader, places) in by_leader {
            let connection = self.node(leader).await?;
            answers.extend(ask(&connection, &places).await?);
        }
        Ok(answers)
    }

    /// The leader of each partition that there is, -1 where it has none.
    async fn leaders_of(
        &mut self,
        places: impl Iterator<Item = &Place>,
    ) -> Result<BTreeMap<Place, i32>, ClientError> {
        let topics: BTreeSet<String> = places.map(|(topic, _)| topic.clone()).collect();
        if topics.is_empty() {
            return Ok(BTreeMap::new());
        }
        let topics: Vec<String> = topics.into_iter().collect();
        let metadata = self.metadata(Some(&topics), false).await?;
        let partitions = metadata.topics.into_iter().flat_map(|topic| {
            let name = topic.name.unwrap_or_default();
            topic.partitions.into_iter().map(move |it| ((name.clone(), it.partition_index), it.leader_id))
        });
        Ok(partitions.collect())
    }
}

/// Whether the cluster is about to give another answer. That a topic is not there, or has no leader, may hold for ever.
fn is_passing(error: &ClientError) -> bool {
    let lasting = [ErrorCode::UnknownTopicOrPartition, ErrorCode::LeaderNotAvailable];
    error.is_retriable() && error.code().is_none_or(|code| !lasting.contains(&code))
}

/// Asks a leader where records are.
pub(crate) async fn list_offsets(
    leader: &Connection,
    places: &[(Place, OffsetSpec)],
    read_committed: bool,
) -> Result<Vec<(Place, Result<FoundOffset, ClientError>)>, ClientError> {
    let version = leader.version::<ListOffsetsRequest>(i16::MAX)?;
    if places.iter().any(|(_, spec)| spec.since() > version) {
        return Err(unsupported(ListOffsetsRequest::API_KEY));
    }
    let request = ListOffsetsRequest {
        replica_id: -1,
        isolation_level: i8::from(read_committed),
        topics: by_topic(places, |partition_index, spec| ListOffsetsPartition {
            partition_index,
            timestamp: spec.timestamp(),
            ..ListOffsetsPartition::default()
        })
        .map(|(name, partitions)| ListOffsetsTopic { name, partitions })
        .collect(),
        ..ListOffsetsRequest::default()
    };
    let response = leader.call(&request).await?;
    let answers = response.topics.into_iter().flat_map(|topic| {
        topic.partitions.into_iter().map(move |it| {
            let found = FoundOffset { offset: it.offset, timestamp: it.timestamp };
            ((topic.name.clone(), it.partition_index), check(it.error_code, None).map(|()| found))
        })
    });
    Ok(answers.collect())
}

async fn delete_records(
    leader: &Connection,
    places: &[(Place, i64)],
    timeout_ms: i32,
) -> Result<Vec<(Place, Result<i64, ClientError>)>, ClientError> {
    let topics =
        by_topic(places, |partition_index, offset| DeleteRecordsPartition { partition_index, offset })
            .map(|(name, partitions)| DeleteRecordsTopic { name, partitions })
            .collect();
    let response = leader.call(&DeleteRecordsRequest { topics, timeout_ms }).await?;
    let answers = response.topics.into_iter().flat_map(|topic| {
        topic.partitions.into_iter().map(move |it| {
            let left = check(it.error_code, None).map(|()| it.low_watermark);
            ((topic.name.clone(), it.partition_index), left)
        })
    });
    Ok(answers.collect())
}

/// What is said of partitions, by topic as requests have it.
fn by_topic<T: Copy, P>(
    places: &[(Place, T)],
    partition: impl Fn(i32, T) -> P,
) -> impl Iterator<Item = (String, Vec<P>)> {
    let mut topics: BTreeMap<String, Vec<P>> = BTreeMap::new();
    for ((topic, index), what) in places {
        topics.entry(topic.clone()).or_default().push(partition(*index, *what));
    }
    topics.into_iter()
}
