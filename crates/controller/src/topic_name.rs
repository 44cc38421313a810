//! Which names a topic may have.

use std::collections::BTreeSet;

use metadata::Topics;
use protocol::ErrorCode;

use crate::Refusal;

const NAME_LEN_MAX: usize = 249;

/// Whether a topic may have this name: INVALID_TOPIC_EXCEPTION otherwise, with Kafka's sentence.
pub fn validate_topic_name(name: &str) -> Result<(), Refusal> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let fault = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." | ".." => format!("'{name}' is not allowed"),
        // Java counts UTF-16 units.
        _ if name.encode_utf16().count() > NAME_LEN_MAX => {
            format!("the length of '{name}' is longer than the max allowed length {NAME_LEN_MAX}")
        }
        _ if !name.chars().all(legal) => {
            format!(
                "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
            )
        }
        _ => return Ok(()),
    };
    Err(Refusal::new(ErrorCode::InvalidTopicException, format!("Topic name is invalid: {fault}")))
}

/// Refuses a name that differs from an existing one in dots and underscores only: metrics could not tell them apart. The very
/// same name is another matter.
pub(crate) fn check_collision(name: &str, topics: &Topics) -> Result<(), Refusal> {
    if !name.contains(['.', '_']) {
        return Ok(());
    }
    let alike = |other: &str| other.len() == name.len() && other != name && unified(other).eq(unified(name));
    match topics.iter().find(|topic| alike(&topic.name)) {
        Some(topic) => Err(Refusal::new(
            ErrorCode::InvalidTopicException,
            format!("Topic '{name}' collides with existing topic: {}", topic.name),
        )),
        None => Ok(()),
    }
}

fn unified(name: &str) -> impl Iterator<Item = u8> + '_ {
    name.bytes().map(|byte| if byte == b'.' { b'_' } else { byte })
}

/// The names that a request has more than once.
pub(crate) fn named_twice<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(*name)).collect()
}
