//! Requests and responses against the crate `kafka-protocol`, for the versions that it knows.
#![allow(clippy::unwrap_used)]

mod dispatch;
mod wire;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};
use wire::Source;
use wire::schema::{Kind, Message};

/// What the other crate makes of the bytes: decoded and encoded again. None if it does not know the version.
fn transcoded(message: &Message, bytes: &Bytes, version: i16) -> Option<Result<Bytes, String>> {
    let key = ApiKey::try_from(message.key?).ok()?;
    let range = key.valid_versions();
    if !(range.min..=range.max).contains(&version) {
        return None;
    }
    let (mut input, mut output) = (bytes.clone(), BytesMut::new());
    let result = match message.kind {
        Kind::Request => RequestKind::decode(key, &mut input, version)
            .and_then(|request| request.encode(&mut output, version)),
        Kind::Response => ResponseKind::decode(key, &mut input, version)
            .and_then(|response| response.encode(&mut output, version)),
        _ => return None,
    };
    match result.map_err(|error| format!("{error:#}")) {
        // Its table of keys lists versions that its messages do not have.
        Err(error) if error.contains("version not supported by this message type") => None,
        result => Some(result.map(|()| output.freeze())),
    }
}

#[test]
fn the_crate_kafka_protocol_reads_and_writes_the_same_bytes() {
    let mut source = Source(3);
    let (mut compared, mut unknown) = (0, 0);
    for message in &wire::tables()[0].1 {
        for version in message.versions.min..=message.versions.max {
            for _ in 0..10 {
                let bytes = Bytes::from(wire::random(message, version, &mut source).bytes);
                let ours = dispatch::decode("messages", message, bytes.clone(), version).unwrap();
                let ours = (ours.encode)(version).unwrap();
                match transcoded(message, &ours, version) {
                    Some(theirs) => {
                        assert_eq!(theirs.as_ref(), Ok(&bytes), "{} v{version}", message.name);
                        compared += 1;
                    }
                    None => unknown += 1,
                }
            }
        }
    }
    println!("{compared} messages compared, {unknown} of versions that the crate does not know");
    assert!(compared > 4000, "only {compared} messages were compared");
}
