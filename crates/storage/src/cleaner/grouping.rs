//! Which neighbouring segments become one. Pure.

use std::ops::Range;

/// A segment that is about to be cleaned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) base_offset: i64,
    /// Where the next segment begins.
    pub(crate) end_offset: i64,
    pub(crate) size_bytes: u64,
    pub(crate) offset_index_bytes: u64,
    pub(crate) time_index_bytes: u64,
}

/// What a segment may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupLimits {
    /// `segment.bytes`.
    pub(crate) segment_bytes: u64,
    /// `segment.index.bytes`.
    pub(crate) index_bytes: u64,
}

/// Cuts segments into groups that fit one segment each, even if all of their records stay. One that is too large is alone.
pub(crate) fn group(members: &[Member], limits: GroupLimits) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (index, member) in members.iter().enumerate() {
        match groups.last_mut() {
            Some(last) if fits(&members[last.clone()], member, limits) => last.end = index + 1,
            _ => groups.push(index..index + 1),
        }
    }
    groups
}

fn fits(group: &[Member], next: &Member, limits: GroupLimits) -> bool {
    let sum = |of: fn(&Member) -> u64| group.iter().map(of).sum::<u64>().saturating_add(of(next));
    let first = group.first().map_or(next.base_offset, |first| first.base_offset);
    sum(|member| member.size_bytes) <= limits.segment_bytes
        && sum(|member| member.offset_index_bytes) <= limits.index_bytes
        && sum(|member| member.time_index_bytes) <= limits.index_bytes
        && next.end_offset - 1 - first <= i64::from(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: GroupLimits = GroupLimits { segment_bytes: 100, index_bytes: 24 };

    fn member(base_offset: i64, size_bytes: u64) -> Member {
        Member {
            base_offset,
            end_offset: base_offset + 10,
            size_bytes,
            offset_index_bytes: 8,
            time_index_bytes: 0,
        }
    }

    #[test]
    fn neighbours_are_joined_as_long_as_they_fit_one_segment() {
        let sizes = [40, 60, 1, 99, 101, 0, 100];
        let members: Vec<Member> = (0..).zip(sizes).map(|(n, size)| member(n * 10, size)).collect();
        assert_eq!(group(&members, LIMITS), [0..2, 2..4, 4..5, 5..7]);
        assert!(group(&[], LIMITS).is_empty());
    }

    #[test]
    fn indexes_and_offsets_are_bounds_too() {
        let small: Vec<Member> = (0..5).map(|n| member(n * 10, 1)).collect();
        assert_eq!(group(&small, LIMITS), [0..3, 3..5]);
        let timed: Vec<Member> = small
            .iter()
            .map(|known| Member { offset_index_bytes: 0, time_index_bytes: 12, ..*known })
            .collect();
        assert_eq!(group(&timed, LIMITS), [0..2, 2..4, 4..5]);
        let last = i64::from(i32::MAX);
        let far = |end_offset| [member(0, 1), Member { end_offset, ..member(10, 1) }];
        assert_eq!(group(&far(last + 1), LIMITS).len(), 1);
        assert_eq!(group(&far(last + 2), LIMITS).len(), 2);
    }
}
