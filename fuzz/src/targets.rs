//! What is fuzzed: each target makes seeds, and tries an input.

use bytes::Bytes;
use protocol::compression::{Compression, compress, decompress};

use crate::batches;
use crate::dispatch;
use crate::wire::schema::Message;
use crate::wire::{self, Encoded, Source};

/// What decompression may produce here, in bytes.
const OUTPUT_MAX: usize = 1 << 20;
/// What a decompressor may hold beside its output: the largest block of LZ4 is 4 MiB, and it keeps two.
const DECOMPRESSOR_MAX: usize = 16 << 20;

pub enum Target {
    /// A message, and the table it is from.
    Message(&'static str, Message),
    Compression(Compression),
    Batches,
}

/// What became of an input, coarse enough to tell new ground from old.
pub type Outcome = String;

impl Target {
    pub fn all() -> Vec<Target> {
        let messages = wire::tables().into_iter().flat_map(|(file, messages)| {
            let valid = messages.into_iter().filter(|message| !message.versions.is_empty());
            valid.map(move |message| Target::Message(file, message))
        });
        let compressions = Compression::ALL.into_iter().map(Target::Compression);
        messages.chain(compressions).chain([Target::Batches]).collect()
    }

    pub fn name(&self) -> &str {
        match self {
            Target::Message(_, message) => &message.name,
            Target::Compression(compression) => compression.name(),
            Target::Batches => "batches",
        }
    }

    pub fn random_version(&self, source: &mut Source) -> i16 {
        match self {
            Target::Message(_, message) => {
                let count = message.versions.max - message.versions.min + 1;
                message.versions.min + source.below(count as usize) as i16
            }
            Target::Compression(_) | Target::Batches => 0,
        }
    }

    /// A valid input.
    pub fn seed(&self, version: i16, source: &mut Source) -> Encoded {
        match self {
            Target::Batches => batches::seed(source),
            Target::Message(_, message) => wire::random(message, version, source),
            Target::Compression(compression) => {
                let (len, period) = (source.below(5000), 1 + source.below(300));
                let data: Vec<u8> = (0..len).map(|place| (place % period) as u8).collect();
                Encoded {
                    bytes: compress(*compression, &data).unwrap_or_default(),
                    lengths: vec![0, 4, 6, 7, 16, 20],
                }
            }
        }
    }

    /// Bytes of memory that an input of this length may take.
    pub fn memory_max(&self, len: usize) -> usize {
        match self {
            // The reader's budget, once for the input and once for what was written from it, and the bytes themselves.
            Target::Message(..) => 2 * (1 << 20).max(16 * len) + (1 << 20),
            Target::Compression(_) => 2 * OUTPUT_MAX + DECOMPRESSOR_MAX,
            Target::Batches => batches::MEMORY_MAX,
        }
    }

    /// Decodes the input. An error is a fine outcome; `Err` is a broken promise.
    pub fn run(&self, version: i16, input: &[u8]) -> Result<Outcome, String> {
        let outcome = match self {
            Target::Batches => Ok(batches::run(input)),
            Target::Message(file, message) => run_message(file, message, version, input),
            Target::Compression(compression) => match decompress(*compression, input, OUTPUT_MAX) {
                Ok(output) if output.len() > OUTPUT_MAX => {
                    Err(format!("{} bytes beyond the cap", output.len()))
                }
                Ok(output) => Ok(format!("ok {}", output.len())),
                Err(error) => Ok(error.to_string()),
            },
        };
        outcome.map(|outcome| coarse(&outcome))
    }
}

/// Every number becomes the count of its digits, so that sizes count by their magnitude.
fn coarse(outcome: &str) -> Outcome {
    let mut text = String::new();
    let mut digits = 0;
    for letter in outcome.chars().chain(['.']) {
        if letter.is_ascii_digit() {
            digits += 1;
            continue;
        }
        if digits > 0 {
            text += &std::mem::take(&mut digits).to_string();
        }
        text.push(letter);
    }
    text
}

/// What is read must be written so that it reads back the same.
fn run_message(file: &str, message: &Message, version: i16, input: &[u8]) -> Result<Outcome, String> {
    let decode = |bytes: &Bytes| dispatch::decode(file, message, bytes.clone(), version);
    let decoded = match decode(&Bytes::copy_from_slice(input)) {
        Ok(decoded) => decoded,
        Err(error) => return Ok(error.to_string()),
    };
    let written = match (decoded.encode)(version) {
        Ok(written) => written,
        Err(error) => return Ok(format!("not written: {error}")),
    };
    match decode(&written).map(|again| (again.encode)(version)) {
        Ok(Ok(again)) if again == written => Ok(format!("ok {}", written.len())),
        // The budget follows the size of the input, which has lost the tagged fields that are not known.
        Err(protocol::DecodeError::BudgetExceeded) => Ok("budget".to_owned()),
        Ok(again) => Err(format!("{written:?} becomes {again:?}")),
        Err(error) => Err(format!("{written:?} does not read back: {error}")),
    }
}
