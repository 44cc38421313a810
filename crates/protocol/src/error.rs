//! Why a message could not be read or written.

use thiserror::Error;

/// The bytes are not the message that they were said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The input ends in the middle of a value.
    #[error("{needed} bytes are needed where {remaining} remain")]
    UnexpectedEnd {
        /// Bytes that the value takes.
        needed: usize,
        /// Bytes that are left.
        remaining: usize,
    },
    /// A length or a count that its type does not allow.
    #[error("a length of {0} is not valid")]
    InvalidLength(i64),
    /// A null where this version allows none.
    #[error("null in a field that is not nullable")]
    UnexpectedNull,
    /// A variable-length integer of more bits than its type has.
    #[error("a variable-length integer is too long")]
    InvalidVarint,
    /// The content of a tagged field is longer or shorter than its length says.
    #[error("tagged field {tag} holds {used} bytes, its length says {size}")]
    TaggedFieldSize {
        /// The field's tag.
        tag: u32,
        /// Length on the wire, in bytes.
        size: usize,
        /// Bytes that its value took.
        used: usize,
    },
    /// Reading on would take more memory than the reader may use.
    #[error("the message would take more memory than its reader allows")]
    BudgetExceeded,
    /// The message is not defined for this version.
    #[error("{name} has no version {version}")]
    UnsupportedVersion {
        /// Name of the message.
        name: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// No message has this key.
    #[error("{name} has no key {key}")]
    UnknownKey {
        /// Name of the family of messages.
        name: &'static str,
        /// The key asked for.
        key: i16,
    },
}

/// The value cannot be expressed in this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// The field is not part of this version, has another value than its default, and may not be dropped.
    #[error("{field} of {message} is set but is not part of version {version}")]
    FieldNotInVersion {
        /// Name of the struct.
        message: &'static str,
        /// Name of the field.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// The field is null, and may not be in this version.
    #[error("{field} of {message} may not be null in version {version}")]
    UnexpectedNull {
        /// Name of the struct.
        message: &'static str,
        /// Name of the field.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// More bytes or elements than the length's type can express.
    #[error("a length of {0} cannot be encoded")]
    TooLong(usize),
    /// The message is not defined for this version.
    #[error("{name} has no version {version}")]
    UnsupportedVersion {
        /// Name of the message.
        name: &'static str,
        /// The version asked for.
        version: i16,
    },
}
