//! A setting that is said to act is read by somebody.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use config::{Scope, Setting, setting, settings};

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Rust file below a directory.
fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
        let path = entry.expect("the directory can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn text(paths: &[PathBuf]) -> String {
    let read = |path: &PathBuf| {
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    paths.iter().map(read).collect()
}

/// The code of those who go by settings, without their tests.
fn users() -> String {
    let mut found = Vec::new();
    for room in ["storage", "controller", "coordinator", "quorum", "server", "yeoul"] {
        sources(&crates().join(room).join("src"), &mut found);
    }
    found.retain(|path| !path.ends_with("tests.rs"));
    let mut rules = Vec::new();
    sources(&crates().join("config/src/broker"), &mut rules);
    rules.retain(|path| !path.ends_with("sections.rs") && !path.ends_with("tests.rs"));
    found.extend(rules);
    text(&found)
}

/// The code that only turns settings into fields.
fn fields() -> String {
    text(&["broker/sections.rs", "topic.rs"].map(|name| crates().join("config/src").join(name)))
}

/// The field that holds a setting: the one whose documentation begins with its key.
fn field_by_key(code: &str) -> BTreeMap<&str, &str> {
    let mut fields = BTreeMap::new();
    let mut key = None;
    for line in code.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("///") {
            key = key.or_else(|| doc.trim().strip_prefix('`')?.split('`').next());
        } else if let Some(field) = line.strip_prefix("pub ").and_then(|rest| rest.split_once(':')) {
            if let Some(key) = key.take() {
                fields.insert(key, field.0);
            }
        } else {
            key = None;
        }
    }
    fields
}

/// Whether the code has a field of this name.
fn reads(code: &str, field: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    code.match_indices(&format!(".{field}")).any(|(at, found)| ends(&code[at + found.len()..]))
}

#[test]
fn a_setting_that_is_said_to_act_is_read_where_it_acts() {
    let (users, made) = (users(), fields());
    let field_by_key = field_by_key(&made);
    assert!(field_by_key.len() > 50, "{}", field_by_key.len());
    let quoted = |code: &str, key: &str| code.contains(&format!("\"{key}\""));
    let acts = |row: &&Setting| match field_by_key.get(row.name) {
        Some(field) => reads(&users, field),
        None => quoted(&users, row.name),
    };
    let idle: Vec<&str> =
        settings(Scope::Topic).iter().filter(|row| row.acts && !acts(row)).map(|row| row.name).collect();
    assert_eq!(idle, [""; 0], "topics' settings that nobody reads");
    let of_topics = |row: &&Setting| {
        let stands_for_it = |topic: &Setting| topic.acts && topic.synonyms.contains(&row.name);
        settings(Scope::Topic).iter().any(stands_for_it)
    };
    let idle: Vec<&str> = settings(Scope::Broker)
        .iter()
        .filter(|row| row.acts && !of_topics(row) && !acts(row))
        .map(|row| row.name)
        .collect();
    assert_eq!(idle, [""; 0], "brokers' settings that nobody reads");
}

#[test]
fn a_topics_setting_and_the_brokers_that_it_falls_back_to_act_alike() {
    for row in settings(Scope::Topic) {
        for name in row.synonyms {
            let broker = setting(Scope::Broker, name).expect("topics fall back to settings that there are");
            assert_eq!(broker.acts, row.acts, "{} and {name}", row.name);
        }
    }
}
