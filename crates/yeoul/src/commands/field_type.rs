//! What the bytes of keys and values stand for: the serializers of Kafka whose text is plain, and some more for people.

use std::fmt::Display;

use bytes::Bytes;
use clap::ValueEnum;
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use serde_json::Value;

use super::java_double::{format_double, format_float};
use super::java_text::{self, Charset};

/// What bytes stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FieldType {
    /// As they are.
    #[default]
    Bytes,
    /// Text; what is no UTF-8 is replaced.
    #[value(name = "string")]
    Text,
    /// A number of two bytes.
    Short,
    /// A number of four bytes.
    Integer,
    /// A number of eight bytes.
    Long,
    /// A number of four bytes with a fraction.
    Float,
    /// A number of eight bytes with a fraction.
    Double,
    /// A byte that is 0 or 1.
    Boolean,
    /// The text of a UUID.
    Uuid,
    /// Nothing, ever.
    Void,
    /// Any bytes, as letters where they are plain ones, and as \xFF where not.
    Escaped,
    /// Text of a character set of its own.
    #[value(skip)]
    Encoded(Charset),
    /// Any bytes, of which only the number is told.
    #[value(skip)]
    Buffer,
    /// Any bytes, as two digits each.
    Hex,
    /// Any bytes, in base64.
    Base64,
    /// A text of JSON.
    Json,
}

impl FieldType {
    /// The type that a deserializer of Kafka's reads.
    ///
    /// # Errors
    /// If there is none of this name here, or it needs to be told more.
    pub fn of_class(class: &str) -> Result<FieldType, String> {
        let name = class.strip_prefix("org.apache.kafka.common.serialization.").unwrap_or(class);
        Ok(match name {
            "ByteArrayDeserializer" => FieldType::Bytes,
            "ByteBufferDeserializer" => FieldType::Buffer,
            "BytesDeserializer" => FieldType::Escaped,
            "StringDeserializer" => FieldType::Text,
            "ShortDeserializer" => FieldType::Short,
            "IntegerDeserializer" => FieldType::Integer,
            "LongDeserializer" => FieldType::Long,
            "FloatDeserializer" => FieldType::Float,
            "DoubleDeserializer" => FieldType::Double,
            "BooleanDeserializer" => FieldType::Boolean,
            "UUIDDeserializer" => FieldType::Uuid,
            "VoidDeserializer" => FieldType::Void,
            _ => return Err(format!("Unable to instantiate a deserializer from {class}")),
        })
    }

    /// The same where texts are of another character set; what is no text has none.
    pub fn encoded(self, charset: Charset) -> FieldType {
        if self == FieldType::Text { FieldType::Encoded(charset) } else { self }
    }

    /// Writes what the bytes stand for as text.
    ///
    /// # Errors
    /// If they are nothing of this type.
    pub fn write(self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        match self {
            FieldType::Bytes => out.extend_from_slice(bytes),
            FieldType::Text => out.extend_from_slice(java_text::utf8(bytes).as_bytes()),
            FieldType::Short => put(out, i16::from_be_bytes(sized(bytes)?)),
            FieldType::Integer => put(out, i32::from_be_bytes(sized(bytes)?)),
            FieldType::Long => put(out, i64::from_be_bytes(sized(bytes)?)),
            FieldType::Float => put(out, format_float(f32::from_be_bytes(sized(bytes)?))),
            FieldType::Double => put(out, format_double(f64::from_be_bytes(sized(bytes)?))),
            FieldType::Boolean => put(out, boolean(bytes)?),
            FieldType::Uuid => out.extend_from_slice(uuid(bytes)?.as_bytes()),
            FieldType::Void => return Err("Data should be null for a VoidDeserializer.".to_owned()),
            FieldType::Escaped => put(out, java_text::escaped(bytes)),
            FieldType::Encoded(charset) => put(out, charset.text(bytes)),
            FieldType::Buffer => {
                put(out, format_args!("java.nio.HeapByteBuffer[pos=0 lim={0} cap={0}]", bytes.len()));
            }
            FieldType::Hex => out.extend_from_slice(HEXLOWER.encode(bytes).as_bytes()),
            FieldType::Base64 => out.extend_from_slice(BASE64.encode(bytes).as_bytes()),
            FieldType::Json => {
                json(bytes)?;
                out.extend_from_slice(bytes);
            }
        }
        Ok(())
    }

    /// What the bytes stand for as JSON: numbers as numbers, and all that is text as a string.
    ///
    /// # Errors
    /// If they are nothing of this type.
    pub fn json(self, bytes: &[u8]) -> Result<Value, String> {
        Ok(match self {
            FieldType::Short => i16::from_be_bytes(sized(bytes)?).into(),
            FieldType::Integer => i32::from_be_bytes(sized(bytes)?).into(),
            FieldType::Long => i64::from_be_bytes(sized(bytes)?).into(),
            // The shortest number that is read back as this one.
            FieldType::Float => shortest(f32::from_be_bytes(sized(bytes)?)).into(),
            FieldType::Double => f64::from_be_bytes(sized(bytes)?).into(),
            FieldType::Boolean => boolean(bytes)?.into(),
            FieldType::Json => json(bytes)?,
            _ => {
                let mut text = Vec::new();
                self.write(bytes, &mut text)?;
                String::from_utf8_lossy(&text).into()
            }
        })
    }

    /// The bytes that a text stands for.
    ///
    /// # Errors
    /// A clause about a text that is nothing of this type.
    pub fn read(self, text: &Bytes) -> Result<Bytes, String> {
        let wrong = |expected: &str| format!("`{}` is no {expected}", String::from_utf8_lossy(text));
        let plain = || str::from_utf8(text).map(str::trim).unwrap_or_default();
        let number = |bytes: Option<&[u8]>, expected| match bytes {
            Some(bytes) => Ok(Bytes::copy_from_slice(bytes)),
            None => Err(wrong(expected)),
        };
        match self {
            FieldType::Bytes | FieldType::Text | FieldType::Encoded(_) | FieldType::Buffer => {
                Ok(text.clone())
            }
            FieldType::Short => {
                let parsed = plain().parse::<i16>().ok().map(i16::to_be_bytes);
                number(parsed.as_ref().map(|bytes| &bytes[..]), "number of 2 bytes, -32768 to 32767")
            }
            FieldType::Integer => {
                let parsed = plain().parse::<i32>().ok().map(i32::to_be_bytes);
                number(
                    parsed.as_ref().map(|bytes| &bytes[..]),
                    "number of 4 bytes, -2147483648 to 2147483647",
                )
            }
            FieldType::Long => {
                let parsed = plain().parse::<i64>().ok().map(i64::to_be_bytes);
                number(parsed.as_ref().map(|bytes| &bytes[..]), "number of 8 bytes")
            }
            FieldType::Float => {
                let parsed = plain().parse::<f32>().ok().map(f32::to_be_bytes);
                number(parsed.as_ref().map(|bytes| &bytes[..]), "number")
            }
            FieldType::Double => {
                let parsed = plain().parse::<f64>().ok().map(f64::to_be_bytes);
                number(parsed.as_ref().map(|bytes| &bytes[..]), "number")
            }
            FieldType::Boolean => match plain().to_ascii_lowercase().as_str() {
                "true" => Ok(Bytes::from_static(&[1])),
                "false" => Ok(Bytes::from_static(&[0])),
                _ => Err(wrong("true or false")),
            },
            FieldType::Void => Err(wrong("null, which the null.marker stands for")),
            FieldType::Escaped => {
                let bytes = java_text::unescaped(text).map(Bytes::from);
                bytes.ok_or_else(|| wrong("text in which \\ begins a byte as \\xFF"))
            }
            FieldType::Uuid => uuid(plain().as_bytes()).map(Bytes::from).map_err(|_| wrong("UUID")),
            FieldType::Hex => {
                let decoded = HEXLOWER_PERMISSIVE.decode(plain().as_bytes());
                decoded.map(Bytes::from).map_err(|_| wrong("text of two digits 0 to f for each byte"))
            }
            FieldType::Base64 => {
                let decoded = BASE64.decode(plain().as_bytes());
                decoded.map(Bytes::from).map_err(|_| wrong("base64"))
            }
            FieldType::Json => json(text).map(|_| text.clone()).map_err(|_| wrong("JSON")),
        }
    }
}

fn sized<const N: usize>(bytes: &[u8]) -> Result<[u8; N], String> {
    let sized = bytes.try_into();
    sized.map_err(|_| format!("{} bytes are no number of {N} bytes", bytes.len()))
}

fn uuid(bytes: &[u8]) -> Result<String, String> {
    let text = str::from_utf8(bytes).map_err(|_| "the bytes are no text of a UUID".to_owned())?;
    java_text::uuid(text).ok_or_else(|| format!("`{text}` is no UUID"))
}

fn boolean(bytes: &[u8]) -> Result<bool, String> {
    match bytes {
        [0] => Ok(false),
        [1] => Ok(true),
        _ => Err(format!("{} bytes are no boolean: it is one, 0 or 1", bytes.len())),
    }
}

/// The number with the fewest digits that is read back as this one.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| value.into())
}

fn json(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("this is no JSON: {error}"))
}

fn put(out: &mut Vec<u8>, value: impl Display) {
    out.extend_from_slice(value.to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(field_type: FieldType, text: &'static str) -> (Bytes, String) {
        let bytes = field_type.read(&Bytes::from_static(text.as_bytes())).unwrap();
        let mut out = Vec::new();
        field_type.write(&bytes, &mut out).unwrap();
        (bytes, String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_is_read_is_written_again() {
        for (field_type, text, bytes) in [
            (FieldType::Text, "여울", "여울".as_bytes()),
            (FieldType::Short, "-2", &[255, 254][..]),
            (FieldType::Integer, "256", &[0, 0, 1, 0]),
            (FieldType::Long, "-1", &[255; 8]),
            (FieldType::Double, "1.5", &[0x3f, 0xf8, 0, 0, 0, 0, 0, 0]),
            (FieldType::Float, "1.5", &[0x3f, 0xc0, 0, 0]),
            (FieldType::Boolean, "true", &[1]),
            (FieldType::Escaped, r"a\x00", b"a\0"),
            (FieldType::Hex, "00ff", &[0, 255]),
            (FieldType::Base64, "AP8=", &[0, 255]),
            (FieldType::Json, "{\"a\": 1}", b"{\"a\": 1}"),
        ] {
            assert_eq!(there_and_back(field_type, text), (Bytes::from_static(bytes), text.to_owned()));
        }
        assert_eq!(there_and_back(FieldType::Hex, "0AFF").1, "0aff");
    }

    #[test]
    fn what_is_nothing_of_its_type_is_told_with_what_was_expected() {
        for (field_type, text) in [
            (FieldType::Short, "40000"),
            (FieldType::Integer, "x"),
            (FieldType::Long, "1.5"),
            (FieldType::Float, "x"),
            (FieldType::Double, ""),
            (FieldType::Boolean, "1"),
            (FieldType::Void, ""),
            (FieldType::Escaped, "\\"),
            (FieldType::Uuid, "1"),
            (FieldType::Hex, "0"),
            (FieldType::Base64, "A"),
            (FieldType::Json, "{"),
        ] {
            let told = field_type.read(&Bytes::from_static(text.as_bytes())).unwrap_err();
            assert!(told.starts_with(&format!("`{text}` is no ")), "{told}");
        }
    }

    #[test]
    fn numbers_are_numbers_in_json() {
        assert_eq!(FieldType::Long.json(&[255; 8]), Ok(Value::from(-1)));
        assert_eq!(FieldType::Double.json(&1.5f64.to_be_bytes()), Ok(Value::from(1.5)));
        assert_eq!(FieldType::Float.json(&0.1f32.to_be_bytes()), Ok(Value::from(0.1)));
        assert_eq!(FieldType::Boolean.json(&[1]), Ok(Value::from(true)));
        assert!(FieldType::Void.json(b"").is_err());
        assert_eq!(FieldType::Bytes.json(b"v"), Ok(Value::from("v")));
        assert!(FieldType::Integer.json(b"v").is_err());
    }

    #[test]
    fn a_class_of_kafkas_is_known_with_its_package_and_without() {
        let long = "org.apache.kafka.common.serialization.LongDeserializer";
        assert_eq!(FieldType::of_class(long), Ok(FieldType::Long));
        assert_eq!(FieldType::of_class("ShortDeserializer"), Ok(FieldType::Short));
        assert_eq!(FieldType::Text.encoded(Charset::Utf16), FieldType::Encoded(Charset::Utf16));
        assert_eq!(FieldType::Long.encoded(Charset::Utf16), FieldType::Long);
        assert!(FieldType::of_class("ListDeserializer").is_err());
        assert!(FieldType::of_class("com.example.MyDeserializer").is_err());
    }
}
