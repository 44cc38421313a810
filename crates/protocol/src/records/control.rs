//! Control records: what brokers write for each other among the records.
//!
//! Their key is a version and a type, two bytes each; their value a message, which names its own version in its first two
//! bytes.

use bytes::{BufMut, Bytes, BytesMut};

use super::header::HEADER_BYTES;
use super::{BatchBuilder, BatchError, BatchHeader, RecordRefs};
use crate::compression::Compression;
use crate::messages::{
    EndTxnMarker, KRaftVersionRecord, LeaderChangeMessage, SnapshotFooterRecord, SnapshotHeaderRecord,
    VotersRecord,
};
use crate::{DecodeError, EncodeError, Message, Reader, Writer};

/// The type in the key of a control record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum ControlType {
    /// The producer's transaction is aborted.
    Abort = 0,
    /// The producer's transaction is committed.
    Commit = 1,
    /// A leader of a Raft partition starts its epoch (KIP-595).
    LeaderChange = 2,
    /// The first record of a snapshot (KIP-630).
    SnapshotHeader = 3,
    /// The last record of a snapshot (KIP-630).
    SnapshotFooter = 4,
    /// The version of the Raft protocol (KIP-853).
    KRaftVersion = 5,
    /// The voters of a Raft partition (KIP-853).
    KRaftVoters = 6,
}

const TYPES: [ControlType; 7] = [
    ControlType::Abort,
    ControlType::Commit,
    ControlType::LeaderChange,
    ControlType::SnapshotHeader,
    ControlType::SnapshotFooter,
    ControlType::KRaftVersion,
    ControlType::KRaftVoters,
];

impl ControlType {
    /// The type that a control record's key names; none if this module does not know it.
    pub fn of_key(key: &[u8]) -> Result<Option<ControlType>, DecodeError> {
        let Some(&[_, _, high, low]) = key.first_chunk() else {
            return Err(DecodeError::UnexpectedEnd { needed: 4, remaining: key.len() });
        };
        let number = i16::from_be_bytes([high, low]);
        Ok(TYPES.into_iter().find(|kind| *kind as i16 == number))
    }

    fn key(self) -> [u8; 4] {
        let [high, low] = (self as i16).to_be_bytes();
        [0, 0, high, low]
    }
}

/// A control record.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlRecord {
    /// Ends a transaction.
    EndTxn {
        /// Whether it is committed and not aborted.
        committed: bool,
        /// Epoch of the transaction coordinator that decided so.
        coordinator_epoch: i32,
    },
    /// A new leader of a Raft partition.
    LeaderChange(LeaderChangeMessage),
    /// The start of a snapshot.
    SnapshotHeader(SnapshotHeaderRecord),
    /// The end of a snapshot.
    SnapshotFooter(SnapshotFooterRecord),
    /// The version of the Raft protocol.
    KRaftVersion(KRaftVersionRecord),
    /// The voters.
    KRaftVoters(VotersRecord),
    /// Of a type that this module does not know, which readers pass over.
    Unknown,
}

impl ControlRecord {
    /// Reads the key and value of a record of a control batch.
    pub fn decode(key: &[u8], value: &Bytes) -> Result<ControlRecord, DecodeError> {
        let Some(kind) = ControlType::of_key(key)? else { return Ok(ControlRecord::Unknown) };
        Ok(match kind {
            ControlType::Abort | ControlType::Commit => {
                let mut reader = Reader::new(value.clone());
                reader.skip(2)?;
                // Versions to come may add fields, but keep this one.
                let marker = EndTxnMarker::decode(&mut reader, 0)?;
                let committed = kind == ControlType::Commit;
                ControlRecord::EndTxn { committed, coordinator_epoch: marker.coordinator_epoch }
            }
            ControlType::LeaderChange => ControlRecord::LeaderChange(decode(value)?),
            ControlType::SnapshotHeader => ControlRecord::SnapshotHeader(decode(value)?),
            ControlType::SnapshotFooter => ControlRecord::SnapshotFooter(decode(value)?),
            ControlType::KRaftVersion => ControlRecord::KRaftVersion(decode(value)?),
            ControlType::KRaftVoters => ControlRecord::KRaftVoters(decode(value)?),
        })
    }

    /// The key and value of the record; none for one of an unknown type.
    pub fn encode(&self) -> Result<Option<([u8; 4], Bytes)>, EncodeError> {
        let (kind, value) = match self {
            ControlRecord::EndTxn { committed, coordinator_epoch } => {
                let kind = if *committed { ControlType::Commit } else { ControlType::Abort };
                (kind, end_txn_value(*coordinator_epoch))
            }
            ControlRecord::LeaderChange(message) => {
                (ControlType::LeaderChange, encode(message, message.version)?)
            }
            ControlRecord::SnapshotHeader(message) => {
                (ControlType::SnapshotHeader, encode(message, message.version)?)
            }
            ControlRecord::SnapshotFooter(message) => {
                (ControlType::SnapshotFooter, encode(message, message.version)?)
            }
            ControlRecord::KRaftVersion(message) => {
                (ControlType::KRaftVersion, encode(message, message.version)?)
            }
            ControlRecord::KRaftVoters(message) => {
                (ControlType::KRaftVoters, encode(message, message.version)?)
            }
            ControlRecord::Unknown => return Ok(None),
        };
        Ok(Some((kind.key(), value)))
    }
}

/// A control batch of a Raft partition: of leader changes, voters, or the ends of a snapshot. Not of end markers, which
/// need a producer: see [`end_txn_marker`].
pub fn control_batch(
    base_offset: i64,
    leader_epoch: i32,
    timestamp: i64,
    records: &[ControlRecord],
) -> Result<Bytes, EncodeError> {
    let mut builder = BatchBuilder::new(base_offset, Compression::None).leader_epoch(leader_epoch).control();
    for record in records {
        if let Some((key, value)) = record.encode()? {
            builder.push(timestamp, Some(&key), Some(&value), &[]);
        }
    }
    Ok(builder.build())
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTxn {
    /// Whether it was committed and not aborted.
    pub committed: bool,
    /// Epoch of the transaction coordinator that decided so.
    pub coordinator_epoch: i32,
}

/// What the marker in a batch of a transaction says; none if the batch is no end marker. Nothing is copied.
pub fn read_end_txn(batch: &[u8]) -> Result<Option<EndTxn>, BatchError> {
    let header = BatchHeader::parse(batch)?;
    if !header.is_control() || !header.has_producer_id() {
        return Ok(None);
    }
    let Some(record) = RecordRefs::new(header.records_count, &batch[HEADER_BYTES..]).next() else {
        return Ok(None);
    };
    let record = record?;
    let kind = record.key.and_then(|key| ControlType::of_key(key).ok()).flatten();
    let committed = match kind {
        Some(ControlType::Commit) => true,
        Some(ControlType::Abort) => false,
        _ => return Ok(None),
    };
    let Some(&[_, _, a, b, c, d]) = record.value.and_then(|value| value.first_chunk()) else {
        return Err(BatchError::InvalidRecord("an end marker is too short"));
    };
    Ok(Some(EndTxn { committed, coordinator_epoch: i32::from_be_bytes([a, b, c, d]) }))
}

/// The batch that ends a producer's transaction on a partition. Its offset and leader epoch are set when it is appended.
pub fn end_txn_marker(
    timestamp: i64,
    producer_id: i64,
    producer_epoch: i16,
    committed: bool,
    coordinator_epoch: i32,
) -> Bytes {
    let kind = if committed { ControlType::Commit } else { ControlType::Abort };
    BatchBuilder::new(0, Compression::None)
        .producer(producer_id, producer_epoch, super::NO_SEQUENCE)
        .transactional()
        .control()
        .append(timestamp, Some(&kind.key()), Some(&end_txn_value(coordinator_epoch)), &[])
        .build()
}

fn end_txn_value(coordinator_epoch: i32) -> Bytes {
    let mut value = BytesMut::with_capacity(6);
    value.put_i16(0);
    value.put_i32(coordinator_epoch);
    value.freeze()
}

fn encode<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    message.encode(&mut writer, version)?;
    Ok(writer.into_bytes())
}

/// Reads a message whose first field is its version. A version to come is read as the newest that is known: fields are only
/// added as tagged ones.
fn decode<M: Message>(value: &Bytes) -> Result<M, DecodeError> {
    let version = Reader::new(value.clone()).i16()?;
    M::decode(&mut Reader::new(value.clone()), version.min(M::MAX_VERSION))
}
