//! What the page cache holds of files.
//!
//! The system calls that tell (`cachestat`, `mincore`) are not to be had without `unsafe`, and reading to find out would change
//! what is found. So `fincore` of util-linux is asked, which every distribution has.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Files that are asked for at once.
const FILES_AT_ONCE: usize = 256;

/// Bytes of each file that are in the page cache; none for a file that is not there, and where the system does not say.
pub(crate) fn resident_bytes(paths: &[PathBuf]) -> Vec<Option<u64>> {
    paths.chunks(FILES_AT_ONCE).flat_map(ask).collect()
}

fn ask(paths: &[PathBuf]) -> Vec<Option<u64>> {
    let there: Vec<bool> = paths.iter().map(|path| path.exists()).collect();
    let asked: Vec<&Path> =
        paths.iter().zip(&there).filter(|(_, there)| **there).map(|(path, _)| path.as_path()).collect();
    let answers = fincore(&asked).filter(|answers| answers.len() == asked.len());
    let mut answers = answers.unwrap_or_default().into_iter();
    there.into_iter().map(|there| if there { answers.next() } else { None }).collect()
}

/// A line a file, in the order in which they were asked for. A file that went meanwhile makes the whole answer worthless.
fn fincore(paths: &[&Path]) -> Option<Vec<u64>> {
    if paths.is_empty() {
        return Some(Vec::new());
    }
    let output = Command::new("fincore")
        .args(["--bytes", "--noheadings", "--raw", "--output", "RES", "--"])
        .args(paths)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    numbers(&String::from_utf8_lossy(&output.stdout))
}

fn numbers(text: &str) -> Option<Vec<u64>> {
    text.lines().map(|line| line.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_just_written_is_in_the_page_cache_and_what_is_not_there_is_nowhere() {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let (there, absent) = (dir.path().join("a file"), dir.path().join("absent"));
        std::fs::write(&there, vec![7; 100_000]).unwrap();
        let found = resident_bytes(&[absent.clone(), there, absent]);
        assert_eq!((found[0], found[2]), (None, None));
        let resident = found[1].expect("util-linux is there");
        assert!((100_000..=102_400).contains(&resident), "{resident}");
    }

    #[test]
    fn an_answer_that_is_no_number_is_none() {
        assert_eq!(numbers("4096\n0\n"), Some(vec![4096, 0]));
        assert_eq!(numbers("fincore: failed"), None);
    }
}
