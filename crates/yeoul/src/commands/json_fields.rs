//! Fields of JSON that is handed to a tool; what is wrong with them is said as Kafka's tools say it.

use std::collections::BTreeSet;

use serde_json::Value;

/// The one version of such files that there is.
const VERSION: i64 = 1;

/// An object of the first and only version, which need not be said.
pub fn versioned(text: &str) -> Result<Value, String> {
    let file: Value =
        serde_json::from_str(text).map_err(|_| "The input string is not a valid JSON".to_owned())?;
    object(&file)?;
    match file.get("version").map(integer).transpose()? {
        None => Ok(file),
        Some(version) if i64::from(version) == VERSION => Ok(file),
        Some(version) => Err(format!("Not supported version field value {version}")),
    }
}

/// A field that must be there.
pub fn field<'a>(entry: &'a Value, name: &str) -> Result<&'a Value, String> {
    object(entry)?;
    entry.get(name).ok_or_else(|| format!("No such field exists: `{name}`"))
}

/// The elements of an array.
pub fn array(value: &Value) -> Result<&[Value], String> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| format!("Expected JSON array, received {value}"))
}

/// A text.
pub fn string(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| expected("String", value))
}

/// A number of 32 bits.
pub fn integer(value: &Value) -> Result<i32, String> {
    let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
    number.ok_or_else(|| expected("Integer", value))
}

/// A number of 64 bits.
pub fn long(value: &Value) -> Result<i64, String> {
    value.as_i64().ok_or_else(|| expected("Long", value))
}

fn object(value: &Value) -> Result<(), String> {
    if value.is_object() { Ok(()) } else { Err(format!("Expected JSON object, received {value}")) }
}

fn expected(kind: &str, value: &Value) -> String {
    format!("Expected `{kind}` value, received {value}")
}

/// What is there more than once.
pub fn duplicates<T: Ord + Clone>(values: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut seen = BTreeSet::new();
    values.into_iter().filter(|value| !seen.insert(value.clone())).collect()
}
