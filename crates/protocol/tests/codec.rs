//! Every message and record in every version, against bytes that are written from the tables by another way.
#![allow(clippy::unwrap_used)]

mod dispatch;
mod wire;

use bytes::Bytes;
use wire::Source;
use wire::schema::Message;

/// Calls the test for every message and version, and returns how many there were.
fn for_each(mut test: impl FnMut(&str, &Message, i16)) -> usize {
    let mut pairs = 0;
    for (file, messages) in wire::tables() {
        for message in &messages {
            for version in message.versions.min..=message.versions.max {
                test(file, message, version);
                pairs += 1;
            }
        }
    }
    pairs
}

#[test]
fn the_tables_hold_all_messages_of_kafka_4_4() {
    let counts: Vec<(&str, usize)> =
        wire::tables().iter().map(|(file, messages)| (*file, messages.len())).collect();
    assert_eq!(counts[..2], [("messages", 203), ("metadata-records", 27)]);
}

#[test]
fn every_message_of_every_version_becomes_the_same_bytes_again() {
    let mut source = Source(1);
    let pairs = for_each(|file, message, version| {
        for _ in 0..30 {
            let bytes = Bytes::from(wire::random(message, version, &mut source).bytes);
            let decoded = dispatch::decode(file, message, bytes.clone(), version)
                .unwrap_or_else(|error| panic!("{} v{version}: {error} in {bytes:?}", message.name));
            assert_eq!(decoded.remaining, 0, "{} v{version}", message.name);
            assert_eq!((decoded.encode)(version).as_ref(), Ok(&bytes), "{} v{version}", message.name);
        }
    });
    assert!(pairs > 600, "only {pairs} pairs of message and version");
}

#[test]
fn a_field_set_to_its_default_reads_and_writes_as_the_table_says() {
    for_each(|file, message, version| {
        let bytes = Bytes::from(wire::default(message, version));
        let Ok(decoded) = dispatch::decode(file, message, bytes.clone(), version) else {
            panic!("{} v{version}: {bytes:?}", message.name)
        };
        assert_eq!((decoded.encode)(version).as_ref(), Ok(&bytes), "{} v{version}", message.name);
    });
}

#[test]
fn no_prefix_of_a_message_is_a_message() {
    let mut source = Source(2);
    for_each(|file, message, version| {
        let bytes = Bytes::from(wire::random(message, version, &mut source).bytes);
        for end in 0..bytes.len() {
            let cut = dispatch::decode(file, message, bytes.slice(..end), version);
            assert!(
                cut.is_err(),
                "{} v{version} is complete after {end} of {} bytes",
                message.name,
                bytes.len()
            );
        }
    });
}

#[test]
fn tagged_fields_that_are_not_known_are_passed_over() {
    for_each(|file, message, version| {
        let mut bytes = wire::default(message, version);
        if message.flexible_from.is_none_or(|from| version < from) {
            return;
        }
        assert_eq!(bytes.pop(), Some(0), "{} v{version} ends with its number of tagged fields", message.name);
        bytes.extend([1, 0xe7, 0x07, 2, 0xaa, 0xbb]);
        let decoded = dispatch::decode(file, message, bytes.into(), version).unwrap();
        assert_eq!(decoded.remaining, 0);
        assert_eq!((decoded.encode)(version).unwrap(), wire::default(message, version));
    });
}

#[test]
fn a_version_outside_the_table_is_refused_both_ways() {
    for_each(|file, message, version| {
        let bytes = Bytes::from(wire::default(message, version));
        for wrong in [message.versions.min - 1, message.versions.max + 1, i16::MIN, i16::MAX] {
            assert!(
                dispatch::decode(file, message, bytes.clone(), wrong).is_err(),
                "{} v{wrong}",
                message.name
            );
            let decoded = dispatch::decode(file, message, bytes.clone(), version).unwrap();
            assert!((decoded.encode)(wrong).is_err(), "{} v{wrong}", message.name);
        }
    });
}

#[test]
fn what_may_be_null_in_every_version_is_null_unless_it_is_set() {
    use protocol::messages::{MetadataRequest, create_partitions_request, elect_leaders_response};
    assert_eq!(create_partitions_request::CreatePartitionsTopic::default().assignments, None);
    assert_eq!(elect_leaders_response::PartitionResult::default().error_message, None);
    // Version 0 has no null for these.
    assert_eq!(MetadataRequest::default().topics, Some(Vec::new()));
}
