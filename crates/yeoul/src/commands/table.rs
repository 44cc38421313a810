//! Tables as Kafka's tools print them, and the same as JSON.

use std::fmt::Display;
use std::io::{self, Write};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

/// In which form a command writes what it has to tell.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Form {
    /// How it is written: as Kafka's tools write it, or one line of JSON
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub output: Output,
}

impl Form {
    /// Writes a line that is no row: where Kafka's tool has it, and beside the JSON on standard error.
    pub fn remark(self, line: impl Display) -> io::Result<()> {
        match self.output {
            Output::Text => writeln!(io::stdout(), "{line}"),
            Output::Json => writeln!(io::stderr(), "{line}"),
        }
    }
}

/// How a table is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people, as Kafka's tools write it.
    #[default]
    Text,
    /// For programs: one line of JSON.
    Json,
}

/// Rows under titles.
#[derive(Clone, Debug)]
pub struct Table {
    titles: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    /// A table without rows.
    pub fn new(titles: &[&'static str]) -> Table {
        Table { titles: titles.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, whose cells stand below the titles.
    pub fn add(&mut self, row: impl Into<Vec<Value>>) {
        self.rows.push(row.into());
    }

    /// Whether there is something in this column of any row.
    pub fn has(&self, title: &str) -> bool {
        let column = self.titles.iter().position(|known| *known == title);
        column.is_some_and(|column| self.rows.iter().any(|row| !row.get(column).is_none_or(Value::is_null)))
    }

    /// Columns as wide as what is in them, each ended by a tab.
    pub fn text(&self) -> String {
        let titles = self.titles.iter().map(|title| (*title).to_owned()).collect();
        let rows = self.rows.iter().map(|row| row.iter().map(cell).collect());
        let lines: Vec<Vec<String>> = std::iter::once(titles).chain(rows).collect();
        let width =
            |column: usize| lines.iter().filter_map(|line| Some(line.get(column)?.chars().count())).max();
        let widths: Vec<usize> = (0..self.titles.len()).map(|column| width(column).unwrap_or(0)).collect();
        let padded = |line: &Vec<String>| {
            let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}\t"));
            cells.chain(["\n".to_owned()]).collect::<String>()
        };
        lines.iter().map(padded).collect()
    }

    /// A list of objects, whose keys are the titles in camel case.
    pub fn json(&self) -> Value {
        let object = |row: &Vec<Value>| {
            let pairs = self.titles.iter().zip(row).map(|(title, cell)| (key(title), cell.clone()));
            Value::Object(pairs.collect::<Map<_, _>>())
        };
        self.rows.iter().map(object).collect()
    }

    /// One or the other.
    pub fn show(&self, output: Output) -> String {
        match output {
            Output::Text => self.text(),
            Output::Json => format!("{}\n", self.json()),
        }
    }
}

/// What stands in a table for a value: what is not there is `None`, what is many is separated by commas.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(many) => many.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// `ProducerId` and `PRODUCER-ID` as `producerId`.
fn key(title: &str) -> String {
    let is_constant = !title.chars().any(char::is_lowercase);
    let words = title.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut key = String::with_capacity(title.len());
    for word in words {
        let word = if is_constant { word.to_lowercase() } else { word.to_owned() };
        let first = word.chars().next().map(|letter| match key.is_empty() {
            true => letter.to_ascii_lowercase(),
            false => letter.to_ascii_uppercase(),
        });
        key.extend(first);
        key.push_str(word.get(1..).unwrap_or_default());
    }
    key
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them_and_end_with_a_tab() {
        let mut table = Table::new(&["NodeId", "Lag"]);
        table.add([json!(1), json!("a long one")]);
        assert_eq!(table.text(), "NodeId\tLag       \t\n1     \ta long one\t\n");
        assert_eq!(table.json(), json!([{"nodeId": 1, "lag": "a long one"}]));
    }

    #[test]
    fn titles_become_keys() {
        assert_eq!(key("TransactionalId"), "transactionalId");
        assert_eq!(key("ENDPOINT_TYPE"), "endpointType");
        assert_eq!(key("Duration(min)"), "durationMin");
        assert_eq!(key("ID"), "id");
    }
}
