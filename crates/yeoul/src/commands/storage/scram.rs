//! The credentials of `--add-scram` (KIP-900). Pure.

use bytes::Bytes;
use data_encoding::{Encoding, Specification};
use protocol::messages::UserScramCredentialRecord;
use protocol::scram::{ITERATIONS_MAX, ITERATIONS_MIN, ScramMechanism};

use crate::failure::Failure;

/// What a credential is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    mechanism: ScramMechanism,
    name: String,
    iterations: i32,
    salt: Option<Vec<u8>>,
    secret: Secret,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Secret {
    Password(String),
    Salted(Vec<u8>),
}

fn failed<T>(words: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Failed(words.into()))
}

impl Credential {
    /// `SCRAM-SHA-256=[name=alice,password=secret]`, also with `iterations` and `salt`, or with `saltedpassword`.
    pub fn parse(text: &str) -> Result<Credential, Failure> {
        let Some((mechanism, rest)) = text.trim().split_once('=') else {
            return failed(format!("Failed to find equals sign in SCRAM argument '{text}'"));
        };
        let Some(mechanism) = ScramMechanism::from_name(mechanism.trim()) else {
            return failed(format!("The add-scram mechanism {mechanism} is not supported."));
        };
        let mut parts = Parts::parse(rest.trim())?;
        let Some(name) = parts.take("name") else { return failed("You must supply 'name' to add-scram") };
        let salt = parts.take("salt").map(|text| decode("salt", &text)).transpose()?;
        let iterations = parts.take("iterations");
        let iterations = iterations.map_or(Ok(ITERATIONS_MIN), |text| parse_iterations(mechanism, &text))?;
        let salted = parts.take("saltedpassword");
        let secret = match (parts.take("password"), salted) {
            (Some(password), _) if password.is_empty() => return failed("The password must not be empty."),
            (Some(password), _) => Secret::Password(password),
            (None, Some(_)) if salt.is_none() => {
                return failed("You must supply 'salt' with 'saltedpassword' to add-scram");
            }
            (None, Some(text)) => Secret::Salted(decode("saltedPassword", &text)?),
            (None, None) => {
                return failed("You must supply one of 'password' or 'saltedpassword' to add-scram");
            }
        };
        parts.refuse_rest()?;
        Ok(Credential { mechanism, name, iterations, salt, secret })
    }

    /// The record that makes it, with this salt where none was given.
    pub fn record(self, salt: &[u8]) -> UserScramCredentialRecord {
        let salt = self.salt.unwrap_or_else(|| salt.to_vec());
        let rounds = u32::try_from(self.iterations).unwrap_or_default();
        let salted = match self.secret {
            Secret::Password(password) => self.mechanism.salted_password(password.as_bytes(), &salt, rounds),
            Secret::Salted(salted) => salted,
        };
        UserScramCredentialRecord {
            name: self.name,
            mechanism: self.mechanism.code(),
            salt: salt.into(),
            stored_key: self.mechanism.stored_key(&salted).into(),
            server_key: self.mechanism.server_key(&salted).into(),
            iterations: self.iterations,
        }
    }
}

fn parse_iterations(mechanism: ScramMechanism, text: &str) -> Result<i32, Failure> {
    let constant = mechanism.name().replace('-', "_");
    let bound = |words: String| {
        failed(format!("The 'iterations' value must be {words} for add-scram using {constant}"))
    };
    match text.parse() {
        Err(_) => failed(format!("Failed to parse iterations count: {text}")),
        Ok(number) if number < ITERATIONS_MIN => bound(format!(">= {ITERATIONS_MIN}")),
        Ok(number) if number > ITERATIONS_MAX => bound(format!("<= {ITERATIONS_MAX}")),
        Ok(number) => Ok(number),
    }
}

/// Bytes as base64, with or without padding, as Java reads it.
fn decode(what: &str, text: &str) -> Result<Vec<u8>, Failure> {
    let bytes = lenient_base64().and_then(|base64| base64.decode(text.trim_end_matches('=').as_bytes()).ok());
    bytes.ok_or_else(|| Failure::Failed(format!("Failed to decode given {what}: {text}")))
}

fn lenient_base64() -> Option<Encoding> {
    let mut specification: Specification = data_encoding::BASE64_NOPAD.specification();
    specification.check_trailing_bits = false;
    specification.encoding().ok()
}

/// What stands between the brackets, key by key. The last of a key counts.
struct Parts(Vec<(String, String)>);

impl Parts {
    fn parse(text: &str) -> Result<Parts, Failure> {
        let Some(inner) = text.strip_prefix('[') else {
            return failed("Expected configuration string to start with [");
        };
        let Some(inner) = inner.strip_suffix(']') else {
            return failed("Expected configuration string to end with ]");
        };
        let mut parts = Parts(Vec::new());
        for piece in inner.split(',') {
            let Some((key, value)) = piece.split_once('=') else {
                return failed(format!("No equals sign found in SCRAM component: {}", piece.trim()));
            };
            parts.take(key.trim());
            parts.0.push((key.trim().to_owned(), without_quotes(value.trim()).to_owned()));
        }
        Ok(parts)
    }

    fn take(&mut self, key: &str) -> Option<String> {
        let place = self.0.iter().position(|(known, _)| known == key)?;
        Some(self.0.remove(place).1)
    }

    fn refuse_rest(self) -> Result<(), Failure> {
        let keys: Vec<String> = self.0.into_iter().map(|(key, _)| key).collect();
        match keys.is_empty() {
            true => Ok(()),
            false => failed(format!("Unknown SCRAM configurations: {}", keys.join(", "))),
        }
    }
}

fn without_quotes(text: &str) -> &str {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(text)
}

/// The record as Java's object tells itself.
pub fn told(record: &UserScramCredentialRecord) -> String {
    format!(
        "UserScramCredentialRecord(name='{}', mechanism={}, salt={}, storedKey={}, serverKey={}, iterations={})",
        record.name,
        record.mechanism,
        bytes(&record.salt),
        bytes(&record.stored_key),
        bytes(&record.server_key),
        record.iterations
    )
}

/// Bytes as Java tells an array of them: signed.
fn bytes(bytes: &Bytes) -> String {
    let signed: Vec<String> = bytes.iter().map(|byte| byte.cast_signed().to_string()).collect();
    format!("[{}]", signed.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MECHANISM: ScramMechanism = ScramMechanism::Sha256;

    #[test]
    fn a_password_becomes_the_keys_that_stand_for_it() {
        let text = "SCRAM-SHA-256=[name=\"alice\",password=\"se=cret\",iterations=8192]";
        let record = Credential::parse(text).unwrap().record(b"salt");
        let salted = MECHANISM.salted_password(b"se=cret", b"salt", 8192);
        assert_eq!((&*record.name, record.mechanism, record.iterations), ("alice", 1, 8192));
        assert_eq!(record.salt, &b"salt"[..]);
        assert_eq!(record.stored_key, MECHANISM.stored_key(&salted));
        assert_eq!(record.server_key, MECHANISM.server_key(&salted));
    }

    #[test]
    fn a_salted_password_is_taken_as_it_is() {
        let text = "SCRAM-SHA-256=[name=a,salt=abc,saltedpassword=abc=]";
        let record = Credential::parse(text).unwrap().record(b"other");
        assert_eq!((&record.salt[..], record.iterations), (&[0x69, 0xb7][..], 4096));
        assert_eq!(record.stored_key, MECHANISM.stored_key(&[0x69, 0xb7]));
    }

    #[test]
    fn what_is_no_credential_is_refused_in_kafkas_words() {
        for (text, words) in [
            ("nope", "Failed to find equals sign in SCRAM argument 'nope'"),
            ("SCRAM-SHA-1=[name=a]", "The add-scram mechanism SCRAM-SHA-1 is not supported."),
            ("SCRAM-SHA-256=", "Expected configuration string to start with ["),
            ("SCRAM-SHA-256=[name=a", "Expected configuration string to end with ]"),
            ("SCRAM-SHA-256=[]", "No equals sign found in SCRAM component: "),
            ("SCRAM-SHA-256=[password=x]", "You must supply 'name' to add-scram"),
            ("SCRAM-SHA-256=[name=a]", "You must supply one of 'password' or 'saltedpassword' to add-scram"),
            (
                "SCRAM-SHA-256=[name=a,saltedpassword=abc]",
                "You must supply 'salt' with 'saltedpassword' to add-scram",
            ),
            ("SCRAM-SHA-256=[name=a,salt=!!,password=x]", "Failed to decode given salt: !!"),
            ("SCRAM-SHA-256=[name=a,password=x,foo=1]", "Unknown SCRAM configurations: foo"),
            ("SCRAM-SHA-256=[name=a,password=x,iterations=x]", "Failed to parse iterations count: x"),
            (
                "SCRAM-SHA-256=[name=a,password=x,iterations=12]",
                "The 'iterations' value must be >= 4096 for add-scram using SCRAM_SHA_256",
            ),
            (
                "SCRAM-SHA-512=[name=a,password=x,iterations=99999]",
                "The 'iterations' value must be <= 16384 for add-scram using SCRAM_SHA_512",
            ),
            ("SCRAM-SHA-256=[name=a,password=]", "The password must not be empty."),
        ] {
            assert_eq!(Credential::parse(text), Err(Failure::failed(words)), "{text}");
        }
    }

    #[test]
    fn a_record_is_told_as_java_tells_it() {
        let record = UserScramCredentialRecord {
            name: "a".to_owned(),
            mechanism: 2,
            salt: Bytes::from_static(&[1, 255]),
            stored_key: Bytes::from_static(&[128]),
            iterations: 4096,
            ..UserScramCredentialRecord::default()
        };
        assert_eq!(
            told(&record),
            "UserScramCredentialRecord(name='a', mechanism=2, salt=[1, -1], storedKey=[-128], serverKey=[], \
             iterations=4096)"
        );
    }
}
