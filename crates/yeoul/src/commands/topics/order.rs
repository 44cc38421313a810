//! The order in which Kafka's tool prints what it keeps in a hash map. Scripts compare its output, so that ours has the same.

/// A map of this size before it has any entries: Java's default.
pub const USUAL_CAPACITY: usize = 16;

/// Sorts names as a Java `HashMap` that was made with room for `capacity` entries gives its keys, when they were put in as they
/// come here.
pub fn sort_as_java_map<T>(entries: &mut [T], capacity: usize, name: impl Fn(&T) -> &str) {
    let buckets = buckets(entries.len(), capacity);
    entries.sort_by_key(|entry| bucket(name(entry), buckets));
}

/// How many buckets the map has in the end: a power of two, of which at most three quarters are used.
fn buckets(entries: usize, capacity: usize) -> usize {
    let mut buckets = capacity.next_power_of_two();
    while entries * 4 > buckets * 3 {
        buckets *= 2;
    }
    buckets
}

fn bucket(name: &str, buckets: usize) -> usize {
    let hash = hash(name);
    (hash ^ hash >> 16) as usize & (buckets - 1)
}

/// Java's `String.hashCode`.
fn hash(name: &str) -> u32 {
    name.encode_utf16().fold(0, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hash_as_in_java() {
        assert_eq!(hash(""), 0);
        assert_eq!(hash("hello"), 99_162_322);
        assert_eq!(hash("retention.ms") as i32, -1_339_220_362);
    }

    #[test]
    fn topics_come_in_the_order_of_apache_kafka() {
        // As `kafka-topics --describe` of 4.3.1 printed them.
        let printed = [
            "zeta",
            "payments-1",
            "a.b_c",
            "alpha",
            "one",
            "clicks",
            "conf",
            "orders",
            "t1",
            "__consumer_offsets",
        ];
        let mut sorted = printed;
        sorted.sort_unstable();
        sort_as_java_map(&mut sorted, printed.len(), |name| name);
        assert_eq!(sorted, printed);
    }

    #[test]
    fn a_map_grows_when_three_quarters_are_used() {
        assert_eq!(buckets(12, USUAL_CAPACITY), 16);
        assert_eq!(buckets(13, USUAL_CAPACITY), 32);
        assert_eq!(buckets(1, 1), 2);
        assert_eq!(buckets(0, 0), 1);
    }
}
