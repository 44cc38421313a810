//! The few requests that the driver writes itself, byte by byte: it must know what is in every packet.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::Failure;

/// Keys of the APIs that the driver uses.
pub const PRODUCE: i16 = 0;
/// Metadata.
pub const METADATA: i16 = 3;
/// ListOffsets.
pub const LIST_OFFSETS: i16 = 2;
/// FindCoordinator.
pub const FIND_COORDINATOR: i16 = 10;
/// JoinGroup.
pub const JOIN_GROUP: i16 = 11;
/// Heartbeat.
pub const HEARTBEAT: i16 = 12;
/// SyncGroup.
pub const SYNC_GROUP: i16 = 14;
/// ApiVersions.
pub const API_VERSIONS: i16 = 18;
/// CreateTopics.
pub const CREATE_TOPICS: i16 = 19;

const CLIENT_ID: &str = "bench";
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// Big-endian fields, one after the other.
#[derive(Default)]
pub struct Fields(Vec<u8>);

impl Fields {
    /// One byte.
    pub fn i8(mut self, value: i8) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Two bytes.
    pub fn i16(mut self, value: i16) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Four bytes; lengths of arrays too.
    pub fn i32(mut self, value: i32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Eight bytes.
    pub fn i64(mut self, value: i64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// A string with its length in two bytes.
    pub fn string(self, text: &str) -> Self {
        let mut fields = self.i16(text.len() as i16);
        fields.0.extend(text.as_bytes());
        fields
    }

    /// Bytes with their length in four bytes.
    pub fn bytes(self, data: &[u8]) -> Self {
        let fields = self.i32(data.len() as i32);
        fields.raw(data)
    }

    /// Bytes as they are.
    pub fn raw(mut self, data: &[u8]) -> Self {
        self.0.extend(data);
        self
    }

    /// What was put in.
    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

/// A whole request: size, header version 1, body.
pub fn request(api_key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let header = Fields::default().i16(api_key).i16(version).i32(1).string(CLIENT_ID).done();
    Fields::default().i32((header.len() + body.len()) as i32).raw(&header).raw(body).done()
}

/// A zig-zag varint of a record.
fn varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// A batch of one record without a key, from no idempotent producer.
pub fn batch_of_one(value: &[u8], now_ms: i64) -> Vec<u8> {
    let mut record = vec![0]; // attributes
    varint(&mut record, 0); // timestamp delta
    varint(&mut record, 0); // offset delta
    varint(&mut record, -1); // null key
    varint(&mut record, value.len() as i64);
    record.extend(value);
    varint(&mut record, 0); // headers
    let mut records = Vec::new();
    varint(&mut records, record.len() as i64);
    records.extend(record);
    let after_crc = Fields::default().i16(0).i32(0).i64(now_ms).i64(now_ms).i64(-1).i16(-1).i32(-1).i32(1);
    let after_crc = after_crc.raw(&records).done();
    let head = Fields::default().i64(0).i32((after_crc.len() + 9) as i32).i32(-1).i8(2);
    head.i32(crc32c::crc32c(&after_crc) as i32).raw(&after_crc).done()
}

/// Produce version 7 of one batch to one partition.
pub fn produce(topic: &str, partition: i32, acks: i16, batch: &[u8]) -> Vec<u8> {
    let head = Fields::default().i16(-1).i16(acks).i32(30_000).i32(1).string(topic);
    request(PRODUCE, 7, &head.i32(1).i32(partition).bytes(batch).done())
}

/// The error code in an answer to [`produce`], without its size.
pub fn produce_error(answer: &[u8]) -> Result<i16, Failure> {
    let topic_at = 4 + 4; // correlation id, number of topics
    let topic_len = i16_at(answer, topic_at)? as usize;
    i16_at(answer, topic_at + 2 + topic_len + 4 + 4)
}

/// Two bytes of an answer.
pub fn i16_at(answer: &[u8], at: usize) -> Result<i16, Failure> {
    let bytes = answer.get(at..at + 2).ok_or("the answer is too short")?;
    Ok(i16::from_be_bytes(bytes.try_into().expect("the range has two bytes")))
}

/// Fields of an answer, one after the other.
pub struct Reading<'a>(&'a [u8]);

impl Reading<'_> {
    /// From a place on.
    pub fn of(answer: &[u8], at: usize) -> Reading<'_> {
        Reading(answer.get(at..).unwrap_or_default())
    }

    fn take(&mut self, count: usize) -> Result<&[u8], Failure> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("the answer is too short")?;
        self.0 = rest;
        Ok(taken)
    }

    /// Passes over so many bytes.
    pub fn skip(&mut self, count: usize) -> Result<(), Failure> {
        self.take(count).map(drop)
    }

    /// Two bytes.
    pub fn i16(&mut self) -> Result<i16, Failure> {
        Ok(i16::from_be_bytes(self.take(2)?.try_into()?))
    }

    /// Four bytes.
    pub fn i32(&mut self) -> Result<i32, Failure> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into()?))
    }

    /// A string with its length in two bytes.
    pub fn string(&mut self) -> Result<String, Failure> {
        let len = usize::try_from(self.i16()?)?;
        Ok(String::from_utf8(self.take(len)?.to_vec())?)
    }
}

/// A connection that gives up on a broker that does not answer.
pub fn connect(bootstrap: &str) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect(bootstrap)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    Ok(stream)
}

/// Sends a request and returns its answer without the size: correlation id first.
pub fn ask(stream: &mut TcpStream, request: &[u8]) -> Result<Vec<u8>, Failure> {
    stream.write_all(request)?;
    receive(stream)
}

/// The next answer without the size.
pub fn receive(stream: &mut TcpStream) -> Result<Vec<u8>, Failure> {
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let mut answer = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_says_its_own_length() {
        let batch = batch_of_one(b"hello", 7);
        let length = i32::from_be_bytes(*batch[8..].first_chunk().unwrap());
        assert_eq!(length as usize, batch.len() - 12);
        assert_eq!(&batch[batch.len() - 6..batch.len() - 1], b"hello");
    }

    #[test]
    fn varints_are_zig_zag() {
        let written = |value| {
            let mut out = Vec::new();
            varint(&mut out, value);
            out
        };
        assert_eq!((written(-1), written(1), written(64)), (vec![1], vec![2], vec![0x80, 1]));
    }

    #[test]
    fn the_error_of_an_answer_stands_after_topic_and_partition() {
        let answer = Fields::default().i32(1).i32(1).string("topic").i32(1).i32(0).i16(6).i64(0).done();
        assert_eq!(produce_error(&answer).unwrap(), 6);
        assert!(produce_error(&answer[..20]).is_err());
    }
}
