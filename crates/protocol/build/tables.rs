//! The two tables of numbers: API keys and error codes.

use std::fmt::Write;

/// The constants of `ApiKey` and the facts behind them.
pub fn api_keys(table: &str) -> String {
    let rows: Vec<Vec<&str>> = rows(table);
    let mut text = String::from("impl ApiKey {\n");
    for row in &rows {
        let name = screaming(row[1]);
        writeln!(text, "    /// `{}`.\n    pub const {name}: ApiKey = ApiKey({});", row[1], row[0])
            .expect(GROWS);
    }
    text += "}\n\nstatic FACTS: &[Facts] = &[\n";
    for row in &rows {
        let (min, max) = if row[2] == "none" { ("0", "-1") } else { (row[2], row[3]) };
        writeln!(
            text,
            "    Facts {{ key: {}, name: {:?}, versions: VersionRange {{ min: {min}, max: {max} }}, \
             flexible_from: {:?}, unstable: {}, broker: {}, controller: {}, cluster_action: {}, forwardable: {} }},",
            row[0],
            row[1],
            row[4].strip_suffix('+').map(|version| version.parse::<i16>().expect("a version")),
            row[5],
            row[6].split(',').any(|listener| listener == "broker"),
            row[6].split(',').any(|listener| listener == "controller"),
            row[7],
            row[8],
        )
        .expect(GROWS);
    }
    text + "];\n"
}

/// The enum of error codes and what is known of each.
pub fn error_codes(table: &str) -> String {
    let rows = rows(table);
    let mut text = String::from(
        "/// An error code of the protocol.\n#[repr(i16)]\n#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]\npub enum ErrorCode {\n",
    );
    for row in &rows {
        let default = if row[0] == "0" { "    #[default]\n" } else { "" };
        writeln!(text, "    /// {}.\n{default}    {} = {},", capitalised(row[3]), camel(row[1]), row[0])
            .expect(GROWS);
    }
    text += "}\n\nstatic FACTS: &[Facts] = &[\n";
    for row in &rows {
        writeln!(
            text,
            "    Facts {{ error: ErrorCode::{}, name: {:?}, retriable: {}, message: {:?} }},",
            camel(row[1]),
            row[1],
            row[2],
            row[3]
        )
        .expect(GROWS);
    }
    text + "];\n"
}

const GROWS: &str = "a string grows without errors";

fn rows(table: &str) -> Vec<Vec<&str>> {
    table.lines().skip(1).filter(|line| !line.is_empty()).map(|line| line.split('\t').collect()).collect()
}

/// `FetchSnapshot` becomes `FETCH_SNAPSHOT`.
fn screaming(name: &str) -> String {
    let mut text = String::new();
    for (index, letter) in name.char_indices() {
        if letter.is_uppercase() && index > 0 {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

/// `NOT_CONTROLLER` becomes `NotController`.
fn camel(name: &str) -> String {
    name.split('_').map(|word| capitalised(&word.to_ascii_lowercase())).collect()
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
