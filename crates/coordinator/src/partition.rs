//! Which partition of `__consumer_offsets` a group belongs to.

/// The partition, out of `partitions`, whose leader coordinates the group. `partitions` is at least one.
///
/// Java's hash of a string (over its UTF-16 units) without its sign; the one number that has no positive counterpart is 0.
pub fn group_partition(group_id: &str, partitions: i32) -> i32 {
    let hash =
        group_id.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    hash.checked_abs().unwrap_or(0) % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_javas() {
        // "hello".hashCode() = 99162322, "polygenelubricants".hashCode() = Integer.MIN_VALUE, "\u{1F600}".hashCode() = 1772899
        assert_eq!(group_partition("hello", i32::MAX), 99_162_322);
        assert_eq!(group_partition("polygenelubricants", 50), 0);
        assert_eq!(group_partition("\u{1F600}", i32::MAX), 1_772_899);
        assert_eq!(group_partition("", 50), 0);
    }
}
