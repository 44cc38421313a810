//! What a cluster refused, as Kafka's tools tell it: by the class of an exception of Kafka's client, which scripts look for.

use client::ClientError;
use protocol::ErrorCode;

/// The class of the exception, and what it says where the broker says nothing.
fn known(code: ErrorCode) -> Option<(&'static str, &'static str)> {
    Some(match code {
        ErrorCode::OffsetOutOfRange => (
            "OffsetOutOfRange",
            "The requested offset is not within the range of offsets maintained by the server.",
        ),
        ErrorCode::UnknownTopicOrPartition => {
            ("UnknownTopicOrPartition", "This server does not host this topic-partition.")
        }
        ErrorCode::InvalidTopicException => {
            ("InvalidTopic", "The request attempted to perform an operation on an invalid topic.")
        }
        ErrorCode::PolicyViolation => {
            ("PolicyViolation", "Request parameters do not satisfy the configured policy.")
        }
        ErrorCode::InvalidGroupId => ("InvalidGroupId", "The group id is invalid."),
        ErrorCode::NonEmptyGroup => ("GroupNotEmpty", "The group is not empty."),
        ErrorCode::GroupIdNotFound => ("GroupIdNotFound", "The group id does not exist."),
        ErrorCode::GroupSubscribedToTopic => (
            "GroupSubscribedToTopic",
            "Deleting offsets of a topic is forbidden while the consumer group is actively subscribed to it.",
        ),
        _ => return None,
    })
}

/// The sentence alone.
pub fn sentence(error: &ClientError) -> String {
    match error {
        ClientError::Refused { code, message: None } => {
            known(*code).map_or_else(|| error.to_string(), |(_, sentence)| sentence.to_owned())
        }
        _ => error.to_string(),
    }
}

/// The sentence after the name of the exception, where it has one.
pub fn exception(error: &ClientError) -> String {
    match error.code().and_then(known) {
        Some((class, _)) => format!("org.apache.kafka.common.errors.{class}Exception: {}", sentence(error)),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_by_the_exception_of_kafkas_client() {
        let error = ClientError::refused(ErrorCode::NonEmptyGroup);
        let class = "org.apache.kafka.common.errors.GroupNotEmptyException";
        assert_eq!(exception(&error), format!("{class}: The group is not empty."));
        assert_eq!(sentence(&error), "The group is not empty.");
        let (code, message) = (ErrorCode::GroupIdNotFound, Some("Group g not found.".to_owned()));
        let error = ClientError::Refused { code, message };
        let class = "org.apache.kafka.common.errors.GroupIdNotFoundException";
        assert_eq!(exception(&error), format!("{class}: Group g not found."));
        let error = ClientError::NoBroker("h:1".to_owned());
        assert_eq!(exception(&error), error.to_string());
    }
}
