//! When a new segment begins.

use crate::files::{offset_index, time_index};

/// What the settings of a topic say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollRules {
    /// `segment.bytes`.
    pub segment_bytes: u64,
    /// `segment.ms`.
    pub segment_ms: i64,
    /// A time below `segment.jitter.ms`, drawn for this segment, by which it rolls earlier.
    pub jitter_ms: i64,
    /// `segment.index.bytes`.
    pub index_bytes: u32,
}

/// What is to be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Its size.
    pub size_in_bytes: u64,
    /// The largest timestamp in it, in milliseconds.
    pub max_timestamp: i64,
    /// The offset that its last record will get.
    pub last_offset: i64,
}

/// What a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentFacts {
    /// Offset in its name.
    pub base_offset: i64,
    /// Bytes appended so far.
    pub size: u64,
    /// When it was created or opened, in milliseconds.
    pub created_ms: i64,
    /// Max timestamp of its first batch, if it has one.
    pub first_timestamp: Option<i64>,
    /// Entries of its offset index.
    pub offset_entries: u32,
    /// Entries of its time index.
    pub time_entries: u32,
}

/// Why a new segment begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollReason {
    /// The batch does not fit any more.
    Size,
    /// The segment is old enough.
    Age,
    /// An index is full.
    IndexFull,
    /// The offset does not fit an index entry.
    OffsetRange,
}

/// Whether a new segment begins before this is appended. Age is measured by the records' own time if they have one.
pub fn must_roll(
    segment: &SegmentFacts,
    rules: &RollRules,
    incoming: &Incoming,
    now_ms: i64,
) -> Option<RollReason> {
    if segment.size.saturating_add(incoming.size_in_bytes) > rules.segment_bytes {
        // An empty one would only be followed by another.
        return (segment.size > 0).then_some(RollReason::Size);
    }
    let age_ms = match segment.first_timestamp {
        Some(first) if first >= 0 => incoming.max_timestamp.saturating_sub(first),
        _ => now_ms.saturating_sub(segment.created_ms),
    };
    if segment.size > 0 && age_ms > rules.segment_ms.saturating_sub(rules.jitter_ms) {
        return Some(RollReason::Age);
    }
    let offsets_max = rules.index_bytes / offset_index::ENTRY_BYTES as u32;
    let times_max = rules.index_bytes / time_index::ENTRY_BYTES as u32;
    // The time index keeps a place for the entry that ends it.
    if segment.offset_entries >= offsets_max || segment.time_entries >= times_max.saturating_sub(1) {
        return (segment.size > 0).then_some(RollReason::IndexFull);
    }
    let relative = incoming.last_offset.checked_sub(segment.base_offset);
    let fits = relative.is_some_and(|relative| (0..=i64::from(i32::MAX)).contains(&relative));
    (!fits).then_some(RollReason::OffsetRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: RollRules =
        RollRules { segment_bytes: 1_000, segment_ms: 500, jitter_ms: 0, index_bytes: 96 };
    const SEGMENT: SegmentFacts = SegmentFacts {
        base_offset: 10,
        size: 600,
        created_ms: 0,
        first_timestamp: Some(1_000),
        offset_entries: 3,
        time_entries: 2,
    };
    const INCOMING: Incoming = Incoming { size_in_bytes: 400, max_timestamp: 1_500, last_offset: 50 };

    fn roll(segment: SegmentFacts, rules: RollRules, incoming: Incoming) -> Option<RollReason> {
        must_roll(&segment, &rules, &incoming, 9_000_000)
    }

    #[test]
    fn a_segment_rolls_when_the_batch_does_not_fit() {
        assert_eq!(roll(SEGMENT, RULES, INCOMING), None);
        let larger = Incoming { size_in_bytes: 401, ..INCOMING };
        assert_eq!(roll(SEGMENT, RULES, larger), Some(RollReason::Size));
        let empty = SegmentFacts { size: 0, first_timestamp: None, ..SEGMENT };
        assert_eq!(roll(empty, RULES, Incoming { size_in_bytes: 5_000, ..INCOMING }), None);
    }

    #[test]
    fn age_goes_by_the_records_time_and_else_by_the_clock() {
        let later = Incoming { max_timestamp: 1_501, ..INCOMING };
        assert_eq!(roll(SEGMENT, RULES, later), Some(RollReason::Age));
        assert_eq!(roll(SEGMENT, RollRules { jitter_ms: 1, ..RULES }, INCOMING), Some(RollReason::Age));
        let timeless = SegmentFacts { first_timestamp: Some(-1), ..SEGMENT };
        assert_eq!(must_roll(&timeless, &RULES, &INCOMING, 500), None);
        assert_eq!(must_roll(&timeless, &RULES, &INCOMING, 501), Some(RollReason::Age));
        assert_eq!(roll(SegmentFacts { size: 0, ..timeless }, RULES, INCOMING), None);
    }

    #[test]
    fn a_full_index_or_a_far_offset_rolls() {
        assert_eq!(
            roll(SegmentFacts { offset_entries: 12, ..SEGMENT }, RULES, INCOMING),
            Some(RollReason::IndexFull)
        );
        assert_eq!(
            roll(SegmentFacts { time_entries: 7, ..SEGMENT }, RULES, INCOMING),
            Some(RollReason::IndexFull)
        );
        let far = |last_offset| roll(SEGMENT, RULES, Incoming { last_offset, ..INCOMING });
        assert_eq!(far(10 + i64::from(i32::MAX)), None);
        assert_eq!(far(11 + i64::from(i32::MAX)), Some(RollReason::OffsetRange));
        assert_eq!(far(9), Some(RollReason::OffsetRange));
    }
}
