//! Held against what Apache Kafka 4.3.1 answered, asked the same in the same order.

use bytes::Bytes;
use metadata::{Image, Loader};
use protocol::compression::compress;
use protocol::messages::ConfigRecord;

use super::*;

const BYTES_MAX: usize = 1 << 20;
const INTERVAL_MS: i64 = 1_000;

/// Metadata with subscriptions, each a name and settings.
fn metadata(offset: i64, subscriptions: &[(&str, &[(&str, &str)])]) -> CommittedImage {
    let mut loader = Loader::new(Image::default());
    for (resource_name, settings) in subscriptions {
        for (name, value) in *settings {
            let record = ConfigRecord {
                resource_type: 16,
                resource_name: (*resource_name).to_owned(),
                name: (*name).to_owned(),
                value: Some((*value).to_owned()),
            };
            loader.apply(&record.into()).expect("a setting can always be applied");
        }
    }
    CommittedImage { image: loader.image().clone(), offset, epoch: 1 }
}

fn every_second() -> CommittedImage {
    metadata(1, &[("all", &[("interval.ms", "1000"), ("metrics", "a.,b.")])])
}

fn client(instance_id: u8) -> Client<'static> {
    Client {
        instance_id: Uuid([instance_id; 16]),
        client_id: "app",
        software_name: "librdkafka",
        software_version: "2.6",
        address: "127.0.0.1:40000".parse().expect("it is an address"),
        connection_id: u64::from(instance_id),
    }
}

fn pushed(subscription_id: i32) -> PushTelemetryRequest {
    PushTelemetryRequest { subscription_id, ..Default::default() }
}

#[test]
fn a_client_is_told_what_is_wanted_of_it_and_comes_again_after_the_interval() {
    let (metrics, committed) = (ClientMetrics::default(), every_second());
    let told = metrics.get(&committed, &client(7), 0).expect("it is the first request");
    assert_eq!((told.push_interval_ms, told.metrics), (1_000, vec!["a.".to_owned(), "b.".to_owned()]));
    let throttled = Err(ErrorCode::ThrottlingQuotaExceeded);
    assert_eq!(metrics.get(&committed, &client(7), INTERVAL_MS - 1), throttled);
    assert!(metrics.get(&committed, &client(7), INTERVAL_MS).is_ok());
    let id = told.subscription_id;
    let push = |uptime_ms| metrics.push(&committed, &client(7), &pushed(id), BYTES_MAX, uptime_ms);
    assert_eq!(push(INTERVAL_MS + 1), Ok(()));
    assert_eq!(push(INTERVAL_MS * 2), Err(ErrorCode::ThrottlingQuotaExceeded));
    assert_eq!(push(INTERVAL_MS * 2 + 1), Ok(()));
}

#[test]
fn what_apache_kafka_refuses_of_a_push_is_refused() {
    let (metrics, committed) = (ClientMetrics::default(), every_second());
    let bomb = compress(Compression::Gzip, &vec![0; 2 * BYTES_MAX]).expect("gzip takes anything");
    let small = compress(Compression::Gzip, b"hello").expect("gzip takes anything");
    let cases: [(i8, Vec<u8>, Result<(), ErrorCode>); 9] = [
        (0, b"xx".to_vec(), Ok(())),
        (0, vec![0; BYTES_MAX + 1], Err(ErrorCode::TelemetryTooLarge)),
        (1, small, Ok(())),
        (1, bomb, Err(ErrorCode::InvalidRecord)),
        (2, b"xxxx".to_vec(), Err(ErrorCode::InvalidRecord)),
        (3, b"xxxx".to_vec(), Err(ErrorCode::InvalidRecord)),
        (4, b"xxxx".to_vec(), Err(ErrorCode::InvalidRecord)),
        (4, Vec::new(), Ok(())),
        (9, Vec::new(), Err(ErrorCode::UnsupportedCompressionType)),
    ];
    for (number, (compression_type, bytes, expected)) in (10..).zip(cases) {
        let told = metrics.get(&committed, &client(number), 0).expect("it is the first request");
        let request = PushTelemetryRequest {
            compression_type,
            metrics: Bytes::from(bytes),
            ..pushed(told.subscription_id)
        };
        let outcome = metrics.push(&committed, &client(number), &request, BYTES_MAX, 1);
        assert_eq!(outcome, expected, "codec {compression_type}, client {number}");
    }
    for reserved in [Uuid::ZERO, Uuid::METADATA_TOPIC_ID] {
        let nobody = Client { instance_id: reserved, ..client(0) };
        let outcome = metrics.push(&committed, &nobody, &pushed(0), BYTES_MAX, 0);
        assert_eq!(outcome, Err(ErrorCode::InvalidRequest));
    }
}

#[test]
fn who_pushes_to_an_old_subscription_asks_for_the_new_one_at_once() {
    let (metrics, committed) = (ClientMetrics::default(), every_second());
    let told = metrics.get(&committed, &client(7), 0).expect("it is the first request");
    let push = |id, uptime_ms| metrics.push(&committed, &client(7), &pushed(id), BYTES_MAX, uptime_ms);
    assert_eq!(push(told.subscription_id ^ 1, 1), Err(ErrorCode::UnknownSubscriptionId));
    assert_eq!(metrics.get(&committed, &client(7), 2), Ok(told.clone()));
    assert_eq!(push(told.subscription_id, 3), Err(ErrorCode::ThrottlingQuotaExceeded));
    assert_eq!(metrics.get(&committed, &client(7), 4), Err(ErrorCode::ThrottlingQuotaExceeded));
}

#[test]
fn a_change_of_the_subscriptions_is_told_at_once_and_makes_the_old_one_unknown() {
    let metrics = ClientMetrics::default();
    let before = metrics.get(&every_second(), &client(7), 0).expect("it is the first request");
    let changed = metadata(2, &[("all", &[("metrics", "*"), ("interval.ms", "1000")])]);
    let outcome = metrics.push(&changed, &client(7), &pushed(before.subscription_id), BYTES_MAX, 1);
    assert_eq!(outcome, Err(ErrorCode::UnknownSubscriptionId));
    let after = metrics.get(&changed, &client(7), 2).expect("the subscriptions are new");
    assert_eq!(after.metrics, ["*"]);
    assert_ne!(after.subscription_id, before.subscription_id);
}

#[test]
fn only_the_subscriptions_that_mean_a_client_count() {
    let subscriptions: &[(&str, &[(&str, &str)])] = &[
        ("java", &[("match", "client_software_name=apache-kafka-java"), ("metrics", "j.")]),
        ("app", &[("match", "client_id=a.*,client_source_address=127.*"), ("metrics", "a.")]),
        ("seldom", &[("interval.ms", "3600000"), ("metrics", "s.,a.")]),
    ];
    let told = ClientMetrics::default().get(&metadata(1, subscriptions), &client(7), 0);
    let told = told.expect("it is the first request");
    assert_eq!(told.metrics, ["a.", "s."]);
    assert_eq!(told.push_interval_ms, 300_000);
}

#[test]
fn a_client_that_says_farewell_is_heard_once_more_and_then_no_more() {
    let (metrics, committed) = (ClientMetrics::default(), every_second());
    let told = metrics.get(&committed, &client(7), 0).expect("it is the first request");
    let push = |terminating| {
        let request = PushTelemetryRequest { terminating, ..pushed(told.subscription_id) };
        metrics.push(&committed, &client(7), &request, BYTES_MAX, 1)
    };
    assert_eq!(push(true), Ok(()));
    assert_eq!(push(false), Err(ErrorCode::InvalidRequest));
}

#[test]
fn a_client_is_forgotten_with_its_connection_and_after_a_long_silence() {
    let (metrics, committed) = (ClientMetrics::default(), every_second());
    assert!(metrics.get(&committed, &client(7), 0).is_ok());
    metrics.forget_connection(7);
    assert!(metrics.get(&committed, &client(7), 1).is_ok());
    let known = || metrics.state.lock().instances.len();
    assert_eq!(known(), 1);
    assert!(metrics.get(&committed, &client(7), 1 + 60_001).is_ok());
    assert_eq!(known(), 1);
}

#[test]
fn no_more_clients_are_remembered_than_apache_kafka_remembers() {
    let (metrics, committed) = (ClientMetrics::default(), every_second());
    for number in 0_u128..17_000 {
        let one = Client {
            instance_id: Uuid((number + 2).to_be_bytes()),
            connection_id: u64::try_from(number).expect("it is small"),
            ..client(0)
        };
        assert!(metrics.get(&committed, &one, 0).is_ok());
    }
    let state = metrics.state.lock();
    assert_eq!((state.instances.len(), state.instances.connections()), (16_384, 16_384));
}
