//! Which part of a log may be cleaned, and which log is in the greatest need of it. Pure.

use std::cmp::Ordering;

/// What a topic says about compaction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompactionRules {
    /// `delete.retention.ms`: how long tombstones and markers stay at least, in milliseconds.
    pub delete_retention_ms: i64,
    /// `min.cleanable.dirty.ratio`: which part of a log must be dirty.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`: how long a record stays as it is at least.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`: how long a record may wait for compaction.
    pub max_compaction_lag_ms: i64,
}

impl Default for CompactionRules {
    /// Kafka's defaults.
    fn default() -> CompactionRules {
        CompactionRules {
            delete_retention_ms: 24 * 60 * 60 * 1000,
            min_cleanable_dirty_ratio: 0.5,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
        }
    }
}

/// A segment that nobody writes to any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InactiveSegment {
    pub(crate) base_offset: i64,
    /// Where the next one begins.
    pub(crate) end_offset: i64,
    pub(crate) size_bytes: u64,
    /// The largest timestamp, or when it was last written if it has none; only needed for a [`min_compaction_lag_ms`](CompactionRules::min_compaction_lag_ms).
    pub(crate) largest_timestamp: Option<i64>,
    /// The largest timestamp of the first batch; only needed for a
    /// [`max_compaction_lag_ms`](CompactionRules::max_compaction_lag_ms).
    pub(crate) first_timestamp: Option<i64>,
}

/// What is known of a log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LogFacts {
    pub(crate) rules: CompactionRules,
    /// Up to where it was cleaned the last time.
    pub(crate) cleaned_offset: Option<i64>,
    pub(crate) log_start_offset: i64,
    pub(crate) log_end_offset: i64,
    /// All below is committed, belongs to no open transaction, and is on disk in the segments.
    pub(crate) settled_offset: i64,
    /// All segments but the active one, ascending.
    pub(crate) segments: Vec<InactiveSegment>,
}

/// What of a log may be cleaned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dirt {
    /// From here on it was never cleaned.
    pub(crate) first_dirty_offset: i64,
    /// From here on it may not be cleaned yet. A segment begins here.
    pub(crate) first_uncleanable_offset: i64,
    /// Which part of what may be cleaned is dirty, from 0 to 1.
    pub(crate) ratio: f64,
    /// Whether it should be cleaned now.
    pub(crate) is_due: bool,
}

impl LogFacts {
    /// What of the log may be cleaned. As in Kafka only whole segments are: one that an open transaction reaches into waits.
    pub(crate) fn dirt(&self, now_ms: i64) -> Dirt {
        let within = |offset: &i64| (self.log_start_offset..=self.log_end_offset).contains(offset);
        let first_dirty_offset = self.cleaned_offset.filter(within).unwrap_or(self.log_start_offset);
        let first_uncleanable_offset = self.cleanable_end(first_dirty_offset, now_ms).max(first_dirty_offset);
        let bytes = |wanted: &dyn Fn(&InactiveSegment) -> bool| -> u64 {
            self.segments.iter().filter(|segment| wanted(segment)).map(|segment| segment.size_bytes).sum()
        };
        let clean = bytes(&|segment| segment.base_offset < first_dirty_offset);
        let dirty = bytes(&|segment| {
            segment.end_offset > first_dirty_offset && segment.end_offset <= first_uncleanable_offset
        });
        let ratio = if dirty == 0 { 0.0 } else { dirty as f64 / (clean + dirty) as f64 };
        let is_due = dirty > 0
            && (ratio > self.rules.min_cleanable_dirty_ratio || self.is_late(first_dirty_offset, now_ms));
        Dirt { first_dirty_offset, first_uncleanable_offset, ratio, is_due }
    }

    /// Where the segments end that are settled, and old enough or clean already.
    fn cleanable_end(&self, first_dirty_offset: i64, now_ms: i64) -> i64 {
        let lag_ms = self.rules.min_compaction_lag_ms;
        let young = |segment: &InactiveSegment| {
            lag_ms > 0
                && segment.end_offset > first_dirty_offset
                && segment.largest_timestamp.is_some_and(|largest| largest > now_ms.saturating_sub(lag_ms))
        };
        let cleanable =
            |segment: &&InactiveSegment| segment.end_offset <= self.settled_offset && !young(segment);
        self.segments.iter().take_while(cleanable).last().map_or(i64::MIN, |segment| segment.end_offset)
    }

    /// Whether the oldest dirty record has waited too long.
    fn is_late(&self, first_dirty_offset: i64, now_ms: i64) -> bool {
        let dirty = self.segments.iter().filter(|segment| segment.end_offset > first_dirty_offset);
        let oldest = dirty.filter_map(|segment| segment.first_timestamp).filter(|first| *first > 0).min();
        let lag_ms = self.rules.max_compaction_lag_ms.max(0);
        oldest.is_some_and(|oldest| oldest < now_ms.saturating_sub(lag_ms))
    }
}

/// The one in the greatest need of those that are due.
pub(crate) fn filthiest<T>(logs: impl IntoIterator<Item = (T, Dirt)>) -> Option<(T, Dirt)> {
    let by_ratio =
        |a: &(T, Dirt), b: &(T, Dirt)| a.1.ratio.partial_cmp(&b.1.ratio).unwrap_or(Ordering::Equal);
    logs.into_iter().filter(|(_, dirt)| dirt.is_due).max_by(by_ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segments of 100 offsets and 1,000 bytes, with a timestamp at the start and one at the end of each.
    fn log(count: i64) -> LogFacts {
        let segment = |number: i64| InactiveSegment {
            base_offset: number * 100,
            end_offset: (number + 1) * 100,
            size_bytes: 1_000,
            largest_timestamp: Some(number * 10 + 9),
            first_timestamp: Some(number * 10 + 1),
        };
        LogFacts {
            rules: CompactionRules::default(),
            cleaned_offset: None,
            log_start_offset: 0,
            log_end_offset: count * 100 + 50,
            settled_offset: count * 100 + 50,
            segments: (0..count).map(segment).collect(),
        }
    }

    fn offsets(facts: &LogFacts, now_ms: i64) -> (i64, i64) {
        let dirt = facts.dirt(now_ms);
        (dirt.first_dirty_offset, dirt.first_uncleanable_offset)
    }

    #[test]
    fn a_log_is_dirty_from_where_it_was_cleaned_to_its_active_segment() {
        assert_eq!(offsets(&log(4), 0), (0, 400));
        let facts = LogFacts { cleaned_offset: Some(150), ..log(4) };
        let dirt = facts.dirt(0);
        assert_eq!((dirt.first_dirty_offset, dirt.first_uncleanable_offset), (150, 400));
        // The segment in the middle of which the last round ended counts twice.
        assert_eq!(dirt.ratio, 3_000.0 / 5_000.0);
        let clean = LogFacts { cleaned_offset: Some(400), ..log(4) }.dirt(0);
        assert_eq!((clean.ratio, clean.is_due), (0.0, false));
        assert!(!log(0).dirt(0).is_due);
    }

    #[test]
    fn a_checkpoint_outside_of_the_log_is_not_believed() {
        for cleaned in [-1, 99, 451] {
            let facts = LogFacts { cleaned_offset: Some(cleaned), log_start_offset: 100, ..log(4) };
            assert_eq!(offsets(&facts, 0), (100, 400), "{cleaned}");
        }
    }

    #[test]
    fn a_segment_that_an_open_transaction_reaches_into_waits() {
        let facts = LogFacts { settled_offset: 399, ..log(4) };
        assert_eq!(offsets(&facts, 0), (0, 300));
        let facts = LogFacts { settled_offset: 99, cleaned_offset: Some(0), ..log(4) };
        assert_eq!(offsets(&facts, 0), (0, 0));
        assert!(!facts.dirt(0).is_due);
    }

    #[test]
    fn young_records_wait_and_old_ones_do_not() {
        let rules = CompactionRules { min_compaction_lag_ms: 20, ..CompactionRules::default() };
        let facts = LogFacts { rules, ..log(4) };
        assert_eq!(offsets(&facts, 38), (0, 100));
        assert_eq!(offsets(&facts, 39), (0, 200));
        assert_eq!(offsets(&facts, 1_000), (0, 400));
        let mut cleaned = LogFacts { cleaned_offset: Some(100), ..facts };
        cleaned.segments[0].largest_timestamp = Some(1_000);
        assert_eq!(offsets(&cleaned, 1_000), (100, 400), "what was cleaned was old enough");
        let rules = CompactionRules {
            min_cleanable_dirty_ratio: 1.0,
            max_compaction_lag_ms: 50,
            ..CompactionRules::default()
        };
        let facts = LogFacts { rules, cleaned_offset: Some(300), ..log(4) };
        assert!(!facts.dirt(81).is_due && facts.dirt(82).is_due);
    }

    #[test]
    fn the_dirtiest_log_comes_first_if_it_is_dirty_enough() {
        let at = |cleaned| LogFacts { cleaned_offset: Some(cleaned), ..log(4) }.dirt(0);
        let chosen = filthiest([("a", at(300)), ("b", at(100)), ("c", at(200))]).map(|(name, _)| name);
        assert_eq!(chosen, Some("b"));
        // Half is not more than half.
        assert_eq!(filthiest([("a", at(300)), ("c", at(200))]).map(|(name, _)| name), None);
    }
}
