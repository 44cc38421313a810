//! Records become lines, as Kafka's default formatter writes them.

use std::fmt::Display;

use client::ConsumerRecord;
use protocol::records::TimestampType;

use crate::commands::field_type::FieldType;
use crate::commands::java_text::Charset;

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

fn put(out: &mut Vec<u8>, value: impl Display) {
    out.extend_from_slice(value.to_string().as_bytes());
}

impl LineWriter {
    /// The writer that properties describe; those that it does not know say nothing. The types are those where no property names a
    /// deserializer. What has one that cannot be had is written as it is, as by Kafka's tool; the second says which.
    pub fn new(
        properties: &[(String, String)],
        key_type: FieldType,
        value_type: FieldType,
    ) -> (LineWriter, Vec<String>) {
        let text = |key: &str| properties.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value);
        let is = |key, usual| text(key).map_or(usual, |value| value.trim().eq_ignore_ascii_case("true"));
        let or = |key, usual: &str| text(key).map_or_else(|| usual.to_owned(), String::clone);
        let mut missing = Vec::new();
        let mut read_by = |field, encoding, usual| {
            let field_type = deserializer(properties, field, encoding).unwrap_or(Ok(usual));
            field_type.unwrap_or_else(|why| {
                missing.push(why);
                FieldType::Bytes
            })
        };
        let writer = LineWriter {
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
            key_type: read_by("key", "key", key_type),
            value_type: read_by("value", "value", value_type),
            headers_type: read_by("headers", "value", FieldType::Bytes),
        };
        (writer, missing)
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

/// What the deserializer of a field reads, where properties name one. Its own properties stand behind its name: of texts the
/// character set, as `key.deserializer.key.deserializer.encoding` or `key.deserializer.deserializer.encoding`.
fn deserializer(
    properties: &[(String, String)],
    field: &str,
    encoding: &str,
) -> Option<Result<FieldType, String>> {
    let text = |key: &str| properties.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value);
    let class = text(&format!("{field}.deserializer"))?;
    let charset = text(&format!("{field}.deserializer.{encoding}.deserializer.encoding"))
        .or_else(|| text(&format!("{field}.deserializer.deserializer.encoding")));
    let unknown = || format!("Unable to instantiate a deserializer from {class}: its encoding is not known");
    let charset = charset.map(|name| Charset::of_name(name).ok_or_else(unknown)).transpose();
    Some(FieldType::of_class(class).and_then(|field_type| match charset? {
        Some(charset) => Ok(field_type.encoded(charset)),
        None => Ok(field_type),
    }))
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
        let properties: Vec<_> = properties.iter().map(owned).collect();
        LineWriter::new(&properties, FieldType::Bytes, FieldType::Bytes).0
    }

    fn record(key: Option<&'static str>, value: Option<&'static [u8]>) -> ConsumerRecord {
        ConsumerRecord {
            topic: "t".into(),
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
    fn a_deserializer_that_is_not_there_is_told_of_and_the_bytes_are_written() {
        let properties = |pairs: &[(&str, &str)]| {
            let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            LineWriter::new(&pairs.iter().map(owned).collect::<Vec<_>>(), FieldType::Long, FieldType::Long)
        };
        let (writer, missing) = properties(&[("key.deserializer", "Nope"), ("print.key", "true")]);
        assert_eq!((writer.key_type, writer.value_type), (FieldType::Bytes, FieldType::Long));
        assert_eq!(missing, ["Unable to instantiate a deserializer from Nope"]);
        let (_, missing) = properties(&[
            ("value.deserializer", "StringDeserializer"),
            ("value.deserializer.deserializer.encoding", "NOPE"),
        ]);
        assert_eq!(missing.len(), 1);
    }

    #[test]
    fn texts_are_of_the_character_set_that_their_deserializer_is_told() {
        let utf16 = record(None, Some(&[0, 0xe9]));
        let class = ("value.deserializer", "StringDeserializer");
        for (property, text) in [
            ("value.deserializer.value.deserializer.encoding", "é\n"),
            ("value.deserializer.deserializer.encoding", "é\n"),
            ("value.deserializer.encoding", "\0\u{fffd}\n"),
            ("value.deserializer.key.deserializer.encoding", "\0\u{fffd}\n"),
        ] {
            assert_eq!(line(&[class, (property, "UTF-16")], &utf16), text, "{property}");
        }
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
    }
}
