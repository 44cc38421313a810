//! Membership in a classic group: join, sync, heartbeat, commit, leave.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use protocol::messages::consumer_protocol_assignment::{ConsumerProtocolAssignment, TopicPartition};
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    ConsumerProtocolSubscription, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    OffsetCommitRequest, SyncGroupRequest,
};
use protocol::{DecodeError, EncodeError, ErrorCode, Message, Reader, Writer};
use tokio::time::Instant;

use super::subscription::{Subscription, Topics, counts};
use super::{GroupOptions, Place, assign_ranges};
use crate::cluster::Cluster;
use crate::connection::Connection;
use crate::error::{ClientError, check};

mod committed;

/// Topics go by their names up to this version of OffsetCommit.
const COMMIT_VERSION_MAX: i16 = 9;
/// How the consumers' part of a group's protocol is written: with owned partitions left out.
const SUBSCRIPTION_VERSION: i16 = 0;
/// What a broker's answer may take beyond the rebalance itself.
const JOIN_GRACE: Duration = Duration::from_secs(5);

/// A member, or one that is yet to join.
#[derive(Debug)]
pub(super) struct Membership {
    options: GroupOptions,
    subscription: Subscription,
    coordinator: Option<Connection>,
    member_id: String,
    /// The last that the member was part of; -1 before the first.
    generation: i32,
    /// Whether the member is part of it still, as far as is known.
    is_current: bool,
    heartbeat_due: Instant,
    commit_due: Instant,
    committed: BTreeMap<Place, i64>,
}

/// What a member has been given, with the offsets that the group has committed.
pub(super) type Assigned = Vec<(Place, Option<i64>)>;

impl Membership {
    pub(super) fn new(options: GroupOptions, topics: Topics) -> Membership {
        let now = Instant::now();
        Membership {
            options,
            subscription: Subscription::new(topics),
            coordinator: None,
            member_id: String::new(),
            generation: -1,
            is_current: false,
            heartbeat_due: now,
            commit_due: now,
            committed: BTreeMap::new(),
        }
    }

    pub(super) fn commits_by_itself(&self) -> bool {
        self.options.auto_commit_interval.is_some()
    }

    /// Does what is due: looks for new partitions, joins, shows that it lives, commits. Returns what it has been given if that
    /// is new.
    pub(super) async fn keep(
        &mut self,
        cluster: &mut Cluster,
        offsets: Vec<(Place, i64)>,
    ) -> Result<Option<Assigned>, ClientError> {
        if self.is_current {
            self.commit_if_due(cluster, &offsets).await?;
            self.heartbeat_if_due(cluster).await?;
        }
        // Members other than the leader come back too: the group only rebalances when it matters to it.
        let has_changed = self.subscription.refresh(cluster).await?.is_some();
        self.is_current &= !has_changed;
        if self.is_current {
            return Ok(None);
        }
        if self.commits_by_itself() && !self.member_id.is_empty() {
            // The last chance before others may get the partitions. That it may come too late is part of rebalances.
            let _ = self.commit(cluster, offsets).await;
        }
        self.join(cluster).await.map(Some)
    }

    async fn heartbeat_if_due(&mut self, cluster: &mut Cluster) -> Result<(), ClientError> {
        if Instant::now() < self.heartbeat_due {
            return Ok(());
        }
        let request = HeartbeatRequest {
            group_id: self.options.group_id.clone(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: None,
        };
        let response = self.coordinator(cluster).await?.call(&request).await;
        self.heartbeat_due = Instant::now() + self.options.heartbeat_interval;
        match response.and_then(|response| check(response.error_code, None)) {
            Ok(()) => Ok(()),
            Err(error) => self.after(error),
        }
    }

    /// What an error of the coordinator means for the membership; an error that means nothing for it goes to the caller.
    fn after(&mut self, error: ClientError) -> Result<(), ClientError> {
        match error.code() {
            Some(ErrorCode::RebalanceInProgress) => self.is_current = false,
            Some(ErrorCode::IllegalGeneration | ErrorCode::UnknownMemberId) => self.lose(),
            Some(ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable) => self.coordinator = None,
            Some(ErrorCode::CoordinatorLoadInProgress) => {}
            None if error.is_retriable() => self.coordinator = None,
            _ => return Err(error),
        }
        Ok(())
    }

    fn lose(&mut self) {
        self.is_current = false;
        self.generation = -1;
        self.member_id.clear();
    }

    async fn coordinator(&mut self, cluster: &mut Cluster) -> Result<Connection, ClientError> {
        if let Some(connection) = self.coordinator.as_ref().filter(|connection| connection.is_open()) {
            return Ok(connection.clone());
        }
        let connection = cluster.coordinator(&self.options.group_id).await?;
        self.coordinator = Some(connection.clone());
        Ok(connection)
    }

    /// Tries to join. Until that succeeds the member has nothing: what it had others may have now.
    async fn join(&mut self, cluster: &mut Cluster) -> Result<Assigned, ClientError> {
        loop {
            match self.join_once(cluster).await {
                Ok(assigned) => return Ok(assigned),
                // The first answer to a new member is its id (KIP-394).
                Err(error) if error.code() == Some(ErrorCode::MemberIdRequired) => {}
                Err(error) => {
                    tracing::debug!(%error, "not part of the group yet");
                    self.after(error)?;
                    cluster.pause(Instant::now() + cluster.options().retry_for).await;
                    return Ok(Assigned::new());
                }
            }
        }
    }

    async fn join_once(&mut self, cluster: &mut Cluster) -> Result<Assigned, ClientError> {
        let connection = self.coordinator(cluster).await?;
        let patience = self.options.rebalance_timeout + JOIN_GRACE;
        let joined = connection.call_within(&self.join_request()?, i16::MAX, patience).await?;
        self.member_id.clone_from(&joined.member_id);
        check(joined.error_code, None)?;
        let assignments = if joined.leader == joined.member_id {
            self.share_out(cluster, &joined).await?
        } else {
            Vec::new()
        };
        let request = SyncGroupRequest {
            group_id: self.options.group_id.clone(),
            generation_id: joined.generation_id,
            member_id: self.member_id.clone(),
            protocol_type: Some("consumer".to_owned()),
            protocol_name: joined.protocol_name.clone(),
            assignments,
            ..SyncGroupRequest::default()
        };
        let synced = connection.call_within(&request, i16::MAX, patience).await?;
        check(synced.error_code, None)?;
        let places = places(&synced.assignment)?;
        let offsets = committed::fetch(&connection, &self.options.group_id, &places).await?;
        self.settle(joined.generation_id, &offsets);
        Ok(offsets)
    }

    fn settle(&mut self, generation: i32, offsets: &Assigned) {
        let now = Instant::now();
        self.generation = generation;
        self.is_current = true;
        self.heartbeat_due = now + self.options.heartbeat_interval;
        self.commit_due = now + self.options.auto_commit_interval.unwrap_or_default();
        let known = offsets.iter().filter_map(|(place, offset)| Some((place.clone(), (*offset)?)));
        self.committed = known.collect();
    }

    fn join_request(&self) -> Result<JoinGroupRequest, EncodeError> {
        let subscription = ConsumerProtocolSubscription {
            topics: self.subscription.names(),
            ..ConsumerProtocolSubscription::default()
        };
        let metadata = versioned(&subscription, SUBSCRIPTION_VERSION)?;
        Ok(JoinGroupRequest {
            group_id: self.options.group_id.clone(),
            session_timeout_ms: millis(self.options.session_timeout),
            rebalance_timeout_ms: millis(self.options.rebalance_timeout),
            member_id: self.member_id.clone(),
            protocol_type: "consumer".to_owned(),
            protocols: vec![JoinGroupRequestProtocol { name: "range".to_owned(), metadata }],
            ..JoinGroupRequest::default()
        })
    }

    /// The leader's part: what each member gets.
    async fn share_out(
        &self,
        cluster: &mut Cluster,
        joined: &JoinGroupResponse,
    ) -> Result<Vec<SyncGroupRequestAssignment>, ClientError> {
        let mut members = BTreeMap::new();
        for member in &joined.members {
            let wanted: ConsumerProtocolSubscription = read_versioned(&member.metadata)?;
            members.insert(member.member_id.clone(), wanted.topics);
        }
        let wanted: BTreeSet<String> = members.values().flatten().cloned().collect();
        let wanted: Vec<String> = wanted.into_iter().collect();
        // A topic that is not there (yet) has no partitions to give.
        let topics = counts(&cluster.metadata(Some(&wanted), true).await?.topics, |_| true)?;
        let shares = assign_ranges(&topics, &members);
        shares.into_iter().map(|(member_id, share)| assignment(member_id, share)).collect()
    }

    async fn commit_if_due(
        &mut self,
        cluster: &mut Cluster,
        offsets: &[(Place, i64)],
    ) -> Result<(), ClientError> {
        let Some(interval) = self.options.auto_commit_interval else { return Ok(()) };
        if Instant::now() < self.commit_due {
            return Ok(());
        }
        self.commit_due = Instant::now() + interval;
        match self.commit(cluster, offsets.to_vec()).await {
            Ok(()) => Ok(()),
            Err(error) => self.after(error),
        }
    }

    /// Commits the offsets that differ from what is committed.
    pub(super) async fn commit(
        &mut self,
        cluster: &mut Cluster,
        offsets: Vec<(Place, i64)>,
    ) -> Result<(), ClientError> {
        let changed: Vec<(Place, i64)> =
            offsets.into_iter().filter(|(place, offset)| self.committed.get(place) != Some(offset)).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let request = OffsetCommitRequest {
            group_id: self.options.group_id.clone(),
            generation_id_or_member_epoch: self.generation,
            member_id: self.member_id.clone(),
            topics: commit_topics(&changed),
            ..OffsetCommitRequest::default()
        };
        let response = self.coordinator(cluster).await?.call_up_to(&request, COMMIT_VERSION_MAX).await?;
        let mut answers = response.topics.iter().flat_map(|topic| &topic.partitions);
        answers.try_for_each(|partition| check(partition.error_code, None))?;
        self.committed.extend(changed);
        Ok(())
    }

    pub(super) async fn leave(&mut self, cluster: &mut Cluster) -> Result<(), ClientError> {
        if self.member_id.is_empty() {
            return Ok(());
        }
        let connection = self.coordinator(cluster).await?;
        let by_list = connection.version::<LeaveGroupRequest>(i16::MAX)? >= 3;
        let member = MemberIdentity { member_id: self.member_id.clone(), ..MemberIdentity::default() };
        let request = LeaveGroupRequest {
            group_id: self.options.group_id.clone(),
            member_id: if by_list { String::new() } else { self.member_id.clone() },
            members: if by_list { vec![member] } else { Vec::new() },
        };
        let response = connection.call(&request).await?;
        self.lose();
        check(response.error_code, None)
    }
}

fn commit_topics(offsets: &[(Place, i64)]) -> Vec<OffsetCommitRequestTopic> {
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for ((topic, partition), offset) in offsets {
        topics.entry(topic).or_default().push(OffsetCommitRequestPartition {
            partition_index: *partition,
            committed_offset: *offset,
            committed_leader_epoch: -1,
            committed_metadata: Some(String::new()),
        });
    }
    let topic = |(name, partitions): (&str, Vec<_>)| OffsetCommitRequestTopic {
        name: name.to_owned(),
        partitions,
        ..OffsetCommitRequestTopic::default()
    };
    topics.into_iter().map(topic).collect()
}

fn assignment(
    member_id: String,
    share: Vec<(String, Vec<i32>)>,
) -> Result<SyncGroupRequestAssignment, ClientError> {
    let assigned_partitions =
        share.into_iter().map(|(topic, partitions)| TopicPartition { topic, partitions }).collect();
    let assignment = ConsumerProtocolAssignment { assigned_partitions, user_data: None };
    Ok(SyncGroupRequestAssignment { member_id, assignment: versioned(&assignment, SUBSCRIPTION_VERSION)? })
}

/// The partitions of an assignment; none of an empty one, as members get that have not been given anything.
fn places(assignment: &Bytes) -> Result<Vec<Place>, ClientError> {
    if assignment.is_empty() {
        return Ok(Vec::new());
    }
    let assignment: ConsumerProtocolAssignment = read_versioned(assignment)?;
    let places = assignment.assigned_partitions.into_iter().flat_map(|topic| {
        let name = topic.topic;
        topic.partitions.into_iter().map(move |partition| (name.clone(), partition))
    });
    Ok(places.collect())
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

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
