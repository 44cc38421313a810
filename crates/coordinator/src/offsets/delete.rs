//! OffsetDelete and DeleteGroups.

use protocol::ErrorCode;
use protocol::messages::offset_delete_request::OffsetDeleteRequestTopic;
use protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::tombstone;
use crate::group::{Group, Phase};
use crate::turn::Turn;
use crate::{GroupCoordinatorState, LiveGroups, Record, Reply};

impl GroupCoordinatorState {
    /// Forgets offsets of topics that nobody in the group reads.
    pub(crate) fn delete_offsets(
        &self,
        live: &LiveGroups,
        request: OffsetDeleteRequest,
        turn: &mut Turn,
    ) -> Reply {
        let group = match live.groups.get(request.group_id.as_str()) {
            _ if request.group_id.is_empty() => return deletion_error(ErrorCode::InvalidGroupId),
            None => return deletion_error(ErrorCode::GroupIdNotFound),
            Some(group) if group.phase != Phase::Empty && !group.is_consumer_group() => {
                return deletion_error(ErrorCode::NonEmptyGroup);
            }
            Some(group) => group,
        };
        let topics = request.topics.into_iter().map(|topic| self.delete_topic(group, topic, turn));
        let topics = topics.collect();
        Reply::OffsetDelete(OffsetDeleteResponse { topics, ..OffsetDeleteResponse::default() })
    }

    fn delete_topic(
        &self,
        group: &Group,
        topic: OffsetDeleteRequestTopic,
        turn: &mut Turn,
    ) -> OffsetDeleteResponseTopic {
        let is_read = group.is_subscribed_to(&topic.name);
        let error = if is_read { ErrorCode::GroupSubscribedToTopic } else { ErrorCode::None };
        let mut partitions = Vec::new();
        for partition in topic.partitions {
            let partition_index = partition.partition_index;
            let known = self.offsets(&group.id).and_then(|offsets| offsets.get(&topic.name, partition_index));
            if !is_read && known.is_some() {
                turn.append(tombstone(&group.id, &topic.name, partition_index));
            }
            partitions.push(OffsetDeleteResponsePartition { partition_index, error_code: error.code() });
        }
        OffsetDeleteResponseTopic { name: topic.name, partitions }
    }

    /// Forgets the offsets of topics that were deleted, whoever reads them. A topic of the same name may come again, with other
    /// records at these offsets.
    pub(crate) fn forget_topics(&self, topics: &[String], turn: &mut Turn) -> Reply {
        for (group_id, saved) in &self.groups {
            for topic in topics {
                for partition in saved.offsets.partitions_of(topic) {
                    turn.append(tombstone(group_id, topic, partition));
                }
            }
        }
        Reply::TopicsDeleted(ErrorCode::None)
    }

    /// Deletes a group without members, with its offsets.
    pub(crate) fn delete_group(&self, live: &mut LiveGroups, group_id: String, turn: &mut Turn) -> Reply {
        let error = match live.groups.get(group_id.as_str()) {
            None => ErrorCode::GroupIdNotFound,
            Some(group) if group.phase != Phase::Empty => ErrorCode::NonEmptyGroup,
            Some(_) => {
                for (topic, partition, _) in
                    self.offsets(&group_id).into_iter().flat_map(|offsets| offsets.iter())
                {
                    turn.append(tombstone(&group_id, topic, partition));
                }
                live.bury(&group_id, turn);
                ErrorCode::None
            }
        };
        Reply::DeleteGroup(crate::state::deletion(group_id, error))
    }
}

impl LiveGroups {
    /// Takes a group out, in the log and here.
    pub(super) fn bury(&mut self, group_id: &str, turn: &mut Turn) {
        self.groups.remove(group_id);
        turn.append(Record::Group { group_id: group_id.to_owned(), value: None });
    }
}

fn deletion_error(error: ErrorCode) -> Reply {
    Reply::OffsetDelete(OffsetDeleteResponse { error_code: error.code(), ..OffsetDeleteResponse::default() })
}
