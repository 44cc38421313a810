//! The APIs about topics, their partitions, epochs and producers, asked over a broker's socket.

#[path = "broker_support/mod.rs"]
mod support;

use protocol::ErrorCode;
use protocol::messages::create_partitions_request::CreatePartitionsTopic;
use protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use protocol::messages::{
    CreatePartitionsRequest, DescribeProducersRequest, DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse, ListOffsetsRequest, OffsetForLeaderEpochRequest,
    describe_producers_request,
};
use support::{Client, batch, produce, start, start_with};

/// Each topic with its error and partitions, and where the next page begins.
type Page = (Vec<(String, i16, Vec<i32>)>, Option<(String, i32)>);

fn page(response: DescribeTopicPartitionsResponse) -> Page {
    let topics = response.topics.into_iter().map(|topic| {
        let numbers = topic.partitions.iter().map(|partition| partition.partition_index).collect();
        (topic.name.expect("each has a name"), topic.error_code, numbers)
    });
    let cursor = response.next_cursor.map(|cursor| (cursor.topic_name, cursor.partition_index));
    (topics.collect(), cursor)
}

fn pages_of(topics: &[&str], limit: i32, cursor: Option<(&str, i32)>) -> DescribeTopicPartitionsRequest {
    let topic = |name: &&str| TopicRequest { name: (*name).to_owned() };
    let cursor =
        cursor.map(|(topic, partition_index)| Cursor { topic_name: topic.to_owned(), partition_index });
    DescribeTopicPartitionsRequest {
        topics: topics.iter().map(topic).collect(),
        response_partition_limit: limit,
        cursor,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_described_page_by_page() {
    let home = tempfile::tempdir().unwrap();
    let server = start(home.path()).await;
    let mut client = Client::connect(&server).await;
    for (name, partitions) in [("b", 3), ("a", 2), ("c", 1)] {
        assert_eq!(client.create_topic(name, partitions).await, 0);
    }
    let mut ask = async |request| page(client.ask(&request, 0).await);
    let all = ask(pages_of(&[], 2_000, None)).await;
    let names: Vec<_> = all.0.iter().map(|(name, _, numbers)| (&**name, numbers.len())).collect();
    assert_eq!((names, all.1), (vec![("a", 2), ("b", 3), ("c", 1)], None));

    let (topics, next) = ask(pages_of(&[], 4, None)).await;
    assert_eq!(topics[1], ("b".to_owned(), 0, vec![0, 1]));
    assert_eq!(next, Some(("b".to_owned(), 2)));
    let (topics, next) = ask(pages_of(&[], 1, Some(("b", 2)))).await;
    assert_eq!(topics, [("b".to_owned(), 0, vec![2])]);
    assert_eq!(next, Some(("c".to_owned(), 0)));
    assert_eq!(ask(pages_of(&[], 0, Some(("c", 0)))).await.0, [("c".to_owned(), 0, vec![0])]);

    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    let invalid = ErrorCode::InvalidTopicException.code();
    let (topics, next) = ask(pages_of(&["nope", "a", "a/b", "a"], 9, None)).await;
    let told: Vec<_> = topics.iter().map(|(name, error, numbers)| (&**name, *error, numbers.len())).collect();
    assert_eq!((told, next), (vec![("a", 0, 2), ("a/b", invalid, 0), ("nope", unknown, 0)], None));
    let refused = ask(pages_of(&["a"], 9, Some(("b", 0)))).await;
    assert_eq!(refused, (vec![("a".to_owned(), ErrorCode::InvalidRequest.code(), vec![])], None));
    server.stop().await.unwrap();
}

fn epoch_of(
    topic: &str,
    partition: i32,
    current_leader_epoch: i32,
    leader_epoch: i32,
) -> OffsetForLeaderEpochRequest {
    let asked = OffsetForLeaderPartition { partition, current_leader_epoch, leader_epoch };
    let topic = OffsetForLeaderTopic { topic: topic.to_owned(), partitions: vec![asked] };
    OffsetForLeaderEpochRequest { replica_id: -1, topics: vec![topic] }
}

fn latest(topic: &str) -> ListOffsetsRequest {
    let asked = ListOffsetsPartition { current_leader_epoch: -1, timestamp: -1, ..Default::default() };
    let topic = ListOffsetsTopic { name: topic.to_owned(), partitions: vec![asked] };
    ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaders_epoch_begins_with_its_leadership_and_ends_where_the_log_does() {
    let home = tempfile::tempdir().unwrap();
    let server = start(home.path()).await;
    let mut client = Client::connect(&server).await;
    assert_eq!(client.create_topic("t", 1).await, 0);
    for version in 2..=4 {
        let mut ask = async |partition, current, epoch| {
            let response = client.ask(&epoch_of("t", partition, current, epoch), version).await;
            let answer = response.topics[0].partitions[0].clone();
            (answer.error_code, answer.leader_epoch, answer.end_offset)
        };
        let written = i64::from(version - 2);
        assert_eq!(ask(0, -1, 0).await, (0, 0, written), "its own");
        assert_eq!(ask(0, 0, 7).await, (0, -1, -1), "one to come");
        assert_eq!(ask(0, 0, -1).await, (0, -1, -1), "none");
        assert_eq!(ask(0, 9, 0).await, (ErrorCode::UnknownLeaderEpoch.code(), -1, -1));
        assert_eq!(ask(5, -1, 0).await, (ErrorCode::UnknownTopicOrPartition.code(), -1, -1));
        let found = client.ask(&latest("t"), 7).await.topics[0].partitions[0].clone();
        assert_eq!((found.offset, found.leader_epoch), (written, 0));
        client.ask(&produce("t", 0, batch("v", None)), 9).await;
    }
    server.stop().await.unwrap();
}

fn producers_of(topic: &str, partitions: &[i32]) -> DescribeProducersRequest {
    let (name, partition_indexes) = (topic.to_owned(), partitions.to_vec());
    DescribeProducersRequest {
        topics: vec![describe_producers_request::TopicRequest { name, partition_indexes }],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_were_added_can_be_written_to_and_say_who_did() {
    let home = tempfile::tempdir().unwrap();
    let server = start(home.path()).await;
    let mut client = Client::connect(&server).await;
    assert_eq!(client.create_topic("t", 1).await, 0);
    for version in 0..=3 {
        let count = i32::from(version) + 2;
        let topic = CreatePartitionsTopic { name: "t".to_owned(), count, ..Default::default() };
        let request =
            CreatePartitionsRequest { topics: vec![topic], timeout_ms: 1_000, ..Default::default() };
        let result = client.ask(&request, version).await.results.remove(0);
        assert_eq!((result.error_code, result.error_message), (0, None));
        let written = client.ask(&produce("t", count - 1, batch("v", Some((40, 0)))), 9).await;
        assert_eq!(written.responses[0].partition_responses[0].error_code, 0);
    }
    let described = client.ask(&producers_of("t", &[4, 0, 9]), 0).await.topics.remove(0).partitions;
    let writer = &described[0].active_producers[0];
    assert_eq!((writer.producer_id, writer.producer_epoch, writer.last_sequence), (40, 0, 0));
    assert_eq!((writer.current_txn_start_offset, writer.coordinator_epoch), (-1, -1));
    assert_eq!((described[1].error_code, described[1].active_producers.len()), (0, 0));
    assert_eq!(described[2].error_code, ErrorCode::UnknownTopicOrPartition.code());
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn producers_that_have_not_written_for_long_are_forgotten() {
    let home = tempfile::tempdir().unwrap();
    let server = start_with(home.path(), &[("producer.id.expiration.check.interval.ms", "1")]).await;
    let mut client = Client::connect(&server).await;
    assert_eq!(client.create_topic("t", 1).await, 0);
    // The batch is from 1970.
    let written = client.ask(&produce("t", 0, batch("v", Some((40, 0)))), 9).await;
    assert_eq!(written.responses[0].partition_responses[0].error_code, 0);
    let mut known = async || {
        let described = client.ask(&producers_of("t", &[0]), 0).await;
        described.topics[0].partitions[0].active_producers.len()
    };
    while known().await > 0 {
        tokio::task::yield_now().await;
    }
    server.stop().await.unwrap();
}
