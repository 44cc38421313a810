//! Which partition a record goes to, as Kafka's own producer decides it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::str::FromStr;

/// Kafka's variant of the hash MurmurHash2, 32 bits, as its default partitioner uses it for keys.
pub fn murmur2(data: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let mut hash = SEED ^ data.len() as u32;
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    if !tail.is_empty() {
        let rest = tail.iter().rev().fold(0, |rest, byte| (rest << 8) | u32::from(*byte));
        hash = (hash ^ rest).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    (hash ^ (hash >> 15)) as i32
}

/// The partition of a key among `partitions`, which is at least 1.
pub fn partition_for_key(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & i32::MAX) % partitions.max(1)
}

/// How a producer chooses the partition of a record that names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Partitioner {
    /// By the hash of the key, as Kafka's producer; without a key by [`Sticky`].
    #[default]
    Murmur2,
    /// By the checksum of the key, as librdkafka; without a key by [`Sticky`].
    Crc32,
    /// Every record to the partition after that of the one before.
    RoundRobin,
    /// All to this one.
    Fixed(i32),
}

impl FromStr for Partitioner {
    type Err = String;

    fn from_str(text: &str) -> Result<Partitioner, String> {
        match text {
            "murmur2" => Ok(Partitioner::Murmur2),
            "crc32" => Ok(Partitioner::Crc32),
            "round-robin" => Ok(Partitioner::RoundRobin),
            number => match number.parse() {
                Ok(number) if number >= 0 => Ok(Partitioner::Fixed(number)),
                _ => Err("not murmur2, crc32, round-robin or the number of a partition".to_owned()),
            },
        }
    }
}

impl Partitioner {
    /// The partition of a record among `partitions`, which is at least 1, if it follows from the key or the choice.
    pub(crate) fn partition(self, key: Option<&[u8]>, partitions: i32) -> Option<i32> {
        match (self, key) {
            (Partitioner::Fixed(partition), _) => Some(partition),
            (Partitioner::Murmur2, Some(key)) => Some(partition_for_key(key, partitions)),
            // librdkafka takes an empty key for none.
            (Partitioner::Crc32, Some(key)) if !key.is_empty() => {
                Some((crc32fast::hash(key) % partitions.max(1) as u32) as i32)
            }
            _ => None,
        }
    }
}

/// The partition for records without a key: the same one until it has got a batch's worth, then the next (KIP-794).
#[derive(Clone, Copy, Debug)]
pub struct Sticky {
    turn: u32,
    bytes: usize,
}

impl Sticky {
    /// Starts at any number.
    pub fn starting_at(turn: u32) -> Sticky {
        Sticky { turn, bytes: 0 }
    }

    /// Starts somewhere, so that producers that send little do not all send it to the same partition.
    pub fn starting_anywhere() -> Sticky {
        Sticky::starting_at(RandomState::new().build_hasher().finish() as u32)
    }

    /// The partition of now.
    pub fn partition(&self, partitions: i32) -> i32 {
        (self.turn % partitions.max(1) as u32) as i32
    }

    /// Counts what the partition got, and goes on to the next one after `batch_bytes`.
    pub fn count(&mut self, bytes: usize, batch_bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes >= batch_bytes {
            *self = Sticky::starting_at(self.turn.wrapping_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_key_hashes_as_in_apache_kafka() {
        // From org.apache.kafka.common.utils.Utils.murmur2 of kafka-clients 4.3.1.
        for (key, hash) in [
            ("", 275_646_681),
            ("a", -1_563_381_124),
            ("ab", 316_155_434),
            ("abc", 479_470_107),
            ("abcd", -1_323_649_548),
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("UA", -624_396_550),
            ("B6", -1_613_069_864),
            ("한울", 1_738_249_730),
        ] {
            assert_eq!(murmur2(key.as_bytes()), hash, "{key}");
        }
    }

    #[test]
    fn a_negative_hash_loses_its_sign_bit() {
        assert_eq!(partition_for_key(b"UA", 6), 4);
        assert_eq!(partition_for_key(b"B6", 6), 0);
        assert_eq!(partition_for_key(b"abcd", 6), 2);
        assert_eq!(partition_for_key(b"abcd", 1), 0);
    }

    #[test]
    fn records_without_a_key_stay_until_the_partition_has_got_a_batch() {
        let mut sticky = Sticky::starting_at(1);
        let mut partitions = Vec::new();
        for bytes in [60, 39, 1, 200, 5] {
            partitions.push(sticky.partition(3));
            sticky.count(bytes, 100);
        }
        assert_eq!(partitions, [1, 1, 1, 2, 0]);
        assert_eq!(Sticky::starting_at(u32::MAX).partition(3), 0);
    }

    #[test]
    fn a_key_goes_where_librdkafka_sends_it() {
        // From zlib's crc32, which librdkafka takes: 0xe8b7be43, 0x352441c2, 0x9ef61f95.
        for (key, partition) in
            [("a", 0xe8b7_be43u32 % 7), ("abc", 0x3524_41c2 % 7), ("foobar", 0x9ef6_1f95 % 7)]
        {
            assert_eq!(
                Partitioner::Crc32.partition(Some(key.as_bytes()), 7),
                Some(partition as i32),
                "{key}"
            );
        }
        assert_eq!(Partitioner::Crc32.partition(Some(b""), 7), None);
        assert_eq!(Partitioner::Murmur2.partition(Some(b"UA"), 6), Some(4));
        assert_eq!(Partitioner::RoundRobin.partition(Some(b"UA"), 6), None);
        assert_eq!(Partitioner::Fixed(3).partition(None, 6), Some(3));
    }

    #[test]
    fn producers_start_at_different_partitions() {
        let starts: HashSet<i32> = (0..100).map(|_| Sticky::starting_anywhere().partition(1_000)).collect();
        assert!(starts.len() > 1);
    }
}
