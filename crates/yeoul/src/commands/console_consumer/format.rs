//! Records become lines, as Kafka's default formatter writes them.

use std::fmt::Display;

use client::ConsumerRecord;
use protocol::records::TimestampType;

/// What is written where a record has no field of a kind.
const NOT_PRESENT: &str = "NOT_PRESENT";

/// How a record is written: Kafka's formatter properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineWriter {
    timestamp: bool,
    partition: bool,
    offset: bool,
    delivery: bool,
    epoch: bool,
    headers: bool,
    key: bool,
    value: bool,
    key_separator: String,
    line_separator: String,
    headers_separator: String,
    null_literal: String,
    key_type: FieldType,
    value_type: FieldType,
    headers_type: FieldType,
}

/// What the bytes of a key or value stand for: the deserializers of Kafka whose text is plain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldType {
    /// As they are.
    #[default]
    Bytes,
    /// Text; what is no UTF-8 is replaced.
    Text,
    /// A number of two bytes.
    Short,
    /// A number of four bytes.
    Integer,
    /// A number of eight bytes.
    Long,
    /// The text of a UUID.
    Uuid,
}

impl FieldType {
    /// The type that a deserializer of Kafka's reads.
    ///
    /// # Errors
    /// If there is none of this name here.
    pub fn of_class(class: &str) -> Result<FieldType, String> {
        let name = class.strip_prefix("org.apache.kafka.common.serialization.").unwrap_or(class);
        Ok(match name {
            "ByteArrayDeserializer" => FieldType::Bytes,
            "StringDeserializer" => FieldType::Text,
            "ShortDeserializer" => FieldType::Short,
            "IntegerDeserializer" => FieldType::Integer,
            "LongDeserializer" => FieldType::Long,
            "UUIDDeserializer" => FieldType::Uuid,
            _ => return Err(format!("there is no deserializer {class}")),
        })
    }

    fn write(self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        match self {
            FieldType::Bytes => out.extend_from_slice(bytes),
            FieldType::Text => out.extend_from_slice(String::from_utf8_lossy(bytes).as_bytes()),
            FieldType::Short => put(out, i16::from_be_bytes(sized(bytes)?)),
            FieldType::Integer => put(out, i32::from_be_bytes(sized(bytes)?)),
            FieldType::Long => put(out, i64::from_be_bytes(sized(bytes)?)),
            FieldType::Uuid => out.extend_from_slice(uuid(bytes)?.as_bytes()),
        }
        Ok(())
    }
}

fn sized<const N: usize>(bytes: &[u8]) -> Result<[u8; N], String> {
    let sized = bytes.try_into();
    sized.map_err(|_| format!("{} bytes are no number of {N} bytes", bytes.len()))
}

fn uuid(bytes: &[u8]) -> Result<String, String> {
    let text = str::from_utf8(bytes).map_err(|_| "the bytes are no text of a UUID".to_owned())?;
    let plain = text.len() == 36 && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    plain.then(|| text.to_lowercase()).ok_or_else(|| format!("`{text}` is no UUID"))
}

fn put(out: &mut Vec<u8>, value: impl Display) {
    out.extend_from_slice(value.to_string().as_bytes());
}

impl LineWriter {
    /// The writer that properties describe; those that it does not know say nothing.
    ///
    /// # Errors
    /// If they name a deserializer that is not there.
    pub fn new(properties: &[(String, String)]) -> Result<LineWriter, String> {
        let text = |key: &str| properties.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value);
        let is = |key, usual| text(key).map_or(usual, |value| value.trim().eq_ignore_ascii_case("true"));
        let or = |key, usual: &str| text(key).map_or_else(|| usual.to_owned(), String::clone);
        let class = |key| text(key).map_or(Ok(FieldType::Bytes), |class| FieldType::of_class(class));
        Ok(LineWriter {
            timestamp: is("print.timestamp", false),
            partition: is("print.partition", false),
            offset: is("print.offset", false),
            delivery: is("print.delivery", false),
            epoch: is("print.epoch", false),
            headers: is("print.headers", false),
            key: is("print.key", false),
            value: is("print.value", true),
            key_separator: or("key.separator", "\t"),
            line_separator: or("line.separator", "\n"),
            headers_separator: or("headers.separator", ","),
            null_literal: or("null.literal", "null"),
            key_type: class("key.deserializer")?,
            value_type: class("value.deserializer")?,
            headers_type: class("headers.deserializer")?,
        })
    }

    /// Writes a record after what is there already.
    ///
    /// # Errors
    /// If the bytes are not what their deserializer reads; then nothing is written.
    pub fn write(&self, record: &ConsumerRecord, out: &mut Vec<u8>) -> Result<(), String> {
        let begin = out.len();
        let written = self.write_fields(record, out);
        if written.is_err() {
            out.truncate(begin);
        }
        written
    }

    fn write_fields(&self, record: &ConsumerRecord, out: &mut Vec<u8>) -> Result<(), String> {
        let mut fields = 0;
        let mut next = |is_wanted: bool, out: &mut Vec<u8>| {
            if is_wanted && fields > 0 {
                out.extend_from_slice(self.key_separator.as_bytes());
            }
            fields += i32::from(is_wanted);
            is_wanted
        };
        if next(self.timestamp, out) {
            put(out, timestamp(record));
        }
        if next(self.partition, out) {
            put(out, format_args!("Partition:{}", record.partition));
        }
        if next(self.offset, out) {
            put(out, format_args!("Offset:{}", record.offset));
        }
        // Deliveries are counted for share groups only, and Kafka's tool does not hand the epoch to its formatter.
        if next(self.delivery, out) {
            put(out, format_args!("Delivery:{NOT_PRESENT}"));
        }
        if next(self.epoch, out) {
            put(out, format_args!("Epoch:{NOT_PRESENT}"));
        }
        if next(self.headers, out) {
            self.write_headers(record, out)?;
        }
        if next(self.key, out) {
            self.write_field(self.key_type, record.key.as_deref(), out)?;
        }
        if next(self.value, out) {
            self.write_field(self.value_type, record.value.as_deref(), out)?;
        }
        if fields > 0 {
            out.extend_from_slice(self.line_separator.as_bytes());
        }
        Ok(())
    }

    fn write_headers(&self, record: &ConsumerRecord, out: &mut Vec<u8>) -> Result<(), String> {
        if record.headers.is_empty() {
            out.extend_from_slice(b"NO_HEADERS");
        }
        for (at, header) in record.headers.iter().enumerate() {
            if at > 0 {
                out.extend_from_slice(self.headers_separator.as_bytes());
            }
            out.extend_from_slice(&header.key);
            out.push(b':');
            self.write_field(self.headers_type, header.value.as_deref(), out)?;
        }
        Ok(())
    }

    fn write_field(
        &self,
        field_type: FieldType,
        bytes: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        match bytes {
            Some(bytes) => field_type.write(bytes, out),
            None => {
                out.extend_from_slice(self.null_literal.as_bytes());
                Ok(())
            }
        }
    }
}

fn timestamp(record: &ConsumerRecord) -> String {
    match record.timestamp_type {
        _ if record.timestamp < 0 => "NO_TIMESTAMP".to_owned(),
        TimestampType::CreateTime => format!("CreateTime:{}", record.timestamp),
        TimestampType::LogAppendTime => format!("LogAppendTime:{}", record.timestamp),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use protocol::records::Header;

    use super::*;

    fn writer(properties: &[(&str, &str)]) -> LineWriter {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        LineWriter::new(&properties.iter().map(owned).collect::<Vec<_>>()).unwrap()
    }

    fn record(key: Option<&'static str>, value: Option<&'static [u8]>) -> ConsumerRecord {
        ConsumerRecord {
            topic: "t".to_owned(),
            partition: 3,
            offset: 7,
            timestamp: 1_700_000_000_000,
            timestamp_type: TimestampType::CreateTime,
            key: key.map(|key| Bytes::from_static(key.as_bytes())),
            value: value.map(Bytes::from_static),
            headers: Vec::new(),
        }
    }

    fn line(properties: &[(&str, &str)], record: &ConsumerRecord) -> String {
        let mut out = Vec::new();
        writer(properties).write(record, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    const ALL: [(&str, &str); 7] = [
        ("print.timestamp", "true"),
        ("print.key", "true"),
        ("print.offset", "true"),
        ("print.partition", "true"),
        ("print.headers", "true"),
        ("print.epoch", "true"),
        ("print.delivery", "true"),
    ];

    #[test]
    fn a_value_is_a_line() {
        assert_eq!(line(&[], &record(Some("k"), Some(b"v"))), "v\n");
        assert_eq!(line(&[], &record(None, None)), "null\n");
        let mut out = b"before".to_vec();
        writer(&[]).write(&record(None, Some(&[0xff, 0])), &mut out).unwrap();
        assert_eq!(out, b"before\xff\x00\n");
    }

    #[test]
    fn all_fields_come_in_kafkas_order() {
        let expected = "CreateTime:1700000000000\tPartition:3\tOffset:7\tDelivery:NOT_PRESENT\tEpoch:NOT_PRESENT\t\
                        NO_HEADERS\tnull\tv\n";
        assert_eq!(line(&ALL, &record(None, Some(b"v"))), expected);
    }

    #[test]
    fn headers_are_pairs() {
        let header = |key: &'static str, value: Option<&'static str>| Header {
            key: Bytes::from_static(key.as_bytes()),
            value: value.map(|value| Bytes::from_static(value.as_bytes())),
        };
        let mut with_headers = record(Some("k"), None);
        with_headers.headers = vec![header("a", Some("1")), header("b", None)];
        let properties = [("print.headers", "true"), ("headers.separator", ";"), ("null.literal", "N")];
        assert_eq!(line(&properties, &with_headers), "a:1;b:N\tN\n");
    }

    #[test]
    fn the_last_field_ends_the_line_whatever_it_is() {
        let key_only = [("print.key", "true"), ("print.value", "false"), ("line.separator", "|")];
        assert_eq!(line(&key_only, &record(Some("k"), Some(b"v"))), "k|");
        assert_eq!(line(&[("print.value", "false")], &record(Some("k"), Some(b"v"))), "");
        let both = [("print.key", " TRUE "), ("key.separator", "=>")];
        assert_eq!(line(&both, &record(Some("k"), Some(b"v"))), "k=>v\n");
    }

    #[test]
    fn whose_clock_it_was_is_told() {
        let mut appended = record(None, Some(b"v"));
        appended.timestamp_type = TimestampType::LogAppendTime;
        assert_eq!(line(&[("print.timestamp", "true")], &appended), "LogAppendTime:1700000000000\tv\n");
        appended.timestamp = -1;
        assert_eq!(line(&[("print.timestamp", "true")], &appended), "NO_TIMESTAMP\tv\n");
    }

    #[test]
    fn numbers_are_read_by_their_deserializers() {
        let long = "org.apache.kafka.common.serialization.LongDeserializer";
        let properties = [("value.deserializer", long)];
        assert_eq!(line(&properties, &record(None, Some(&[0xff; 8]))), "-1\n");
        assert_eq!(
            line(&[("value.deserializer", "ShortDeserializer")], &record(None, Some(&[1, 2]))),
            "258\n"
        );
        assert_eq!(line(&properties, &record(None, None)), "null\n");
        let mut out = b"before".to_vec();
        let told = writer(&properties).write(&record(None, Some(b"abc")), &mut out);
        assert_eq!((told, out), (Err("3 bytes are no number of 8 bytes".to_owned()), b"before".to_vec()));
        assert!(FieldType::of_class("com.example.MyDeserializer").is_err());
    }
}
