//! The flags of a command as the words of a line give them, for tests.

use clap::{Args, Parser};

#[derive(Parser)]
struct Line<A: Args> {
    #[command(flatten)]
    args: A,
}

/// The flags that stand in a line; a test that gives others than there are is wrong.
pub fn flags<A: Args>(line: &str) -> A {
    words(line.split_whitespace())
}

/// The same of words, which may be empty.
pub fn words<A: Args>(words: impl IntoIterator<Item = impl AsRef<str>>) -> A {
    let words = words.into_iter().map(|word| word.as_ref().to_owned());
    Line::try_parse_from(["command".to_owned()].into_iter().chain(words)).unwrap().args
}
