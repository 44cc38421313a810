//! Names and numbers of Kafka's protocol as types, the codec generated from `schemas/`, and record batches viewed in place.
//!
//! Nothing here touches the network, a file or a clock. What comes from outside is read by [`Reader`], which checks every
//! length before it allocates; what goes out is written by [`Writer`], which never copies records.

mod api_key;
mod error;
mod error_code;
mod message;
mod reader;
mod record_set;
mod uuid;
mod writer;

pub use api_key::{ApiKey, Listener, VersionRange};
pub use error::{DecodeError, EncodeError};
pub use error_code::ErrorCode;
pub use message::{Message, Record, Request, Struct};
pub use reader::{Element, Reader};
pub use record_set::Records;
pub use uuid::{ParseUuidError, Uuid};
pub use writer::{Part, Tags, Writer};
