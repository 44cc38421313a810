//! Index entries: those in memory, and how to search those in the file.

use std::io;

use host::File;

use crate::files::offset_index::{self, OffsetEntry};
use crate::files::time_index::{self, TimeEntry};

/// An entry of fixed size.
pub(super) trait Entry: Copy {
    const BYTES: usize;
    fn write(self, bytes: &mut Vec<u8>);
    /// From exactly so many bytes.
    fn read(bytes: &[u8]) -> Self;
}

impl Entry for OffsetEntry {
    const BYTES: usize = offset_index::ENTRY_BYTES;

    fn write(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_bytes());
    }

    fn read(bytes: &[u8]) -> OffsetEntry {
        OffsetEntry::from_bytes(*bytes.first_chunk().expect("as many bytes as an entry has"))
    }
}

impl Entry for TimeEntry {
    const BYTES: usize = time_index::ENTRY_BYTES;

    fn write(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_bytes());
    }

    fn read(bytes: &[u8]) -> TimeEntry {
        TimeEntry::from_bytes(*bytes.first_chunk().expect("as many bytes as an entry has"))
    }
}

/// Entries in ascending order: the first ones in the file, the rest in memory.
pub(super) struct SparseIndex<E> {
    /// Number of entries in the file; [`u32::MAX`] for all that it has.
    in_file: u32,
    last: Option<E>,
    in_memory: Vec<E>,
}

impl<E> Default for SparseIndex<E> {
    fn default() -> SparseIndex<E> {
        SparseIndex { in_file: 0, last: None, in_memory: Vec::new() }
    }
}

/// Where the last entry is that a search is after.
pub(super) enum Floor<E> {
    Found(E),
    /// Among the first so many of the file, if anywhere.
    InFile(u32),
}

impl<E: Entry> SparseIndex<E> {
    /// Of a segment that nobody appends to, whose file is complete.
    pub(super) fn all_in_file() -> SparseIndex<E> {
        SparseIndex { in_file: u32::MAX, ..SparseIndex::default() }
    }

    /// Of a file with so many entries, of which this is the last.
    pub(super) fn of_file(in_file: u32, last: Option<E>) -> SparseIndex<E> {
        SparseIndex { in_file, last, in_memory: Vec::new() }
    }

    /// Number of entries, in the file or not yet.
    pub(super) fn len(&self) -> u32 {
        self.in_file.saturating_add(self.in_memory.len() as u32)
    }

    pub(super) fn last(&self) -> Option<E> {
        self.last
    }

    pub(super) fn push(&mut self, entry: E) {
        self.last = Some(entry);
        self.in_memory.push(entry);
    }

    /// The last entry of which this holds; it must hold of all before it.
    pub(super) fn floor(&self, holds: impl Fn(&E) -> bool) -> Floor<E> {
        let after = self.in_memory.partition_point(holds);
        match after.checked_sub(1) {
            Some(at) => Floor::Found(self.in_memory[at]),
            None => Floor::InFile(self.in_file),
        }
    }

    /// Where in the file the entries belong that are not in it yet, and their bytes.
    pub(super) fn unflushed(&self) -> (u64, Vec<u8>) {
        let mut bytes = Vec::with_capacity(self.in_memory.len() * E::BYTES);
        self.in_memory.iter().for_each(|entry| entry.write(&mut bytes));
        (u64::from(self.in_file) * E::BYTES as u64, bytes)
    }

    /// Lets go of the first entries in memory, which take so many bytes in the file.
    pub(super) fn flushed(&mut self, bytes: usize) {
        let count = bytes / E::BYTES;
        self.in_memory.drain(..count);
        self.in_memory.shrink_to_fit();
        self.in_file = self.in_file.saturating_add(count as u32);
    }
}

/// The last of the first so many entries of a file of which this holds; it must hold of all before it.
pub(super) fn floor_in_file<E: Entry>(
    file: &dyn File,
    count: u32,
    holds: impl Fn(&E) -> bool,
) -> io::Result<Option<E>> {
    let there = file.len()? / E::BYTES as u64;
    let (mut low, mut high) = (0, there.min(u64::from(count)));
    let mut found = None;
    while low < high {
        let middle = low + (high - low) / 2;
        let entry = entry_in_file(file, middle)?;
        if holds(&entry) {
            found = Some(entry);
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(found)
}

/// The entry with this number, from 0.
pub(super) fn entry_in_file<E: Entry>(file: &dyn File, number: u64) -> io::Result<E> {
    let mut bytes = [0; 16];
    let bytes = &mut bytes[..E::BYTES];
    file.read_exact_at(bytes, number * E::BYTES as u64)?;
    Ok(E::read(bytes))
}
