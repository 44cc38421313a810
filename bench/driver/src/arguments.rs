//! `--name value` pairs.

use std::collections::HashMap;
use std::str::FromStr;

use crate::Failure;

/// What followed the command.
pub struct Arguments(HashMap<String, String>);

impl Arguments {
    /// Pairs of `--name` and value.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut pairs = HashMap::new();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").ok_or_else(|| format!("`{word}` is not a --name"))?;
            let value = words.next().ok_or_else(|| format!("--{name} has no value"))?;
            pairs.insert(name.to_owned(), value);
        }
        Ok(Self(pairs))
    }

    /// A text that must be there.
    pub fn text(&self, name: &str) -> Result<&str, Failure> {
        Ok(self.0.get(name).ok_or_else(|| format!("--{name} is missing"))?)
    }

    /// A number that must be there.
    pub fn number<N: FromStr>(&self, name: &str) -> Result<N, Failure> {
        let text = self.text(name)?;
        text.parse().map_err(|_| format!("--{name} {text}: not a number").into())
    }
}
