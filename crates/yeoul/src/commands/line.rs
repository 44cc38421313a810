//! The flags of a command as the words of a line give them, for tests.

use clap::{Args, Parser};

#[derive(Parser)]
struct Line<A: Args> {
    #[command(flatten)]
    args: A,
}

/// The flags that stand in a line; a test that gives others than there are is wrong.
pub fn flags<A: Args>(line: &str) -> A {
    let words = ["command"].into_iter().chain(line.split_whitespace());
    Line::try_parse_from(words).unwrap().args
}
