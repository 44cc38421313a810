//! The order in which Kafka's tool prints what it keeps in a hash map. Scripts compare its output, so that ours has the same.

/// A map of this size before it has any entries: Java's default.
pub const USUAL_CAPACITY: usize = 16;

/// Sorts entries as a Java `HashMap` that was made with room for `capacity` of them gives its keys, when they were put in as they
/// come here. The hash is that of the key.
pub fn sort_as_java_map<T>(entries: &mut [T], capacity: usize, hash: impl Fn(&T) -> u32) {
    let buckets = buckets(entries.len(), capacity);
    entries.sort_by_key(|entry| bucket(hash(entry), buckets));
}

/// How many buckets the map has in the end: a power of two, of which at most three quarters are used.
fn buckets(entries: usize, capacity: usize) -> usize {
    let mut buckets = capacity.next_power_of_two();
    while entries * 4 > buckets * 3 {
        buckets *= 2;
    }
    buckets
}

fn bucket(hash: u32, buckets: usize) -> usize {
    (hash ^ hash >> 16) as usize & (buckets - 1)
}

/// Java's `String.hashCode`.
pub fn name_hash(name: &str) -> u32 {
    name.encode_utf16().fold(0, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

/// Java's `Long.hashCode`.
pub fn long_hash(number: i64) -> u32 {
    (number ^ (number as u64 >> 32) as i64) as u32
}

/// The hash of Kafka's `TopicPartition`.
pub fn partition_hash(topic: &str, partition: i32) -> u32 {
    let number = 31u32.wrapping_add(partition as u32);
    number.wrapping_mul(31).wrapping_add(name_hash(topic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hash_as_in_java() {
        assert_eq!(name_hash(""), 0);
        assert_eq!(name_hash("hello"), 99_162_322);
        assert_eq!(name_hash("retention.ms") as i32, -1_339_220_362);
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
        sort_as_java_map(&mut sorted, printed.len(), |name| name_hash(name));
        assert_eq!(sorted, printed);
    }

    #[test]
    fn groups_and_partitions_come_in_the_order_of_apache_kafka() {
        // As `kafka-consumer-groups` of 4.3.1 listed groups and printed a plan.
        let mut groups = ["active", "cons", "g", "h"];
        sort_as_java_map(&mut groups, USUAL_CAPACITY, |name| name_hash(name));
        assert_eq!(groups, ["g", "h", "active", "cons"]);
        let mut partitions = [("t", 0), ("t", 1), ("t", 2), ("u", 0)];
        sort_as_java_map(&mut partitions, USUAL_CAPACITY, |(topic, number)| partition_hash(topic, *number));
        assert_eq!(partitions, [("t", 2), ("t", 1), ("t", 0), ("u", 0)]);
    }

    #[test]
    fn a_map_grows_when_three_quarters_are_used() {
        assert_eq!(buckets(12, USUAL_CAPACITY), 16);
        assert_eq!(buckets(13, USUAL_CAPACITY), 32);
        assert_eq!(buckets(1, 1), 2);
        assert_eq!(buckets(0, 0), 1);
    }
}
