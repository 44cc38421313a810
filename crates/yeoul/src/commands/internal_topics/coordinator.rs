//! Records of the topics in which coordinators keep their state.

use bytes::Bytes;
use protocol::Reader;

use super::json::{Opaque, content};
use super::schema::{Message, Table};

/// Whose topic a record is of: their keys have the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coordinator {
    /// `__consumer_offsets`
    Group,
    /// `__transaction_state`
    Transaction,
    /// `__share_group_state`
    Share,
}

/// How what consumers of a group tell each other is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Members {
    /// As bytes in base64.
    AsBytes,
    /// As what it says.
    AsConsumers,
}

/// A record: the type of its key, and what key and value are in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoordinatorRecord {
    pub kind: i16,
    pub key: String,
    /// The version of the value and its content; nothing where the record deletes its key.
    pub value: Option<(i16, String)>,
}

/// Why there is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// One of a release to come, or of another topic.
    UnknownType(i16),
    /// What is wrong with the bytes, as a clause.
    Malformed(String),
}

impl Coordinator {
    fn table(self) -> Table {
        match self {
            Coordinator::Group => Table::Groups,
            Coordinator::Transaction => Table::Transactions,
            Coordinator::Share => Table::Shares,
        }
    }

    /// Reads a record, of which key and value each begin with a number: the type, and the version.
    ///
    /// # Errors
    /// What Kafka's tools say of it.
    pub fn record(
        self,
        key: &Bytes,
        value: Option<&Bytes>,
        members: Members,
    ) -> Result<CoordinatorRecord, Unreadable> {
        let (kind, mut reader) = numbered(key, "key")?;
        let unknown = || Unreadable::UnknownType(kind);
        let message = self.table().message("coordinator-key", kind).ok_or_else(unknown)?;
        let key = told(&mut reader, message, (kind, 0), "key", Opaque::AsBase64)?;
        let Some(value) = value else { return Ok(CoordinatorRecord { kind, key, value: None }) };
        let message = self.table().message("coordinator-value", kind).ok_or_else(unknown)?;
        let (version, mut reader) = numbered(value, "value")?;
        if !message.versions.contains(version) {
            let why = format!("Found an unknown record version {version} for {kind} type");
            return Err(Unreadable::Malformed(why));
        }
        let opaque = match members {
            Members::AsConsumers if is_of_consumers(message, version, &reader) => Opaque::AsConsumers,
            _ => Opaque::AsBase64,
        };
        let value = told(&mut reader, message, (version, version), "value", opaque)?;
        Ok(CoordinatorRecord { kind, key, value: Some((version, value)) })
    }
}

fn numbered(bytes: &Bytes, what: &str) -> Result<(i16, Reader), Unreadable> {
    let mut reader = Reader::new(bytes.clone());
    let number = reader.i16();
    let number =
        number.map_err(|_| Unreadable::Malformed(format!("Could not read version from {what}'s buffer.")))?;
    Ok((number, reader))
}

/// Whether a value is of a group of consumers: the kind of its members stands first in it.
fn is_of_consumers(message: &Message, version: i16, reader: &Reader) -> bool {
    let front = reader.peek(reader.remaining());
    let kind = front.and_then(|mut front| front.string(message.flexible.contains(version)));
    message.name == "GroupMetadataValue" && kind.is_ok_and(|kind| kind == "consumer")
}

/// The content of a message; of its two versions the first is the one to complain about: a key's is its type.
fn told(
    reader: &mut Reader,
    message: &Message,
    (number, version): (i16, i16),
    what: &str,
    opaque: Opaque,
) -> Result<String, Unreadable> {
    content(reader, message, version, opaque).map_err(|why| {
        Unreadable::Malformed(format!(
            "Could not read record with version {number} from {what}'s buffer due to: {why}."
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFSET_KEY: &[u8] = b"\0\x01\0\x02gg\0\x02dd\0\0\0\0";

    fn record(of: Coordinator, key: &[u8], value: Option<&[u8]>) -> Result<CoordinatorRecord, Unreadable> {
        let value = value.map(Bytes::copy_from_slice);
        of.record(&Bytes::copy_from_slice(key), value.as_ref(), Members::AsBytes)
    }

    fn malformed(of: Coordinator, key: &[u8], value: Option<&[u8]>) -> String {
        match record(of, key, value) {
            Err(Unreadable::Malformed(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_committed_offset_has_the_fields_of_its_version() {
        let told = |value: &[u8]| record(Coordinator::Group, OFFSET_KEY, Some(value)).unwrap();
        let third = told(b"\0\x03\0\0\0\0\0\0\0\x05\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\x07");
        assert_eq!(third.kind, 1);
        assert_eq!(third.key, r#"{"group":"gg","topic":"dd","partition":0}"#);
        let fields = r#"{"offset":5,"leaderEpoch":-1,"metadata":"","commitTimestamp":7}"#;
        assert_eq!(third.value, Some((3, fields.to_owned())));
        let first = told(b"\0\x01\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\x09");
        let fields = r#"{"offset":5,"metadata":"","commitTimestamp":7,"expireTimestamp":9}"#;
        assert_eq!(first.value, Some((1, fields.to_owned())));
    }

    #[test]
    fn keys_of_the_same_number_are_told_apart_by_their_topic() {
        let told = |of, key| record(of, key, None).unwrap();
        let transaction = told(Coordinator::Transaction, b"\0\0\0\x02tx");
        assert_eq!((transaction.key.as_str(), transaction.value), (r#"{"transactionalId":"tx"}"#, None));
        let share = told(Coordinator::Share, b"\0\x01\0\x01g\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02");
        assert_eq!(share.key, r#"{"groupId":"g","topicId":"AAAAAAAAAAAAAAAAAAAAAA","partition":2}"#);
        let legacy = told(Coordinator::Group, b"\0\0\0\x01g\0\x01t\0\0\0\x02");
        assert_eq!((legacy.kind, legacy.key.as_str()), (0, r#"{"group":"g","topic":"t","partition":2}"#));
    }

    #[test]
    fn what_is_no_record_is_told_as_apache_kafka_tells_it() {
        let unknown = record(Coordinator::Transaction, b"\0\x63", None);
        assert_eq!(unknown, Err(Unreadable::UnknownType(99)));
        let of = Coordinator::Group;
        assert_eq!(malformed(of, b"k", None), "Could not read version from key's buffer.");
        let short = malformed(of, b"\0\x01\0\x09g", None);
        assert!(short.starts_with("Could not read record with version 1 from key's buffer due to: "));
        assert_eq!(malformed(of, OFFSET_KEY, Some(b"")), "Could not read version from value's buffer.");
        let told = malformed(of, OFFSET_KEY, Some(b"\0\x63"));
        assert_eq!(told, "Found an unknown record version 99 for 1 type");
        let told = malformed(of, OFFSET_KEY, Some(b"\0\x03\0"));
        assert!(told.starts_with("Could not read record with version 3 from value's buffer due to: "));
    }
}
