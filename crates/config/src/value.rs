//! Text becomes a value of its setting's type and within its bounds, or an error in Kafka's words.

use crate::setting::{Bounds, Kind, Setting};

/// A value in its type.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of a boolean setting.
    Boolean(bool),
    /// Of an int, short or long setting.
    Number(i64),
    /// Of a double setting.
    Double(f64),
    /// Of a string, class or password setting.
    Text(String),
    /// Of a list setting; duplicates are dropped.
    List(Vec<String>),
}

/// The value of a setting, or why the text is none, as Kafka words it.
pub fn parse(setting: &Setting, text: &str) -> Result<Value, String> {
    let trimmed = text.trim();
    let value = match setting.kind {
        Kind::Boolean => boolean(setting, trimmed)?,
        Kind::Int | Kind::Short | Kind::Long => Value::Number(number(setting, trimmed)?),
        Kind::Double => Value::Double(trimmed.parse().map_err(|_| not_a_number(setting, trimmed))?),
        Kind::List => list(setting, trimmed)?,
        Kind::String | Kind::Class | Kind::Password => Value::Text(trimmed.to_owned()),
    };
    check(setting, &value, trimmed)?;
    Ok(value)
}

fn invalid(setting: &Setting, value: &str, why: &str) -> String {
    format!("Invalid value {value} for configuration {}: {why}", setting.name)
}

fn boolean(setting: &Setting, text: &str) -> Result<Value, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(Value::Boolean(true)),
        "false" => Ok(Value::Boolean(false)),
        _ => Err(invalid(setting, text, "Expected value to be either true or false")),
    }
}

fn number(setting: &Setting, text: &str) -> Result<i64, String> {
    let number = match setting.kind {
        Kind::Short => text.parse::<i16>().map(i64::from),
        Kind::Int => text.parse::<i32>().map(i64::from),
        _ => text.parse::<i64>(),
    };
    number.map_err(|_| not_a_number(setting, text))
}

fn not_a_number(setting: &Setting, text: &str) -> String {
    let kind = format!("{:?}", setting.kind).to_uppercase();
    invalid(setting, text, &format!("Not a number of type {kind}"))
}

fn list(setting: &Setting, text: &str) -> Result<Value, String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(',').map(str::trim).filter(|_| !text.is_empty()) {
        if word.is_empty() {
            return Err(format!("Configuration '{}' values must not be empty.", setting.name));
        }
        if !words.iter().any(|known| known == word) {
            words.push(word.to_owned());
        }
    }
    Ok(Value::List(words))
}

fn check(setting: &Setting, value: &Value, text: &str) -> Result<(), String> {
    match setting.bounds {
        Bounds::Any => Ok(()),
        Bounds::NonEmpty => non_empty(setting, value),
        Bounds::Range { min, max } => range(setting, value, min, max),
        Bounds::GzipLevel => gzip_level(setting, value),
        Bounds::OneOf(words) => one_of(setting, value, words, |a, b| a == b),
        Bounds::OneOfIgnoringCase(words) => one_of(setting, value, words, str::eq_ignore_ascii_case),
        Bounds::ThrottledReplicas => throttled_replicas(setting, value),
        Bounds::OffsetReset => offset_reset(setting, text),
    }
}

fn non_empty(setting: &Setting, value: &Value) -> Result<(), String> {
    match value {
        Value::Text(text) if text.is_empty() => Err(invalid(setting, "", "String must be non-empty")),
        Value::List(words) if words.is_empty() => {
            let name = setting.name;
            Err(format!(
                "Configuration '{name}' must not be empty. Valid values include: any non-empty value"
            ))
        }
        _ => Ok(()),
    }
}

// Bounds are small enough to be exact as floating-point numbers; a long that is not is far beyond them.
fn range(setting: &Setting, value: &Value, min: Option<&str>, max: Option<&str>) -> Result<(), String> {
    let (number, shown) = match value {
        Value::Number(number) => (*number as f64, number.to_string()),
        Value::Double(number) => (*number, format!("{number:?}")),
        _ => return Ok(()),
    };
    let bound = |text: &str| text.parse::<f64>().unwrap_or(number);
    match (min, max) {
        (Some(min), _) if number < bound(min) => {
            Err(invalid(setting, &shown, &format!("Value must be at least {min}")))
        }
        (_, Some(max)) if number > bound(max) => {
            Err(invalid(setting, &shown, &format!("Value must be no more than {max}")))
        }
        _ => Ok(()),
    }
}

fn gzip_level(setting: &Setting, value: &Value) -> Result<(), String> {
    match value {
        Value::Number(level) if *level != -1 && !(1..=9).contains(level) => {
            Err(invalid(setting, &level.to_string(), "Value must be between 1 and 9 or equal to -1"))
        }
        _ => Ok(()),
    }
}

fn one_of(
    setting: &Setting,
    value: &Value,
    allowed: &[&str],
    same: fn(&str, &str) -> bool,
) -> Result<(), String> {
    let given = match value {
        Value::Text(text) => std::slice::from_ref(text),
        Value::List(words) => words.as_slice(),
        _ => return Ok(()),
    };
    if given.is_empty() && setting.name == "process.roles" {
        let valid = allowed.join(", ");
        return Err(format!(
            "Configuration 'process.roles' must not be empty. Valid values include: [{valid}]"
        ));
    }
    match given.iter().find(|word| !allowed.iter().any(|allowed| same(allowed, word))) {
        Some(word) => Err(invalid(setting, word, &format!("String must be one of: {}", allowed.join(", ")))),
        None => Ok(()),
    }
}

fn throttled_replicas(setting: &Setting, value: &Value) -> Result<(), String> {
    let Value::List(words) = value else { return Ok(()) };
    let is_pair = |word: &String| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        word.split_once(':').is_some_and(|(partition, broker)| digits(partition) && digits(broker))
    };
    if words.as_slice() == ["*"] || words.iter().all(is_pair) {
        return Ok(());
    }
    let why = format!(
        "{} must be the literal '*' or a list of replicas in the following format: \
         [partitionId]:[brokerId],[partitionId]:[brokerId],...",
        setting.name
    );
    Err(invalid(setting, &format!("[{}]", words.join(", ")), &why))
}

fn offset_reset(setting: &Setting, text: &str) -> Result<(), String> {
    if matches!(text, "latest" | "earliest") || text.strip_prefix("by_duration:").is_some_and(is_duration) {
        return Ok(());
    }
    let why = format!(
        "Invalid value `{text}` for configuration {}. The value must be either 'earliest', 'latest' or of the format \
         'by_duration:<PnDTnHnMn.nS>'.",
        setting.name
    );
    Err(invalid(setting, text, &why))
}

/// Whether the text is a duration of ISO 8601, from days down to seconds and not negative.
fn is_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['P', 'p']) else { return false };
    let upper = rest.to_ascii_uppercase();
    let (days, time) = match upper.split_once('T') {
        Some((days, time)) if !time.is_empty() => (days, time),
        Some(_) => return false,
        None => (upper.as_str(), ""),
    };
    !upper.is_empty() && has_units(days, "D") && has_units(time, "HMS")
}

/// Whether the text is numbers with these units, each at most once and in this order; a part of a second may follow a dot.
fn has_units(text: &str, units: &str) -> bool {
    let mut rest = text;
    for unit in units.chars() {
        let Some((number, after)) = rest.split_once(unit) else { continue };
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(part) || (number.contains('.') && unit != 'S') {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_days_hours_minutes_and_seconds() {
        for text in ["P1D", "PT1H", "PT1H2M3.5S", "P2DT0.001S", "pt5m"] {
            assert!(is_duration(text), "{text}");
        }
        for text in
            ["", "P", "PT", "P1DT", "1H", "PT1H1H", "PT1M1H", "PT-1H", "-PT1H", "PT1.5H", "P1", "PTxS"]
        {
            assert!(!is_duration(text), "{text}");
        }
    }
}
