//! A message as JSON, by its table alone. Pure.

use bytes::Bytes;
use data_encoding::BASE64;
use protocol::{DecodeError, Reader};

use super::schema::{Field, Message, Versions};

/// How bytes are written that a group keeps for its members and does not look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opaque {
    /// As they are.
    AsBase64,
    /// As what consumers say in them, where it is that.
    AsConsumers,
}

/// Reads a message of this version.
///
/// # Errors
/// What is wrong with the bytes, as a clause.
pub fn content(
    reader: &mut Reader,
    message: &Message,
    version: i16,
    opaque: Opaque,
) -> Result<String, String> {
    if !message.versions.contains(version) {
        return Err(format!("{} has no version {version}", message.name));
    }
    let told = Telling { message, version, flexible: message.flexible.contains(version), opaque };
    told.object(reader, &message.fields).map_err(|error| format!("{}: {error}", message.name))
}

/// A message on its way into JSON.
struct Telling<'a> {
    message: &'a Message,
    version: i16,
    flexible: bool,
    opaque: Opaque,
}

impl Telling<'_> {
    /// The fields in the order of the table; those with a tag only where they are there.
    fn object(&self, reader: &mut Reader, fields: &[Field]) -> Result<String, DecodeError> {
        let tag = |field: &Field| field.tag.filter(|(_, versions)| versions.contains(self.version));
        let mut values: Vec<Option<String>> = Vec::with_capacity(fields.len());
        for field in fields {
            let is_inline = field.versions.contains(self.version) && tag(field).is_none();
            values.push(if is_inline { Some(self.value(reader, field)?) } else { None });
        }
        if self.flexible {
            for _ in 0..reader.uvarint()? {
                let (number, size) = (reader.uvarint()?, reader.uvarint()? as usize);
                let content = reader.take(size)?;
                let place = fields.iter().position(|field| tag(field).is_some_and(|(tag, _)| tag == number));
                if let Some((field, value)) =
                    place.and_then(|place| fields.get(place).zip(values.get_mut(place)))
                {
                    *value = Some(self.value(&mut Reader::new(content), field)?)
                        .filter(|it| !field.is_default(it));
                }
            }
        }
        let pairs = fields.iter().zip(values).filter_map(|(field, value)| Some((field, value?)));
        let pairs = pairs.map(|(field, value)| format!("\"{}\":{value}", camel(field.name)));
        Ok(format!("{{{}}}", pairs.collect::<Vec<_>>().join(",")))
    }

    fn value(&self, reader: &mut Reader, field: &Field) -> Result<String, DecodeError> {
        match field.kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')) {
            Some(element) => self.array(reader, field, element),
            None => self.single(reader, field, field.kind),
        }
    }

    fn array(&self, reader: &mut Reader, field: &Field, element: &str) -> Result<String, DecodeError> {
        let len = match self.flexible {
            true => i64::from(reader.uvarint()?) - 1,
            false => i64::from(reader.i32()?),
        };
        let Ok(len) = usize::try_from(len) else { return self.null(field) };
        // An element has a byte at least.
        reader.peek(len)?;
        let elements =
            (0..len).map(|_| self.single(reader, field, element)).collect::<Result<Vec<_>, _>>()?;
        Ok(format!("[{}]", elements.join(",")))
    }

    fn single(&self, reader: &mut Reader, field: &Field, kind: &str) -> Result<String, DecodeError> {
        Ok(match kind {
            "bool" => reader.bool()?.to_string(),
            "i8" => reader.i8()?.to_string(),
            "i16" => reader.i16()?.to_string(),
            "u16" => reader.u16()?.to_string(),
            "i32" => reader.i32()?.to_string(),
            "u32" => reader.u32()?.to_string(),
            "i64" => reader.i64()?.to_string(),
            "f64" => format!("{:?}", reader.f64()?),
            "uuid" => text(&reader.uuid()?.to_string()),
            "string" => match reader.opt_string(self.flexible)? {
                None => self.null(field)?,
                Some(it) => text(&it),
            },
            "bytes" => match reader.opt_bytes(self.flexible)? {
                None => self.null(field)?,
                Some(bytes) => self.bytes(field, &bytes),
            },
            _ => {
                if self.is_null_struct(reader, field)? {
                    return Ok("null".to_owned());
                }
                self.object(reader, self.message.struct_of(field).unwrap_or_default())?
            }
        })
    }

    /// Reads the mark that stands before a struct which may be null: a byte, or a varint where the field has a tag.
    fn is_null_struct(&self, reader: &mut Reader, field: &Field) -> Result<bool, DecodeError> {
        let is_in = |versions: Versions| versions.contains(self.version);
        Ok(match field.tag {
            _ if !is_in(field.nullable) || field.kind.starts_with('[') => false,
            Some((_, versions)) if is_in(versions) => reader.uvarint()? == 0,
            _ => reader.i8()? < 0,
        })
    }

    fn null(&self, field: &Field) -> Result<String, DecodeError> {
        match field.nullable.contains(self.version) {
            true => Ok("null".to_owned()),
            false => Err(DecodeError::UnexpectedNull),
        }
    }

    fn bytes(&self, field: &Field, bytes: &Bytes) -> String {
        let told = match self.opaque {
            Opaque::AsConsumers => consumer_protocol(field.name, bytes),
            Opaque::AsBase64 => None,
        };
        told.unwrap_or_else(|| text(&BASE64.encode(bytes)))
    }
}

/// What consumers of a group tell each other, where the bytes are that.
fn consumer_protocol(field: &str, bytes: &Bytes) -> Option<String> {
    let name = match field {
        "subscription" => "ConsumerProtocolSubscription",
        "assignment" => "ConsumerProtocolAssignment",
        _ => return None,
    };
    let message = Message::of_name(name)?;
    let mut reader = Reader::new(bytes.clone());
    // A version to come adds at the end.
    let version = reader.i16().ok()?.min(3);
    content(&mut reader, message, version, Opaque::AsBase64).ok()
}

fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `voter_id` as `voterId`.
fn camel(name: &str) -> String {
    let mut after_line = false;
    let mut camel = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '_' => after_line = true,
            _ if after_line => {
                camel.push(letter.to_ascii_uppercase());
                after_line = false;
            }
            _ => camel.push(letter),
        }
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::super::schema::Table;
    use super::*;

    fn told(name: &str, version: i16, bytes: &'static [u8]) -> Result<String, String> {
        let message = Message::of_name(name).unwrap();
        content(&mut Reader::new(Bytes::from_static(bytes)), message, version, Opaque::AsBase64)
    }

    #[test]
    fn tagged_fields_are_told_where_they_came() {
        let plain = told("VotersRecord", 0, b"\0\0\x01\0").unwrap();
        assert_eq!(plain, r#"{"version":0,"voters":[]}"#);
        let unknown = told("VotersRecord", 0, b"\0\0\x01\x01\x63\x02ab").unwrap();
        assert_eq!(unknown, plain);
    }

    #[test]
    fn a_struct_with_a_tag_is_null_by_a_varint() {
        let message = Table::Groups.message("coordinator-value", 5).unwrap();
        let bytes = b"\0\0\x01\x01\x01\0\0\0\0\x07\0\x01\0\x01\0";
        let told =
            content(&mut Reader::new(Bytes::from_static(bytes)), message, 0, Opaque::AsBase64).unwrap();
        assert!(
            told.ends_with(r#""rebalanceTimeoutMs":7,"serverAssignor":null,"classicMemberMetadata":null}"#),
            "{told}"
        );
    }

    #[test]
    fn null_is_told_only_where_it_may_stand() {
        let record = told("ConsumerProtocolSubscription", 0, b"\0\0\0\0\xff\xff\xff\xff").unwrap();
        assert_eq!(record, r#"{"topics":[],"userData":null}"#);
        assert!(told("ConsumerProtocolSubscription", 0, b"\xff\xff\xff\xff\xff\xff\xff\xff").is_err());
    }

    #[test]
    fn names_are_written_as_java_writes_them() {
        assert_eq!(camel("k_raft_version"), "kRaftVersion");
    }
}
