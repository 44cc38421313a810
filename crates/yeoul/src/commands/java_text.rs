//! Values as texts, as Java writes and reads them. Pure.

use std::borrow::Cow;

/// Bytes as a text in which those that are no plain letter are written as numbers.
pub fn escaped(bytes: &[u8]) -> String {
    let letter = |byte: &u8| match byte {
        b' '..=b'~' if *byte != b'\\' => char::from(*byte).to_string(),
        byte => format!("\\x{byte:02X}"),
    };
    bytes.iter().map(letter).collect()
}

/// The bytes of such a text.
pub fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        if *first != b'\\' {
            bytes.push(*first);
            rest = behind;
            continue;
        }
        let digits = behind.strip_prefix(b"x").and_then(|digits| digits.split_at_checked(2));
        let (digits, behind) = digits?;
        bytes.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
        rest = behind;
    }
    Some(bytes)
}

/// A UUID of five numbers, of which each may lack zeros at its front, or have digits too many there.
pub fn uuid(text: &str) -> Option<String> {
    if text.len() > 36 {
        return None;
    }
    let number = |part: &str| match part.starts_with('+') {
        true => None,
        false => i64::from_str_radix(part, 16).ok(),
    };
    let numbers: Vec<i64> = text.split('-').map(number).collect::<Option<_>>()?;
    let [a, b, c, d, e] = numbers[..] else { return None };
    let (a, b, c, d, e) = (a & 0xffff_ffff, b & 0xffff, c & 0xffff, d & 0xffff, e & 0xffff_ffff_ffff);
    Some(format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}"))
}

/// How bytes are letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    Utf8,
    Ascii,
    Latin1,
    /// By the mark at its front; without one the larger byte of each pair is first.
    Utf16,
    Utf16BigEndian,
    Utf16LittleEndian,
}

impl Charset {
    /// By one of the names that Java has for it.
    pub fn of_name(name: &str) -> Option<Charset> {
        Some(match name.to_ascii_uppercase().as_str() {
            "UTF-8" | "UTF8" => Charset::Utf8,
            "US-ASCII" | "ASCII" => Charset::Ascii,
            "ISO-8859-1" | "ISO8859-1" | "ISO8859_1" | "LATIN1" => Charset::Latin1,
            "UTF-16" | "UTF16" => Charset::Utf16,
            "UTF-16BE" => Charset::Utf16BigEndian,
            "UTF-16LE" => Charset::Utf16LittleEndian,
            _ => return None,
        })
    }

    /// The text of bytes, in which U+FFFD stands for what is no letter.
    pub fn text(self, bytes: &[u8]) -> String {
        match self {
            Charset::Utf8 => utf8(bytes).into_owned(),
            Charset::Ascii => bytes.iter().map(|byte| ascii(*byte)).collect(),
            Charset::Latin1 => bytes.iter().map(|byte| char::from(*byte)).collect(),
            Charset::Utf16BigEndian => utf16(bytes, u16::from_be_bytes),
            Charset::Utf16LittleEndian => utf16(bytes, u16::from_le_bytes),
            Charset::Utf16 => match bytes {
                [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
                [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
                all => utf16(all, u16::from_be_bytes),
            },
        }
    }
}

/// The text of UTF-8 as Java's `String` has it: one U+FFFD stands for half a pair of UTF-16, of whose three bytes the last may be
/// missing, where Rust has one for each byte. What else is no letter is the same in both.
pub fn utf8(bytes: &[u8]) -> Cow<'_, str> {
    str::from_utf8(bytes).map_or_else(|_| replaced(bytes).into(), Cow::from)
}

fn replaced(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(2).position(is_half_pair) {
        text.push_str(&String::from_utf8_lossy(&rest[..at]));
        text.push(char::REPLACEMENT_CHARACTER);
        let has_third = rest.get(at + 2).is_some_and(|third| (0x80..0xc0).contains(third));
        rest = &rest[at + if has_third { 3 } else { 2 }..];
    }
    text.push_str(&String::from_utf8_lossy(rest));
    text
}

/// 0xed begins a letter wherever it stands.
fn is_half_pair(bytes: &[u8]) -> bool {
    matches!(bytes, [0xed, 0xa0..=0xbf])
}

fn ascii(byte: u8) -> char {
    if byte.is_ascii() { char::from(byte) } else { char::REPLACEMENT_CHARACTER }
}

/// Of a pair of which only the first half is right both are one letter that is none.
fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut units = pairs.iter().map(|pair| unit(*pair));
    let mut text = String::with_capacity(bytes.len());
    let mut is_cut = !rest.is_empty();
    while let Some(first) = units.next() {
        let is_half = (0xd800..0xdc00).contains(&first);
        let second = if is_half { units.next() } else { None };
        // A half pair at the end and a single byte behind it are one, too.
        is_cut &= !is_half || second.is_some();
        let letters: Result<String, _> = char::decode_utf16([first].into_iter().chain(second)).collect();
        text.push_str(letters.as_deref().unwrap_or("\u{fffd}"));
    }
    if is_cut {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_escaped_and_back() {
        let bytes = b"a\\ ~\x7f\0\xff";
        assert_eq!(escaped(bytes), r"a\x5C ~\x7F\x00\xFF");
        assert_eq!(unescaped(escaped(bytes).as_bytes()).unwrap(), bytes);
        for text in [&b"\\"[..], b"\\x0", b"\\xzz", b"\\n"] {
            assert_eq!(unescaped(text), None);
        }
    }

    #[test]
    fn a_uuid_is_five_numbers() {
        assert_eq!(uuid("1-2-3-4-5").unwrap(), "00000001-0002-0003-0004-000000000005");
        assert_eq!(
            uuid("6A8B9C10-1111-2222-3333-444444444444").unwrap(),
            "6a8b9c10-1111-2222-3333-444444444444"
        );
        for text in ["", "1-2-3-4", "1-2-3-4-5-6", "1-2-3-4-x", "1-2-3-4-", &"0".repeat(37)] {
            assert_eq!(uuid(text), None, "{text}");
        }
    }

    #[test]
    fn half_a_pair_in_utf8_is_one_letter_as_in_java() {
        let cases: [(&[u8], &str); 8] = [
            (b"\xed\xa0\x01", "\u{fffd}\x01"),
            (b"\xed\xa0\x80", "\u{fffd}"),
            (b"\xed\xa0", "\u{fffd}"),
            (b"a\xed\xbf\xbfb", "a\u{fffd}b"),
            (b"\xed\x9f\xbf", "\u{d7ff}"),
            (b"\xe2\x82\xed\xa0a", "\u{fffd}\u{fffd}a"),
            (b"\xed\xa0\xed\xa0\x80", "\u{fffd}\u{fffd}"),
            (b"\xf4\x90\x80\x80", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
        ];
        for (bytes, text) in cases {
            assert_eq!(utf8(bytes), text, "{bytes:x?}");
        }
    }

    #[test]
    fn a_charset_says_what_letters_bytes_are() {
        let bytes = [0xfe, 0xff, 0, 0xe9, 0x62];
        let text = |name| Charset::of_name(name).unwrap().text(&bytes);
        assert_eq!(text("utf-16"), "é\u{fffd}");
        assert_eq!(text("UTF-16BE"), "\u{feff}é\u{fffd}");
        assert_eq!(text("UTF-16LE"), "\u{fffe}\u{e900}\u{fffd}");
        assert_eq!(text("ISO-8859-1"), "þÿ\0éb");
        assert_eq!(text("US-ASCII"), "\u{fffd}\u{fffd}\0\u{fffd}b");
        assert_eq!(Charset::of_name("NOPE"), None);
        let broken = |bytes: &[u8]| Charset::Utf16BigEndian.text(bytes);
        assert_eq!(broken(&[0xd8, 0x3d, 0xde, 0x00]), "\u{1f600}");
        assert_eq!(broken(&[0xd8, 0x3d, 0, 0x61, 0, 0x62]), "\u{fffd}b");
        assert_eq!(broken(&[0xdc, 0, 0, 0x61]), "\u{fffd}a");
        assert_eq!(broken(&[0xd8, 0x3d, 0x00]), "\u{fffd}");
    }
}
