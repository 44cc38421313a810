//! Exchanging segments for the one that was made of them, so that a crash at any moment leaves a whole log: as in Kafka, by names.
//!
//! | step | names | a start that finds this |
//! |---|---|---|
//! | 1 | the new files are `.cleaned` | removes them |
//! | 2 | they become `.swap`, the log file last | removes all if one is `.cleaned` still, and else goes on with step 3 |
//! | 3 | the old files become `.deleted` | removes them |
//! | 4 | the new files lose their suffix, the log file first | goes on with that |
//!
//! The directory is flushed after each step but the first.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use host::{DirEntry, Disk};

use crate::StorageError;
use crate::files::names;
use crate::segment::{Place, Segment, SegmentHome};

const SEGMENT_FILES: [&str; 4] =
    [names::LOG, names::OFFSET_INDEX, names::TIME_INDEX, names::TRANSACTION_INDEX];

/// Puts a segment whose files are complete and flushed in the place of others.
pub(crate) fn exchange(
    home: &SegmentHome,
    originals: &[Arc<Segment>],
    cleaned: &Segment,
) -> Result<(), StorageError> {
    let sync = || home.disk.sync_dir(&home.dir).map_err(|source| StorageError::io(&home.dir, source));
    cleaned.move_to(Place::Swap)?;
    sync()?;
    originals.iter().try_for_each(|original| original.move_to(Place::Deleted))?;
    sync()?;
    cleaned.move_to(Place::InLog)?;
    sync()
}

/// Brings a directory in order in which an exchange was cut short, and says whether there was anything to do.
pub(crate) fn settle(disk: &Arc<dyn Disk>, dir: &Path, entries: &[DirEntry]) -> Result<bool, StorageError> {
    let found = Leftovers::among(entries);
    if found.is_none() {
        return Ok(false);
    }
    let home = Arc::new(SegmentHome { disk: disk.clone(), dir: dir.to_owned() });
    settle_all(&home, found, entries)?;
    Ok(true)
}

/// Files with a suffix, without it.
#[derive(Default)]
struct Leftovers {
    cleaned: Vec<String>,
    swap: Vec<String>,
    deleted: Vec<String>,
}

impl Leftovers {
    fn among(entries: &[DirEntry]) -> Leftovers {
        let mut found = Leftovers::default();
        for DirEntry { name, .. } in entries {
            let lists = [
                (names::CLEANED, &mut found.cleaned),
                (names::SWAP, &mut found.swap),
                (names::DELETED, &mut found.deleted),
            ];
            for (suffix, list) in lists {
                list.extend(name.strip_suffix(suffix).map(str::to_owned));
            }
        }
        found
    }

    fn is_none(&self) -> bool {
        self.cleaned.is_empty() && self.swap.is_empty() && self.deleted.is_empty()
    }
}

fn settle_all(home: &Arc<SegmentHome>, found: Leftovers, entries: &[DirEntry]) -> Result<(), StorageError> {
    // What became `.swap` before a crash is incomplete as long as a file is `.cleaned`: the log file is the last.
    let first_incomplete = found.cleaned.iter().filter_map(|name| offset_of(name)).min().unwrap_or(i64::MAX);
    let is_complete = |name: &String| offset_of(name).is_some_and(|offset| offset < first_incomplete);
    let (swap, incomplete): (Vec<String>, Vec<String>) = found.swap.into_iter().partition(is_complete);
    remove(home, incomplete.iter().map(|name| format!("{name}{}", names::SWAP)))?;
    remove(home, found.cleaned.iter().map(|name| format!("{name}{}", names::CLEANED)))?;
    remove(home, found.deleted.iter().map(|name| format!("{name}{}", names::DELETED)))?;
    for base_offset in swap.iter().filter_map(|name| names::offset_in(name, names::LOG)) {
        let end_offset = end_of_swap(home, base_offset)?;
        remove(home, replaced(base_offset, end_offset, entries))?;
    }
    let (logs, others): (Vec<&String>, Vec<&String>) =
        swap.iter().partition(|name| name.ends_with(names::LOG));
    let rename = || {
        for name in logs.into_iter().chain(others) {
            home.disk.rename(&home.dir.join(format!("{name}{}", names::SWAP)), &home.dir.join(name))?;
        }
        home.disk.sync_dir(&home.dir)
    };
    rename().map_err(|source| StorageError::io(&home.dir, source))
}

/// Removes files for good.
fn remove(home: &SegmentHome, names: impl Iterator<Item = String>) -> Result<(), StorageError> {
    let mut names = names.peekable();
    if names.peek().is_none() {
        return Ok(());
    }
    let removed = names.try_for_each(|name| home.disk.remove_file(&home.dir.join(name)));
    removed.and_then(|()| home.disk.sync_dir(&home.dir)).map_err(|source| StorageError::io(&home.dir, source))
}

fn offset_of(name: &str) -> Option<i64> {
    SEGMENT_FILES.iter().find_map(|suffix| names::offset_in(name, suffix))
}

/// The offset after the last record of a segment whose files are `.swap`.
fn end_of_swap(home: &Arc<SegmentHome>, base_offset: i64) -> Result<i64, StorageError> {
    let segment = Segment::open_swap(home.clone(), base_offset)?;
    Ok(segment.last_batch()?.map_or(base_offset, |last| last.next_offset()))
}

/// The files that a new segment takes the place of, as far as they have their names still. Those behind its last record may stay: what
/// they have is older than what the log has further on.
fn replaced(base_offset: i64, end_offset: i64, entries: &[DirEntry]) -> impl Iterator<Item = String> {
    let is_replaced = move |name: &str| {
        let snapshot =
            names::offset_in(name, names::PRODUCER_SNAPSHOT).filter(|offset| *offset > base_offset);
        let offset = offset_of(name).or(snapshot);
        offset.is_some_and(|offset| offset == base_offset || (base_offset..end_offset).contains(&offset))
    };
    entries.iter().filter(move |entry| is_replaced(&entry.name)).map(|entry| entry.name.clone())
}

/// The files of segments that are no part of the log any more, to be removed.
pub(crate) fn deleted_files(originals: &[Arc<Segment>]) -> Vec<PathBuf> {
    originals.iter().flat_map(|original| SEGMENT_FILES.map(|suffix| original.path(suffix))).collect()
}
