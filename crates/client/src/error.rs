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
    /// No server of the list has a name that stands for an address. In the words of Kafka's client.
    #[error("No resolvable bootstrap urls given in bootstrap.servers: `{0}`")]
    NoServer(String),
    /// What listens at this address is no broker, or no listener that this client can speak with.
    #[error("what listens at `{address}` does not speak Kafka's protocol: {why}")]
    NotKafka {
        /// Host and port.
        address: String,
        /// What it does instead.
        why: String,
    },
    /// An answer that has no room in [`ClientOptions::response_bytes_max`](crate::ClientOptions::response_bytes_max).
    #[error("the broker at `{address}` answers with {bytes} bytes, which is more than this client reads")]
    TooLarge {
        /// Host and port.
        address: String,
        /// What the answer says of its length.
        bytes: u32,
    },
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
    /// The cluster has no groups by the consumer protocol (KIP-848). In the words of Kafka's client.
    #[error(
        "The cluster does not support the new CONSUMER group protocol. Set group.protocol=classic on the consumer configs \
         to revert to the CLASSIC protocol until the cluster is upgraded."
    )]
    NoConsumerProtocol,
    /// Who is not part of the group (any more) has nothing to commit there. In the words of Kafka's client.
    #[error(
        "Offset commit cannot be completed since the consumer is not part of an active group for auto partition assignment; \
         it is likely that the consumer was kicked out of the group."
    )]
    NotMember,
    /// Nothing says where to begin: the group has committed nothing, and there is no reset policy. In the words of Kafka's client.
    #[error("Undefined offset with no reset policy for partitions: [{}]", .0.join(", "))]
    NoOffset(Vec<String>),
    /// There is nothing at this offset (any more), and nothing says where to go on instead.
    #[error("Fetch position {offset} is out of range for partition {topic}-{partition}")]
    OffsetOutOfRange {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset that was asked for.
        offset: i64,
    },
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

    /// Whether there is no cluster where one was looked for.
    pub fn is_astray(&self) -> bool {
        matches!(
            self,
            ClientError::NoBroker(_)
                | ClientError::BadAddress(_)
                | ClientError::NoServer(_)
                | ClientError::NotKafka { .. }
                | ClientError::TooLarge { .. }
        )
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
        code => {
            let message = message.filter(|message| !message.is_empty()).map(str::to_owned);
            Err(ClientError::Refused { code, message })
        }
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
    fn a_refusal_without_words_is_told_by_its_code() {
        let code = ErrorCode::CoordinatorNotAvailable;
        let told = check(code.code(), Some("")).unwrap_err().to_string();
        assert_eq!(told, code.message());
    }

    #[test]
    fn an_api_that_is_missing_is_named_as_kafkas_client_names_it() {
        let error = unsupported(ApiKey::INIT_PRODUCER_ID);
        assert_eq!(error.to_string(), "The node does not support INIT_PRODUCER_ID");
    }
}
