//! Finds the decoder of a message of the tables.
#![allow(dead_code)]

use bytes::Bytes;
use protocol::messages::*;
use protocol::{DecodeError, EncodeError, Message, Reader, Writer};

use crate::wire::schema::{self, Kind};

/// A message was decoded; this writes it again.
pub struct Decoded {
    /// Bytes that were left over.
    pub remaining: usize,
    pub encode: Box<dyn Fn(i16) -> Result<Bytes, EncodeError>>,
}

/// Decodes bytes as the message of a table.
pub fn decode(
    file: &str,
    message: &schema::Message,
    bytes: Bytes,
    version: i16,
) -> Result<Decoded, DecodeError> {
    let key = message.key.unwrap_or_default();
    let mut reader = Reader::new(bytes);
    let r = &mut reader;
    macro_rules! keyed {
        ($kind:ident) => {{
            let decoded = $kind::decode(key, r, version)?;
            done(move |w, v| decoded.encode(w, v))
        }};
    }
    let encode = match (file, message.kind) {
        (_, Kind::Request) => keyed!(RequestKind),
        (_, Kind::Response) => keyed!(ResponseKind),
        ("metadata-records", _) => keyed!(MetadataRecord),
        ("group-records", Kind::CoordinatorKey) => keyed!(CoordinatorRecordKey),
        ("group-records", _) => keyed!(CoordinatorRecordValue),
        ("share-records", Kind::CoordinatorKey) => keyed!(ShareRecordKey),
        ("share-records", _) => keyed!(ShareRecordValue),
        ("transaction-records", Kind::CoordinatorKey) => keyed!(TransactionRecordKey),
        ("transaction-records", _) => keyed!(TransactionRecordValue),
        ("tiering-records", Kind::Metadata) => keyed!(RemoteLogRecord),
        _ => by_name(&message.name, r, version)?,
    };
    Ok(Decoded { remaining: reader.remaining(), encode })
}

type Encode = Box<dyn Fn(i16) -> Result<Bytes, EncodeError>>;

fn done(encode: impl Fn(&mut Writer, i16) -> Result<(), EncodeError> + 'static) -> Encode {
    Box::new(move |version| {
        let mut writer = Writer::new();
        encode(&mut writer, version)?;
        Ok(writer.into_bytes())
    })
}

fn by_name(name: &str, r: &mut Reader, version: i16) -> Result<Encode, DecodeError> {
    macro_rules! named {
        ($($message:ident)*) => {
            match name {
                $(stringify!($message) => {
                    let decoded = $message::decode(r, version)?;
                    Ok(done(move |w, v| decoded.encode(w, v)))
                })*
                _ => panic!("{name} is in the tables, but the tests know no decoder of it"),
            }
        };
    }
    named!(RequestHeader ResponseHeader AbortedTxn ConsumerProtocolAssignment ConsumerProtocolSubscription
        ControlRecordTypeSchema DefaultPrincipalData EndTxnMarker KRaftVersionRecord LeaderChangeMessage
        SnapshotFooterRecord SnapshotHeaderRecord VotersRecord ProducerSnapshot QuorumStateData)
}
