//! The frame around a record of `__cluster_metadata`: frame version, key and version as unsigned varints, then the message.

use bytes::Bytes;

use crate::messages::MetadataRecord;
use crate::{DecodeError, EncodeError, Reader, Writer};

/// The only version of the frame.
const FRAME_VERSION: u32 = 1;

/// The value of a record of the metadata log. Fails if the version cannot express what the message says.
pub fn encode(record: &MetadataRecord, version: i16) -> Result<Bytes, EncodeError> {
    let unsigned = |number: i16| {
        u32::try_from(number).map_err(|_| EncodeError::UnsupportedVersion { name: record.name(), version })
    };
    let mut writer = Writer::new();
    writer.uvarint(FRAME_VERSION);
    writer.uvarint(unsigned(record.key())?);
    writer.uvarint(unsigned(version)?);
    record.encode(&mut writer, version)?;
    Ok(writer.into_bytes())
}

/// Reads the value of a record of the metadata log. Bytes after the message are an error.
pub fn decode(value: &Bytes) -> Result<MetadataRecord, DecodeError> {
    let mut reader = Reader::new(value.clone());
    let frame_version = reader.uvarint()?;
    if frame_version != FRAME_VERSION {
        let version = i16::try_from(frame_version).unwrap_or(i16::MAX);
        return Err(DecodeError::UnsupportedVersion { name: "the frame of metadata records", version });
    }
    let key = number(reader.uvarint()?)?;
    let version = number(reader.uvarint()?)?;
    let record = MetadataRecord::decode(key, &mut reader, version)?;
    match reader.remaining() {
        0 => Ok(record),
        left => Err(DecodeError::InvalidLength(left as i64)),
    }
}

fn number(value: u32) -> Result<i16, DecodeError> {
    i16::try_from(value).map_err(|_| DecodeError::InvalidVarint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{FeatureLevelRecord, NoOpRecord};

    #[test]
    fn the_frame_is_kafkas() {
        let record = FeatureLevelRecord { name: "metadata.version".to_owned(), feature_level: 29 };
        let value = encode(&record.clone().into(), 0).unwrap();
        assert_eq!(&value[..], b"\x01\x0c\x00\x11metadata.version\x00\x1d\x00");
        assert_eq!(decode(&value), Ok(record.into()));
    }

    #[test]
    fn what_is_no_metadata_record_is_refused() {
        let value = encode(&NoOpRecord {}.into(), 0).unwrap();
        for (bytes, why) in [
            (Bytes::from_static(b"\x02\x14\x00\x00"), "a frame version of the future"),
            (Bytes::from_static(b"\x01\x06\x00\x00"), "a key that is not in use"),
            (Bytes::from_static(b"\x01\x14\x01\x00"), "a version of the future"),
            (Bytes::from([&value[..], b"\0"].concat()), "a byte too many"),
            (value.slice(..value.len() - 1), "a byte too few"),
        ] {
            assert!(decode(&bytes).is_err(), "{why}");
        }
    }
}
