//! Records as lines of JSON, for programs.

use client::ConsumerRecord;
use protocol::records::{Header, TimestampType};
use serde::Serialize;
use serde_json::Value;

use crate::commands::field_type::FieldType;

/// How keys and values are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonWriter {
    /// What the bytes of keys are.
    pub key_type: FieldType,
    /// What the bytes of values are.
    pub value_type: FieldType,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp: Option<i64>,
    timestamp_type: Option<&'a str>,
    headers: Vec<HeaderLine>,
    key: Option<Value>,
    value: Option<Value>,
}

#[derive(Serialize)]
struct HeaderLine {
    key: String,
    value: Option<String>,
}

impl JsonWriter {
    /// Writes a record after what is there already.
    ///
    /// # Errors
    /// If the bytes are not what they should be; then nothing is written.
    pub fn write(self, record: &ConsumerRecord, out: &mut Vec<u8>) -> Result<(), String> {
        let has_time = record.timestamp >= 0;
        let clock = match record.timestamp_type {
            TimestampType::CreateTime => "CreateTime",
            TimestampType::LogAppendTime => "LogAppendTime",
        };
        let line = Line {
            topic: &record.topic,
            partition: record.partition,
            offset: record.offset,
            timestamp: has_time.then_some(record.timestamp),
            timestamp_type: has_time.then_some(clock),
            headers: record.headers.iter().map(header).collect(),
            key: record.key.as_deref().map(|key| self.key_type.json(key)).transpose()?,
            value: record.value.as_deref().map(|value| self.value_type.json(value)).transpose()?,
        };
        out.extend(serde_json::to_vec(&line).map_err(|error| error.to_string())?);
        out.push(b'\n');
        Ok(())
    }
}

fn header(header: &Header) -> HeaderLine {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    HeaderLine { key: text(&header.key), value: header.value.as_deref().map(text) }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn record(value: &'static [u8]) -> ConsumerRecord {
        let header = Header { key: Bytes::from_static(b"h"), value: None };
        ConsumerRecord {
            topic: "t".into(),
            partition: 1,
            offset: 7,
            timestamp: 9,
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: Some(Bytes::from_static(value)),
            headers: vec![header],
        }
    }

    #[test]
    fn a_record_is_a_line_with_all_that_there_is() {
        let mut out = Vec::new();
        JsonWriter::default().write(&record(b"v\"w"), &mut out).unwrap();
        let line = String::from_utf8(out).unwrap();
        assert_eq!(
            line,
            concat!(
                r#"{"topic":"t","partition":1,"offset":7,"timestamp":9,"timestampType":"CreateTime","#,
                r#""headers":[{"key":"h","value":null}],"key":null,"value":"v\"w"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn a_value_is_what_its_type_says() {
        let written = |value_type, value| {
            let mut out = Vec::new();
            JsonWriter { value_type, ..JsonWriter::default() }.write(&record(value), &mut out)?;
            let line: Value = serde_json::from_slice(&out).unwrap();
            Ok(line["value"].clone())
        };
        assert_eq!(written(FieldType::Integer, &[0, 0, 1, 0]), Ok(Value::from(256)));
        assert_eq!(written(FieldType::Json, br#"{"a":[1]}"#), Ok(serde_json::json!({"a": [1]})));
        assert_eq!(written(FieldType::Hex, &[1, 255]), Ok(Value::from("01ff")));
        let refused: Result<Value, String> = written(FieldType::Json, b"{");
        assert!(refused.is_err());
    }
}
