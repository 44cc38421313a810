use protocol::compression::Compression;
use protocol::records::{BatchBuilder, Batches, read_end_txn};

use super::*;

const DAY_MS: i64 = 86_400_000;

struct Batch {
    epoch: i16,
    sequence: i32,
    count: i32,
    offset: i64,
    transactional: bool,
}

/// A batch of producer 7.
fn batch(epoch: i16, sequence: i32, count: i32, offset: i64) -> Batch {
    Batch { epoch, sequence, count, offset, transactional: false }
}

impl Batch {
    fn header(&self) -> BatchHeader {
        let mut builder =
            BatchBuilder::new(self.offset, Compression::None).producer(7, self.epoch, self.sequence);
        if self.transactional {
            builder = builder.transactional();
        }
        (0..self.count).for_each(|_| builder.push(1_000, None, None, &[]));
        BatchHeader::parse(&builder.build()).unwrap()
    }

    fn transactional(mut self) -> Batch {
        self.transactional = true;
        self
    }
}

fn check(producers: &Producers, batch: Batch) -> Result<Admission, ErrorCode> {
    producers.check(&batch.header(), None, BatchSource::Client).map_err(ProducerError::code)
}

fn marker(epoch: i16, offset: i64) -> BatchHeader {
    let bytes = protocol::records::end_txn_marker(2_000, 7, epoch, false, 0);
    BatchHeader { base_offset: offset, ..BatchHeader::parse(&bytes).unwrap() }
}

fn aborted(coordinator_epoch: i32) -> Option<EndTxn> {
    Some(EndTxn { committed: false, coordinator_epoch })
}

fn after(batches: impl IntoIterator<Item = Batch>) -> Producers {
    let mut producers = Producers::default();
    for batch in batches {
        assert_eq!(check(&producers, Batch { ..batch }), Ok(Admission::New));
        producers.record(&batch.header(), None);
    }
    producers
}

#[test]
fn the_last_five_batches_are_answered_as_duplicates() {
    let producers = after((0..6).map(|n| batch(0, n * 3, 3, 100 + i64::from(n) * 3)));
    for n in 1..6 {
        let base_offset = 100 + i64::from(n) * 3;
        let duplicate = Duplicate { base_offset, last_offset: base_offset + 2, timestamp: 1_000 };
        assert_eq!(check(&producers, batch(0, n * 3, 3, 0)), Ok(Admission::Duplicate(duplicate)));
    }
    assert_eq!(check(&producers, batch(0, 0, 3, 0)), Err(ErrorCode::OutOfOrderSequenceNumber), "the sixth");
    assert_eq!(check(&producers, batch(0, 15, 2, 0)), Err(ErrorCode::OutOfOrderSequenceNumber), "other end");
    assert_eq!(check(&producers, batch(0, 18, 1, 0)), Ok(Admission::New));
}

#[test]
fn a_gap_in_the_sequence_is_refused() {
    let producers = after([batch(0, 0, 3, 0)]);
    assert_eq!(check(&producers, batch(0, 4, 1, 0)), Err(ErrorCode::OutOfOrderSequenceNumber));
    assert_eq!(
        producers.check(&batch(0, 9, 1, 0).header(), None, BatchSource::Coordinator),
        Ok(Admission::New),
        "sequences are the clients' concern"
    );
}

#[test]
fn an_unknown_producer_may_begin_anywhere() {
    assert_eq!(check(&Producers::default(), batch(3, 17, 1, 0)), Ok(Admission::New));
}

#[test]
fn a_new_epoch_begins_at_zero_and_an_old_one_is_stale() {
    let mut producers = after([batch(1, 0, 3, 0)]);
    assert_eq!(check(&producers, batch(2, 3, 1, 3)), Err(ErrorCode::OutOfOrderSequenceNumber));
    assert_eq!(check(&producers, batch(2, 0, 3, 3)), Ok(Admission::New));
    producers.record(&batch(2, 0, 3, 3).header(), None);
    assert_eq!(check(&producers, batch(1, 0, 3, 0)), Err(ErrorCode::InvalidProducerEpoch));
}

#[test]
fn sequences_wrap_around() {
    let producers = after([batch(0, i32::MAX - 1, 4, 10)]);
    let duplicate = Duplicate { base_offset: 10, last_offset: 13, timestamp: 1_000 };
    assert_eq!(check(&producers, batch(0, i32::MAX - 1, 4, 0)), Ok(Admission::Duplicate(duplicate)));
    assert_eq!(check(&producers, batch(0, 2, 1, 0)), Ok(Admission::New));
    let producers = after([batch(0, i32::MAX, 1, 10)]);
    assert_eq!(check(&producers, batch(0, 0, 1, 0)), Ok(Admission::New));
}

#[test]
fn producers_expire_but_not_within_a_transaction() {
    let mut producers = after([batch(0, 0, 1, 0)]);
    assert_eq!(producers.expire(1_000 + DAY_MS - 1, DAY_MS), 0);
    assert_eq!(producers.expire(1_000 + DAY_MS, DAY_MS), 1);
    assert!(producers.is_empty());
    let mut producers = after([batch(0, 0, 1, 0).transactional()]);
    assert_eq!(producers.expire(i64::MAX, DAY_MS), 0);
}

#[test]
fn a_transaction_keeps_the_last_stable_offset_back_until_its_marker_is_replicated() {
    let mut producers = after([batch(0, 0, 1, 5).transactional(), batch(0, 1, 1, 6).transactional()]);
    assert_eq!(producers.first_unstable_offset(), Some(5));
    assert_eq!(check(&producers, batch(0, 2, 1, 7)), Err(ErrorCode::InvalidTxnState));
    assert!(producers.has_transaction(7));
    let entry = producers.record(&marker(0, 7), aborted(0)).unwrap();
    assert_eq!((entry.first_offset, entry.last_offset, entry.last_stable_offset), (5, 7, 8));
    producers.high_watermark_moved(7);
    assert_eq!(producers.first_unstable_offset(), Some(5));
    producers.high_watermark_moved(8);
    assert_eq!(producers.first_unstable_offset(), None);
    assert_eq!(check(&producers, batch(0, 2, 1, 8)), Ok(Admission::New), "the sequence goes on");
    assert_eq!(producers.record(&marker(0, 9), aborted(0)), None, "a marker twice");
}

#[test]
fn markers_of_stale_epochs_are_refused() {
    let mut producers = after([batch(3, 0, 1, 0).transactional()]);
    let code = |producers: &Producers, epoch, coordinator_epoch| {
        let checked =
            producers.check(&marker(epoch, 1), aborted(coordinator_epoch), BatchSource::Coordinator);
        checked.map_err(ProducerError::code)
    };
    assert_eq!(code(&producers, 2, 5), Err(ErrorCode::InvalidProducerEpoch));
    assert_eq!(code(&producers, 4, 5), Ok(Admission::New));
    producers.record(&marker(4, 1), aborted(5));
    assert_eq!(code(&producers, 4, 4), Err(ErrorCode::TransactionCoordinatorFenced));
    assert_eq!(check(&producers, batch(4, 1, 1, 2)), Err(ErrorCode::OutOfOrderSequenceNumber));
    assert_eq!(check(&producers, batch(4, 0, 1, 2)), Ok(Admission::New));
}

#[test]
fn the_snapshot_and_aborted_transactions_of_kafka_follow_from_its_log() {
    const FIRST: &[u8] = include_bytes!("../../tests/fixtures/stopped/txn-0/00000000000000000000.log");
    const SECOND: &[u8] = include_bytes!("../../tests/fixtures/stopped/txn-0/00000000000000000004.log");
    const AT_4: &[u8] = include_bytes!("../../tests/fixtures/stopped/txn-0/00000000000000000004.snapshot");
    const AT_9: &[u8] = include_bytes!("../../tests/fixtures/stopped/txn-0/00000000000000000009.snapshot");
    const ABORTED: &[u8] = include_bytes!("../../tests/fixtures/stopped/txn-0/00000000000000000004.txnindex");
    use crate::files::{producer_snapshot, transaction_index};

    let replay = |producers: &mut Producers, log: &[u8]| {
        let entry = |(header, bytes)| producers.record(&header, read_end_txn(bytes).unwrap());
        Batches::new(log).map(Result::unwrap).filter_map(entry).collect::<Vec<_>>()
    };
    let mut producers = Producers::default();
    assert_eq!(replay(&mut producers, FIRST), []);
    assert_eq!(producer_snapshot::encode(producers.to_snapshot()), AT_4);
    let mut loaded = Producers::from_snapshot(&producer_snapshot::decode(AT_4).unwrap(), 0, DAY_MS);
    for producers in [&mut producers, &mut loaded] {
        assert_eq!(transaction_index::encode(&replay(producers, SECOND)), ABORTED);
        assert_eq!(producer_snapshot::encode(producers.to_snapshot()), AT_9);
        producers.high_watermark_moved(9);
        assert_eq!(producers.first_unstable_offset(), Some(8));
    }
}

#[test]
fn a_producer_is_small() {
    assert!(size_of::<ProducerState>() <= 152, "{}", size_of::<ProducerState>());
    assert!(size_of::<Producers>() <= 96, "{}", size_of::<Producers>());
}
