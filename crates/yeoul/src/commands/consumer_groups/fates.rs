//! What became of groups, and of offsets of partitions, that were to be deleted. Pure but for the last step.

use std::io::Write;

use serde_json::json;

use crate::commands::columns::{MISSING, USUAL_WIDTH, line, width};
use crate::commands::table::{Output, Table};
use crate::failure::Failure;

/// A group, and why it was not deleted.
pub type OfGroup = (String, Option<String>);
/// A topic and its partition, or none where the topic could not be looked at, and why its offset was not deleted.
pub type OfOffset = (String, Option<i32>, Option<String>);

/// A row for each group.
pub fn of_groups(fates: &[OfGroup]) -> Table {
    let mut table = Table::new(&["Group", "Error"]);
    fates.iter().for_each(|(group, error)| table.add([json!(group), json!(error)]));
    table
}

/// A row for each partition.
pub fn of_offsets(fates: &[OfOffset]) -> Table {
    let mut table = Table::new(&["Topic", "Partition", "Error"]);
    let row = |(topic, partition, error): &OfOffset| [json!(topic), json!(partition), json!(error)];
    fates.iter().for_each(|fate| table.add(row(fate)));
    table
}

/// Writes fates for programs, which learn by the exit code too that not all went well.
pub fn tell(fates: &Table, out: &mut impl Write) -> Result<(), Failure> {
    write!(out, "{}", fates.show(Output::Json))?;
    match fates.has("Error") {
        true => Err(Failure::Told),
        false => Ok(()),
    }
}

/// The sentences of Kafka's tool.
pub fn lines_of_groups(fates: &[OfGroup]) -> Vec<String> {
    let deleted = fates.iter().filter(|(_, error)| error.is_none()).map(|(id, _)| format!("'{id}'"));
    let deleted = deleted.collect::<Vec<_>>().join(", ");
    let kept = fates.iter().filter_map(|(id, error)| Some((id, error.as_ref()?)));
    let mut lines: Vec<String> =
        kept.map(|(id, error)| format!("* Group '{id}' could not be deleted due to: {error}")).collect();
    if lines.is_empty() {
        return vec![format!("Deletion of requested consumer groups ({deleted}) was successful.")];
    }
    lines.insert(0, "\nError: Deletion of some consumer groups failed:".to_owned());
    if !deleted.is_empty() {
        lines.push(format!("\nThese consumer groups were deleted successfully: {deleted}"));
    }
    lines
}

/// The table of Kafka's tool, from its title on.
pub fn lines_of_offsets(fates: &[OfOffset]) -> Vec<String> {
    let topic_width = width(fates.iter().map(|(topic, ..)| topic.as_str()), USUAL_WIDTH);
    let row = |topic: &str, partition: &str, status: &str| {
        line(&[(topic, topic_width), (partition, 10), (status, USUAL_WIDTH)])
    };
    let fate = |(topic, partition, error): &OfOffset| {
        let number = partition.map_or_else(|| MISSING.to_owned(), |number| number.to_string());
        let status =
            error.as_ref().map_or_else(|| "Successful".to_owned(), |error| format!("Error: {error}"));
        row(topic, &number, &status)
    };
    std::iter::once(row("TOPIC", "PARTITION", "STATUS")).chain(fates.iter().map(fate)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: &str, error: Option<&str>) -> OfGroup {
        (id.to_owned(), error.map(str::to_owned))
    }

    #[test]
    fn groups_that_stay_are_told_with_the_reason() {
        let gone = [group("a", None), group("b", None)];
        let words = "Deletion of requested consumer groups ('a', 'b') was successful.";
        assert_eq!(lines_of_groups(&gone), [words]);
        let lines = lines_of_groups(&[group("a", None), group("b", Some("No."))]);
        assert_eq!(
            lines,
            [
                "\nError: Deletion of some consumer groups failed:",
                "* Group 'b' could not be deleted due to: No.",
                "\nThese consumer groups were deleted successfully: 'a'",
            ]
        );
    }

    #[test]
    fn a_program_learns_by_the_code_that_something_stays() {
        let mut out = Vec::new();
        assert_eq!(tell(&of_groups(&[group("a", None)]), &mut out), Ok(()));
        assert_eq!(tell(&of_groups(&[group("b", Some("No."))]), &mut out), Err(Failure::Told));
        let lines = "[{\"error\":null,\"group\":\"a\"}]\n[{\"error\":\"No.\",\"group\":\"b\"}]\n";
        assert_eq!(String::from_utf8(out).unwrap(), lines);
    }

    #[test]
    fn a_topic_that_could_not_be_looked_at_has_no_partition() {
        let fates = [("t".to_owned(), None, Some("No.".to_owned())), ("u".to_owned(), Some(3), None)];
        let lines = lines_of_offsets(&fates);
        assert_eq!(lines[1], "t               -          Error: No.     ");
        assert_eq!(lines[2], "u               3          Successful     ");
        assert_eq!(of_offsets(&fates).json()[0]["partition"], json!(null));
    }
}
