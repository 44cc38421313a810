//! Cleaning one log.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use protocol::compression::{Compression, decompress};
use protocol::records::{BatchError, BatchHeader, HEADER_BYTES, RecordRefs};

use super::choice::Dirt;
use super::filter::{Filter, Outcome, Round};
use super::grouping::{GroupLimits, Member, group};
use super::input::{Pace, SegmentReader};
use super::offset_map::OffsetMap;
use super::output::Output;
use super::transactions::CleanedTransactions;
use super::{CleanError, CleanerSettings};
use crate::files::names;
use crate::log::{INFLATED_BYTES_MAX, Inactive, Log};
use crate::segment::Segment;
use crate::{StorageError, TopicIdPartition};

/// What was cleaned.
#[derive(Clone, Debug, PartialEq)]
pub struct Cleaned {
    /// The log.
    pub log: TopicIdPartition,
    /// From where on it was dirty.
    pub first_dirty_offset: i64,
    /// Up to where it is clean now, exclusive.
    pub end_offset: i64,
    /// Keys in the dirty part.
    pub keys: usize,
    /// Size of the segments before, in bytes.
    pub bytes_before: u64,
    /// Size of the segments that took their place, in bytes.
    pub bytes_after: u64,
    /// How long it took.
    pub took: Duration,
}

/// One cleaning of a log.
pub(super) struct Cleaning<'a> {
    pub(super) log: &'a Arc<Log>,
    pub(super) dirt: Dirt,
    pub(super) settings: &'a CleanerSettings,
    /// The time, in milliseconds.
    pub(super) now_ms: i64,
    /// Of the hashes.
    pub(super) secret: [u8; 16],
    /// Waits, or calls it off.
    pub(super) pace: Pace<'a>,
}

/// Sizes before and after.
#[derive(Clone, Copy, Debug, Default)]
struct Sizes {
    before: u64,
    after: u64,
}

impl Cleaning<'_> {
    /// Cleans the log as far as memory for keys goes.
    pub(super) fn run(&self) -> Result<Cleaned, CleanError> {
        self.log.persist_recovery_point()?;
        let mut segments = self.log.inactive_segments();
        segments.retain(|(_, end_offset)| *end_offset <= self.dirt.first_uncleanable_offset);
        let mut reader = SegmentReader::new(self.settings.read_bytes(), self.settings.direct);
        let map = self.map(&segments, &mut reader)?;
        let end_offset = map.latest_offset() + 1;
        segments.retain(|(segment, _)| segment.base_offset() < end_offset);
        let sizes = self.rewrite(&segments, &map, end_offset, &mut reader)?;
        Ok(Cleaned {
            log: self.log.id().clone(),
            first_dirty_offset: self.dirt.first_dirty_offset,
            end_offset,
            keys: map.len(),
            bytes_before: sizes.before,
            bytes_after: sizes.after,
            took: Duration::ZERO,
        })
    }

    /// The last offsets of the keys from the first dirty offset on, up to the end or until there is no more memory.
    fn map(&self, segments: &[Inactive], reader: &mut SegmentReader) -> Result<OffsetMap, CleanError> {
        let Dirt { first_dirty_offset, first_uncleanable_offset, .. } = self.dirt;
        let offsets = usize::try_from(first_uncleanable_offset - first_dirty_offset).unwrap_or(0);
        let (bytes_max, load_factor) = (self.settings.map_bytes(), self.settings.load_factor);
        let mut map = OffsetMap::new(bytes_max, load_factor, offsets, &self.secret);
        let mut transactions = self.transactions(first_dirty_offset)?;
        for (segment, end_offset) in segments.iter().filter(|(_, end)| *end > first_dirty_offset) {
            let start = segment.locate(first_dirty_offset, segment.size())?.map(|located| located.position);
            let mut is_full = false;
            let mut show = |header: &BatchHeader, batch: &[u8]| {
                if !header.is_control() && !transactions.see_records(header) {
                    let noted = note_keys(&mut map, header, batch, first_dirty_offset);
                    let offset = header.base_offset;
                    is_full = !noted.map_err(|source| CleanError::Corrupt { offset, source })?;
                } else if header.is_control() {
                    let marker = protocol::records::read_end_txn(batch).ok().flatten();
                    transactions.see_control(header, marker);
                }
                if !is_full {
                    map.note_offset(header.last_offset());
                }
                Ok(!is_full)
            };
            match start {
                Some(position) => reader.read(segment, position, self.pace, &mut show)?,
                None => segment.release_file(),
            }
            if is_full {
                return Ok(map);
            }
            map.note_offset(end_offset - 1);
        }
        Ok(map)
    }

    /// The transactions of batches from an offset on.
    fn transactions(&self, from: i64) -> Result<CleanedTransactions, StorageError> {
        let aborted = self.log.aborted_transactions(from, self.dirt.first_uncleanable_offset);
        aborted.map(CleanedTransactions::new)
    }

    fn rewrite(
        &self,
        segments: &[Inactive],
        map: &OffsetMap,
        end_offset: i64,
        reader: &mut SegmentReader,
    ) -> Result<Sizes, CleanError> {
        let producers = self.log.last_records();
        let round = Round {
            now_ms: self.now_ms,
            delete_retention_ms: self.log.config().compaction.delete_retention_ms,
            end_offset,
        };
        let mut filter = Filter::new(map, &producers, self.transactions(i64::MIN)?, round);
        let mut sizes = Sizes::default();
        for group in self.groups(segments)? {
            let done = self.rewrite_group(&segments[group], &mut filter, reader)?;
            sizes.before += done.before;
            sizes.after += done.after;
        }
        Ok(sizes)
    }

    fn groups(&self, segments: &[Inactive]) -> Result<Vec<Range<usize>>, CleanError> {
        let dir = self.log.dir();
        let entries = self.log.home().disk.list(dir).map_err(|source| StorageError::io(dir, source))?;
        let lens: HashMap<&str, u64> = entries.iter().map(|entry| (entry.name.as_str(), entry.len)).collect();
        let index_len = |base_offset, suffix| {
            lens.get(names::of_offset(base_offset, suffix).as_str()).copied().unwrap_or_default()
        };
        let member = |(segment, end_offset): &Inactive| Member {
            base_offset: segment.base_offset(),
            end_offset: *end_offset,
            size_bytes: segment.size(),
            offset_index_bytes: index_len(segment.base_offset(), names::OFFSET_INDEX),
            time_index_bytes: index_len(segment.base_offset(), names::TIME_INDEX),
        };
        let members: Vec<Member> = segments.iter().map(member).collect();
        let config = self.log.config();
        let (segment_bytes, index_bytes) = (u64::from(config.segment_bytes), u64::from(config.index_bytes));
        Ok(group(&members, GroupLimits { segment_bytes, index_bytes }))
    }

    /// Writes the segment that takes the place of some, and exchanges them.
    fn rewrite_group(
        &self,
        group: &[Inactive],
        filter: &mut Filter<'_>,
        reader: &mut SegmentReader,
    ) -> Result<Sizes, CleanError> {
        let [(first, _), ..] = group else { return Ok(Sizes::default()) };
        let interval = self.log.config().index_interval_bytes;
        let mut output =
            Output::create(self.log.home(), first.base_offset(), interval, self.settings.direct)?;
        let before = group.iter().map(|(segment, _)| segment.size()).sum();
        let copied = self.copy_all(group, filter, &mut output, reader);
        let is_same = match copied.and_then(|is_same| output.finish().map(|()| is_same)) {
            Ok(is_same) => is_same,
            Err(error) => {
                output.into_segment().remove_files();
                return Err(error);
            }
        };
        let cleaned = output.into_segment();
        if is_same {
            cleaned.remove_files();
            return Ok(Sizes { before, after: before });
        }
        self.exchange(group, &cleaned)?;
        Ok(Sizes { before, after: cleaned.size() })
    }

    /// Copies what stays of some segments, and says whether it is one and all of it stays as it was.
    fn copy_all(
        &self,
        group: &[Inactive],
        filter: &mut Filter<'_>,
        output: &mut Output,
        reader: &mut SegmentReader,
    ) -> Result<bool, CleanError> {
        let mut is_same = group.len() == 1;
        for (segment, _) in group {
            is_same &= self.copy(segment, filter, output, reader)?;
        }
        Ok(is_same)
    }

    /// Copies what stays of a segment, and says whether that is all of it, as it was.
    fn copy(
        &self,
        segment: &Segment,
        filter: &mut Filter<'_>,
        output: &mut Output,
        reader: &mut SegmentReader,
    ) -> Result<bool, CleanError> {
        let mut is_same = true;
        reader.read(segment, 0, self.pace, &mut |header, batch| {
            let corrupt = |source| CleanError::Corrupt { offset: header.base_offset, source };
            let (outcome, index_entry) = filter.filter(header, batch).map_err(corrupt)?;
            is_same &= outcome == Outcome::Same;
            match outcome {
                Outcome::Same => output.push(header, batch, self.pace)?,
                Outcome::Changed(batch) => {
                    output.push(&BatchHeader::parse(&batch).map_err(corrupt)?, &batch, self.pace)?;
                }
                Outcome::Gone => {}
            }
            index_entry.into_iter().for_each(|entry| output.push_aborted(entry));
            Ok(true)
        })?;
        Ok(is_same)
    }

    fn exchange(&self, group: &[Inactive], cleaned: &Segment) -> Result<(), CleanError> {
        let originals: Vec<Arc<Segment>> = group.iter().map(|(segment, _)| segment.clone()).collect();
        let end_offset = group.last().map_or(0, |(_, end_offset)| *end_offset);
        let replaced = self.log.replace_segments(&originals, cleaned, end_offset);
        if let Err(error) = &replaced
            && !matches!(error, CleanError::Exchange(_))
        {
            cleaned.remove_files();
        }
        replaced
    }
}

/// Notes the keys of a batch; false if the map is full.
fn note_keys(map: &mut OffsetMap, header: &BatchHeader, batch: &[u8], from: i64) -> Result<bool, BatchError> {
    let inflated;
    let payload = match header.compression()? {
        Compression::None => &batch[HEADER_BYTES..],
        compression => {
            inflated = decompress(compression, &batch[HEADER_BYTES..], INFLATED_BYTES_MAX)?;
            &inflated
        }
    };
    for record in RecordRefs::new(header.records_count, payload) {
        let record = record?;
        let offset = header.base_offset + i64::from(record.offset_delta);
        let noted = offset < from || record.key.is_none_or(|key| map.put(key, offset));
        if !noted {
            return Ok(false);
        }
    }
    Ok(true)
}
