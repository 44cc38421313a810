//! Times by the patterns of Java's `SimpleDateFormat`, in English. Pure.
//!
//! Of a zone there is no name but its distance, as Java tells one that has none. Letters that number weeks are refused: what they say
//! depends on the country.

use chrono::{DateTime, Datelike, FixedOffset, Timelike};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A time as a pattern has it.
///
/// # Errors
/// A sentence about a letter that says nothing, or a quotation that does not end.
pub fn formatted(pattern: &str, time: &DateTime<FixedOffset>) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        if letter == '\'' {
            rest = quoted(&rest[1..], &mut text)?;
            continue;
        }
        let width = rest.chars().take_while(|next| *next == letter).count();
        let (run, after) = rest.split_at(width * letter.len_utf8());
        rest = after;
        match letter.is_ascii_alphabetic() {
            true => text.push_str(&field(letter, width, time)?),
            false => text.push_str(run),
        }
    }
    Ok(text)
}

/// Writes what stands in quotes, of which the first is read already, and returns what is behind them. Two quotes are one.
fn quoted<'a>(rest: &'a str, text: &mut String) -> Result<&'a str, String> {
    let (inside, mut behind) = rest.split_once('\'').ok_or("Unterminated quote")?;
    text.push_str(if inside.is_empty() { "'" } else { inside });
    while let Some(more) = behind.strip_prefix('\'').filter(|_| !inside.is_empty()) {
        let (inside, after) = more.split_once('\'').ok_or("Unterminated quote")?;
        text.push('\'');
        text.push_str(inside);
        behind = after;
    }
    Ok(behind)
}

/// What so many of a letter stand for.
fn field(letter: char, width: usize, time: &DateTime<FixedOffset>) -> Result<String, String> {
    let named = |names: &[&str], place: u32| {
        let name = names.get(place as usize).copied().unwrap_or_default();
        Ok(if width > 3 { name.to_owned() } else { name.chars().take(3).collect() })
    };
    match letter {
        'G' => Ok("AD".to_owned()),
        'M' | 'L' if width > 2 => named(&MONTHS, time.month0()),
        'E' => named(&DAYS, time.weekday().num_days_from_monday()),
        'a' => Ok(if time.hour() < 12 { "AM" } else { "PM" }.to_owned()),
        'z' => Ok(zone_name(time)),
        'Z' => Ok(distance(time, "", 2)),
        'X' => iso_distance(width, time),
        _ => match number(letter, width, time) {
            Some(number) => Ok(format!("{number:0width$}")),
            None => Err(format!("Illegal pattern character '{letter}'")),
        },
    }
}

/// The number that a letter of a pattern stands for.
fn number(letter: char, width: usize, time: &DateTime<FixedOffset>) -> Option<u32> {
    let year = time.year().unsigned_abs();
    Some(match letter {
        'y' if width == 2 => year % 100,
        'y' => year,
        'M' | 'L' => time.month(),
        'd' => time.day(),
        'D' => time.ordinal(),
        'F' => time.day0() / 7 + 1,
        'u' => time.weekday().number_from_monday(),
        'H' => time.hour(),
        'k' => (time.hour() + 23) % 24 + 1,
        'K' => time.hour() % 12,
        'h' => time.hour12().1,
        'm' => time.minute(),
        's' => time.second(),
        'S' => time.timestamp_subsec_millis() % 1_000,
        _ => return None,
    })
}

fn zone_name(time: &DateTime<FixedOffset>) -> String {
    match time.offset().local_minus_utc() {
        0 => "UTC".to_owned(),
        _ => format!("GMT{}", distance(time, ":", 2)),
    }
}

fn iso_distance(width: usize, time: &DateTime<FixedOffset>) -> Result<String, String> {
    match (time.offset().local_minus_utc(), width) {
        (_, 4..) => Err(format!("invalid ISO 8601 format: length={width}")),
        (0, _) => Ok("Z".to_owned()),
        (_, 1) => Ok(distance(time, "", 1)),
        (_, 2) => Ok(distance(time, "", 2)),
        _ => Ok(distance(time, ":", 2)),
    }
}

/// How far from UTC: hours alone, or with minutes behind a separator.
fn distance(time: &DateTime<FixedOffset>, separator: &str, parts: usize) -> String {
    let seconds = time.offset().local_minus_utc();
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.unsigned_abs() / 60;
    match parts {
        1 => format!("{sign}{:02}", minutes / 60),
        _ => format!("{sign}{:02}{separator}{:02}", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pattern: &str, time: &str) -> Result<String, String> {
        formatted(pattern, &DateTime::parse_from_rfc3339(time).unwrap())
    }

    #[test]
    fn numbers_have_the_width_of_their_letters() {
        let told = |pattern| told(pattern, "2026-01-07T09:05:03.042+00:00").unwrap();
        assert_eq!(told("yyyy-MM-dd HH:mm:ss:SSS"), "2026-01-07 09:05:03:042");
        assert_eq!(told("yy/M/d S y yyyyy"), "26/1/7 42 2026 02026");
        assert_eq!(told("D F u"), "7 1 3");
    }

    #[test]
    fn hours_are_counted_in_four_ways() {
        let hours = |hour: u32| told("H k K h a", &format!("2026-01-07T{hour:02}:00:00Z")).unwrap();
        assert_eq!(
            [0, 12, 13, 23].map(hours),
            ["0 24 0 12 AM", "12 12 0 12 PM", "13 13 1 1 PM", "23 23 11 11 PM"]
        );
    }

    #[test]
    fn months_and_days_have_names() {
        let told = |pattern| told(pattern, "2026-09-30T00:00:00Z").unwrap();
        assert_eq!(told("MMM MMMM LLL EEE EEEE E G"), "Sep September Sep Wed Wednesday Wed AD");
    }

    #[test]
    fn zones_are_told_by_their_distance() {
        let told = |time| told("z|Z|X|XX|XXX", time).unwrap();
        assert_eq!(told("2026-01-07T09:05:03Z"), "UTC|+0000|Z|Z|Z");
        assert_eq!(told("2026-01-07T09:05:03-03:30"), "GMT-03:30|-0330|-03|-0330|-03:30");
    }

    #[test]
    fn what_is_quoted_stands_as_it_is_and_other_letters_are_refused() {
        let told = |pattern| told(pattern, "2026-01-07T09:05:03Z");
        for (pattern, text) in [
            ("h 'o''clock'", "9 o'clock"),
            ("''yy", "'26"),
            ("'a''b''c'", "a'b'c"),
            ("d.M. 여울", "7.1. 여울"),
        ] {
            assert_eq!(told(pattern).as_deref(), Ok(text), "{pattern}");
        }
        for pattern in ["q", "ww", "'open", "'a''b", "XXXX"] {
            assert!(told(pattern).is_err(), "{pattern}");
        }
    }
}
