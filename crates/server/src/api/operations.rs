//! What a client may do (KIP-430). Nobody is refused anything yet, so the answer is everything that Kafka knows for the resource.

/// Bits by the number of the operation: read 3, write 4, create 5, delete 6, alter 7, describe 8, cluster action 9,
/// describe configs 10, alter configs 11, idempotent write 12.
const fn bits(operations: &[u32]) -> i32 {
    let (mut bits, mut at) = (0, 0);
    while at < operations.len() {
        bits |= 1 << operations[at];
        at += 1;
    }
    bits
}

/// All operations on a topic.
pub(super) const ON_TOPIC: i32 = bits(&[3, 4, 5, 6, 7, 8, 10, 11]);
/// All operations on a group.
pub(super) const ON_GROUP: i32 = bits(&[3, 6, 8, 10, 11]);
/// All operations on the cluster.
pub(super) const ON_CLUSTER: i32 = bits(&[5, 7, 8, 9, 10, 11, 12]);
/// The client did not ask.
pub(super) const NOT_ASKED: i32 = i32::MIN;

/// The operations if they were asked for.
pub(super) fn if_asked(asked: bool, operations: i32) -> i32 {
    if asked { operations } else { NOT_ASKED }
}

#[cfg(test)]
mod tests {
    use protocol::messages::DescribeClusterResponse;

    use super::*;

    #[test]
    fn the_bits_are_those_that_apache_kafka_sends() {
        assert_eq!((ON_TOPIC, ON_GROUP, ON_CLUSTER), (3576, 3400, 8096));
        assert_eq!(DescribeClusterResponse::default().cluster_authorized_operations, NOT_ASKED);
    }
}
