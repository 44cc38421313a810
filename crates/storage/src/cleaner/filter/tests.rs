use super::*;
use protocol::records::{BatchBuilder, RecordRefs, end_txn_marker, set_base_offset_and_epoch, verify};

const NOW_MS: i64 = 1_000_000;
const RETENTION_MS: i64 = 500;
const NOWHERE: i64 = 1_000;

type Rows<'a> = &'a [(&'a str, Option<&'a str>)];

fn keyed(offset: i64, compression: Compression, rows: Rows<'_>) -> Bytes {
    fill(BatchBuilder::new(offset, compression), rows)
}

fn transactional(offset: i64, producer_id: i64, rows: Rows<'_>) -> Bytes {
    fill(BatchBuilder::new(offset, Compression::None).producer(producer_id, 0, 7).transactional(), rows)
}

fn fill(mut builder: BatchBuilder, rows: Rows<'_>) -> Bytes {
    for (key, value) in rows {
        builder.push(100, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
    }
    builder.build()
}

fn marker(offset: i64, producer_id: i64, committed: bool) -> Bytes {
    let mut marker = end_txn_marker(100, producer_id, 0, committed, 3).to_vec();
    set_base_offset_and_epoch(&mut marker, offset, 1);
    marker.into()
}

/// The offsets of some keys, and that nothing behind is known.
fn map(latest: &[(&str, i64)], latest_offset: i64) -> OffsetMap {
    let mut map = OffsetMap::new(1 << 16, 0.9, 100, &[1; 16]);
    latest.iter().for_each(|(key, offset)| assert!(map.put(key.as_bytes(), *offset)));
    map.note_offset(latest_offset);
    map
}

/// What a cleaning is told.
struct Case {
    map: OffsetMap,
    producers: HashMap<i64, LastRecord>,
    aborted: Vec<AbortedTransaction>,
    now_ms: i64,
    end_offset: i64,
}

impl Case {
    fn of(map: OffsetMap) -> Case {
        Case { map, producers: HashMap::new(), aborted: Vec::new(), now_ms: NOW_MS, end_offset: NOWHERE }
    }

    fn run(&self, batches: &[Bytes]) -> Vec<Outcome> {
        let round =
            Round { now_ms: self.now_ms, delete_retention_ms: RETENTION_MS, end_offset: self.end_offset };
        let transactions = CleanedTransactions::new(self.aborted.clone());
        let mut filter = Filter::new(&self.map, &self.producers, transactions, round);
        let decide =
            |batch: &Bytes| filter.filter(&verify(batch).expect("a batch"), batch).expect("a batch").0;
        batches.iter().map(decide).collect()
    }

    fn one(&self, batch: &Bytes) -> Outcome {
        self.run(std::slice::from_ref(batch)).remove(0)
    }
}

fn changed(outcome: &Outcome) -> Bytes {
    match outcome {
        Outcome::Changed(batch) => batch.clone(),
        other => panic!("{other:?}"),
    }
}

fn keys(batch: &Bytes) -> Vec<(i64, String)> {
    let records = protocol::records::records(batch, 1 << 20).expect("a batch");
    let key = |key: Option<Bytes>| String::from_utf8(key.expect("a key").to_vec()).expect("text");
    records.map(|record| record.expect("a record")).map(|record| (record.offset, key(record.key))).collect()
}

#[test]
fn of_each_key_the_last_record_is_kept_in_every_codec() {
    let case = Case::of(map(&[("a", 12), ("b", 11), ("c", 40)], 50));
    for compression in Compression::ALL {
        let batch =
            keyed(10, compression, &[("a", Some("1")), ("b", Some("2")), ("a", Some("3")), ("c", Some("4"))]);
        let thin = changed(&case.one(&batch));
        let header = verify(&thin).expect("a batch");
        assert_eq!(keys(&thin), [(11, "b".to_owned()), (12, "a".to_owned())]);
        assert_eq!(
            (header.base_offset, header.last_offset(), header.compression()),
            (10, 13, Ok(compression))
        );
        assert_eq!(case.one(&keyed(10, compression, &[("c", Some("1")), ("c", None)])), Outcome::Gone);
        assert_eq!(case.one(&keyed(40, compression, &[("c", Some("1")), ("new", Some("2"))])), Outcome::Same);
    }
}

#[test]
fn what_the_map_does_not_reach_is_kept_and_what_has_no_key_is_not() {
    let case = Case::of(map(&[("a", 12)], 20));
    assert_eq!(case.one(&keyed(21, Compression::None, &[("a", Some("1")), ("a", Some("2"))])), Outcome::Same);
    let keyless = BatchBuilder::new(15, Compression::None).append(1, None, Some(b"x"), &[]).build();
    assert_eq!(case.one(&keyless), Outcome::Gone);
}

#[test]
fn a_tombstone_gets_a_horizon_and_goes_when_that_has_passed() {
    let mut case = Case::of(map(&[("a", 10)], 50));
    let marked = changed(&case.one(&keyed(10, Compression::Lz4, &[("a", None), ("z", Some("1"))])));
    assert_eq!(verify(&marked).expect("a batch").delete_horizon_ms(), Some(NOW_MS + RETENTION_MS));
    assert_eq!(keys(&marked).len(), 2);
    // It is set once, and not moved.
    case.now_ms += RETENTION_MS - 1;
    assert_eq!(case.one(&marked), Outcome::Same);
    case.now_ms += 1;
    assert_eq!(keys(&changed(&case.one(&marked))), [(11, "z".to_owned())]);
}

#[test]
fn the_last_batch_of_a_producer_and_of_the_round_stays_without_records() {
    let mut case = Case::of(map(&[("a", 40)], 50));
    let batch = transactional(10, 9, &[("a", Some("1")), ("a", Some("2"))]);
    assert_eq!(case.one(&batch), Outcome::Gone);
    case.producers.insert(9, LastRecord { data_offset: Some(11), epoch: 0 });
    let empty = changed(&case.one(&batch));
    let header = verify(&empty).expect("a batch");
    assert_eq!((header.records_count, header.base_sequence, header.last_sequence()), (0, 7, 8));
    assert_eq!((header.producer_id, header.base_offset, header.last_offset()), (9, 10, 11));
    assert_eq!(case.one(&empty), Outcome::Same);
    case.producers.insert(9, LastRecord { data_offset: Some(30), epoch: 0 });
    assert_eq!(case.one(&empty), Outcome::Gone);
    case.end_offset = 12;
    assert_eq!(case.one(&empty), Outcome::Same);
}

#[test]
fn aborted_records_go_at_once_and_their_marker_after_two_more_rounds() {
    let mut case = Case::of(map(&[], 50));
    case.aborted = vec![AbortedTransaction {
        producer_id: 9,
        first_offset: 10,
        last_offset: 13,
        last_stable_offset: 14,
    }];
    let (aborted, abort) = (transactional(10, 9, &[("a", Some("1"))]), marker(13, 9, false));
    let other = transactional(11, 8, &[("a", Some("1"))]);
    let outcomes = case.run(&[aborted, other, abort.clone()]);
    assert_eq!(outcomes, [Outcome::Gone, Outcome::Same, Outcome::Same]);
    // Nothing is left of it: a reader may still be in the middle of the old segment.
    case.aborted.clear();
    let marked = changed(&case.one(&abort));
    assert_eq!(verify(&marked).expect("a batch").delete_horizon_ms(), Some(NOW_MS + RETENTION_MS));
    assert_eq!(RecordRefs::new(1, &marked[HEADER_BYTES..]).count(), 1);
    assert_eq!(case.one(&marked), Outcome::Same);
    case.now_ms += RETENTION_MS;
    assert_eq!(case.one(&marked), Outcome::Gone);
    // It is all that is known of the producer.
    case.producers.insert(9, LastRecord { data_offset: None, epoch: 0 });
    let empty = changed(&case.one(&marked));
    assert_eq!(case.one(&empty), Outcome::Same);
}

#[test]
fn a_commit_marker_stays_as_long_as_a_record_of_its_transaction() {
    let case = Case::of(map(&[("a", 40)], 50));
    let (records, commit) = (transactional(10, 9, &[("b", Some("1"))]), marker(13, 9, true));
    assert_eq!(case.run(&[records, commit.clone()]), [Outcome::Same, Outcome::Same]);
    // Its records were seen still in this round, though they go with it.
    let gone = transactional(10, 9, &[("a", Some("1"))]);
    assert_eq!(case.run(&[gone, commit.clone()]), [Outcome::Gone, Outcome::Same]);
    assert!(verify(&changed(&case.one(&commit))).expect("a batch").delete_horizon_ms().is_some());
}
