//! Random batches: there and back in every compression, and as the crate `kafka-protocol` reads and writes them.

mod wire;

use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records as theirs;
use protocol::compression::Compression;
use protocol::records::{BatchBuilder, Batches, Header, Record, RecordRefs, records, verify};
use wire::Source;

const CAP: usize = 1 << 24;

fn bytes(random: &mut Source) -> Bytes {
    let len = match random.below(8) {
        0 => 0,
        1 => 60 + random.below(10),
        2 => 8_180 + random.below(20),
        _ => random.below(50),
    };
    (0..len).map(|_| random.below(7) as u8).collect()
}

fn nullable(random: &mut Source) -> Option<Bytes> {
    (random.below(4) > 0).then(|| bytes(random))
}

fn record(random: &mut Source, offset: i64) -> Record {
    let header =
        |n: usize, random: &mut Source| Header { key: format!("header {n}").into(), value: nullable(random) };
    Record {
        offset,
        timestamp: 1_790_000_000_000 - 5_000 + random.below(10_000) as i64,
        key: nullable(random),
        value: nullable(random),
        headers: (0..random.below(4)).map(|n| header(n, random)).collect(),
    }
}

/// Records at ascending offsets, one after the other if `dense`.
fn some_records(random: &mut Source, base_offset: i64, dense: bool) -> Vec<Record> {
    let mut offset = base_offset;
    let count = 1 + random.below(20);
    let next = |_| {
        let at = offset;
        offset += 1 + if dense { 0 } else { random.below(5) as i64 };
        record(random, at)
    };
    (0..count).map(next).collect()
}

fn build(base_offset: i64, compression: Compression, all: &[Record]) -> Bytes {
    let mut builder = BatchBuilder::new(base_offset, compression).leader_epoch(3).producer(77, 2, 10);
    for record in all {
        let Record { offset, timestamp, key, value, headers } = record;
        builder.push_at(*offset, *timestamp, key.as_deref(), value.as_deref(), headers);
    }
    builder.build()
}

fn to_theirs(record: &Record) -> theirs::Record {
    let header = |header: &Header| {
        let key = StrBytes::try_from(header.key.clone()).expect("header keys are text");
        (key, header.value.clone())
    };
    theirs::Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 3,
        producer_id: 77,
        producer_epoch: 2,
        timestamp_type: theirs::TimestampType::Creation,
        offset: record.offset,
        sequence: 10 + (record.offset - 1_000) as i32,
        timestamp: record.timestamp,
        key: record.key.clone(),
        value: record.value.clone(),
        headers: record.headers.iter().map(header).collect(),
    }
}

#[test]
fn records_survive_every_compression() {
    for seed in 0..200 {
        let mut random = Source(seed);
        let base_offset = random.below(1 << 40) as i64;
        let all = some_records(&mut random, base_offset, false);
        for compression in Compression::ALL {
            let batch = build(base_offset, compression, &all);
            let header = verify(&batch).expect("a batch of our own");
            assert_eq!(header.last_offset(), all[all.len() - 1].offset);
            assert_eq!(Some(header.max_timestamp), all.iter().map(|record| record.timestamp).max());
            let read: Result<Vec<_>, _> = records(&batch, CAP).and_then(|records| records.collect());
            assert_eq!(read.as_ref(), Ok(&all), "seed {seed}, {compression:?}");
        }
    }
}

#[test]
fn the_crate_kafka_protocol_reads_our_batches() {
    for seed in 0..200 {
        let mut random = Source(seed);
        let all = some_records(&mut random, 1_000, true);
        let mut batch = build(1_000, Compression::None, &all);
        let read = theirs::RecordBatchDecoder::decode(&mut batch).expect("a batch for anyone");
        assert_eq!(read.records, all.iter().map(to_theirs).collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn we_read_batches_of_the_crate_kafka_protocol() {
    let options = theirs::RecordEncodeOptions { version: 2, compression: theirs::Compression::None };
    for seed in 0..200 {
        let mut random = Source(seed);
        let all = some_records(&mut random, 1_000, true);
        let mut out = BytesMut::new();
        let encoded: Vec<_> = all.iter().map(to_theirs).collect();
        theirs::RecordBatchEncoder::encode(&mut out, &encoded, &options).expect("a batch");
        let out = out.freeze();
        let mut read = Vec::new();
        for batch in Batches::new(&out) {
            let (_, batch) = batch.expect("whole batches");
            verify(batch).expect("a valid batch");
            read.extend(
                records(&out.slice_ref(batch), CAP).expect("records").map(|record| record.expect("a record")),
            );
        }
        assert_eq!(read, all, "seed {seed}");
    }
}

#[test]
fn random_bytes_are_no_records_and_no_panic() {
    for seed in 0..20_000 {
        let mut random = Source(seed);
        let len = random.below(120);
        let garbage: Vec<u8> = (0..len).map(|_| random.below(256) as u8).collect();
        let count = random.below(1 << 31) as i32;
        assert!(RecordRefs::new(count, &garbage).count() <= garbage.len() + 1);
    }
}
