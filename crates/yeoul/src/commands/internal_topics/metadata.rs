//! Records of the metadata log, and those that control a log.

use bytes::Bytes;
use protocol::Reader;

use super::json::{Opaque, content};
use super::schema::{Message, Table};

/// The only version of the frame around a record.
const FRAME_VERSION: u32 = 1;

/// A record of the metadata log: its type, version and content.
///
/// # Errors
/// What is wrong with the bytes, as a clause.
pub fn metadata_record(value: &Bytes) -> Result<String, String> {
    let mut reader = Reader::new(value.clone());
    let mut number = || reader.uvarint().map_err(|error| error.to_string());
    let (frame_version, kind, version) = (number()?, number()?, number()?);
    if frame_version != FRAME_VERSION {
        return Err(format!("the frame of the record has the unknown version {frame_version}"));
    }
    let kind = i16::try_from(kind).map_err(|error| error.to_string())?;
    let version = i16::try_from(version).map_err(|error| error.to_string())?;
    let message = Table::Metadata.message("metadata", kind);
    let message = message.ok_or_else(|| format!("no record has the type {kind}"))?;
    let name = constant(message.name);
    let data = content(&mut reader, message, version, Opaque::AsBase64)?;
    match reader.remaining() {
        0 => Ok(format!(r#"{{"type":"{name}","version":{version},"data":{data}}}"#)),
        rest => Err(format!("{rest} bytes stand behind the {}", message.name)),
    }
}

/// The content of a control record, which begins with its own version.
///
/// # Errors
/// What is wrong with the bytes, as a clause.
pub fn control(name: &str, value: &Bytes) -> Result<String, String> {
    let version = Reader::new(value.clone()).i16().map_err(|error| error.to_string())?;
    let message = Message::of_name(name).ok_or_else(|| format!("there is no {name}"))?;
    content(&mut Reader::new(value.clone()), message, version, Opaque::AsBase64)
}

/// `NoOpRecord` as `NO_OP_RECORD`.
fn constant(name: &str) -> String {
    let mut constant = String::with_capacity(name.len() + 4);
    let mut before = 'A';
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !before.is_ascii_uppercase() {
            constant.push('_');
        }
        constant.push(letter.to_ascii_uppercase());
        before = letter;
    }
    constant
}

#[cfg(test)]
mod tests {
    use protocol::messages::{FeatureLevelRecord, MetadataRecord};

    use super::*;

    #[test]
    fn a_metadata_record_is_told_as_apache_kafka_tells_it() {
        let record = FeatureLevelRecord { name: "group.version".to_owned(), feature_level: 1 };
        let value = protocol::metadata_record::encode(&MetadataRecord::from(record), 0).unwrap();
        let told =
            r#"{"type":"FEATURE_LEVEL_RECORD","version":0,"data":{"name":"group.version","featureLevel":1}}"#;
        assert_eq!(metadata_record(&value), Ok(told.to_owned()));
        assert!(metadata_record(&value.slice(..value.len() - 3)).is_err());
        let longer = Bytes::from([&value[..], b"x"].concat());
        assert_eq!(metadata_record(&longer), Err("1 bytes stand behind the FeatureLevelRecord".to_owned()));
        assert!(metadata_record(&Bytes::from_static(b"\x02\x0c\0")).is_err());
    }

    #[test]
    fn names_are_written_as_java_writes_them() {
        assert_eq!(constant("NoOpRecord"), "NO_OP_RECORD");
        assert_eq!(constant("RemoveAccessControlEntryRecord"), "REMOVE_ACCESS_CONTROL_ENTRY_RECORD");
    }
}
