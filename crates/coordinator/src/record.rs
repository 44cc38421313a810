//! Records of `__consumer_offsets`, as the coordinator decides and replays them.

use bytes::Bytes;
use protocol::messages::{
    CoordinatorRecordKey, CoordinatorRecordValue, GroupMetadataKey, GroupMetadataValue,
    LegacyOffsetCommitKey, OffsetCommitKey, OffsetCommitValue,
};
use protocol::{DecodeError, EncodeError, Uuid, coordinator_record};

/// The version in which Apache Kafka 4.3.1 writes group metadata.
const GROUP_METADATA_VERSION: i16 = 3;
/// The version in which Apache Kafka 4.3.1 writes offsets.
const OFFSET_COMMIT_VERSION: i16 = 4;
/// The only version that has a place for an expiry.
const OFFSET_COMMIT_VERSION_WITH_EXPIRY: i16 = 1;
/// More than what a record's and a batch's headers take, with the lengths and fixed fields of a message.
const OVERHEAD_BYTES: usize = 128;
/// Not more than what the fixed fields of an offset's key and value take, with the record's own header.
const OFFSET_OVERHEAD_BYTES: usize = 45;
/// More than what the fixed fields of a member take.
const MEMBER_OVERHEAD_BYTES: usize = 32;

/// A committed offset and what was committed with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next offset to read.
    pub offset: i64,
    /// The leader epoch of the record before it; -1 if not known.
    pub leader_epoch: i32,
    /// The client's own note.
    pub metadata: String,
    /// When it was committed, in milliseconds since 1970.
    pub commit_timestamp_ms: i64,
    /// When it is to be forgotten, for clients that say so (OffsetCommit 2 to 4).
    pub expire_timestamp_ms: Option<i64>,
    /// The topic's id; zero if not known.
    pub topic_id: Uuid,
}

/// A record of the partition's log.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// What a group agreed on; no value deletes it.
    Group {
        /// Which group.
        group_id: String,
        /// Its metadata.
        value: Option<GroupMetadataValue>,
    },
    /// An offset that a group committed; no value deletes it.
    Offset {
        /// Which group.
        group_id: String,
        /// Which topic.
        topic: String,
        /// Which partition of it.
        partition: i32,
        /// The offset.
        value: Option<CommittedOffset>,
    },
}

impl Record {
    /// Key and value for the log. A missing value is a tombstone.
    pub fn encode(&self) -> Result<(Bytes, Option<Bytes>), EncodeError> {
        match self {
            Record::Group { group_id, value } => {
                let key = GroupMetadataKey { group: group_id.clone() };
                let value = value.clone().map(CoordinatorRecordValue::from);
                encode(&key.into(), value, GROUP_METADATA_VERSION)
            }
            Record::Offset { group_id, topic, partition, value } => {
                let key =
                    OffsetCommitKey { group: group_id.clone(), topic: topic.clone(), partition: *partition };
                let version = value.as_ref().map_or(OFFSET_COMMIT_VERSION, CommittedOffset::version);
                let value = value.as_ref().map(|value| CoordinatorRecordValue::from(value.to_message()));
                encode(&key.into(), value, version)
            }
        }
    }

    /// Reads a record of the log. None for a record that is of no concern to classic groups and their offsets, of a type that
    /// is known or of a newer one: it is to be passed over. Fails if a record of our own types cannot be read.
    pub fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Option<Record>, DecodeError> {
        let key = match coordinator_record::decode_key(key) {
            Ok(key) => key,
            Err(DecodeError::UnknownKey { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        // A copy, so that what is kept of a value does not keep the whole batch in memory.
        let value = value.map(|value| Bytes::copy_from_slice(value));
        let message =
            |kind| value.as_ref().map(|value| coordinator_record::decode_value(kind, value)).transpose();
        match key {
            CoordinatorRecordKey::GroupMetadata(GroupMetadataKey { group }) => {
                let value = message(<GroupMetadataKey as protocol::Record>::KEY)?.and_then(group_metadata);
                Ok(Some(Record::Group { group_id: group, value }))
            }
            CoordinatorRecordKey::OffsetCommit(OffsetCommitKey { group, topic, partition })
            | CoordinatorRecordKey::LegacyOffsetCommit(LegacyOffsetCommitKey { group, topic, partition }) => {
                let value = message(<OffsetCommitKey as protocol::Record>::KEY)?.and_then(committed_offset);
                Ok(Some(Record::Offset { group_id: group, topic, partition, value }))
            }
            _ => Ok(None),
        }
    }

    /// Whether the record certainly fits into a batch of its own.
    pub(crate) fn fits_into(&self, batch_bytes_max: usize) -> bool {
        let fields = match self {
            Record::Group { group_id, value } => {
                group_id.len() + value.as_ref().map_or(0, group_metadata_bytes_max)
            }
            Record::Offset { .. } => self.offset_bytes_min(),
        };
        fields + OVERHEAD_BYTES <= batch_bytes_max
    }

    /// What an offset takes in a batch at least.
    pub(crate) fn offset_bytes_min(&self) -> usize {
        let Record::Offset { group_id, topic, value, .. } = self else { return 0 };
        let note = value.as_ref().map_or(0, |value| value.metadata.len());
        OFFSET_OVERHEAD_BYTES + group_id.len() + topic.len() + note
    }
}

fn encode(
    key: &CoordinatorRecordKey,
    value: Option<CoordinatorRecordValue>,
    version: i16,
) -> Result<(Bytes, Option<Bytes>), EncodeError> {
    let value = value.map(|value| coordinator_record::encode_value(&value, version)).transpose()?;
    Ok((coordinator_record::encode_key(key)?, value))
}

fn group_metadata(value: CoordinatorRecordValue) -> Option<GroupMetadataValue> {
    match value {
        CoordinatorRecordValue::GroupMetadata(value) => Some(value),
        _ => None,
    }
}

fn committed_offset(value: CoordinatorRecordValue) -> Option<CommittedOffset> {
    match value {
        CoordinatorRecordValue::OffsetCommit(value) => Some(CommittedOffset::from(value)),
        _ => None,
    }
}

fn group_metadata_bytes_max(value: &GroupMetadataValue) -> usize {
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let members = value.members.iter().map(|member| {
        member.member_id.len()
            + optional(&member.group_instance_id)
            + member.client_id.len()
            + member.client_host.len()
            + member.subscription.len()
            + member.assignment.len()
            + MEMBER_OVERHEAD_BYTES
    });
    members.sum::<usize>() + value.protocol_type.len() + optional(&value.protocol) + optional(&value.leader)
}

impl CommittedOffset {
    fn version(&self) -> i16 {
        match self.expire_timestamp_ms {
            Some(_) => OFFSET_COMMIT_VERSION_WITH_EXPIRY,
            None => OFFSET_COMMIT_VERSION,
        }
    }

    fn to_message(&self) -> OffsetCommitValue {
        OffsetCommitValue {
            offset: self.offset,
            leader_epoch: self.leader_epoch,
            metadata: self.metadata.clone(),
            commit_timestamp: self.commit_timestamp_ms,
            expire_timestamp: self.expire_timestamp_ms.unwrap_or(-1),
            topic_id: self.topic_id,
        }
    }
}

impl From<OffsetCommitValue> for CommittedOffset {
    fn from(value: OffsetCommitValue) -> Self {
        CommittedOffset {
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: value.metadata,
            commit_timestamp_ms: value.commit_timestamp,
            expire_timestamp_ms: (value.expire_timestamp >= 0).then_some(value.expire_timestamp),
            topic_id: value.topic_id,
        }
    }
}
