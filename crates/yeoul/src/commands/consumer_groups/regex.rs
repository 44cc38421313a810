//! `--validate-regex`: whether brokers take an expression that consumers subscribe by. They read RE2's syntax (KIP-848), which
//! is that of our library but for some corners; what is wrong is said in RE2's words.

use regex_syntax::ast::{ErrorKind, parse::Parser};

/// How often RE2 lets something be repeated.
const REPETITIONS_MAX: u32 = 1000;

/// What Kafka's tool says of an expression.
pub fn verdict(regex: &str) -> String {
    match wrong(regex) {
        None => format!("The regular expression `{regex}` is valid."),
        Some(what) => format!("The regular expression `{regex}` is invalid: {what}."),
    }
}

fn wrong(regex: &str) -> Option<&'static str> {
    match Parser::new().parse(regex) {
        Ok(_) => repeats_too_often(regex).then_some("invalid repeat count"),
        Err(error) => Some(words(error.kind())),
    }
}

fn words(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::GroupUnclosed => "missing closing )",
        ErrorKind::GroupUnopened => "unexpected )",
        ErrorKind::ClassUnclosed => "missing closing ]",
        ErrorKind::ClassRangeInvalid | ErrorKind::ClassRangeLiteral => "invalid character class range",
        ErrorKind::RepetitionMissing => "missing argument to repetition operator",
        ErrorKind::RepetitionCountInvalid
        | ErrorKind::RepetitionCountUnclosed
        | ErrorKind::RepetitionCountDecimalEmpty
        | ErrorKind::DecimalInvalid => "invalid repeat count",
        ErrorKind::EscapeUnexpectedEof => "trailing backslash at end of expression",
        ErrorKind::GroupNameInvalid
        | ErrorKind::GroupNameEmpty
        | ErrorKind::GroupNameUnexpectedEof
        | ErrorKind::GroupNameDuplicate { .. } => "invalid named capture",
        ErrorKind::FlagUnrecognized
        | ErrorKind::FlagUnexpectedEof
        | ErrorKind::FlagDanglingNegation
        | ErrorKind::FlagRepeatedNegation { .. }
        | ErrorKind::FlagDuplicate { .. }
        | ErrorKind::UnsupportedLookAround => "invalid or unsupported Perl syntax",
        _ => "invalid escape sequence",
    }
}

/// Whether a count is beyond what RE2 takes: `a{1001}`.
fn repeats_too_often(regex: &str) -> bool {
    let counts = regex.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(inside, _)| inside);
    counts
        .flat_map(|inside| inside.split(','))
        .any(|number| number.parse::<u32>().is_ok_and(|count| count > REPETITIONS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_judged_in_the_words_of_re2() {
        for (regex, expected) in [
            ("t.*", None),
            ("a|b[c-e]{2,3}", None),
            ("(", Some("missing closing )")),
            ("[", Some("missing closing ]")),
            ("*a", Some("missing argument to repetition operator")),
            ("a{2,1}", Some("invalid repeat count")),
            ("a{1001}", Some("invalid repeat count")),
            ("(?!a)", Some("invalid or unsupported Perl syntax")),
            ("a(?=b)", Some("invalid or unsupported Perl syntax")),
            ("a\\", Some("trailing backslash at end of expression")),
            ("[z-a]", Some("invalid character class range")),
        ] {
            assert_eq!(wrong(regex), expected, "{regex}");
        }
        assert_eq!(verdict("a"), "The regular expression `a` is valid.");
        assert_eq!(verdict("("), "The regular expression `(` is invalid: missing closing ).");
    }
}
