//! What all messages have in common.

use std::fmt::Debug;

use crate::{ApiKey, DecodeError, EncodeError, Reader, Writer};

/// A struct on the wire: a message, or a part of one. Implemented by the generated code.
pub trait Struct: Sized + Default + Clone + PartialEq + Debug {
    /// Reads the fields of this version; those it lacks get their defaults.
    fn read(reader: &mut Reader, version: i16) -> Result<Self, DecodeError>;

    /// Writes the fields of this version.
    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError>;

    /// Shows every error code in it, those of its parts too; 0 stands for no error.
    fn visit_errors(&self, _visit: &mut impl FnMut(i16)) {}
}

/// A message of the protocol, or a record of one of the internal topics.
pub trait Message: Struct {
    /// Kafka's name.
    const NAME: &'static str;
    /// The first valid version, inclusive.
    const MIN_VERSION: i16;
    /// The last valid version, inclusive; below the first for a message that is no longer in use.
    const MAX_VERSION: i16;
    /// The first version with compact lengths and tagged fields.
    const FLEXIBLE_FROM: Option<i16>;

    /// Reads a message; what follows it stays in the reader.
    fn decode(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        if !(Self::MIN_VERSION..=Self::MAX_VERSION).contains(&version) {
            return Err(DecodeError::UnsupportedVersion { name: Self::NAME, version });
        }
        Self::read(reader, version)
    }

    /// Writes the message. A field that this version lacks must have its default, unless the table calls it ignorable.
    fn encode(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
        if !(Self::MIN_VERSION..=Self::MAX_VERSION).contains(&version) {
            return Err(EncodeError::UnsupportedVersion { name: Self::NAME, version });
        }
        self.write(writer, version)
    }
}

/// A request, and what answers it.
pub trait Request: Message {
    /// The key in its header.
    const API_KEY: ApiKey;
    /// The message that answers it, in the same version.
    type Response: Message;
}

/// A record of the metadata log or of one of the internal topics.
pub trait Record: Message {
    /// The number of the record's type; a key and its value share one.
    const KEY: i16;
}
