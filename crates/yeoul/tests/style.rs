//! The parts of the style that a program can check: see CONTRIBUTING.md.

use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 1000;

/// Every Rust file of the crates, the fuzzer and the bench's driver.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    for folder in ["crates", "fuzz", "bench/driver"] {
        collect(&root.join(folder), &mut found);
    }
    assert!(!found.is_empty());
    found
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.clone(), fs::read_to_string(&path).expect("sources are text")));
        }
    }
}

/// Fails with the files in which the words stand; they are given in two parts so that this file has none of them.
fn nowhere(first: &str, second: &str) {
    let word = format!("{first}{second}");
    let holders: Vec<PathBuf> =
        sources().into_iter().filter(|(_, text)| text.contains(&word)).map(|(path, _)| path).collect();
    assert!(holders.is_empty(), "`{word}` in {holders:?}");
}

#[test]
fn no_file_is_too_long_to_be_read_in_one_sitting() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines < FILE_LINES_MAX, "{} has {lines} lines", path.display());
    }
}

#[test]
fn no_test_is_switched_off() {
    nowhere("#[ign", "ore");
}

#[test]
fn no_crate_allows_itself_unsafe_code() {
    nowhere("allow(unsafe", "_code");
}

#[test]
fn nothing_is_left_to_be_done() {
    nowhere("todo", "!(");
    nowhere("unimplemented", "!(");
}
