//! The entries of the two indexes of a segment, and whether the segment has what they say.

use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use protocol::records::records;

use super::batches::{Batch, batch_at};
use super::{at, name_of, offset_in, read, titled};
use crate::failure::Failure;

/// What a batch may take when decompressed, in bytes.
const INFLATED_BYTES_MAX: usize = 1 << 30;

/// What is wanted of an index.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Only whether it can be used.
    pub sanity_only: bool,
    /// Only what does not fit.
    pub verify_only: bool,
    /// The largest batch that is looked for, in bytes.
    pub message_bytes_max: usize,
}

/// Where a batch begins, by the offset of its last record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OffsetEntry {
    offset: i64,
    position: i32,
}

/// The largest timestamp up to an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TimeEntry {
    timestamp: i64,
    offset: i64,
}

/// An index whatever is in it: who looks at a damaged one wants to see that.
struct Index<T> {
    base_offset: i64,
    entries: Vec<T>,
    /// Bytes behind the last whole entry.
    rest: usize,
}

impl Index<OffsetEntry> {
    fn of_offsets(base_offset: i64, bytes: &[u8]) -> Index<OffsetEntry> {
        let (entries, rest) = bytes.as_chunks::<8>();
        let entry = |[a, b, c, d, e, f, g, h]: &[u8; 8]| OffsetEntry {
            offset: base_offset.wrapping_add(i32::from_be_bytes([*a, *b, *c, *d]).into()),
            position: i32::from_be_bytes([*e, *f, *g, *h]),
        };
        Index { base_offset, entries: entries.iter().map(entry).collect(), rest: rest.len() }
    }

    /// Where the batch that holds an offset is looked for.
    fn position_of(&self, offset: i64) -> i32 {
        let place = self.entries.partition_point(|entry| entry.offset <= offset);
        place.checked_sub(1).and_then(|place| self.entries.get(place)).map_or(0, |entry| entry.position)
    }

    fn is_sane(&self) -> bool {
        self.rest == 0 && self.entries.last().is_none_or(|last| last.offset >= self.base_offset)
    }
}

impl Index<TimeEntry> {
    fn of_times(base_offset: i64, bytes: &[u8]) -> Index<TimeEntry> {
        let (entries, rest) = bytes.as_chunks::<12>();
        let entry = |[a, b, c, d, e, f, g, h, i, j, k, l]: &[u8; 12]| TimeEntry {
            timestamp: i64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
            offset: base_offset.wrapping_add(i32::from_be_bytes([*i, *j, *k, *l]).into()),
        };
        Index { base_offset, entries: entries.iter().map(entry).collect(), rest: rest.len() }
    }

    fn is_sane(&self) -> bool {
        let ends = self.entries.first().zip(self.entries.last());
        let is_ordered = |(first, last): (&TimeEntry, &TimeEntry)| {
            first.timestamp <= last.timestamp && last.offset >= self.base_offset
        };
        self.rest == 0 && ends.is_none_or(is_ordered)
    }
}

/// Tells of an index and returns what does not fit. Zeros behind the last entry are room that was made in advance.
pub fn dump(
    file: &Path,
    is_of_times: bool,
    asked: Asked,
    out: &mut impl Write,
) -> Result<Vec<String>, Failure> {
    let base_offset = offset_in(name_of(file)).map_err(|why| at(file, &why))?;
    let segment = read(&file.with_extension("log"))?;
    let bytes = read(file)?;
    if !is_of_times {
        let index = Index::of_offsets(base_offset, &bytes);
        return match asked.sanity_only {
            _ if index.entries.is_empty() => {
                writeln!(out, "{} is empty.", file.display())?;
                Ok(Vec::new())
            }
            true => passed(file, index.is_sane(), out),
            false => tell_offsets(file, &index, &segment, asked, out),
        };
    }
    let offsets = Index::of_offsets(base_offset, &read(&file.with_extension("index"))?);
    let times = Index::of_times(base_offset, &bytes);
    match asked.sanity_only {
        true => passed(file, times.is_sane(), out),
        false => tell_times(file, &times, &offsets, &segment, asked, out),
    }
}

fn passed(file: &Path, is_sane: bool, out: &mut impl Write) -> Result<Vec<String>, Failure> {
    if !is_sane {
        return Err(at(file, &"the last entry is not the largest, or bytes stand behind it"));
    }
    writeln!(out, "{} passed sanity check.", file.display())?;
    Ok(Vec::new())
}

fn tell_offsets(
    file: &Path,
    index: &Index<OffsetEntry>,
    segment: &[u8],
    asked: Asked,
    out: &mut impl Write,
) -> Result<Vec<String>, Failure> {
    let mut faults = Vec::new();
    for (place, OffsetEntry { offset, position }) in index.entries.iter().enumerate() {
        if place > 0 && *offset == index.base_offset {
            break;
        }
        let found =
            last_offset_at(segment, *position, asked.message_bytes_max).map_err(|why| at(file, &why))?;
        if found != *offset {
            faults.push(format!("  Index offset: {offset}, log offset: {found}"));
        }
        if !asked.verify_only {
            writeln!(out, "offset: {offset} position: {position}")?;
        }
    }
    Ok(titled(faults, || format!("Mismatches in :{}", file.display())))
}

/// The offset of the last record of the batch that begins at a position.
fn last_offset_at(segment: &[u8], position: i32, bytes_max: usize) -> Result<i64, String> {
    let begin = place(position)?;
    let end = begin.saturating_add(bytes_max).min(segment.len());
    let batch = batch_at(&segment[..end], begin)?;
    batch
        .map(|batch| batch.header.last_offset())
        .ok_or_else(|| format!("no batch begins at position {position}"))
}

fn place(position: i32) -> Result<usize, String> {
    usize::try_from(position).map_err(|_| format!("position {position} lies before the segment"))
}

/// What is wrong with a time index, by its kind.
#[derive(Default)]
struct TimeFaults {
    missing: Vec<String>,
    wrong: Vec<String>,
    unordered: Vec<String>,
}

impl TimeFaults {
    /// Looks at an entry, at the batch that holds its offset and at the timestamp of the entry before.
    fn add(&mut self, entry: TimeEntry, batch: Option<&Batch<'_>>, before: i64) -> Result<(), Failure> {
        let TimeEntry { timestamp, offset } = entry;
        let Some(batch) = batch.filter(|batch| batch.header.last_offset() == offset) else {
            let found = batch.map_or(-1, |batch| batch.header.last_offset());
            self.missing.push(format!("Indexed offset: {offset}, found log offset: {found}"));
            return Ok(());
        };
        let latest = latest(batch)?;
        if latest != timestamp {
            self.wrong.push(format!("  Index timestamp: {timestamp}, log timestamp: {latest}"));
        } else if before >= timestamp {
            self.unordered
                .push(format!("  Index timestamp: {timestamp}, Previously indexed timestamp: {before}"));
        }
        Ok(())
    }

    fn told(self, file: &Path) -> Vec<String> {
        let file = file.display();
        let mut faults = titled(self.wrong, || format!("Found timestamp mismatch in :{file}"));
        faults.extend(titled(self.unordered, || format!("Found out of order timestamp in :{file}")));
        faults.extend(titled(self.missing, || {
            format!("The following indexed offsets are not found in :{file}")
        }));
        faults
    }
}

fn tell_times(
    file: &Path,
    times: &Index<TimeEntry>,
    offsets: &Index<OffsetEntry>,
    segment: &[u8],
    asked: Asked,
    out: &mut impl Write,
) -> Result<Vec<String>, Failure> {
    let mut faults = TimeFaults::default();
    let mut before = -1;
    for (place, entry) in times.entries.iter().enumerate() {
        if place > 0 && entry.offset == times.base_offset {
            break;
        }
        let batch = batch_with(segment, offsets.position_of(entry.offset), entry.offset);
        faults.add(*entry, batch.map_err(|why| at(file, &why))?.as_ref(), before)?;
        before = entry.timestamp;
        if !asked.verify_only {
            writeln!(out, "timestamp: {} offset: {}", entry.timestamp, entry.offset)?;
        }
    }
    Ok(faults.told(file))
}

/// The first batch from a position on that ends at an offset or behind it.
fn batch_with(segment: &[u8], position: i32, offset: i64) -> Result<Option<Batch<'_>>, String> {
    let mut position = place(position)?;
    while let Some(batch) = batch_at(segment, position)? {
        if batch.header.last_offset() >= offset {
            return Ok(Some(batch));
        }
        position += batch.bytes.len();
    }
    Ok(None)
}

/// The largest timestamp of a record in a batch.
fn latest(batch: &Batch<'_>) -> Result<i64, Failure> {
    let mut latest = -1;
    let bytes = Bytes::copy_from_slice(&batch.bytes);
    for record in records(&bytes, INFLATED_BYTES_MAX).map_err(Failure::failed)? {
        latest = latest.max(record.map_err(Failure::failed)?.timestamp);
    }
    Ok(latest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_told_whatever_is_in_it() {
        let bytes = [0, 0, 0, 5, 0, 0, 1, 0, 255, 255, 255, 255, 0, 0, 0, 9, 1];
        let index = Index::of_offsets(100, &bytes);
        let entry = |offset, position| OffsetEntry { offset, position };
        assert_eq!((index.entries.as_slice(), index.rest), (&[entry(105, 256), entry(99, 9)][..], 1));
        assert!(!index.is_sane());
        assert!(Index::of_offsets(100, &bytes[..8]).is_sane());
        assert!(Index::of_offsets(100, &[]).is_sane());
    }

    #[test]
    fn a_batch_is_looked_for_from_the_entry_before_its_offset() {
        let index = Index::of_offsets(100, &[0, 0, 0, 5, 0, 0, 1, 0, 0, 0, 0, 9, 0, 0, 2, 0]);
        let positions = [104, 105, 108, 109, 999].map(|offset| index.position_of(offset));
        assert_eq!(positions, [0, 256, 256, 512, 512]);
    }

    #[test]
    fn times_are_sane_in_their_order() {
        let entry =
            |timestamp: i64, offset: i32| [&timestamp.to_be_bytes()[..], &offset.to_be_bytes()].concat();
        let is_sane = |entries: &[Vec<u8>]| Index::of_times(0, &entries.concat()).is_sane();
        assert!(is_sane(&[]) && is_sane(&[entry(5, 1), entry(9, 2)]));
        assert!(!is_sane(&[entry(5, 1), entry(4, 2)]));
        assert!(!is_sane(&[entry(5, 1), entry(9, -2)]));
        assert!(!is_sane(&[entry(5, 1), vec![0]]));
    }
}
