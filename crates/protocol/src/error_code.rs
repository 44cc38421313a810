//! The error codes of the protocol.

use std::fmt;

include!(concat!(env!("OUT_DIR"), "/error_codes.rs"));

struct Facts {
    error: ErrorCode,
    name: &'static str,
    retriable: bool,
    message: &'static str,
}

impl ErrorCode {
    /// The number on the wire.
    pub fn code(self) -> i16 {
        self as i16
    }

    /// Kafka's name, as `UNKNOWN_TOPIC_OR_PARTITION`.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// What the code means, as a clause without a full stop.
    pub fn message(self) -> &'static str {
        self.facts().message
    }

    /// Whether the same request may succeed later.
    pub fn is_retriable(self) -> bool {
        self.facts().retriable
    }

    /// Whether this is an error at all.
    pub fn is_error(self) -> bool {
        self != ErrorCode::None
    }

    /// Every code, in ascending order.
    pub fn all() -> impl Iterator<Item = ErrorCode> {
        FACTS.iter().map(|facts| facts.error)
    }

    // The codes have no gaps, so that the place in the table follows from the number.
    fn facts(self) -> &'static Facts {
        &FACTS[(self.code() + 1) as usize]
    }
}

/// A code of a newer protocol reads as [`ErrorCode::UnknownServerError`], as Kafka's clients do.
impl From<i16> for ErrorCode {
    fn from(code: i16) -> ErrorCode {
        let place = usize::try_from(i32::from(code) + 1).ok();
        place.and_then(|place| FACTS.get(place)).map_or(ErrorCode::UnknownServerError, |facts| facts.error)
    }
}

impl From<ErrorCode> for i16 {
    fn from(error: ErrorCode) -> i16 {
        error.code()
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.message())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_finds_its_own_row() {
        assert_eq!(ErrorCode::all().count(), 138);
        for error in ErrorCode::all() {
            assert_eq!(ErrorCode::from(error.code()), error);
            assert_eq!(error.facts().error, error);
        }
    }

    #[test]
    fn a_code_from_the_future_is_an_unknown_server_error() {
        for code in [137, i16::MAX, -2, i16::MIN] {
            assert_eq!(ErrorCode::from(code), ErrorCode::UnknownServerError);
        }
    }
}
