//! The map of ARCHITECTURE.md and the manifests of the crates say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms that hold rules or files and must stay free of the async runtime, so that a simulation can drive them.
const WITHOUT_TOKIO: [&str; 8] =
    ["host", "protocol", "config", "storage", "metadata", "controller", "engine", "coordinator"];

type Arrows = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The words between back-ticks.
fn quoted(cell: &str) -> impl Iterator<Item = String> + '_ {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// The cells of a row of the table of rooms: the name in back-ticks first, four cells in all.
fn row(line: &str) -> Option<Vec<&str>> {
    let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
    (cells.len() == 4 && cells[0].starts_with('`')).then_some(cells)
}

/// What each room may use, as ARCHITECTURE.md draws it. "all above" means the rows before.
fn drawn() -> Arrows {
    let map = text(&root().join("ARCHITECTURE.md"));
    let mut arrows = Arrows::new();
    for cells in map.lines().filter_map(row) {
        let above: BTreeSet<String> = arrows.keys().cloned().collect();
        let named = quoted(cells[2]).collect();
        let allowed = if cells[2].starts_with("all above") { above } else { named };
        arrows.insert(quoted(cells[0]).next().expect("the cell starts with a back-tick"), allowed);
    }
    arrows
}

/// Names of the dependencies in the sections of a manifest that `wanted` picks.
fn dependencies(manifest: &str, wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let mut section = String::new();
    let mut names = BTreeSet::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(title) = line.strip_prefix('[') {
            section = title.trim_end_matches(']').to_owned();
        } else if wanted(&section) && line.contains('=') && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().expect("split yields at least one part");
            names.insert(name.to_owned());
        }
    }
    names
}

fn manifests() -> BTreeMap<String, String> {
    let crates = fs::read_dir(root().join("crates")).expect("the workspace has a folder crates");
    crates
        .map(|entry| entry.expect("the folder crates can be listed"))
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| (name(&entry), text(&entry.path().join("Cargo.toml"))))
        .collect()
}

fn name(entry: &fs::DirEntry) -> String {
    entry.file_name().into_string().expect("crates have plain names")
}

#[test]
fn every_crate_is_on_the_map_and_every_room_of_the_map_is_a_crate() {
    let crates: Vec<String> = manifests().into_keys().collect();
    let rooms: Vec<String> = drawn().into_keys().collect();
    assert_eq!(crates, rooms);
}

#[test]
fn a_crate_uses_only_the_rooms_that_the_map_allows() {
    let drawn = drawn();
    for (room, manifest) in manifests() {
        let used = dependencies(&manifest, |section| section.ends_with("dependencies"));
        let rooms = used.into_iter().filter(|name| drawn.contains_key(name));
        let forbidden: Vec<String> = rooms.filter(|name| !drawn[&room].contains(name)).collect();
        assert!(forbidden.is_empty(), "{room} may not use {forbidden:?}");
    }
}

#[test]
fn rooms_with_rules_do_not_know_the_async_runtime() {
    let manifests = manifests();
    for room in WITHOUT_TOKIO {
        let used = dependencies(&manifests[room], |section| section == "dependencies");
        assert!(!used.contains("tokio"), "{room} uses tokio");
    }
}

/// Whether something below a folder is logged.
fn logs(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).expect("a folder can be listed");
    let mut paths = entries.map(|entry| entry.expect("a folder can be listed").path());
    paths.any(|path| if path.is_dir() { logs(&path) } else { text(&path).contains("tracing::") })
}

#[test]
fn every_room_of_the_server_that_logs_is_a_logger() {
    // The client is no part of the server.
    let rooms = manifests().into_keys().filter(|room| room != "client");
    let that_log: Vec<String> =
        rooms.filter(|room| logs(&root().join("crates").join(room).join("src"))).collect();
    let loggers = config::LOGGERS.into_iter().filter(|logger| *logger != "openraft");
    assert_eq!(that_log, loggers.collect::<Vec<_>>());
}

#[test]
fn no_room_is_named_after_what_it_is_not() {
    for room in manifests().keys() {
        assert!(!["common", "utils", "types", "core", "helpers", "misc"].contains(&room.as_str()), "{room}");
    }
}
