//! The file that says how far logs are deleted.

use client::Place;
use serde_json::Value;

use crate::commands::json_fields::{array, duplicates, field, integer, long, string, versioned};

/// The first offset that is kept of each partition.
///
/// # Errors
/// Kafka's sentence about what the file lacks or has too much of.
pub fn parse(text: &str) -> Result<Vec<(Place, i64)>, String> {
    let file = versioned(text)?;
    let partitions = array(file.get("partitions").ok_or("Missing partitions field")?)?;
    let offsets = partitions.iter().map(offset).collect::<Result<Vec<_>, _>>()?;
    let twice = duplicates(offsets.iter().map(|((topic, partition), _)| (topic, *partition)));
    if twice.is_empty() {
        return Ok(offsets);
    }
    let twice: Vec<String> = twice.iter().map(|(topic, partition)| format!("{topic}-{partition}")).collect();
    Err(format!("Offset json file contains duplicate topic partitions: {}", twice.join(",")))
}

fn offset(entry: &Value) -> Result<(Place, i64), String> {
    let topic = string(field(entry, "topic")?)?;
    let partition = integer(field(entry, "partition")?)?;
    Ok(((topic, partition), long(field(entry, "offset")?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_partitions_and_offsets() {
        let text = r#"{"partitions": [{"topic": "t", "partition": 1, "offset": -1}], "version": 1}"#;
        assert_eq!(parse(text), Ok(vec![(("t".to_owned(), 1), -1)]));
        assert_eq!(parse(r#"{"partitions": []}"#), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_in_kafkas_words() {
        for (text, words) in [
            ("nonsense", "The input string is not a valid JSON"),
            ("{}", "Missing partitions field"),
            (r#"{"partitions": [], "version": 2}"#, "Not supported version field value 2"),
            (r#"{"partitions": [{"topic": "t", "partition": 0}]}"#, "No such field exists: `offset`"),
            (
                r#"{"partitions": [{"topic": "t", "partition": "x", "offset": 1}]}"#,
                r#"Expected `Integer` value, received "x""#,
            ),
            (
                r#"{"partitions": [{"topic": "t", "partition": 0, "offset": 1}, {"topic": "t", "partition": 0, "offset": 2}]}"#,
                "Offset json file contains duplicate topic partitions: t-0",
            ),
        ] {
            assert_eq!(parse(text), Err(words.to_owned()), "{text}");
        }
    }
}
