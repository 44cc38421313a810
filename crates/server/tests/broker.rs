//! A whole broker, asked over its socket.

#[path = "broker_support/mod.rs"]
mod support;

use protocol::messages::{
    ApiVersionsRequest, DeleteTopicsRequest, FetchRequest, InitProducerIdRequest, ListOffsetsRequest,
    MetadataRequest, ProduceRequest, list_offsets_request, metadata_request,
};
use protocol::{ApiKey, ErrorCode, Records, Request};
use support::{Client, batch, fetch, produce, start};

fn produced(response: &<ProduceRequest as Request>::Response) -> (i16, i64) {
    let partition = &response.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

fn records_len(response: &<FetchRequest as Request>::Response) -> usize {
    let partition = &response.responses[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    match &partition.records {
        Records::Bytes(bytes) => bytes.len(),
        other => panic!("{other:?} is not what a client decodes"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_fetch_misses_no_append() {
    let home = tempfile::tempdir().unwrap();
    let server = start(home.path()).await;
    let (mut writer, mut reader) = (Client::connect(&server).await, Client::connect(&server).await);
    assert_eq!(writer.create_topic("t", 1).await, 0);
    for offset in 0..300 {
        // Ten minutes: a fetch that misses the append would be noticed.
        reader.send(&fetch("t", 0, offset, 600_000), 12).await;
        assert_eq!(produced(&writer.ask(&produce("t", 0, batch("v", None)), 9).await), (0, offset));
        let fetched = reader.receive::<FetchRequest>(12).await.unwrap();
        assert!(records_len(&fetched) > 0);
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_fetch_does_not_hold_up_the_end_of_the_broker() {
    let home = tempfile::tempdir().unwrap();
    let server = start(home.path()).await;
    let mut reader = Client::connect(&server).await;
    assert_eq!(reader.create_topic("t", 1).await, 0);
    reader.send(&fetch("t", 0, 0, 600_000), 12).await;
    // The answer to another connection proves that the broker is alive, and the order on this one that the fetch was started.
    let mut other = Client::connect(&server).await;
    assert_eq!(other.create_topic("u", 1).await, 0);
    server.stop().await.unwrap();
    assert!(reader.receive::<FetchRequest>(12).await.is_none_or(|fetched| records_len(&fetched) == 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_fetch_is_told_that_its_topic_is_deleted() {
    let home = tempfile::tempdir().unwrap();
    let server = start(home.path()).await;
    let (mut reader, mut other) = (Client::connect(&server).await, Client::connect(&server).await);
    assert_eq!(reader.create_topic("t", 1).await, 0);
    // Ten minutes: a fetch that is not told would be noticed.
    reader.send(&fetch("t", 0, 0, 600_000), 12).await;
    let doomed =
        DeleteTopicsRequest { topic_names: vec!["t".to_owned()], timeout_ms: 1_000, ..Default::default() };
    assert_eq!(other.ask(&doomed, 5).await.responses[0].error_code, 0);
    let fetched = reader.receive::<FetchRequest>(12).await.unwrap();
    let error = fetched.responses[0].partitions[0].error_code;
    assert_eq!(error, ErrorCode::UnknownTopicOrPartition.code());
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_five_batches_of_a_producer_are_answered_as_duplicates() {
    let home = tempfile::tempdir().unwrap();
    let server = start(home.path()).await;
    let mut client = Client::connect(&server).await;
    assert_eq!(client.create_topic("t", 1).await, 0);
    let request = InitProducerIdRequest { transactional_id: None, ..Default::default() };
    let given = client.ask(&request, 5).await;
    assert_eq!((given.error_code, given.producer_epoch), (0, 0));
    let mut sent = async |sequence: i32| {
        let records = batch("v", Some((given.producer_id, sequence)));
        produced(&client.ask(&produce("t", 0, records), 9).await)
    };
    for sequence in 0..6 {
        assert_eq!(sent(sequence).await, (0, i64::from(sequence)));
    }
    for sequence in 1..6 {
        assert_eq!(sent(sequence).await, (0, i64::from(sequence)));
    }
    assert_eq!(sent(0).await.0, ErrorCode::OutOfOrderSequenceNumber.code());
    assert_eq!(sent(8).await.0, ErrorCode::OutOfOrderSequenceNumber.code());
    assert_eq!(sent(6).await, (0, 6));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_and_records_are_there_after_a_restart_and_deleted_ones_are_not() {
    let home = tempfile::tempdir().unwrap();
    let server = start(home.path()).await;
    let mut client = Client::connect(&server).await;
    for topic in ["kept", "gone"] {
        assert_eq!(client.create_topic(topic, 2).await, 0);
        assert_eq!(produced(&client.ask(&produce(topic, 1, batch("v", None)), 9).await), (0, 0));
    }
    let topic_names = vec!["gone".to_owned()];
    let doomed = DeleteTopicsRequest { topic_names, timeout_ms: 1_000, ..Default::default() };
    assert_eq!(client.ask(&doomed, 5).await.responses[0].error_code, 0);
    let refused = client.ask(&produce("gone", 1, batch("v", None)), 9).await;
    assert_eq!(produced(&refused).0, ErrorCode::UnknownTopicOrPartition.code());
    server.stop().await.unwrap();

    let server = start(home.path()).await;
    let mut client = Client::connect(&server).await;
    let all = client.ask(&MetadataRequest { topics: None, ..Default::default() }, 12).await;
    let names: Vec<_> = all.topics.iter().map(|topic| topic.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["kept"]);
    assert!(records_len(&client.ask(&fetch("kept", 1, 0, 0), 12).await) > 0);
    assert_eq!(client.create_topic("gone", 2).await, 0);
    assert_eq!(records_len(&client.ask(&fetch("gone", 1, 0, 0), 12).await), 0);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_asked_for_comes_to_be_unless_the_client_does_not_want_that() {
    let home = tempfile::tempdir().unwrap();
    let server = start(home.path()).await;
    let mut client = Client::connect(&server).await;
    let asked = |name: &str, allow_auto_topic_creation| MetadataRequest {
        topics: Some(vec![metadata_request::MetadataRequestTopic {
            name: Some(name.to_owned()),
            ..Default::default()
        }]),
        allow_auto_topic_creation,
        ..Default::default()
    };
    let mut error = async |name, allowed| client.ask(&asked(name, allowed), 12).await.topics[0].error_code;
    assert_eq!(error("t", false).await, ErrorCode::UnknownTopicOrPartition.code());
    assert_eq!(error("t", true).await, 0);
    assert_eq!(error("t", false).await, 0);
    assert_eq!(error("not/a/name", true).await, ErrorCode::InvalidTopicException.code());
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_advertised_is_answered_in_every_version() {
    let home = tempfile::tempdir().unwrap();
    let server = start(home.path()).await;
    let mut client = Client::connect(&server).await;
    assert_eq!(client.create_topic("t", 1).await, 0);
    let advertised = client.ask(&ApiVersionsRequest::default(), 0).await.api_keys;
    let versions = |key: ApiKey| {
        let range = advertised.iter().find(|range| range.api_key == key.0).unwrap();
        key.versions().unwrap().min.max(range.min_version)..=range.max_version
    };
    for version in versions(ApiKey::LIST_OFFSETS) {
        let partition = list_offsets_request::ListOffsetsPartition { timestamp: -1, ..Default::default() };
        let topic =
            list_offsets_request::ListOffsetsTopic { name: "t".to_owned(), partitions: vec![partition] };
        let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
        let found = client.ask(&request, version).await;
        assert_eq!((found.topics[0].partitions[0].error_code, found.topics[0].partitions[0].offset), (0, 0));
    }
    for version in versions(ApiKey::METADATA) {
        let request = MetadataRequest {
            topics: if version == 0 { Some(Vec::new()) } else { None },
            ..Default::default()
        };
        assert_eq!(client.ask(&request, version).await.topics.len(), 1);
    }
    for version in versions(ApiKey::FETCH).filter(|version| *version < 13) {
        assert_eq!(records_len(&client.ask(&fetch("t", 0, 0, 0), version).await), 0);
    }
    for (offset, version) in (0..).zip(versions(ApiKey::PRODUCE).filter(|version| *version < 13)) {
        let answer = client.ask(&produce("t", 0, batch("v", None)), version).await;
        assert_eq!(produced(&answer), (0, offset));
    }
    server.stop().await.unwrap();
}
