//! Times as `--to-datetime` and `--by-duration` take them: ISO 8601, as Java reads it.

use chrono::DateTime;

const SECOND_MS: i64 = 1000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// `2026-11-27T08:30:00.000`, with a zone behind it or in UTC, in milliseconds since 1970.
///
/// # Errors
/// A sentence about a text that is none.
pub fn parse_datetime(text: &str) -> Result<i64, String> {
    let (_, time) = text.split_once('T').ok_or_else(|| format!("`{text}` has no T between date and time"))?;
    let has_zone = time.contains(['Z', '+', '-']);
    let text = if has_zone { text.to_owned() } else { format!("{text}Z") };
    let parsed = DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f%#z");
    let parsed = parsed.map_err(|_| format!("`{text}` is no time of the form YYYY-MM-DDThh:mm:ss.sss"))?;
    Ok(parsed.timestamp_millis())
}

/// `PnDTnHnMnS`, whose seconds may have a fraction, in milliseconds. Numbers, and the whole, may be negative.
///
/// # Errors
/// A sentence about a text that is none.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    duration(text).ok_or_else(|| format!("`{text}` is no duration of the form PnDTnHnMnS"))
}

fn duration(text: &str) -> Option<i64> {
    let upper = text.to_ascii_uppercase();
    let (sign, rest) = match upper.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, upper.strip_prefix('+').unwrap_or(&upper)),
    };
    let rest = rest.strip_prefix('P')?;
    let (days, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (rest, ""),
    };
    if rest.is_empty() {
        return None;
    }
    let days = sum(days, &[('D', DAY_MS)])?;
    let time = sum(time, &[('H', HOUR_MS), ('M', MINUTE_MS), ('S', SECOND_MS)])?;
    days.checked_add(time)?.checked_mul(sign)
}

/// The sum of numbers with these units, each at most once and in this order.
fn sum(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut sum = 0i64;
    for (unit, unit_ms) in units {
        if let Some((number, rest)) = text.split_once(*unit) {
            sum = sum.checked_add(amount(number, *unit_ms)?)?;
            text = rest;
        }
    }
    text.is_empty().then_some(sum)
}

/// A number of units. Only seconds may have a fraction.
fn amount(number: &str, unit_ms: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_plain = fraction.len() <= 9 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain || (number.contains('.') && unit_ms != SECOND_MS) {
        return None;
    }
    let millis: i64 = format!("{fraction:0<3}")[..3].parse().ok()?;
    let whole_ms = whole.parse::<i64>().ok()?.checked_mul(unit_ms)?;
    Some(if whole.starts_with('-') { whole_ms - millis } else { whole_ms + millis })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_of_its_zone_or_of_utc() {
        let at = |text| parse_datetime(text).unwrap();
        assert_eq!(at("1970-01-01T00:00:00.000"), 0);
        assert_eq!(at("1970-01-01T01:00:00.007Z"), 3_600_007);
        assert_eq!(at("1970-01-01T01:00:00.000+01:00"), 0);
        assert_eq!(at("1970-01-01T01:00:00.000+0100"), 0);
        assert_eq!(at("1970-01-01T01:00:00.000+01"), 0);
        assert_eq!(at("2026-11-27T00:00:00.000"), 1_795_737_600_000);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["foo", "2026-11-27", "2026-13-27T00:00:00.000", "2026-11-27T25:00:00.000", "T", ""] {
            assert!(parse_datetime(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_is_the_sum_of_its_parts() {
        let ms = |text| parse_duration(text).unwrap();
        assert_eq!(ms("PT1H"), HOUR_MS);
        assert_eq!(ms("P1DT2H3M4.5S"), DAY_MS + 2 * HOUR_MS + 3 * MINUTE_MS + 4_500);
        assert_eq!(ms("p2d"), 2 * DAY_MS);
        assert_eq!(ms("-PT10M"), -10 * MINUTE_MS);
        assert_eq!(ms("PT-0.25S"), -250);
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in
            ["foo", "", "P", "PT", "P1DT", "PT1M1H", "PT1.5H", "1H", "PT9999999999999999H", "PTH", "P1M"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
