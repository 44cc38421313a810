//! Credentials of SCRAM among the settings of users. Pure.

use client::{ScramChange, ScramUser};
use protocol::scram::{ITERATIONS_MIN, ScramMechanism};
use serde_json::{Value, json};

use crate::failure::Failure;

/// A password and how often it is to be hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password {
    pub iterations: i32,
    pub text: String,
}

/// What becomes of the credential of a mechanism: it is removed, or made of a password.
pub type CredentialChange = (ScramMechanism, Option<Password>);

/// `iterations=8192,password=secret`, of which the first may be left out.
pub fn parse_password(mechanism: ScramMechanism, text: &str) -> Result<Password, Failure> {
    let (iterations, password) = split(text).ok_or_else(|| {
        let constant = mechanism.name().replace('-', "_");
        Failure::Usage(format!("Invalid credential property {constant}={text}"))
    })?;
    let iterations = match iterations {
        None | Some("-1") => ITERATIONS_MIN,
        Some(number) => {
            number.parse().map_err(|_| Failure::Usage(format!("For input string: \"{number}\"")))?
        }
    };
    if iterations < ITERATIONS_MIN {
        let name = mechanism.name();
        return Err(Failure::Usage(format!(
            "Iterations {iterations} is less than the minimum {ITERATIONS_MIN} required for {name}"
        )));
    }
    Ok(Password { iterations, text: password.to_owned() })
}

/// The text of the iterations, if they are given, and the password, which may hold anything.
fn split(text: &str) -> Option<(Option<&str>, &str)> {
    let Some(rest) = text.strip_prefix("iterations=") else {
        return text.strip_prefix("password=").map(|password| (None, password));
    };
    let (number, rest) = rest.split_once(',')?;
    let is_number = number.strip_prefix('-').unwrap_or(number).chars().all(|digit| digit.is_ascii_digit());
    is_number.then_some((Some(number), rest.strip_prefix("password=")?))
}

/// What a cluster is told of it, which is not the password.
pub fn salted((mechanism, password): &CredentialChange, salt: &[u8]) -> Result<ScramChange, Failure> {
    let mechanism = *mechanism;
    let Some(Password { iterations, text }) = password else { return Ok(ScramChange::Delete(mechanism)) };
    if text.is_empty() {
        return Err(Failure::failed("Password must not be empty"));
    }
    let rounds = u32::try_from(*iterations).unwrap_or_default();
    Ok(ScramChange::Upsert {
        mechanism,
        iterations: *iterations,
        salt: salt.to_vec(),
        salted_password: mechanism.salted_password(text.as_bytes(), salt, rounds),
    })
}

/// A line for a user.
pub fn text(user: &ScramUser) -> String {
    let credential = |(mechanism, iterations): &(ScramMechanism, i32)| {
        format!("{}=iterations={iterations}", mechanism.name())
    };
    let credentials: Vec<String> = user.iterations.iter().map(credential).collect();
    format!("SCRAM credential configs for user-principal '{}' are {}\n", user.name, credentials.join(", "))
}

/// The same for programs.
pub fn json(user: &ScramUser) -> Value {
    let credential = |(mechanism, iterations): &(ScramMechanism, i32)| json!({"mechanism": mechanism.name(), "iterations": iterations});
    let credentials: Vec<Value> = user.iterations.iter().map(credential).collect();
    json!({"entity": {"user": user.name}, "credentials": credentials})
}

#[cfg(test)]
mod tests {
    use super::*;

    const MECHANISM: ScramMechanism = ScramMechanism::Sha256;

    #[test]
    fn a_password_may_come_with_the_number_of_its_iterations() {
        let parsed = |text: &str| parse_password(MECHANISM, text).map(|it| (it.iterations, it.text));
        assert_eq!(parsed("password=a=b,c"), Ok((4096, "a=b,c".to_owned())));
        assert_eq!(parsed("iterations=8192,password="), Ok((8192, String::new())));
        assert_eq!(parsed("iterations=-1,password=x"), Ok((4096, "x".to_owned())));
        for (text, words) in [
            ("secret", "Invalid credential property SCRAM_SHA_256=secret"),
            ("iterations=x,password=y", "Invalid credential property SCRAM_SHA_256=iterations=x,password=y"),
            (
                "iterations=12,password=y",
                "Iterations 12 is less than the minimum 4096 required for SCRAM-SHA-256",
            ),
            ("iterations=99999999999,password=y", "For input string: \"99999999999\""),
            ("iterations=,password=y", "For input string: \"\""),
        ] {
            assert_eq!(parsed(text), Err(Failure::Usage(words.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_cluster_is_told_the_salted_password() {
        let password = Password { iterations: 4096, text: "secret".to_owned() };
        let told = salted(&(MECHANISM, Some(password)), b"salt").unwrap();
        let salted_password = MECHANISM.salted_password(b"secret", b"salt", 4096);
        let expected = ScramChange::Upsert {
            mechanism: MECHANISM,
            iterations: 4096,
            salt: b"salt".to_vec(),
            salted_password,
        };
        assert_eq!(told, expected);
        assert_eq!(salted(&(MECHANISM, None), b"salt"), Ok(ScramChange::Delete(MECHANISM)));
        let empty = Password { iterations: 4096, text: String::new() };
        assert!(salted(&(MECHANISM, Some(empty)), b"salt").is_err());
    }

    #[test]
    fn a_user_is_told_with_all_of_its_mechanisms() {
        let iterations = vec![(ScramMechanism::Sha256, 4096), (ScramMechanism::Sha512, 8192)];
        let user = ScramUser { name: "alice".to_owned(), iterations };
        assert_eq!(
            text(&user),
            "SCRAM credential configs for user-principal 'alice' are SCRAM-SHA-256=iterations=4096, \
             SCRAM-SHA-512=iterations=8192\n"
        );
        assert_eq!(json(&user)["credentials"][1], json!({"mechanism": "SCRAM-SHA-512", "iterations": 8192}));
    }
}
