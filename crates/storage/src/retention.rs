//! What of a log may go, by Kafka's rules: `retention.ms`, `retention.bytes`, and what lies below the log's start (KIP-107). No clock,
//! no disk.
//!
//! Whole segments go, the oldest first, and only while everything in them is committed. The active one goes too once all of it has
//! expired: an empty one takes its place.

use protocol::ErrorCode;

/// The offset that stands for the high watermark in DeleteRecords.
const HIGH_WATERMARK: i64 = -1;

/// What a topic's settings say about old records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionRules {
    /// Whether `cleanup.policy` has `delete`: without it age and size do not matter.
    pub delete: bool,
    /// `retention.ms`; none for no limit.
    pub ms: Option<i64>,
    /// `retention.bytes`; none for no limit.
    pub bytes: Option<u64>,
}

impl RetentionRules {
    /// Nothing goes by its age or the log's size.
    pub const KEEP: RetentionRules = RetentionRules { delete: false, ms: None, bytes: None };
}

/// A segment, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Where it ends, exclusive: the next segment's base offset, or the log's end.
    pub(crate) end_offset: i64,
}

/// A log, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Where the log starts.
    pub(crate) log_start: i64,
    /// Up to where, exclusive, records are committed.
    pub(crate) high_watermark: i64,
    /// The size of all of it, in bytes.
    pub(crate) size: u64,
}

/// How many segments go, the oldest first, and for what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expired {
    pub(crate) below_start: usize,
    pub(crate) by_size: usize,
    pub(crate) by_age: usize,
    /// The next one would be looked at for its age, and has a timestamp in the future.
    pub(crate) then_future: bool,
}

impl Expired {
    pub(crate) fn count(&self) -> usize {
        self.below_start + self.by_size + self.by_age
    }
}

/// Which segments of a log go. `largest_timestamp` is asked for the number of a segment, and only for those that it decides about: the
/// largest timestamp in it, in milliseconds, or when it was last written if its records have none. Records of the future are kept.
pub(crate) fn expired<E>(
    segments: &[Extent],
    rules: &RetentionRules,
    bounds: &Bounds,
    now_ms: i64,
    mut largest_timestamp: impl FnMut(usize) -> Result<i64, E>,
) -> Result<Expired, E> {
    let below_start = count_below_start(segments, bounds);
    if !rules.delete {
        return Ok(Expired { below_start, ..Expired::default() });
    }
    let by_size = count_by_size(segments, below_start, rules, bounds);
    let (mut by_age, mut then_future) = (0, false);
    if let Some(retention_ms) = rules.ms {
        let old = |number| {
            let largest = largest_timestamp(number)?;
            then_future = largest > now_ms;
            Ok(now_ms.saturating_sub(largest) > retention_ms)
        };
        by_age = count_while(segments, below_start + by_size, bounds, old)?;
    }
    Ok(Expired { below_start, by_size, by_age, then_future })
}

fn count_below_start(segments: &[Extent], bounds: &Bounds) -> usize {
    let inactive = &segments[..segments.len().saturating_sub(1)];
    inactive.iter().take_while(|segment| segment.end_offset <= bounds.log_start).count()
}

/// Segments go as long as what is left is not smaller than the limit.
fn count_by_size(segments: &[Extent], from: usize, rules: &RetentionRules, bounds: &Bounds) -> usize {
    let Some(bytes_max) = rules.bytes else { return 0 };
    let gone: u64 = segments[..from].iter().map(|segment| segment.size).sum();
    let Some(mut excess) = bounds.size.saturating_sub(gone).checked_sub(bytes_max) else { return 0 };
    let too_much = |number: usize| {
        let fits = segments[number].size <= excess;
        excess = excess.saturating_sub(segments[number].size);
        Ok::<bool, std::convert::Infallible>(fits)
    };
    count_while(segments, from, bounds, too_much).unwrap_or(0)
}

fn count_while<E>(
    segments: &[Extent],
    from: usize,
    bounds: &Bounds,
    mut goes: impl FnMut(usize) -> Result<bool, E>,
) -> Result<usize, E> {
    let mut count = 0;
    for (number, segment) in segments.iter().enumerate().skip(from) {
        let empty_and_active = number + 1 == segments.len() && segment.size == 0;
        if empty_and_active || segment.end_offset > bounds.high_watermark || !goes(number)? {
            break;
        }
        count += 1;
    }
    Ok(count)
}

/// Why records are not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionRefusal {
    /// The offset is negative or lies above the high watermark.
    OffsetOutOfRange,
    /// The topic is compacted and nothing else.
    Policy,
}

impl DeletionRefusal {
    /// What to answer.
    pub fn code(self) -> ErrorCode {
        match self {
            DeletionRefusal::OffsetOutOfRange => ErrorCode::OffsetOutOfRange,
            DeletionRefusal::Policy => ErrorCode::PolicyViolation,
        }
    }
}

/// Where a log starts once a client's DeleteRecords is carried out, if it does not start behind that already.
pub(crate) fn requested_start(
    offset: i64,
    compacted_only: bool,
    high_watermark: i64,
) -> Result<i64, DeletionRefusal> {
    if compacted_only {
        return Err(DeletionRefusal::Policy);
    }
    match offset {
        HIGH_WATERMARK => Ok(high_watermark),
        offset if (0..=high_watermark).contains(&offset) => Ok(offset),
        _ => Err(DeletionRefusal::OffsetOutOfRange),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELETE: RetentionRules = RetentionRules { delete: true, ms: None, bytes: None };

    /// Four segments of ten records and 100 bytes each; the last one is the active one.
    fn segments() -> Vec<Extent> {
        (1..=4).map(|number| Extent { size: 100, end_offset: number * 10 }).collect()
    }

    fn bounds() -> Bounds {
        Bounds { log_start: 0, high_watermark: 40, size: 400 }
    }

    /// How many go, of segments whose largest timestamps are these.
    fn count(rules: RetentionRules, bounds: Bounds, now_ms: i64, timestamps: [i64; 4]) -> Expired {
        let largest = |number: usize| Ok::<i64, std::convert::Infallible>(timestamps[number]);
        expired(&segments(), &rules, &bounds, now_ms, largest).expect("no clock fails")
    }

    fn by_age(ms: i64, bounds: Bounds, now_ms: i64, timestamps: [i64; 4]) -> usize {
        count(RetentionRules { ms: Some(ms), ..DELETE }, bounds, now_ms, timestamps).by_age
    }

    fn by_size(bytes: u64, bounds: Bounds) -> usize {
        count(RetentionRules { bytes: Some(bytes), ..DELETE }, bounds, 0, [0; 4]).by_size
    }

    #[test]
    fn segments_go_when_all_of_them_is_older_than_the_limit_and_the_first_that_is_not_ends_it() {
        let at = |now_ms| by_age(100, bounds(), now_ms, [10, 50, 30, 60]);
        assert_eq!([110, 111, 150, 151, 160, 161].map(at), [0, 1, 1, 3, 3, 4]);
    }

    #[test]
    fn records_of_the_future_are_kept_and_keep_what_comes_after_them() {
        assert_eq!(by_age(100, bounds(), 1_000, [10, 5_000, 20, 30]), 1);
        assert_eq!(by_age(0, bounds(), 1_000, [1_000; 4]), 0);
    }

    #[test]
    fn only_what_is_kept_for_a_timestamp_of_the_future_is_said_to_be() {
        let rules = RetentionRules { ms: Some(100), ..DELETE };
        let then_future = |timestamps| count(rules, bounds(), 1_000, timestamps).then_future;
        assert!(then_future([10, 1_001, 20, 30]));
        assert!(!then_future([10, 1_000, 5_000, 30]));
        assert!(!then_future([10; 4]));
    }

    #[test]
    fn a_clock_at_either_end_of_time_does_what_kafka_does_and_does_not_overflow() {
        assert_eq!(by_age(i64::MAX, bounds(), i64::MAX, [0; 4]), 0);
        assert_eq!(by_age(100, bounds(), i64::MAX, [-1; 4]), 4);
        assert_eq!(by_age(0, bounds(), i64::MIN, [i64::MAX; 4]), 0);
        assert_eq!(by_age(100, bounds(), 0, [1_000; 4]), 0);
    }

    #[test]
    fn by_size_no_more_goes_than_leaves_the_limit() {
        let sizes = [0, 99, 100, 101, 200, 399, 400, 401, u64::MAX];
        assert_eq!(sizes.map(|bytes| by_size(bytes, bounds())), [4, 3, 3, 2, 2, 0, 0, 0, 0]);
    }

    #[test]
    fn what_goes_for_one_reason_is_not_counted_for_the_next() {
        let rules = RetentionRules { ms: Some(100), bytes: Some(200), ..DELETE };
        let started = Bounds { log_start: 15, ..bounds() };
        let gone = count(rules, started, 1_000, [0, 0, 0, 1_000]);
        assert_eq!(gone, Expired { below_start: 1, by_size: 1, by_age: 1, then_future: false });
    }

    #[test]
    fn nothing_goes_that_is_not_committed() {
        let uncommitted = Bounds { high_watermark: 25, ..bounds() };
        assert_eq!(by_age(100, uncommitted, 1_000, [0; 4]), 2);
        assert_eq!(by_size(0, uncommitted), 2);
    }

    #[test]
    fn below_the_start_segments_go_whatever_the_policy_but_never_the_active_one() {
        let rules = RetentionRules { delete: false, ms: Some(0), bytes: Some(0) };
        let at = |log_start| count(rules, Bounds { log_start, ..bounds() }, 1_000, [0; 4]).count();
        assert_eq!([0, 9, 10, 29, 30, 40].map(at), [0, 0, 1, 2, 3, 3]);
    }

    #[test]
    fn an_empty_active_segment_stays() {
        let empty = [Extent { size: 0, end_offset: 10 }];
        let rules = RetentionRules { ms: Some(0), bytes: Some(0), ..DELETE };
        let bounds = Bounds { log_start: 0, high_watermark: 10, size: 0 };
        let old = |_| Ok::<i64, std::convert::Infallible>(0);
        assert_eq!(expired(&empty, &rules, &bounds, 1_000, old), Ok(Expired::default()));
        let nothing: Result<Expired, ()> = expired(&[], &rules, &bounds, 1_000, |_| Err(()));
        assert_eq!(nothing, Ok(Expired::default()));
    }

    #[test]
    fn a_client_may_delete_up_to_the_high_watermark() {
        let at = |offset| requested_start(offset, false, 40);
        assert_eq!([-1, 0, 39, 40].map(at), [Ok(40), Ok(0), Ok(39), Ok(40)]);
        assert_eq!([-2, 41, i64::MIN].map(at), [Err(DeletionRefusal::OffsetOutOfRange); 3]);
        assert_eq!(requested_start(-1, true, 40), Err(DeletionRefusal::Policy));
    }
}
