//! Names and numbers of Kafka's protocol as types, the codec generated from `schemas/`, and record batches viewed in place.
//!
//! Nothing here touches the network, a file or a clock. What comes from outside is read by [`Reader`], which checks every
//! length before it allocates; what goes out is written by [`Writer`], which never copies records.

mod api_key;
pub mod compression;
pub mod coordinator_record;
mod error;
mod error_code;
mod header;
mod message;
pub mod messages;
pub mod metadata_record;
mod reader;
mod record_set;
pub mod records;
pub mod scram;
mod uuid;
mod writer;

pub use api_key::{ApiKey, Listener, VersionRange};
pub use error::{DecodeError, EncodeError};
pub use error_code::ErrorCode;
pub use header::{
    decode_request_header, decode_response_header, encode_request_header, encode_response_header,
    request_header_version, response_header_version,
};
pub use message::{Message, Record, Request, Struct};
pub use reader::{Element, Reader};
pub use record_set::Records;
pub use uuid::{ParseUuidError, Uuid};
pub use writer::{Part, Put, Tags, Writer};
