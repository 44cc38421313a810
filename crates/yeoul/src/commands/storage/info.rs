//! `yeoul storage info`.

use std::io::Write;
use std::path::{Path, PathBuf};

use ::config::BrokerConfig;
use host::Host;
use storage::files::meta_properties::{self, MetaProperties};

use serde_json::json;

use super::directories;
use crate::commands::table::{Output, Table};
use crate::failure::Failure;

/// What is found at the place of a log directory.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    NoDirectory,
    NotFormatted,
    Formatted(MetaProperties),
    Unreadable(String),
}

/// Tells whose the log directories are, and fails if they are not in order.
pub fn run(host: &Host, config: &BrokerConfig, output: Output, out: &mut impl Write) -> Result<(), Failure> {
    let mut paths = directories(config);
    paths.sort();
    let found: Vec<(PathBuf, Found)> = paths
        .into_iter()
        .map(|path| {
            let found = look(host, &path);
            (path, found)
        })
        .collect();
    let (report, problems) = report(&found);
    match output {
        Output::Text => write!(out, "{report}")?,
        Output::Json => write!(out, "{}", table(&found).show(output))?,
    }
    match problems {
        0 => Ok(()),
        _ => Err(Failure::Told),
    }
}

fn look(host: &Host, path: &Path) -> Found {
    if !path.is_dir() {
        return if path.exists() { Found::NoDirectory } else { Found::Nothing };
    }
    match meta_properties::load(&*host.disk, &path.join(meta_properties::NAME)) {
        Ok(Some(properties)) => Found::Formatted(properties),
        Ok(None) => Found::NotFormatted,
        Err(error) => Found::Unreadable(error.to_string()),
    }
}

/// The text in the words of Kafka's tool, and how many problems it names.
fn report(found: &[(PathBuf, Found)]) -> (String, usize) {
    let is_there = |found: &Found| !matches!(found, Found::Nothing | Found::NoDirectory);
    let there: Vec<String> = found
        .iter()
        .filter(|(_, found)| is_there(found))
        .map(|(path, _)| path.display().to_string())
        .collect();
    let properties: Vec<&MetaProperties> = found.iter().filter_map(|(_, found)| formatted(found)).collect();
    let mut problems: Vec<String> = found.iter().filter_map(|(path, found)| problem(path, found)).collect();
    problems.extend(mismatches(&properties));
    let mut text = section("Found log directory:", "Found log directories:", &there);
    if let Some(first) = properties.first() {
        text.push_str(&format!("Found metadata: {}\n\n", metadata(first)));
    }
    text.push_str(&section("Found problem:", "Found problems:", &problems));
    (text, problems.len())
}

/// The same with a row for each directory; one that does not belong to the first is a problem of its own.
fn table(found: &[(PathBuf, Found)]) -> Table {
    let mut table = Table::new(&["LogDir", "ClusterId", "NodeId", "DirectoryId", "Problem"]);
    let first = found.iter().find_map(|(_, found)| formatted(found));
    for (path, found) in found {
        let properties = formatted(found);
        let both: Vec<&MetaProperties> = first.into_iter().chain(properties).collect();
        let problem = problem(path, found).or_else(|| mismatches(&both).pop());
        table.add([
            json!(path),
            json!(properties.map(|it| &it.cluster_id)),
            json!(properties.map(|it| it.node_id)),
            json!(properties.and_then(|it| it.directory_id).map(|id| id.to_string())),
            json!(problem),
        ]);
    }
    table
}

fn formatted(found: &Found) -> Option<&MetaProperties> {
    match found {
        Found::Formatted(properties) => Some(properties),
        _ => None,
    }
}

fn problem(path: &Path, found: &Found) -> Option<String> {
    let path = path.display();
    match found {
        Found::Nothing => Some(format!("{path} does not exist")),
        Found::NoDirectory => Some(format!("{path} is not a directory")),
        Found::NotFormatted => Some(format!("{path} is not formatted.")),
        Found::Unreadable(why) => Some(format!("Error loading {path}/{}: {why}", meta_properties::NAME)),
        Found::Formatted(_) => None,
    }
}

/// Each directory is compared with the first.
fn mismatches(all: &[&MetaProperties]) -> Vec<String> {
    let Some((first, others)) = all.split_first() else { return Vec::new() };
    let mismatch = |other: &&MetaProperties| {
        let of = |what| format!("Mismatched {what} IDs between storage directories.");
        match (first.cluster_id == other.cluster_id, first.node_id == other.node_id) {
            (false, _) => Some(of("cluster")),
            (_, false) => Some(of("node")),
            _ => None,
        }
    };
    others.iter().filter_map(mismatch).collect()
}

fn metadata(properties: &MetaProperties) -> String {
    let id = properties.directory_id.map_or(String::new(), |id| format!("directory.id={id}, "));
    let MetaProperties { cluster_id, node_id, .. } = properties;
    format!("{{cluster.id={cluster_id}, {id}node.id={node_id}, version=1}}")
}

fn section(one: &str, many: &str, lines: &[String]) -> String {
    let title = match lines.len() {
        0 => return String::new(),
        1 => one,
        _ => many,
    };
    let lines: String = lines.iter().map(|line| format!("  {line}\n")).collect();
    format!("{title}\n{lines}\n")
}

#[cfg(test)]
mod tests {
    use protocol::Uuid;

    use super::*;

    fn of(cluster: &str, node_id: i32) -> Found {
        let cluster_id = cluster.to_owned();
        Found::Formatted(MetaProperties { cluster_id, node_id, directory_id: Some(Uuid::METADATA_TOPIC_ID) })
    }

    fn report_of(found: &[(&str, Found)]) -> (String, usize) {
        report(&found.iter().map(|(path, found)| (PathBuf::from(path), found.clone())).collect::<Vec<_>>())
    }

    #[test]
    fn directories_in_order_are_told_with_whose_they_are() {
        let expected = "Found log directories:\n  /a\n  /b\n\n\
                        Found metadata: {cluster.id=x, directory.id=AAAAAAAAAAAAAAAAAAAAAQ, node.id=1, version=1}\n\n";
        assert_eq!(report_of(&[("/a", of("x", 1)), ("/b", of("x", 1))]), (expected.to_owned(), 0));
    }

    #[test]
    fn what_is_missing_or_not_formatted_is_a_problem() {
        let expected =
            "Found log directory:\n  /a\n\nFound problems:\n  /a is not formatted.\n  /b does not exist\n\n";
        let found = [("/a", Found::NotFormatted), ("/b", Found::Nothing)];
        assert_eq!(report_of(&found), (expected.to_owned(), 2));
        let expected = "Found problem:\n  /f is not a directory\n\n";
        assert_eq!(report_of(&[("/f", Found::NoDirectory)]), (expected.to_owned(), 1));
    }

    #[test]
    fn directories_of_two_clusters_or_nodes_do_not_belong_together() {
        let problem = |other| report_of(&[("/a", of("x", 1)), ("/b", other)]);
        assert!(problem(of("y", 2)).0.ends_with("Mismatched cluster IDs between storage directories.\n\n"));
        assert!(problem(of("x", 2)).0.ends_with("Mismatched node IDs between storage directories.\n\n"));
        assert_eq!(problem(of("x", 2)).1, 1);
        let found = [of("x", 1), Found::NotFormatted, of("x", 2)].map(|it| (PathBuf::from("/a"), it));
        let json = table(&found).json();
        let id = "AAAAAAAAAAAAAAAAAAAAAQ";
        let row = |node: Option<i32>, problem| {
            json!({
                "logDir": "/a", "clusterId": node.map(|_| "x"), "nodeId": node, "directoryId": node.map(|_| id),
                "problem": problem,
            })
        };
        let different = "Mismatched node IDs between storage directories.";
        assert_eq!(
            json,
            json!([
                row(Some(1), None),
                row(None, Some("/a is not formatted.")),
                row(Some(2), Some(different))
            ])
        );
    }
}
