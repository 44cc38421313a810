//! Words that a shell offers for a flag which refuses others in Kafka's own words, or takes them too.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command, Error};

/// Any text, of which these words are offered.
#[derive(Clone, Copy, Debug)]
pub struct Offered(pub &'static [&'static str]);

impl TypedValueParser for Offered {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[arg(long, value_parser = Offered(&["latest", "earliest"]))]
        time: String,
    }

    #[test]
    fn other_words_pass() {
        assert_eq!(Line::try_parse_from(["line", "--time", "7"]).unwrap().time, "7");
        assert_eq!(Offered(&["latest"]).possible_values().unwrap().count(), 1);
    }
}
