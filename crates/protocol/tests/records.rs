//! Record batches: those that Apache Kafka wrote, and ones that no Kafka would.

use bytes::Bytes;
use protocol::compression::Compression;
use protocol::messages::LeaderChangeMessage;
use protocol::records::*;
use protocol::{ErrorCode, Uuid};

const CODECS: &[u8] =
    include_bytes!("../../storage/tests/fixtures/stopped/codecs-0/00000000000000000000.log");
const APPEND_TIME: &[u8] =
    include_bytes!("../../storage/tests/fixtures/stopped/appendtime-0/00000000000000000000.log");
const TXN: &[u8] = include_bytes!("../../storage/tests/fixtures/stopped/txn-0/00000000000000000004.log");
const LEADER_CHANGE: &[u8] =
    include_bytes!("../../storage/tests/fixtures/stopped/__cluster_metadata-0/leader-change.batch");
const T0: i64 = 1_790_000_000_000;
const CAP: usize = 1 << 20;

fn rules() -> ClientRules {
    ClientRules {
        compacted: false,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        open_compressed: true,
        inflated_bytes_max: CAP,
    }
}

fn all(batch: &Bytes) -> Vec<Record> {
    records(batch, CAP).and_then(|records| records.collect()).expect("a valid batch")
}

fn simple(compression: Compression) -> Bytes {
    let mut builder = BatchBuilder::new(0, compression).producer(9, 1, 5);
    let header = Header { key: Bytes::from_static(b"h"), value: None };
    for n in 0..3_u8 {
        builder.push(T0 + i64::from(n), Some(&[n]), Some(&[n; 40]), std::slice::from_ref(&header));
    }
    builder.build()
}

fn with_crc(mut batch: Vec<u8>) -> Bytes {
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch.into()
}

#[test]
fn batches_of_kafka_in_every_compression_are_read() {
    let names = ["none", "gzip", "snappy", "lz4", "zstd"];
    let batches: Vec<_> = Batches::new(CODECS).collect::<Result<_, _>>().unwrap();
    assert_eq!(batches.len(), 5);
    for (n, (header, batch)) in batches.into_iter().enumerate() {
        assert_eq!(verify(batch), Ok(header));
        assert_eq!(header.compression(), Ok(Compression::ALL[n]));
        assert_eq!((header.base_offset, header.last_offset()), (n as i64 * 4, n as i64 * 4 + 3));
        let got = all(&Bytes::copy_from_slice(batch));
        assert_eq!(got.len(), 4);
        for (r, record) in got.iter().enumerate() {
            assert_eq!((record.offset, record.timestamp), (header.base_offset + r as i64, T0 + r as i64));
            assert_eq!(record.key, (r != 3).then(|| Bytes::from(format!("key{r}"))));
            let value = format!("value of {} {r} {}", names[n], "yeoul ".repeat(20));
            assert_eq!(record.value, (r != 2).then(|| Bytes::from(value)));
            let codec = Header { key: "codec".into(), value: Some(names[n].into()) };
            assert_eq!(record.headers, [codec, Header { key: "null".into(), value: None }]);
        }
    }
}

#[test]
fn a_batch_of_kafka_without_compression_is_rebuilt_byte_for_byte() {
    let (header, batch) = Batches::new(CODECS).next().unwrap().unwrap();
    let mut builder = BatchBuilder::new(0, Compression::None)
        .leader_epoch(header.partition_leader_epoch)
        .producer(header.producer_id, header.producer_epoch, header.base_sequence);
    for record in all(&Bytes::copy_from_slice(batch)) {
        builder.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), &record.headers);
    }
    assert_eq!(builder.size_in_bytes(), batch.len());
    assert_eq!(builder.build(), batch);
    assert_eq!(header.to_bytes(), batch[..61]);
}

#[test]
fn every_compression_goes_there_and_back() {
    for compression in Compression::ALL {
        let batch = simple(compression);
        let header = verify(&batch).unwrap();
        assert_eq!((header.records_count, header.last_sequence()), (3, 7));
        assert_eq!(header.compression(), Ok(compression));
        let got = all(&batch);
        assert_eq!(got[2].value.as_deref(), Some(&[2; 40][..]));
        assert_eq!(validate_records(&batch, &rules(), T0).unwrap().max_timestamp, T0 + 2);
    }
}

#[test]
fn end_markers_of_kafka_are_read_and_made_byte_for_byte() {
    let mut decisions = Vec::new();
    for (header, batch) in Batches::new(TXN).map(Result::unwrap).filter(|(header, _)| header.is_control()) {
        assert!(header.is_transactional());
        let record = all(&Bytes::copy_from_slice(batch)).remove(0);
        let control = ControlRecord::decode(&record.key.unwrap(), &record.value.unwrap()).unwrap();
        let ControlRecord::EndTxn { committed, coordinator_epoch } = control else { panic!("{control:?}") };
        let made = end_txn_marker(
            header.max_timestamp,
            header.producer_id,
            header.producer_epoch,
            committed,
            coordinator_epoch,
        );
        let mut made = made.to_vec();
        set_base_offset_and_epoch(&mut made, header.base_offset, header.partition_leader_epoch);
        assert_eq!(made, batch);
        assert_eq!(read_end_txn(batch), Ok(Some(EndTxn { committed, coordinator_epoch })));
        decisions.push((header.producer_id, committed));
    }
    assert_eq!(decisions.len(), 3);
    assert_eq!(decisions.iter().filter(|(_, committed)| *committed).count(), 1);
}

#[test]
fn the_leader_change_of_kafkas_metadata_log_is_read_and_made_byte_for_byte() {
    let batch = Bytes::from_static(LEADER_CHANGE);
    let header = verify(&batch).unwrap();
    assert!(header.is_control());
    let record = all(&batch).remove(0);
    let control = ControlRecord::decode(&record.key.unwrap(), &record.value.unwrap()).unwrap();
    let ControlRecord::LeaderChange(LeaderChangeMessage { version, leader_id, voters, .. }) = &control else {
        panic!("{control:?}")
    };
    assert_eq!((*version, *leader_id, voters.len()), (0, 1, 1));
    assert_eq!((voters[0].voter_id, voters[0].voter_directory_id), (1, Uuid::ZERO));
    assert_eq!(
        control_batch(0, header.partition_leader_epoch, header.max_timestamp, &[control]).unwrap(),
        batch
    );
}

#[test]
fn control_records_of_an_unknown_type_are_passed_over() {
    let unknown = ControlRecord::decode(&[0, 0, 0, 99], &Bytes::new()).unwrap();
    assert_eq!(unknown, ControlRecord::Unknown);
    assert_eq!(unknown.encode(), Ok(None));
    assert!(ControlRecord::decode(&[0, 0, 1], &Bytes::new()).is_err());
}

#[test]
fn append_time_replaces_the_timestamps_and_the_checksum() {
    let (header, batch) = Batches::new(APPEND_TIME).next().unwrap().unwrap();
    assert_eq!(header.timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(all(&Bytes::copy_from_slice(batch))[0].timestamp, header.max_timestamp);

    let mut ours = simple(Compression::None).to_vec();
    set_max_timestamp(&mut ours, TimestampType::LogAppendTime, T0 + 99);
    set_base_offset_and_epoch(&mut ours, 1_000, 7);
    let header = verify(&ours).unwrap();
    assert_eq!(
        (header.base_offset, header.partition_leader_epoch, header.max_timestamp),
        (1_000, 7, T0 + 99)
    );
    assert!(all(&ours.clone().into()).iter().all(|record| record.timestamp == T0 + 99));
    set_max_timestamp(&mut ours, TimestampType::CreateTime, T0 + 2);
    assert_eq!(all(&ours.into())[1].timestamp, T0 + 1);
}

#[test]
fn a_batch_cut_at_any_byte_is_short() {
    for batch in [simple(Compression::None), simple(Compression::Lz4)] {
        for len in 0..batch.len() {
            assert!(matches!(verify(&batch[..len]), Err(BatchError::Short { .. })), "{len} bytes");
            assert!(records(&batch.slice(..len), CAP).is_err());
            assert_eq!(Batches::new(&batch[..len]).filter(Result::is_ok).count(), 0);
        }
        assert_eq!(verify(&[&batch[..], b"x"].concat()), Err(BatchError::TrailingBytes(1)));
    }
}

#[test]
fn a_flipped_bit_is_noticed_wherever_the_checksum_reaches() {
    let batch = simple(Compression::None);
    for at in (8 * 8..12 * 8).chain(16 * 8..batch.len() * 8) {
        let mut bad = batch.to_vec();
        bad[at / 8] ^= 1 << (at % 8);
        assert!(verify(&bad).is_err(), "bit {at}");
    }
}

#[test]
fn garbage_under_a_right_checksum_is_an_error_and_no_panic() {
    for compression in Compression::ALL {
        let batch = simple(compression);
        for at in 21..batch.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bad = batch.to_vec();
                bad[at] = value;
                let bad = with_crc(bad);
                let _ = validate_records(&bad, &rules(), T0);
                if let Ok(iter) = records(&bad, CAP) {
                    assert!(iter.take(1_000).count() < 1_000, "byte {at}");
                }
            }
        }
    }
}

#[test]
fn counts_that_cannot_be_true_are_refused() {
    let count = |count: i32, delta: i32| {
        let mut bad = simple(Compression::None).to_vec();
        bad[57..61].copy_from_slice(&count.to_be_bytes());
        bad[23..27].copy_from_slice(&delta.to_be_bytes());
        with_crc(bad)
    };
    for (records_count, delta) in [(i32::MAX, i32::MAX), (-1, 2), (3, -1), (4, 2), (1_000, 1_000)] {
        let error = verify(&count(records_count, delta)).unwrap_err();
        assert!(matches!(error, BatchError::InvalidCount { .. }), "{records_count} {delta}: {error}");
    }
    for (records_count, delta) in [(2, 2), (2, 1), (4, 3), (3, 3)] {
        let refused = validate_records(&count(records_count, delta), &rules(), T0).unwrap_err();
        assert_eq!(refused.error, ErrorCode::InvalidRecord, "{records_count} {delta}");
    }
}

#[test]
fn a_batch_that_compaction_emptied_is_valid_but_not_from_a_client() {
    let mut empty = BatchBuilder::new(0, Compression::None).build().to_vec();
    empty[23..27].copy_from_slice(&9_i32.to_be_bytes());
    let empty = with_crc(empty);
    assert_eq!(verify(&empty).unwrap().last_offset(), 9);
    assert_eq!(all(&empty), []);
    assert!(validate_records(&empty, &rules(), T0).is_err());
}

#[test]
fn decompression_stops_at_its_cap() {
    let zeros = vec![0; 1 << 20];
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let batch = BatchBuilder::new(0, compression).append(T0, None, Some(&zeros), &[]).build();
        assert_eq!(records(&batch, 1 << 16).unwrap_err(), BatchError::TooLarge { max_bytes: 1 << 16 });
        let small = ClientRules { inflated_bytes_max: 1 << 16, ..rules() };
        assert_eq!(validate_records(&batch, &small, T0).unwrap_err().error, ErrorCode::MessageTooLarge);
        let unopened = ClientRules { open_compressed: false, ..small };
        assert!(validate_records(&batch, &unopened, T0).is_ok());
    }
}

#[test]
fn records_without_a_key_on_a_compacted_topic_are_named_by_their_place() {
    for compression in [Compression::None, Compression::Zstd] {
        let batch = BatchBuilder::new(0, compression)
            .append(T0, Some(b"k"), Some(b"v"), &[])
            .append(T0, None, Some(b"v"), &[])
            .append(T0, Some(b""), Some(b"v"), &[])
            .append(T0, None, None, &[])
            .build();
        let compacted = ClientRules { compacted: true, open_compressed: false, ..rules() };
        let refused = validate_records(&batch, &compacted, T0).unwrap_err();
        assert_eq!(refused.error, ErrorCode::InvalidRecord);
        let expected = [1, 3].map(|batch_index| RecordError { batch_index, fault: RecordFault::NoKey });
        assert_eq!(refused.record_errors, expected);
        assert_eq!(
            refused.told(&"t-0"),
            "One or more records have been rejected due to 2 record errors in total, and only showing the first three errors \
             at most: [RecordError(batchIndex=1, message='Compacted topic cannot accept message without key in topic partition \
             t-0'), RecordError(batchIndex=3, message='Compacted topic cannot accept message without key in topic partition \
             t-0')]"
        );
        assert!(validate_records(&batch, &rules(), T0).is_ok());
    }
}

#[test]
fn timestamps_out_of_range_are_refused_on_topics_of_create_time() {
    let batch = simple(Compression::None);
    let early = T0 + 1 - 3_600_000;
    let refused = validate_records(&batch, &rules(), early).unwrap_err();
    assert_eq!(refused.error, ErrorCode::InvalidTimestamp);
    let (earliest, latest) = (early.saturating_sub(rules().timestamp_before_max_ms), T0 + 1);
    let fault = RecordFault::TimestampOutOfRange { timestamp: T0 + 2, earliest, latest };
    assert_eq!(refused.record_errors, [RecordError { batch_index: 2, fault }]);
    assert_eq!(refused.told(&"t-0"), "One or more records have been rejected due to invalid timestamp");
    let old = ClientRules { timestamp_before_max_ms: 1_000, ..rules() };
    assert_eq!(validate_records(&batch, &old, T0 + 1_001).unwrap_err().record_errors.len(), 1);

    let append_time = ClientRules { timestamp_type: TimestampType::LogAppendTime, ..old };
    assert_eq!(validate_records(&batch, &append_time, early).unwrap().max_timestamp, early);
    let none = BatchBuilder::new(0, Compression::None).append(NO_TIMESTAMP, None, None, &[]).build();
    assert_eq!(validate_records(&none, &old, T0).unwrap().max_timestamp, NO_TIMESTAMP);
}

#[test]
fn a_client_that_sets_append_time_is_judged_by_the_time_it_set() {
    let with = |max_timestamp| {
        let mut batch = simple(Compression::None).to_vec();
        set_max_timestamp(&mut batch, TimestampType::LogAppendTime, max_timestamp);
        validate_records(&batch, &rules(), T0).map(|valid| valid.max_timestamp)
    };
    assert_eq!(with(T0), Ok(T0));
    assert_eq!(with(T0 + 4_000_000).unwrap_err().record_errors.len(), 3);
    let faults = with(NO_TIMESTAMP).unwrap_err().record_errors;
    assert!(matches!(faults[0].fault, RecordFault::LogAppendTime(_)));
}

#[test]
fn records_that_do_not_decompress_are_refused_as_kafka_does() {
    let mut batch = simple(Compression::Zstd).to_vec();
    batch[61] ^= 1;
    let refused = |batch| validate_records(&with_crc(batch), &rules(), T0).unwrap_err().error;
    assert_eq!(refused(batch), ErrorCode::UnknownServerError);
    let mut unknown = simple(Compression::None).to_vec();
    unknown[22] |= 5;
    assert_eq!(refused(unknown), ErrorCode::UnknownServerError);
}

#[test]
fn what_only_brokers_may_write_is_refused_from_clients() {
    let control =
        BatchBuilder::new(0, Compression::None).control().append(T0, Some(&[0; 4]), None, &[]).build();
    let no_sequence = BatchBuilder::new(0, Compression::None).producer(1, 0, -1).append(T0, None, None, &[]);
    let offset = BatchBuilder::new(5, Compression::None).append(T0, None, None, &[]).build();
    let mut append_time = simple(Compression::None).to_vec();
    set_max_timestamp(&mut append_time, TimestampType::LogAppendTime, -1);
    let code = |batch: &[u8]| validate_records(batch, &rules(), T0).unwrap_err().error;
    assert_eq!(code(&control), ErrorCode::InvalidRecord);
    assert_eq!(code(&no_sequence.build()), ErrorCode::InvalidRecord);
    assert_eq!(code(&offset), ErrorCode::InvalidRecord);
    let two = [simple(Compression::None), simple(Compression::None)].concat();
    assert_eq!(code(&two), ErrorCode::InvalidRecord, "two batches");
}

#[test]
fn offsets_within_a_batch_must_be_sequential_from_clients() {
    let mut builder = BatchBuilder::new(0, Compression::None);
    builder.push_at(0, T0, None, None, &[]);
    builder.push_at(2, T0, None, None, &[]);
    let mut batch = builder.build().to_vec();
    verify(&batch).unwrap();
    batch[23..27].copy_from_slice(&1_i32.to_be_bytes());
    let refused = validate_records(&with_crc(batch), &rules(), T0).unwrap_err();
    let [RecordError { batch_index: 1, fault: RecordFault::OffsetNotSequential(record) }] =
        refused.record_errors[..]
    else {
        panic!("{refused:?}");
    };
    assert_eq!((record.offset_delta, record.timestamp, record.key_bytes), (2, T0, 0));
}

#[test]
fn a_record_is_never_larger_than_its_bound() {
    let headers = [Header { key: "key".into(), value: Some("value".into()) }];
    for len in [0, 1, 63, 64, 8_191, 8_192, 1 << 20] {
        let value = vec![1; len];
        let mut builder = BatchBuilder::new(0, Compression::None);
        builder.push(T0, None, None, &[]);
        let before = builder.size_in_bytes();
        builder.push(i64::MIN, Some(&value), Some(&value), &headers);
        let bound = BatchBuilder::record_bytes_max(Some(&value), Some(&value), &headers);
        assert!(builder.size_in_bytes() - before <= bound);
    }
}

#[test]
fn old_formats_are_told_from_garbage() {
    let mut old = simple(Compression::None).to_vec();
    old[16] = 1;
    assert_eq!(verify(&old), Err(BatchError::UnsupportedMagic(1)));
    let refused = |batch: &[u8]| validate_records(batch, &rules(), T0).unwrap_err().error;
    assert_eq!(refused(&old), ErrorCode::InvalidRecord);
    old[16] = 9;
    assert_eq!(refused(&old), ErrorCode::CorruptMessage);
    assert_eq!(refused(&simple(Compression::None)[..30]), ErrorCode::InvalidRecord);
    let mut length = simple(Compression::None).to_vec();
    length[8..12].copy_from_slice(&(-5_i32).to_be_bytes());
    assert_eq!(verify(&length), Err(BatchError::InvalidLength(-5)));
    assert_eq!(Batches::new(&length).count(), 1);
}

/// What compaction leaves of a batch if it keeps the records that pass a test.
fn thinned(batch: &Bytes, horizon: Option<i64>, keep: impl Fn(&RecordRef<'_>) -> bool) -> Bytes {
    let header = BatchHeader::parse(batch).expect("a batch");
    let payload = match header.compression().expect("a codec") {
        Compression::None => batch[61..].to_vec(),
        compression => protocol::compression::decompress(compression, &batch[61..], CAP).expect("a batch"),
    };
    let mut kept = KeptRecords::default();
    for placed in placed_records(header.records_count, &payload) {
        let (place, record) = placed.expect("a record");
        if keep(&record) {
            kept.add(place, header.timestamp_of(&record));
        }
    }
    kept.rebuild(&header, &payload, horizon).expect("a batch")
}

#[test]
fn a_batch_that_is_cut_down_keeps_offsets_producer_codec_and_the_records_that_are_kept() {
    for compression in Compression::ALL {
        let whole = simple(compression);
        let thin = thinned(&whole, None, |record| record.offset_delta != 1);
        let header = verify(&thin).unwrap();
        let before = BatchHeader::parse(&whole).unwrap();
        assert_eq!((header.base_offset, header.last_offset()), (before.base_offset, before.last_offset()));
        assert_eq!((header.producer_id, header.base_sequence, header.last_sequence()), (9, 5, 7));
        assert_eq!((header.records_count, header.compression()), (2, Ok(compression)));
        let expected: Vec<_> = all(&whole).into_iter().filter(|record| record.offset != 1).collect();
        assert_eq!(all(&thin), expected);
    }
    let first = thinned(&simple(Compression::None), None, |record| record.offset_delta == 0);
    assert_eq!(verify(&first).unwrap().max_timestamp, T0);
}

#[test]
fn a_delete_horizon_is_set_once_and_leaves_the_timestamps_as_they_were() {
    for compression in Compression::ALL {
        let whole = simple(compression);
        let marked = thinned(&whole, Some(T0 + 86_400_000), |_| true);
        let header = verify(&marked).unwrap();
        assert_eq!(header.delete_horizon_ms(), Some(T0 + 86_400_000));
        assert_eq!(all(&marked), all(&whole));
        let thin = thinned(&marked, None, |record| record.offset_delta == 2);
        assert_eq!(verify(&thin).unwrap().delete_horizon_ms(), Some(T0 + 86_400_000));
        assert_eq!(all(&thin)[..], all(&whole)[2..]);
    }
}

#[test]
fn an_empty_batch_tells_of_its_producer_and_offsets_alone() {
    let marked = thinned(&simple(Compression::Zstd), Some(T0), |_| true);
    let empty = empty_batch(&BatchHeader::parse(&marked).unwrap());
    let header = verify(&empty).unwrap();
    assert_eq!((header.last_offset(), header.last_sequence(), header.producer_epoch), (2, 7, 1));
    assert_eq!((header.records_count, header.delete_horizon_ms()), (0, None));
    assert_eq!((header.base_timestamp, header.max_timestamp), (NO_TIMESTAMP, T0 + 2));
    assert!(all(&empty).is_empty() && header.compression() == Ok(Compression::None));
}
