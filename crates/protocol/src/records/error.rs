//! What can be wrong with a batch.

use thiserror::Error;

use crate::compression::CompressionError;

/// Bytes that are not a valid batch of version 2.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BatchError {
    /// The bytes end before the batch does. At the end of a fetch or of a file this may be harmless: more was to come.
    #[error("{needed} bytes are needed where {remaining} remain")]
    Short {
        /// Bytes that are needed at least.
        needed: usize,
        /// Bytes that are there.
        remaining: usize,
    },
    /// There are more bytes than the one batch that was expected.
    #[error("{0} bytes follow the batch")]
    TrailingBytes(usize),
    /// The length field is below what a header takes.
    #[error("Record size {0} is less than the minimum record overhead (14)")]
    InvalidLength(i32),
    /// A message format other than version 2.
    #[error("Invalid magic found in record: {0}")]
    UnsupportedMagic(i8),
    /// The checksum does not match.
    #[error("the CRC is {computed:#010x}, the batch says {stored:#010x}")]
    CorruptCrc {
        /// What the batch says.
        stored: u32,
        /// What its bytes give.
        computed: u32,
    },
    /// The number of records does not fit the offsets or the bytes.
    #[error(
        "{records_count} records do not fit a last offset delta of {last_offset_delta} and {payload_bytes} bytes"
    )]
    InvalidCount {
        /// Number of records in the header.
        records_count: i32,
        /// Last offset delta in the header.
        last_offset_delta: i32,
        /// Bytes after the header.
        payload_bytes: usize,
    },
    /// The attributes name a compression that does not exist.
    #[error("compression {0} does not exist")]
    UnknownCompression(u8),
    /// The records could not be decompressed.
    #[error("{0}")]
    Compression(String),
    /// The records would take more memory than allowed when decompressed.
    #[error("more than {max_bytes} bytes when decompressed")]
    TooLarge {
        /// The cap, in bytes.
        max_bytes: usize,
    },
    /// A record whose lengths or numbers do not fit.
    #[error("invalid record: {0}")]
    InvalidRecord(&'static str),
}

impl From<CompressionError> for BatchError {
    fn from(error: CompressionError) -> BatchError {
        match error {
            CompressionError::TooLarge { max_bytes } => BatchError::TooLarge { max_bytes },
            other => BatchError::Compression(other.to_string()),
        }
    }
}
