//! Bytes that were made to hurt: lengths and counts that promise more than there is.
#![allow(clippy::unwrap_used)]

mod dispatch;
mod wire;

use bytes::Bytes;
use peak_alloc::PeakAlloc;
use protocol::compression::Compression;
use protocol::messages::{
    ApiVersionsRequest, ConsumerGroupDescribeRequest, FetchRequest, MetadataRequest, ProduceRequest,
    RequestKind,
};
use protocol::records::{BatchBuilder, ClientRules, TimestampType, validate_records};
use protocol::{DecodeError, EncodeError, ErrorCode, Message, Reader, Records, Writer};
use wire::Source;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// What a decoder may take for a small frame: its budget, and what the budget does not count.
const SMALL_FRAME_BYTES_MAX: usize = 4 << 20;

/// The largest amount of memory that was held at once while the function ran, in bytes, above what was held before.
fn peak_bytes<T>(run: impl FnOnce() -> T) -> usize {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    drop(run());
    ALLOCATOR.peak_usage().saturating_sub(before)
}

// One test for all that is measured: what runs beside it in this file allocates little.
#[test]
fn hostile_lengths_are_errors_and_cost_no_memory_nor_do_bombs() {
    bodies_of_29_bytes_with_giant_counts();
    every_length_replaced_by_every_giant();
    tiny_elements_stop_at_the_budget();
    a_large_honest_request_is_within_the_budget();
    bombs_are_looked_through_a_piece_at_a_time();
}

/// A value of zeroes that is a thousand times as large as its batch, and one more byte than is allowed.
fn bombs_are_looked_through_a_piece_at_a_time() {
    let value = vec![0; 64 << 20];
    let rules = ClientRules {
        compacted: false,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        open_compressed: true,
        inflated_bytes_max: 65 << 20,
    };
    for compression in Compression::ALL.into_iter().filter(|compression| *compression != Compression::None) {
        let mut builder = BatchBuilder::new(0, compression);
        builder.push(1, None, Some(&value), &[]);
        let bomb = builder.build();
        let peak = peak_bytes(|| validate_records(&bomb, &rules, 1).unwrap());
        assert!(peak < 1 << 20, "{}: {peak} bytes", compression.name());
        let strict = ClientRules { inflated_bytes_max: 64 << 20, ..rules };
        assert_eq!(validate_records(&bomb, &strict, 1).unwrap_err().error, ErrorCode::MessageTooLarge);
    }
}

fn bodies_of_29_bytes_with_giant_counts() {
    for key in protocol::ApiKey::all() {
        let Some(versions) = key.versions() else { continue };
        for version in versions.iter() {
            for fill in [0x7f, 0xff, 0xfe, 0x80, 0x01, 0x00] {
                let body = Bytes::from(vec![fill; 29]);
                let peak = peak_bytes(|| RequestKind::decode(key.0, &mut Reader::new(body), version));
                assert!(
                    peak < SMALL_FRAME_BYTES_MAX,
                    "{key} v{version} took {peak} bytes for 29 of {fill:#x}"
                );
            }
        }
    }
}

fn every_length_replaced_by_every_giant() {
    let giants: [&[u8]; 5] = [
        b"\x7f\xff\xff\xff",
        b"\xff\xff\xff\xff\x0f",
        b"\xff\xff\xff\x7f",
        b"\x00\xff\xff\xff",
        b"\x80\x80\x80\x80\x80",
    ];
    let mut source = Source(4);
    for (file, messages) in wire::tables() {
        for message in &messages {
            for version in message.versions.min..=message.versions.max {
                let seed = wire::random(message, version, &mut source);
                for &place in seed.lengths.iter().take(24) {
                    let giant = giants[source.below(giants.len())];
                    let mut bytes = seed.bytes[..place].to_vec();
                    bytes.extend_from_slice(giant);
                    bytes.extend_from_slice(&seed.bytes[place..]);
                    let peak = peak_bytes(|| dispatch::decode(file, message, bytes.into(), version).is_ok());
                    assert!(peak < SMALL_FRAME_BYTES_MAX, "{} v{version} took {peak} bytes", message.name);
                }
            }
        }
    }
}

/// Empty strings take a byte each on the wire and 24 in memory.
fn tiny_elements_stop_at_the_budget() {
    let count: u32 = 4 << 20;
    let mut writer = Writer::new();
    writer.uvarint(count + 1);
    let mut body = writer.into_bytes().to_vec();
    body.resize(body.len() + count as usize, 1);
    body.extend([0, 0]);
    let body = Bytes::from(body);
    let mut result = None;
    let peak = peak_bytes(|| result = Some(ConsumerGroupDescribeRequest::decode(&mut Reader::new(body), 0)));
    assert_eq!(result, Some(Err(DecodeError::BudgetExceeded)));
    assert!(peak < SMALL_FRAME_BYTES_MAX, "{peak} bytes");
}

/// Hundreds of thousands of short names pass.
fn a_large_honest_request_is_within_the_budget() {
    let topics = (0..300_000).map(|n| protocol::messages::metadata_request::MetadataRequestTopic {
        name: Some(format!("t{n}")),
        ..Default::default()
    });
    let request = MetadataRequest { topics: Some(topics.collect()), ..Default::default() };
    for version in [1, 9, 13] {
        let mut writer = Writer::new();
        request.encode(&mut writer, version).unwrap();
        let decoded = MetadataRequest::decode(&mut Reader::new(writer.into_bytes()), version).unwrap();
        assert_eq!(decoded.topics.map(|topics| topics.len()), Some(300_000));
    }
}

#[test]
fn null_where_there_may_be_none_is_an_error() {
    let mut reader = Reader::new(Bytes::from_static(b"\xff\xff\xff\xff"));
    assert_eq!(MetadataRequest::decode(&mut reader, 0), Err(DecodeError::UnexpectedNull));
    let request = MetadataRequest { topics: None, ..Default::default() };
    assert!(matches!(
        request.encode(&mut Writer::new(), 0),
        Err(EncodeError::UnexpectedNull { field: "topics", .. })
    ));
    assert!(request.encode(&mut Writer::new(), 1).is_ok());
}

#[test]
fn a_field_that_the_version_lacks_is_dropped_only_if_it_may_be() {
    let request = ApiVersionsRequest { client_software_name: "librdkafka".to_owned(), ..Default::default() };
    assert!(request.encode(&mut Writer::new(), 0).is_ok(), "the name is ignorable");

    let mut request = FetchRequest { session_id: 3, ..FetchRequest::default() };
    assert!(request.encode(&mut Writer::new(), 4).is_ok(), "the session is ignorable");
    request.replica_state.replica_id = 1;
    let refused = request.encode(&mut Writer::new(), 14);
    assert!(matches!(
        refused,
        Err(EncodeError::FieldNotInVersion { field: "replica_state", version: 14, .. })
    ));
}

#[test]
fn records_are_slices_of_the_frame_both_ways() {
    let batch = Bytes::from(vec![7; 10_000]);
    let mut request = ProduceRequest::default();
    let mut topic = protocol::messages::produce_request::TopicProduceData::default();
    topic.partition_data.push(protocol::messages::produce_request::PartitionProduceData {
        index: 0,
        records: Records::Bytes(batch.clone()),
    });
    request.topic_data.push(topic);
    let mut writer = Writer::new();
    request.encode(&mut writer, 9).unwrap();
    let parts = writer.finish_frame().unwrap();
    let shared = parts
        .iter()
        .filter(|part| matches!(part, protocol::Part::Bytes(bytes) if bytes.as_ptr() == batch.as_ptr()));
    assert_eq!(shared.count(), 1, "the batch is one of the parts, where it was");

    let mut writer = Writer::new();
    request.encode(&mut writer, 9).unwrap();
    let frame = writer.into_bytes();
    let decoded = ProduceRequest::decode(&mut Reader::new(frame.clone()), 9).unwrap();
    let Records::Bytes(records) = &decoded.topic_data[0].partition_data[0].records else {
        panic!("{decoded:?}")
    };
    assert!(frame.as_ptr_range().contains(&records.as_ptr()), "the records lie in the frame");
    assert_eq!(decoded, request);
}
