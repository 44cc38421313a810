//! What can go wrong between a client and a cluster.

use std::time::Duration;

use protocol::{ApiKey, DecodeError, EncodeError, ErrorCode};
use thiserror::Error;

/// Why a request did not succeed.
#[derive(Debug, Error)]
pub enum ClientError {
    /// No server of the list can be reached.
    #[error("no broker can be reached at `{0}`")]
    NoBroker(String),
    /// An address that is not `host:port`.
    #[error("`{0}` is not of the form host:port")]
    BadAddress(String),
    /// The connection could not be made.
    #[error("cannot connect to `{address}`: {source}")]
    Connect {
        /// Host and port.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The connection ended, or an answer on it made no sense, before this request was answered.
    #[error("the connection to `{0}` was lost")]
    Disconnected(String),
    /// No answer in time.
    #[error("no answer to {api} within {} ms", after.as_millis())]
    TimedOut {
        /// The API that was asked.
        api: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// Broker and client have no version of this API in common. In the words of Kafka's client.
    #[error("The node does not support {}", constant(.0))]
    UnsupportedApi(&'static str),
    /// The answer could not be read.
    #[error("the broker's answer cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// The request could not be expressed in the version that was agreed on.
    #[error("the request cannot be sent: {0}")]
    Encode(#[from] EncodeError),
    /// The broker refused.
    #[error("{}", message.as_deref().unwrap_or(code.message()))]
    Refused {
        /// Why.
        code: ErrorCode,
        /// The broker's own words, if it gave any.
        message: Option<String>,
    },
    /// Fetched records are damaged.
    #[error("the records of {topic}-{partition} cannot be read: {why}")]
    Corrupt {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// What is wrong.
        why: String,
    },
}

impl ClientError {
    /// A refusal without words.
    pub fn refused(code: ErrorCode) -> ClientError {
        ClientError::Refused { code, message: None }
    }

    /// The broker's code, if it answered at all.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            ClientError::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether the same request may succeed later.
    pub fn is_retriable(&self) -> bool {
        match self {
            ClientError::Refused { code, .. } => code.is_retriable(),
            ClientError::NoBroker(_)
            | ClientError::Disconnected(_)
            | ClientError::Connect { .. }
            | ClientError::TimedOut { .. } => true,
            _ => false,
        }
    }
}

/// An error code of a response as a result.
pub(crate) fn check(code: i16, message: Option<&str>) -> Result<(), ClientError> {
    match ErrorCode::from(code) {
        ErrorCode::None => Ok(()),
        code => Err(ClientError::Refused { code, message: message.map(str::to_owned) }),
    }
}

/// An API's name as a constant is written in Java: `CREATE_TOPICS`.
fn constant(name: &str) -> String {
    let mut constant = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !constant.is_empty() {
            constant.push('_');
        }
        constant.push(letter.to_ascii_uppercase());
    }
    constant
}

pub(crate) fn unsupported(api: ApiKey) -> ClientError {
    ClientError::UnsupportedApi(api.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_that_is_missing_is_named_as_kafkas_client_names_it() {
        let error = unsupported(ApiKey::INIT_PRODUCER_ID);
        assert_eq!(error.to_string(), "The node does not support INIT_PRODUCER_ID");
    }
}
