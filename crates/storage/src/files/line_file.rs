//! The text files that Kafka calls checkpoints: version 0, the number of entries, and an entry a line.

use std::fmt::Write;

use super::Malformed;

const VERSION: &str = "0";

/// The text with these lines.
pub(super) fn encode<I: ExactSizeIterator>(entries: I, write: impl Fn(&mut String, I::Item)) -> String {
    let mut text = String::with_capacity(8 + entries.len() * 16);
    // Writing to a string does not fail.
    let _ = write!(text, "{VERSION}\n{}\n", entries.len());
    for entry in entries {
        write(&mut text, entry);
        text.push('\n');
    }
    text
}

/// The entries of a text. One that is empty altogether has none: Kafka creates the file before it first writes it.
pub(super) fn decode<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Malformed> {
    let mut lines = text.lines();
    let Some(version) = lines.next() else { return Ok(Vec::new()) };
    if version.trim() != VERSION {
        return Err(Malformed::because("the version of the checkpoint is not 0"));
    }
    let count = lines.next().and_then(|line| line.trim().parse::<usize>().ok());
    let count = count.ok_or(Malformed::because("the number of entries is missing"))?;
    let entries =
        lines.map(|line| parse(line).ok_or_else(|| not_an_entry(line))).collect::<Result<Vec<T>, _>>()?;
    if entries.len() != count {
        return Err(Malformed(format!("{} entries where {count} are announced", entries.len()).into()));
    }
    Ok(entries)
}

fn not_an_entry(line: &str) -> Malformed {
    let start: String = line.chars().take(80).collect();
    Malformed(format!("not an entry of a checkpoint: {start:?}").into())
}
