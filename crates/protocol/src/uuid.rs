//! Kafka's universally unique ids.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Sixteen bytes that name a topic, a log directory or a process; its text is URL-safe base64 without padding, 22 letters.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid(pub [u8; 16]);

/// The text is not a uuid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a uuid is 22 letters of URL-safe base64")]
pub struct ParseUuidError;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const TEXT_LEN: usize = 22;

impl Uuid {
    /// All zeroes: no id.
    pub const ZERO: Uuid = Uuid([0; 16]);
    /// The id of the topic `__cluster_metadata`.
    pub const METADATA_TOPIC_ID: Uuid = Uuid(1_u128.to_be_bytes());

    /// Whether this is the id that stands for none.
    pub fn is_zero(&self) -> bool {
        *self == Uuid::ZERO
    }

    /// A random uuid (version 4, variant 1) out of 128 random bits.
    pub fn from_random(mut bytes: [u8; 16]) -> Uuid {
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Uuid(bytes)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        // 128 bits are 21 letters of 6 bits and one of 2, which stand at the upper end of the last letter.
        let letter = |index: usize| {
            let six = if index == TEXT_LEN - 1 { bits << 4 } else { bits >> (122 - 6 * index) };
            char::from(LETTERS[(six & 0x3f) as usize])
        };
        f.pad(&(0..TEXT_LEN).map(letter).collect::<String>())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = ParseUuidError;

    fn from_str(text: &str) -> Result<Uuid, ParseUuidError> {
        if text.len() != TEXT_LEN {
            return Err(ParseUuidError);
        }
        let value = |letter: u8| LETTERS.iter().position(|&known| known == letter).ok_or(ParseUuidError);
        let (last, head) = text.as_bytes().split_last().ok_or(ParseUuidError)?;
        let mut bits: u128 = 0;
        for &letter in head {
            bits = bits << 6 | value(letter)? as u128;
        }
        let last = value(*last)?;
        if last & 0x0f != 0 {
            return Err(ParseUuidError);
        }
        Ok(Uuid((bits << 2 | last as u128 >> 4).to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_kafkas() {
        assert_eq!(Uuid::METADATA_TOPIC_ID.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Uuid([0xff; 16]).to_string(), "_____________________w");
    }

    #[test]
    fn a_text_becomes_the_same_uuid_again() {
        let uuid = Uuid(0x0123_4567_89ab_cdef_0f1e_2d3c_4b5a_6978_u128.to_be_bytes());
        assert_eq!(uuid.to_string().parse(), Ok(uuid));
    }

    #[test]
    fn what_is_no_uuid_is_refused() {
        for text in [
            "",
            "AAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAAQ==",
            "AAAAAAAAAAAAAAAAAAAA+Q",
            "AAAAAAAAAAAAAAAAAAAAAB",
        ] {
            assert_eq!(text.parse::<Uuid>(), Err(ParseUuidError), "{text}");
        }
    }
}
