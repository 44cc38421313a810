//! Groups are listed, looked at and removed, and their offsets moved.

use std::collections::BTreeMap;

use protocol::messages::consumer_group_describe_response as consumer;
use protocol::messages::describe_groups_response as classic;
use protocol::messages::list_groups_response::ListedGroup;
use protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use protocol::messages::{
    ConsumerGroupDescribeRequest, DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest,
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest,
};
use protocol::{ErrorCode, Request};
use tokio::time::Instant;

use crate::cluster::{Cluster, Coordinator, CoordinatorType};
use crate::consumer::{
    COMMIT_BY_NAME_MAX, CommittedOffset, Place, assigned_places, commit_topics, committed,
};
use crate::error::{ClientError, check};

/// A group as its coordinator knows it, of either protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedGroup {
    /// Its id.
    pub group_id: String,
    /// Kafka's name of its state, as `Stable`.
    pub state: String,
    /// What its members are: `consumer`, or empty where it never had any.
    pub protocol_type: String,
    /// How partitions are shared out; empty without members.
    pub assignor: String,
    /// Where it is looked after.
    pub coordinator: Coordinator,
    /// The epochs of the group and of what is to be assigned; only the consumer protocol has them (KIP-848).
    pub epochs: Option<(i32, i32)>,
    /// Its members, in the order of the coordinator.
    pub members: Vec<DescribedMember>,
}

/// A member as the coordinator knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribedMember {
    /// Its id.
    pub member_id: String,
    /// What it calls itself over restarts, if it does (KIP-345).
    pub instance_id: Option<String>,
    /// The id of its client.
    pub client_id: String,
    /// Its address, as `/127.0.0.1`.
    pub host: String,
    /// What it has.
    pub assigned: Vec<Place>,
    /// What it is to have; only the consumer protocol tells.
    pub target: Option<Vec<Place>>,
    /// Its epoch; only the consumer protocol has it.
    pub epoch: Option<i32>,
    /// Whether it speaks the consumer protocol in a group of that protocol, where the broker says so (KIP-1099).
    pub is_upgraded: Option<bool>,
}

/// `member_type` of a member of the classic protocol in a group of the consumer protocol.
const CLASSIC_MEMBER: i8 = 0;

impl Cluster {
    /// The groups of all brokers, of every type.
    pub async fn list_groups(&mut self) -> Result<Vec<ListedGroup>, ClientError> {
        let brokers = self.metadata(Some(&[]), false).await?.brokers;
        let mut groups = Vec::new();
        for broker in brokers {
            groups.extend(self.groups_of(broker.node_id).await?);
        }
        Ok(groups)
    }

    async fn groups_of(&mut self, broker: i32) -> Result<Vec<ListedGroup>, ClientError> {
        let deadline = Instant::now() + self.options().retry_for;
        loop {
            let response = self.node(broker).await?.call(&ListGroupsRequest::default()).await?;
            match check(response.error_code, None) {
                Ok(()) => return Ok(response.groups),
                Err(error) if error.is_retriable() && self.pause(deadline).await => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A group as it is.
    ///
    /// # Errors
    /// [`ErrorCode::GroupIdNotFound`] where there is none, unless the broker is so old that it makes a dead group of that.
    pub async fn describe_group(&mut self, group_id: &str) -> Result<DescribedGroup, ClientError> {
        match self.describe_consumer_group(group_id).await {
            Err(ClientError::UnsupportedApi(_)) => self.describe_classic_group(group_id).await,
            Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => {
                self.describe_classic_group(group_id).await
            }
            described => described,
        }
    }

    async fn describe_consumer_group(&mut self, group_id: &str) -> Result<DescribedGroup, ClientError> {
        let request = ConsumerGroupDescribeRequest {
            group_ids: vec![group_id.to_owned()],
            include_authorized_operations: false,
        };
        let (coordinator, response) = self
            .ask_group(group_id, &request, i16::MAX, |response| {
                response.groups.first().map_or(0, |group| group.error_code)
            })
            .await?;
        let group = response.groups.into_iter().next().ok_or_else(no_answer)?;
        check(group.error_code, group.error_message.as_deref())?;
        Ok(described(group, coordinator))
    }

    async fn describe_classic_group(&mut self, group_id: &str) -> Result<DescribedGroup, ClientError> {
        let request =
            DescribeGroupsRequest { groups: vec![group_id.to_owned()], include_authorized_operations: false };
        let (coordinator, response) = self
            .ask_group(group_id, &request, i16::MAX, |response| {
                response.groups.first().map_or(0, |group| group.error_code)
            })
            .await?;
        let group = response.groups.into_iter().next().ok_or_else(no_answer)?;
        check(group.error_code, group.error_message.as_deref())?;
        described_classic(group, coordinator)
    }

    /// All offsets that a group has committed; none of a group that is not there.
    pub async fn group_offsets(
        &mut self,
        group_id: &str,
    ) -> Result<BTreeMap<Place, CommittedOffset>, ClientError> {
        let deadline = Instant::now() + self.options().retry_for;
        loop {
            let connection = self.coordinator(group_id).await?;
            match committed::fetch(&connection, group_id, None).await {
                Err(error) if error.is_retriable() && self.pause(deadline).await => {}
                offsets => return offsets,
            }
        }
    }

    /// Commits offsets for a group that has no members; the first refusal is the error.
    pub async fn alter_group_offsets(
        &mut self,
        group_id: &str,
        offsets: &[(Place, i64)],
    ) -> Result<(), ClientError> {
        if offsets.is_empty() {
            return Ok(());
        }
        let request = OffsetCommitRequest {
            group_id: group_id.to_owned(),
            topics: commit_topics(offsets),
            ..OffsetCommitRequest::default()
        };
        let code = |response: &OffsetCommitResponse| {
            let mut answers = response.topics.iter().flat_map(|topic| &topic.partitions);
            answers.find(|partition| partition.error_code != 0).map_or(0, |partition| partition.error_code)
        };
        let (_, response) = self.ask_group(group_id, &request, COMMIT_BY_NAME_MAX, code).await?;
        check(code(&response), None)
    }

    /// Removes a group with all of its offsets.
    pub async fn delete_group(&mut self, group_id: &str) -> Result<(), ClientError> {
        let request = DeleteGroupsRequest { groups_names: vec![group_id.to_owned()] };
        let (_, response) = self
            .ask_group(group_id, &request, i16::MAX, |response| {
                response.results.first().map_or(0, |result| result.error_code)
            })
            .await?;
        let result = response.results.into_iter().next().ok_or_else(no_answer)?;
        check(result.error_code, result.error_message.as_deref())
    }

    /// Removes committed offsets of a group, and says how that went for each partition.
    ///
    /// # Errors
    /// If the group as a whole refuses.
    pub async fn delete_group_offsets(
        &mut self,
        group_id: &str,
        places: &[Place],
    ) -> Result<BTreeMap<Place, Result<(), ClientError>>, ClientError> {
        let mut topics: BTreeMap<&str, Vec<OffsetDeleteRequestPartition>> = BTreeMap::new();
        for (topic, partition_index) in places {
            let partition = OffsetDeleteRequestPartition { partition_index: *partition_index };
            topics.entry(topic).or_default().push(partition);
        }
        let topic = |(name, partitions): (&str, Vec<_>)| OffsetDeleteRequestTopic {
            name: name.to_owned(),
            partitions,
        };
        let request = OffsetDeleteRequest {
            group_id: group_id.to_owned(),
            topics: topics.into_iter().map(topic).collect(),
        };
        let (_, response) =
            self.ask_group(group_id, &request, i16::MAX, |response| response.error_code).await?;
        check(response.error_code, None)?;
        let answers = response.topics.into_iter().flat_map(|topic| {
            topic
                .partitions
                .into_iter()
                .map(move |it| ((topic.name.clone(), it.partition_index), check(it.error_code, None)))
        });
        Ok(answers.collect())
    }

    /// Asks the coordinator of a group, and again while the code of its answer says that another may come.
    async fn ask_group<R: Request>(
        &mut self,
        group_id: &str,
        request: &R,
        version_max: i16,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<(Coordinator, R::Response), ClientError> {
        let group = (CoordinatorType::Group, group_id);
        let deadline = self.patience();
        self.ask_coordinator(group, request, version_max, deadline, code).await
    }
}

fn no_answer() -> ClientError {
    ClientError::refused(ErrorCode::UnknownServerError)
}

fn described(group: consumer::DescribedGroup, coordinator: Coordinator) -> DescribedGroup {
    let member = |member: consumer::Member| DescribedMember {
        member_id: member.member_id,
        instance_id: member.instance_id,
        client_id: member.client_id,
        host: member.client_host,
        assigned: places(member.assignment),
        target: Some(places(member.target_assignment)),
        epoch: Some(member.member_epoch),
        is_upgraded: (member.member_type >= 0).then_some(member.member_type != CLASSIC_MEMBER),
    };
    DescribedGroup {
        group_id: group.group_id,
        state: group.group_state,
        protocol_type: "consumer".to_owned(),
        assignor: group.assignor_name,
        coordinator,
        epochs: Some((group.group_epoch, group.assignment_epoch)),
        members: group.members.into_iter().map(member).collect(),
    }
}

fn places(assignment: consumer::Assignment) -> Vec<Place> {
    let topics = assignment.topic_partitions.into_iter();
    let each = |topic: consumer::TopicPartitions| {
        let name = topic.topic_name;
        topic.partitions.into_iter().map(move |partition| (name.clone(), partition))
    };
    topics.flat_map(each).collect()
}

fn described_classic(
    group: classic::DescribedGroup,
    coordinator: Coordinator,
) -> Result<DescribedGroup, ClientError> {
    let are_consumers = group.protocol_type == "consumer";
    let member = |member: classic::DescribedGroupMember| {
        // What members of other kinds are given, only they know.
        let assigned = if are_consumers { assigned_places(&member.member_assignment)? } else { Vec::new() };
        Ok(DescribedMember {
            member_id: member.member_id,
            instance_id: member.group_instance_id,
            client_id: member.client_id,
            host: member.client_host,
            assigned,
            ..DescribedMember::default()
        })
    };
    Ok(DescribedGroup {
        group_id: group.group_id,
        state: group.group_state,
        protocol_type: group.protocol_type,
        assignor: group.protocol_data,
        coordinator,
        epochs: None,
        members: group.members.into_iter().map(member).collect::<Result<_, ClientError>>()?,
    })
}
