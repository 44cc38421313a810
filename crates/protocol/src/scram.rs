//! SCRAM (RFC 5802, RFC 7677, KIP-84): the mechanisms, and the keys that stand for a password. Pure.
//!
//! An administrator's client sends the salted password (KIP-554); what is kept in the metadata log are the stored key and the server
//! key, out of which nobody gets the password or its salted form.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};

/// How many rounds of hashing a credential has at least, and where nobody says how many.
pub const ITERATIONS_MIN: i32 = 4096;
/// How many it has at most.
pub const ITERATIONS_MAX: i32 = 16_384;

/// A mechanism of SASL that SCRAM is made of with one hash or another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScramMechanism {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

impl ScramMechanism {
    /// All of them, by number.
    pub const ALL: [ScramMechanism; 2] = [ScramMechanism::Sha256, ScramMechanism::Sha512];

    /// Its name, as in `sasl.mechanism`.
    pub fn name(self) -> &'static str {
        match self {
            ScramMechanism::Sha256 => "SCRAM-SHA-256",
            ScramMechanism::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// Its number in requests and records.
    pub fn code(self) -> i8 {
        match self {
            ScramMechanism::Sha256 => 1,
            ScramMechanism::Sha512 => 2,
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<ScramMechanism> {
        ScramMechanism::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// The one of this number.
    pub fn from_code(code: i8) -> Option<ScramMechanism> {
        ScramMechanism::ALL.into_iter().find(|mechanism| mechanism.code() == code)
    }

    /// The salted password: `Hi` of the RFC. Kafka takes a password as it is, without SASLprep.
    pub fn salted_password(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        let mut salted = vec![0; self.hash_bytes()];
        match self {
            ScramMechanism::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut salted),
            ScramMechanism::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut salted),
        }
        salted
    }

    /// What a server keeps to recognise a client by.
    pub fn stored_key(self, salted_password: &[u8]) -> Vec<u8> {
        let client_key = self.keyed(salted_password, b"Client Key");
        match self {
            ScramMechanism::Sha256 => Sha256::digest(client_key).to_vec(),
            ScramMechanism::Sha512 => Sha512::digest(client_key).to_vec(),
        }
    }

    /// What a server keeps to be recognised by.
    pub fn server_key(self, salted_password: &[u8]) -> Vec<u8> {
        self.keyed(salted_password, b"Server Key")
    }

    fn hash_bytes(self) -> usize {
        match self {
            ScramMechanism::Sha256 => 32,
            ScramMechanism::Sha512 => 64,
        }
    }

    fn keyed(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        match self {
            ScramMechanism::Sha256 => hmac::<Hmac<Sha256>>(key, text),
            ScramMechanism::Sha512 => hmac::<Hmac<Sha512>>(key, text),
        }
    }
}

fn hmac<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("a key of HMAC may have any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The salt of the example of RFC 7677, which is `W22ZaJ0SNY7soEsUEjb6gQ==`.
    const SALT: [u8; 16] =
        [0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81];
    const MESSAGES: &[u8] =
        b"n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
        s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

    #[test]
    fn the_keys_sign_the_example_of_the_rfc() {
        let mechanism = ScramMechanism::Sha256;
        let salted = mechanism.salted_password(b"pencil", &SALT, 4096);
        // The server's signature is `6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=`.
        let signature = mechanism.keyed(&mechanism.server_key(&salted), MESSAGES);
        assert_eq!(signature[..8], [0xea, 0xba, 0xe2, 0x4d, 0x10, 0x62, 0xdb, 0x75]);
        // The client's proof, `dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`, and its signature make the key that the stored one is of.
        let proof = [0x74, 0x7c, 0xdb, 0x65, 0xaa, 0x56, 0x22, 0x4e];
        let signature = mechanism.keyed(&mechanism.stored_key(&salted), MESSAGES);
        let client_key = mechanism.keyed(&salted, b"Client Key");
        let proven: Vec<u8> = client_key.iter().zip(&signature).map(|(key, sign)| key ^ sign).collect();
        assert_eq!(proven[..8], proof);
    }

    #[test]
    fn keys_are_as_long_as_the_hash() {
        for (mechanism, bytes) in ScramMechanism::ALL.into_iter().zip([32, 64]) {
            let salted = mechanism.salted_password(b"", b"", 1);
            let lengths =
                [salted.len(), mechanism.stored_key(&salted).len(), mechanism.server_key(&salted).len()];
            assert_eq!(lengths, [bytes; 3]);
        }
    }

    #[test]
    fn mechanisms_are_known_by_name_and_by_number() {
        for mechanism in ScramMechanism::ALL {
            assert_eq!(ScramMechanism::from_name(mechanism.name()), Some(mechanism));
            assert_eq!(ScramMechanism::from_code(mechanism.code()), Some(mechanism));
        }
        assert_eq!((ScramMechanism::from_name("scram-sha-256"), ScramMechanism::from_code(0)), (None, None));
    }
}
