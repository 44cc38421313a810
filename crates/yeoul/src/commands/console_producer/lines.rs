//! Lines become records. All of it is bytes: what is no UTF-8 stays as it is.

use bytes::Bytes;
use protocol::records::Header;

use crate::commands::field_type::FieldType;

/// Cuts what comes in pieces into lines, which end in `\n`, `\r\n` or `\r`, as Java reads them.
#[derive(Debug, Default)]
pub struct LineSplitter {
    rest: Vec<u8>,
    /// Whether the last line ended in `\r`, to which a `\n` would belong.
    after_return: bool,
}

impl LineSplitter {
    /// The lines that are complete with this piece.
    pub fn push(&mut self, piece: &[u8]) -> Vec<Bytes> {
        let mut lines = Vec::new();
        let mut piece = piece;
        while let Some(first) = piece.first() {
            if std::mem::take(&mut self.after_return) && *first == b'\n' {
                piece = &piece[1..];
                continue;
            }
            let Some(end) = piece.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.rest.extend_from_slice(piece);
                break;
            };
            self.rest.extend_from_slice(&piece[..end]);
            lines.push(Bytes::from(std::mem::take(&mut self.rest)));
            self.after_return = piece[end] == b'\r';
            piece = &piece[end + 1..];
        }
        lines
    }

    /// The last line, if it had no end.
    pub fn finish(self) -> Option<Bytes> {
        (!self.rest.is_empty()).then(|| Bytes::from(self.rest))
    }
}

/// How a line is read: Kafka's reader properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFormat {
    parse_key: bool,
    parse_headers: bool,
    ignore_error: bool,
    key_separator: String,
    headers_delimiter: String,
    headers_separator: String,
    headers_key_separator: String,
    null_marker: Option<String>,
}

/// A line's parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// What decides the partition.
    pub key: Option<Bytes>,
    /// The content.
    pub value: Option<Bytes>,
    /// Any further content.
    pub headers: Vec<Header>,
}

impl Parts {
    /// The bytes that the texts of key and value stand for; `number` is the line's place in the input, from 1.
    ///
    /// # Errors
    /// A sentence about the line and what was expected in it.
    pub fn typed(self, key_type: FieldType, value_type: FieldType, number: u64) -> Result<Parts, String> {
        let read = |what: &str, field_type: FieldType, text: Option<Bytes>| {
            let bytes = text.map(|text| field_type.read(&text)).transpose();
            bytes.map_err(|why| format!("The {what} of line number {number} cannot be read: {why}"))
        };
        let key = read("key", key_type, self.key)?;
        Ok(Parts { key, value: read("value", value_type, self.value)?, headers: self.headers })
    }
}

impl LineFormat {
    /// The format that properties describe; those that it does not know say nothing.
    ///
    /// # Errors
    /// Kafka's sentence about separators that cannot be told apart.
    pub fn new(properties: &[(String, String)]) -> Result<LineFormat, String> {
        let text = |key: &str| properties.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value);
        let is_true = |key| text(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
        let or = |key, usual: &str| text(key).map_or_else(|| usual.to_owned(), String::clone);
        let format = LineFormat {
            parse_key: is_true("parse.key"),
            parse_headers: is_true("parse.headers"),
            ignore_error: is_true("ignore.error"),
            key_separator: or("key.separator", "\t"),
            headers_delimiter: or("headers.delimiter", "\t"),
            headers_separator: or("headers.separator", ","),
            headers_key_separator: or("headers.key.separator", ":"),
            null_marker: text("null.marker").cloned(),
        };
        format.check()?;
        Ok(format)
    }

    fn check(&self) -> Result<(), String> {
        let marker = self.null_marker.as_deref();
        let pairs = [
            (
                "headers.delimiter",
                Some(&*self.headers_delimiter),
                "headers.separator",
                &self.headers_separator,
            ),
            (
                "headers.delimiter",
                Some(&*self.headers_delimiter),
                "headers.key.separator",
                &self.headers_key_separator,
            ),
            (
                "headers.separator",
                Some(&*self.headers_separator),
                "headers.key.separator",
                &self.headers_key_separator,
            ),
            ("null.marker", marker, "key.separator", &self.key_separator),
            ("null.marker", marker, "headers.separator", &self.headers_separator),
            ("null.marker", marker, "headers.delimiter", &self.headers_delimiter),
            ("null.marker", marker, "headers.key.separator", &self.headers_key_separator),
        ];
        match pairs.iter().find(|(_, one, _, other)| *one == Some(other.as_str())) {
            Some((one, _, other, _)) => Err(format!("{one} and {other} may not be equal")),
            None => Ok(()),
        }
    }

    /// The parts of a line; `number` is its place in the input, from 1.
    ///
    /// # Errors
    /// Kafka's sentence about a line that lacks a separator.
    pub fn parse(&self, line: &Bytes, number: u64) -> Result<Parts, String> {
        let (headers, rest) = self.cut(
            self.parse_headers,
            line.clone(),
            line,
            &self.headers_delimiter,
            "headers delimiter",
            number,
        )?;
        let (key, value) =
            self.cut(self.parse_key, rest, line, &self.key_separator, "key separator", number)?;
        Ok(Parts {
            key: key.and_then(|key| self.unless_null(key)),
            value: self.unless_null(value),
            headers: match headers.and_then(|headers| self.unless_null(headers)) {
                Some(headers) => self.headers(&headers, number)?,
                None => Vec::new(),
            },
        })
    }

    /// What comes before a separator, if that is looked for, and the rest.
    fn cut(
        &self,
        enabled: bool,
        text: Bytes,
        line: &Bytes,
        separator: &str,
        name: &str,
        number: u64,
    ) -> Result<(Option<Bytes>, Bytes), String> {
        if !enabled {
            return Ok((None, text));
        }
        match find(&text, separator.as_bytes()) {
            Some(at) => Ok((Some(text.slice(..at)), text.slice(at + separator.len()..))),
            None if self.ignore_error => Ok((None, text)),
            None => {
                let line = String::from_utf8_lossy(line);
                Err(format!("No {name} found on line number {number}: '{line}'"))
            }
        }
    }

    fn unless_null(&self, text: Bytes) -> Option<Bytes> {
        let is_null = self.null_marker.as_ref().is_some_and(|marker| marker.as_bytes() == text);
        (!is_null).then_some(text)
    }

    fn headers(&self, text: &Bytes, number: u64) -> Result<Vec<Header>, String> {
        let pairs = split(text, self.headers_separator.as_bytes());
        pairs.into_iter().map(|pair| self.header(pair, number)).collect()
    }

    fn header(&self, pair: Bytes, number: u64) -> Result<Header, String> {
        let separator = self.headers_key_separator.as_bytes();
        let Some(at) = find(&pair, separator) else {
            if self.ignore_error {
                return Ok(Header { key: pair, value: None });
            }
            let pair = String::from_utf8_lossy(&pair);
            return Err(format!("No header key separator found in pair '{pair}' on line number {number}"));
        };
        let Some(key) = self.unless_null(pair.slice(..at)) else {
            let marker = self.null_marker.as_deref().unwrap_or_default();
            return Err(format!(
                "Header keys should not be equal to the null marker '{marker}' as they can't be null"
            ));
        };
        Ok(Header { key, value: self.unless_null(pair.slice(at + separator.len()..)) })
    }
}

/// Where `wanted` begins in `text`.
fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    if wanted.is_empty() {
        return Some(0);
    }
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// The parts between separators; empty ones at the end do not count.
fn split(text: &Bytes, separator: &[u8]) -> Vec<Bytes> {
    let mut parts = Vec::new();
    let mut rest = text.clone();
    while let Some(at) = find(&rest, separator).filter(|_| !separator.is_empty()) {
        parts.push(rest.slice(..at));
        rest = rest.slice(at + separator.len()..);
    }
    parts.push(rest);
    while parts.len() > 1 && parts.last().is_some_and(Bytes::is_empty) {
        parts.pop();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&str]) -> Vec<String> {
        let mut splitter = LineSplitter::default();
        let mut lines: Vec<Bytes> = pieces.iter().flat_map(|piece| splitter.push(piece.as_bytes())).collect();
        lines.extend(splitter.finish());
        lines.iter().map(|line| String::from_utf8(line.to_vec()).unwrap()).collect()
    }

    fn format(properties: &[(&str, &str)]) -> LineFormat {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        LineFormat::new(&properties.iter().map(owned).collect::<Vec<_>>()).unwrap()
    }

    fn parse(format: &LineFormat, line: &'static str) -> Result<Parts, String> {
        format.parse(&Bytes::from_static(line.as_bytes()), 7)
    }

    fn header(key: &str, value: Option<&'static str>) -> Header {
        Header {
            key: Bytes::copy_from_slice(key.as_bytes()),
            value: value.map(|value| Bytes::from_static(value.as_bytes())),
        }
    }

    fn some(text: &'static str) -> Option<Bytes> {
        Some(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_line_ends_in_a_newline_a_return_or_both() {
        assert_eq!(lines(&["a\nb\r\nc\rd\n\ne"]), ["a", "b", "c", "d", "", "e"]);
        assert_eq!(lines(&["a\n"]), ["a"]);
        assert_eq!(lines(&[""]), Vec::<String>::new());
        assert_eq!(lines(&["\r\n\n"]), ["", ""]);
    }

    #[test]
    fn where_the_pieces_end_does_not_matter() {
        let whole = "ab\r\ncd\n\r\n\re\r\r\n\nlast";
        let expected = lines(&[whole]);
        for at in 0..whole.len() {
            assert_eq!(lines(&[&whole[..at], &whole[at..]]), expected, "cut at {at}");
        }
        let letters: Vec<String> = whole.chars().map(String::from).collect();
        assert_eq!(lines(&letters.iter().map(String::as_str).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn a_plain_line_is_a_value() {
        let plain = format(&[]);
        assert_eq!(parse(&plain, "a\tb"), Ok(Parts { value: some("a\tb"), ..Parts::default() }));
        assert_eq!(parse(&plain, ""), Ok(Parts { value: some(""), ..Parts::default() }));
        let not_text = Bytes::from_static(&[0xff, 0x00, 0xfe]);
        assert_eq!(plain.parse(&not_text, 1).unwrap().value, Some(not_text));
    }

    #[test]
    fn headers_come_before_the_key_and_the_key_before_the_value() {
        let all = format(&[("parse.key", "true"), ("parse.headers", " TRUE "), ("null.marker", "NULL")]);
        assert_eq!(
            parse(&all, "h1:v1,h2:v:2,h3:NULL\tk\tv\tw"),
            Ok(Parts {
                key: some("k"),
                value: some("v\tw"),
                headers: vec![header("h1", Some("v1")), header("h2", Some("v:2")), header("h3", None)],
            })
        );
        assert_eq!(parse(&all, "NULL\tNULL\tNULL"), Ok(Parts::default()));
    }

    #[test]
    fn separators_can_be_any_text() {
        let other = format(&[
            ("parse.key", "true"),
            ("key.separator", "=>"),
            ("parse.headers", "true"),
            ("headers.delimiter", "|"),
            ("headers.separator", ";"),
            ("headers.key.separator", "="),
        ]);
        let headers = vec![header("a", Some("1")), header("b", Some(""))];
        let expected = Parts { key: some("k"), value: some("v"), headers };
        assert_eq!(parse(&other, "a=1;b=;|k=>v"), Ok(expected));
    }

    #[test]
    fn a_missing_separator_is_told_with_the_line_or_ignored() {
        let key = format(&[("parse.key", "true")]);
        let words = "No key separator found on line number 7: 'x'";
        assert_eq!(parse(&key, "x"), Err(words.to_owned()));
        let headers = format(&[("parse.headers", "true")]);
        let words = "No headers delimiter found on line number 7: 'h:v'";
        assert_eq!(parse(&headers, "h:v"), Err(words.to_owned()));
        let words = "No header key separator found in pair 'h' on line number 7";
        assert_eq!(parse(&headers, "h\tv"), Err(words.to_owned()));

        let patient = format(&[("parse.key", "true"), ("parse.headers", "true"), ("ignore.error", "true")]);
        assert_eq!(parse(&patient, "x"), Ok(Parts { value: some("x"), ..Parts::default() }));
        let expected = Parts { key: some("k"), value: some("v"), headers: vec![header("h", None)] };
        assert_eq!(parse(&patient, "h\tk\tv"), Ok(expected));
    }

    #[test]
    fn what_a_text_stands_for_is_read_or_told_with_its_line() {
        let parts = |key, value| Parts { key: some(key), value: some(value), headers: Vec::new() };
        let typed = parts("7", "00ff").typed(FieldType::Integer, FieldType::Hex, 3).unwrap();
        assert_eq!(typed.key, Some(Bytes::from_static(&[0, 0, 0, 7])));
        assert_eq!(typed.value, Some(Bytes::from_static(&[0, 255])));
        let told = parts("x", "").typed(FieldType::Integer, FieldType::Text, 3).unwrap_err();
        assert!(
            told.starts_with("The key of line number 3 cannot be read: `x` is no number of 4 bytes"),
            "{told}"
        );
        let deleted = Parts { value: None, ..parts("7", "") };
        assert_eq!(deleted.typed(FieldType::Text, FieldType::Long, 1).unwrap().value, None);
    }

    #[test]
    fn separators_that_cannot_be_told_apart_are_refused() {
        for (key, value, words) in [
            ("headers.delimiter", ",", "headers.delimiter and headers.separator may not be equal"),
            ("headers.delimiter", ":", "headers.delimiter and headers.key.separator may not be equal"),
            ("headers.separator", ":", "headers.separator and headers.key.separator may not be equal"),
            ("null.marker", "\t", "null.marker and key.separator may not be equal"),
            ("null.marker", ",", "null.marker and headers.separator may not be equal"),
        ] {
            let refused = LineFormat::new(&[(key.to_owned(), value.to_owned())]);
            assert_eq!(refused, Err(words.to_owned()));
        }
        let words = "Header keys should not be equal to the null marker 'N' as they can't be null".to_owned();
        let format = format(&[("parse.headers", "true"), ("null.marker", "N")]);
        assert_eq!(parse(&format, "N:v\tx"), Err(words));
    }
}
