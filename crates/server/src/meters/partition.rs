//! What is counted of a partition.

use std::ops::AddAssign;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use protocol::ErrorCode;
use storage::Log;

use super::readers::Sources;

/// Counts of a partition that its log does not keep, since this broker leads it.
#[derive(Default)]
pub(crate) struct PartitionMeter {
    produce_requests: AtomicU64,
    failed_produce: AtomicU64,
    rejected_bytes: AtomicU64,
    fetch_requests: AtomicU64,
    failed_fetch: AtomicU64,
    fetched_bytes: AtomicU64,
    /// Where its readers' bytes came from; made when there are some.
    reads: OnceLock<Box<Sources>>,
}

/// A partition's counts, or the sum of several's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PartitionCounts {
    pub(crate) records_in: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) rejected_bytes: u64,
    pub(crate) produce_requests: u64,
    pub(crate) failed_produce: u64,
    pub(crate) fetch_requests: u64,
    pub(crate) failed_fetch: u64,
}

impl PartitionMeter {
    /// A batch was to be appended.
    pub(crate) fn produced(&self) {
        self.produce_requests.fetch_add(1, Ordering::Relaxed);
    }

    /// A batch of so many bytes was refused.
    pub(crate) fn produce_failed(&self, error: ErrorCode, bytes: usize) {
        if matches!(error, ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge) {
            self.rejected_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        if !is_expected_of_produce(error) {
            self.failed_produce.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// So many bytes of records were answered.
    pub(crate) fn fetched(&self, bytes: usize) {
        self.fetch_requests.fetch_add(1, Ordering::Relaxed);
        if bytes > 0 {
            self.fetched_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    /// A fetch was refused.
    pub(crate) fn fetch_failed(&self, error: ErrorCode) {
        self.fetch_requests.fetch_add(1, Ordering::Relaxed);
        if !is_expected_of_fetch(error) {
            self.failed_fetch.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Where its readers' bytes come from.
    pub(crate) fn reads(&self) -> &Sources {
        self.reads.get_or_init(Box::default)
    }

    /// The same; none if nobody has read.
    pub(crate) fn reads_so_far(&self) -> Option<&Sources> {
        self.reads.get().map(|reads| &**reads)
    }

    /// All counts, those that its log keeps included.
    pub(crate) fn read(&self, log: &Log) -> PartitionCounts {
        let appended = log.counts();
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        PartitionCounts {
            records_in: appended.records,
            bytes_in: appended.bytes,
            bytes_out: get(&self.fetched_bytes),
            rejected_bytes: get(&self.rejected_bytes),
            produce_requests: get(&self.produce_requests),
            failed_produce: get(&self.failed_produce),
            fetch_requests: get(&self.fetch_requests),
            failed_fetch: get(&self.failed_fetch),
        }
    }
}

impl AddAssign for PartitionCounts {
    fn add_assign(&mut self, other: PartitionCounts) {
        self.records_in += other.records_in;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.rejected_bytes += other.rejected_bytes;
        self.produce_requests += other.produce_requests;
        self.failed_produce += other.failed_produce;
        self.fetch_requests += other.fetch_requests;
        self.failed_fetch += other.failed_fetch;
    }
}

/// Kafka's FailedProduceRequestsPerSec is to tell of a broker's failures, not of what clients run into in the course of things.
fn is_expected_of_produce(error: ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::MessageTooLarge
            | ErrorCode::RecordListTooLarge
            | ErrorCode::CorruptMessage
            | ErrorCode::KafkaStorageError
    )
}

/// The same for FailedFetchRequestsPerSec.
fn is_expected_of_fetch(error: ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::InconsistentTopicId
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::UnknownLeaderEpoch
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::ReplicaNotAvailable
            | ErrorCode::KafkaStorageError
            | ErrorCode::OffsetOutOfRange
    )
}
