//! The format of Java's properties files, as `java.util.Properties` documents it.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

use thiserror::Error;

/// Keys and values of a properties file; of a key that comes twice the last value counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    entries: BTreeMap<String, String>,
}

/// A line that is no property.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PropertiesError {
    /// `\u` without four hexadecimal digits, or half a surrogate pair.
    #[error("line {line}: malformed \\uxxxx encoding")]
    MalformedUnicode {
        /// The number of the natural line on which the property starts, from 1.
        line: usize,
    },
    /// Text for an override that has no `=`.
    #[error("`{0}` is not of the form key=value")]
    NotAPair(String),
}

impl Properties {
    /// Nothing set.
    pub fn new() -> Properties {
        Properties::default()
    }

    /// Reads a whole file.
    pub fn parse(text: &str) -> Result<Properties, PropertiesError> {
        let mut properties = Properties::new();
        let mut lines = text.split(['\n', '\r']).enumerate();
        while let Some((at, line)) = lines.next() {
            let start = line.trim_start_matches(BLANK);
            if start.is_empty() || start.starts_with(['#', '!']) {
                continue;
            }
            let mut logical = start.to_owned();
            while continues(&logical) {
                logical.pop();
                // Of "\r\n" one line end is left, which reads as an empty line.
                let next = lines.next().map(|(_, line)| line);
                let next = if next == Some("") { lines.next().map(|(_, line)| line) } else { next };
                match next {
                    Some(next) => logical.push_str(next.trim_start_matches(BLANK)),
                    None => break,
                }
            }
            let (key, value) = pair(&logical).ok_or(PropertiesError::MalformedUnicode { line: at + 1 })?;
            properties.entries.insert(key, value);
        }
        Ok(properties)
    }

    /// Sets a property from `key=value`, as Kafka's `--override` does; blanks around both are dropped.
    pub fn set_pair(&mut self, pair: &str) -> Result<(), PropertiesError> {
        let (key, value) = pair.split_once('=').ok_or_else(|| PropertiesError::NotAPair(pair.to_owned()))?;
        self.set(key.trim(), value.trim());
        Ok(())
    }

    /// Sets a property, in place of an earlier value.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.entries.insert(key.into(), value.into());
    }

    /// The value as it was written, without the blanks around it.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.get(key).map(|value| value.trim())
    }

    /// Keys and values, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Properties {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Properties {
        Properties { entries: pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect() }
    }
}

const BLANK: [char; 3] = [' ', '\t', '\u{c}'];

/// Whether a line ends in an odd number of backslashes.
fn continues(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Key and value of a logical line; none if an escape is malformed.
fn pair(line: &str) -> Option<(String, String)> {
    let mut chars = line.chars().peekable();
    let key = unescaped(&mut chars, |c| matches!(c, '=' | ':') || BLANK.contains(&c))?;
    skip_blanks(&mut chars);
    if chars.next_if(|c| matches!(c, '=' | ':')).is_some() {
        skip_blanks(&mut chars);
    }
    Some((key, unescaped(&mut chars, |_| false)?))
}

fn skip_blanks(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| BLANK.contains(c)).is_some() {}
}

/// The text up to an unescaped character that ends it.
fn unescaped(chars: &mut Peekable<Chars<'_>>, ends: impl Fn(char) -> bool) -> Option<String> {
    let mut units: Vec<u16> = Vec::new();
    while let Some(c) = chars.next_if(|c| !ends(*c)) {
        match c {
            '\\' => escape(chars, &mut units)?,
            c => units.extend(c.encode_utf16(&mut [0; 2]).iter()),
        }
    }
    String::from_utf16(&units).ok()
}

// Java's characters are UTF-16 units, so that an astral character may be written as two escapes.
fn escape(chars: &mut Peekable<Chars<'_>>, units: &mut Vec<u16>) -> Option<()> {
    let c = match chars.next() {
        None => return Some(()),
        Some('u') => {
            let digits: String = chars.by_ref().take(4).collect();
            let plain = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            units.push(u16::from_str_radix(&digits, 16).ok().filter(|_| plain)?);
            return Some(());
        }
        Some('t') => '\t',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('f') => '\u{c}',
        Some(other) => other,
    };
    units.extend(c.encode_utf16(&mut [0; 2]).iter());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        let properties = Properties::parse(text).unwrap();
        properties.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn assert_one(text: &str, key: &str, value: &str) {
        assert_eq!(parsed(text), [(key.to_owned(), value.to_owned())], "{text:?}");
    }

    #[test]
    fn a_key_ends_at_an_equals_sign_a_colon_or_a_blank() {
        for text in
            ["Truth = Beauty", " Truth:Beauty", "Truth\t\t\t:Beauty", "Truth Beauty", "\n\nTruth=Beauty\r\n"]
        {
            assert_one(text, "Truth", "Beauty");
        }
        assert_one("a==b", "a", "=b");
        assert_one("a : = b", "a", "= b");
        assert_one("cheeses", "cheeses", "");
        assert_one("=x", "", "x");
    }

    #[test]
    fn a_line_that_ends_in_a_backslash_goes_on_without_the_next_lines_indentation() {
        assert_one(
            "fruits   apple, banana, \\\n      pear, \\\r\n   mango",
            "fruits",
            "apple, banana, pear, mango",
        );
        assert_one("path=c:\\\\", "path", "c:\\");
        assert_one("a=b\\", "a", "b");
        assert_one("a=b\\\n# not a comment", "a", "b# not a comment");
    }

    #[test]
    fn comments_and_empty_lines_say_nothing() {
        assert_eq!(parsed("# a=b\n  ! c=d\n\n   \n\t\n"), []);
        assert_one("# goes not on \\\na=b", "a", "b");
    }

    #[test]
    fn escapes_stand_for_characters() {
        assert_one("\\:\\=\\ k = \\tv\\n\\q", ":= k", "\tv\nq");
        assert_one("k=\\u00e9\\uD83D\\uDE00", "k", "é😀");
        assert_one("k=é😀", "k", "é😀");
    }

    #[test]
    fn a_broken_escape_is_an_error_that_names_its_line() {
        for text in ["\n\nk=\\u12", "\n\nk=\\u12g4", "\n\nk=\\u+123", "\n\nk=\\ud800"] {
            assert_eq!(Properties::parse(text), Err(PropertiesError::MalformedUnicode { line: 3 }));
        }
    }

    #[test]
    fn the_last_value_of_a_key_counts_and_an_override_comes_last() {
        let mut properties = Properties::parse("a=1\na=2").unwrap();
        assert_eq!(properties.get("a"), Some("2"));
        properties.set_pair("a = 3=4 ").unwrap();
        assert_eq!(properties.get("a"), Some("3=4"));
        assert_eq!(properties.set_pair("a"), Err(PropertiesError::NotAPair("a".into())));
    }
}
