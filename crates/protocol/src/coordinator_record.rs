//! Records of `__consumer_offsets`: a key is its type and a message, a value its version and a message; no value deletes the key.

use bytes::Bytes;

use crate::messages::{CoordinatorRecordKey, CoordinatorRecordValue};
use crate::{DecodeError, EncodeError, Reader, Writer};

/// Keys have one version only.
const KEY_VERSION: i16 = 0;

/// The key of a record.
pub fn encode_key(key: &CoordinatorRecordKey) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    writer.i16(key.key());
    key.encode(&mut writer, KEY_VERSION)?;
    Ok(writer.into_bytes())
}

/// The value of a record. Fails if the version cannot express what the message says.
pub fn encode_value(value: &CoordinatorRecordValue, version: i16) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    writer.i16(version);
    value.encode(&mut writer, version)?;
    Ok(writer.into_bytes())
}

/// Reads the key of a record. A type of a newer Kafka is [`DecodeError::UnknownKey`]: such a record is to be passed over.
pub fn decode_key(key: &Bytes) -> Result<CoordinatorRecordKey, DecodeError> {
    let mut reader = Reader::new(key.clone());
    let kind = reader.i16()?;
    CoordinatorRecordKey::decode(kind, &mut reader, KEY_VERSION)
}

/// Reads the value that belongs to a key of this type ([`CoordinatorRecordKey::key`]).
pub fn decode_value(kind: i16, value: &Bytes) -> Result<CoordinatorRecordValue, DecodeError> {
    let mut reader = Reader::new(value.clone());
    let version = reader.i16()?;
    CoordinatorRecordValue::decode(kind, &mut reader, version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{ConsumerGroupMemberMetadataValue, OffsetCommitKey, OffsetCommitValue};

    #[test]
    fn a_committed_offset_is_written_as_kafka_does() {
        let key = OffsetCommitKey { group: "g".to_owned(), topic: "t".to_owned(), partition: 3 };
        let key = CoordinatorRecordKey::from(key);
        let encoded = encode_key(&key).unwrap();
        assert_eq!(&encoded[..], b"\0\x01\0\x01g\0\x01t\0\0\0\x03");
        assert_eq!(decode_key(&encoded), Ok(key));

        let value = CoordinatorRecordValue::from(OffsetCommitValue {
            offset: 5,
            leader_epoch: 2,
            metadata: "m".to_owned(),
            commit_timestamp: 9,
            ..OffsetCommitValue::default()
        });
        let encoded = encode_value(&value, 3).unwrap();
        assert_eq!(&encoded[..], b"\0\x03\0\0\0\0\0\0\0\x05\0\0\0\x02\0\x01m\0\0\0\0\0\0\0\x09");
        assert_eq!(decode_value(1, &encoded), Ok(value));
    }

    #[test]
    fn a_member_without_classic_metadata_is_written_as_kafka_does() {
        let member = ConsumerGroupMemberMetadataValue { classic_member_metadata: None, ..Default::default() };
        let encoded = encode_value(&member.into(), 0).unwrap();
        assert_eq!(
            &encoded[encoded.len() - 4..],
            b"\x01\x00\x01\x00",
            "one tagged field: tag 0, one byte, null"
        );
        let decoded = decode_value(5, &encoded).unwrap();
        let CoordinatorRecordValue::ConsumerGroupMemberMetadata(decoded) = decoded else {
            panic!("{decoded:?}")
        };
        assert_eq!(decoded.classic_member_metadata, None);
    }
}
