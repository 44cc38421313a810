//! Topics go, producer ids are given out, brokers come and are fenced.

mod shell;

use controller::*;
use metadata::Image;
use protocol::messages::broker_registration_request::{Feature, Listener};
use protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use protocol::messages::*;
use protocol::{ErrorCode, Uuid};
use shell::{DIRECTORY, Shell};

fn with_topics(settings: &[(&str, &str)], names: &[&str]) -> Shell {
    let mut shell = Shell::new(1, settings);
    let topic = |name: &&str| CreatableTopic {
        name: (*name).into(),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: names.iter().map(topic).collect(), ..Default::default() };
    shell.run(|context| create_topics(context, &request));
    shell
}

/// Error code and message of each answer.
fn delete(shell: &mut Shell, topics: &[(Option<&str>, Uuid)], version: i16) -> Vec<(i16, Option<String>)> {
    let state = |(name, topic_id): &(Option<&str>, Uuid)| DeleteTopicState {
        name: name.map(str::to_owned),
        topic_id: *topic_id,
    };
    let request = DeleteTopicsRequest { topics: topics.iter().map(state).collect(), ..Default::default() };
    let reply = shell.run(|context| delete_topics(context, &request, version));
    reply.responses.into_iter().map(|response| (response.error_code, response.error_message)).collect()
}

#[test]
fn topics_are_deleted_by_name_or_id_and_by_old_clients_too() {
    let mut shell = with_topics(&[], &["a", "b", "c"]);
    let id = shell.image().topics.by_name("a").unwrap().id;
    assert_eq!(delete(&mut shell, &[(None, id), (Some("b"), Uuid::ZERO)], 6), [(0, None), (0, None)]);
    let old = DeleteTopicsRequest { topic_names: vec!["c".into()], ..Default::default() };
    assert_eq!(shell.run(|context| delete_topics(context, &old, 3)).responses[0].error_code, 0);
    assert!(shell.image().topics.is_empty());
}

#[test]
fn what_cannot_be_deleted_is_answered_in_kafkas_words() {
    let mut shell = with_topics(&[], &["a"]);
    let (zero, one, two) = (Uuid::ZERO, Uuid([1; 16]), Uuid([2; 16]));
    let id = shell.image().topics.by_name("a").unwrap().id;
    for (topics, error, message) in [
        (&[(Some("nope"), zero)][..], 3, "This server does not host this topic-partition."),
        (&[(Some("a"), zero), (Some("a"), zero)], 42, "Duplicate topic name."),
        (&[(None, one), (None, one)], 42, "Duplicate topic id."),
        (&[(None, two)], 100, "This server does not host this topic ID."),
        (&[(None, zero)], 42, "Neither topic name nor id were specified."),
        (&[(Some("a"), one)], 42, "You may not specify both topic name and topic id."),
        (
            &[(Some("a"), zero), (None, id)],
            42,
            "The provided topic name maps to an ID that was already supplied.",
        ),
    ] {
        let mut trial = with_topics(&[], &[]);
        trial.apply(&shell.image().to_records()[6..]);
        assert_eq!(delete(&mut trial, topics, 6)[0], (error, Some(message.into())), "{topics:?}");
    }
    assert_eq!(delete(&mut shell, &[], 6), []);
}

#[test]
fn a_topic_that_is_named_both_ways_is_answered_once_and_stays() {
    let mut shell = with_topics(&[], &["a"]);
    let id = shell.image().topics.by_name("a").unwrap().id;
    for topics in [[(Some("a"), Uuid::ZERO), (None, id)], [(None, id), (Some("a"), Uuid::ZERO)]] {
        let errors: Vec<i16> = delete(&mut shell, &topics, 6).into_iter().map(|(error, _)| error).collect();
        assert_eq!(errors, [ErrorCode::InvalidRequest.code()]);
    }
    assert_eq!(shell.image().topics.len(), 1);
}

#[test]
fn deletion_can_be_switched_off() {
    let mut shell = with_topics(&[("delete.topic.enable", "false")], &["a"]);
    assert_eq!(delete(&mut shell, &[(Some("a"), Uuid::ZERO)], 6), [(73, None)]);
    let old = DeleteTopicsRequest { topic_names: vec!["a".into()], ..Default::default() };
    assert_eq!(shell.run(|context| delete_topics(context, &old, 2)).responses[0].error_code, 42);
    assert_eq!(shell.image().topics.len(), 1);
}

#[test]
fn blocks_of_producer_ids_follow_each_other() {
    let mut shell = Shell::new(1, &[]);
    let request = |broker_epoch| AllocateProducerIdsRequest { broker_id: 1, broker_epoch };
    for start in [0, 1000, 2000] {
        let reply = shell.run(|context| allocate_producer_ids(context.image, &request(10)));
        assert_eq!((reply.error_code, reply.producer_id_start, reply.producer_id_len), (0, start, 1000));
    }
    let stale = shell.run(|context| allocate_producer_ids(context.image, &request(9)));
    assert_eq!(ErrorCode::from(stale.error_code), ErrorCode::StaleBrokerEpoch);
    shell.apply(&[ProducerIdsRecord { next_producer_id: i64::MAX - 10, ..Default::default() }.into()]);
    assert_eq!(shell.run(|context| allocate_producer_ids(context.image, &request(10))).error_code, -1);
}

fn registration(incarnation: u8) -> BrokerRegistrationRequest {
    let feature = |(name, min, max): (&str, i16, i16)| Feature {
        name: name.to_owned(),
        min_supported_version: min,
        max_supported_version: max,
    };
    BrokerRegistrationRequest {
        broker_id: 1,
        cluster_id: "ours".into(),
        incarnation_id: Uuid([incarnation; 16]),
        listeners: vec![Listener {
            name: "PLAINTEXT".into(),
            host: "h".into(),
            port: 9092,
            ..Default::default()
        }],
        features: metadata::supported_features().map(feature).collect(),
        log_dirs: vec![DIRECTORY],
        ..Default::default()
    }
}

fn register(shell: &mut Shell, request: &BrokerRegistrationRequest, next_offset: i64) -> Registration {
    shell.run(|context| register_broker(context.image, "ours", request, next_offset))
}

#[test]
fn a_broker_registers_fenced_and_serves_when_it_is_unfenced() {
    let mut shell = Shell::new(0, &[]);
    assert_eq!(register(&mut shell, &registration(1), 40), Ok(40));
    assert!(!shell.image().cluster.is_active(1));
    assert_eq!(register(&mut shell, &registration(2), 50), Ok(50), "a new incarnation of one that is fenced");
    assert!(shell.run(|context| unfence_broker(context.image, 1, 40)).is_err());
    assert_eq!(shell.run(|context| unfence_broker(context.image, 1, 50)), Ok(()));
    assert!(shell.image().cluster.is_active(1));
    assert_eq!(register(&mut shell, &registration(2), 60), Ok(50), "the same incarnation again");
    assert!(shell.image().cluster.is_active(1));
    let other = register(&mut shell, &registration(3), 70).unwrap_err();
    assert_eq!(other.error, ErrorCode::DuplicateBrokerRegistration);
}

#[test]
fn a_broker_that_does_not_fit_the_cluster_is_refused() {
    let mut shell = Shell::new(0, &[]);
    let refused = |shell: &mut Shell, change: fn(&mut BrokerRegistrationRequest)| {
        let mut request = registration(1);
        change(&mut request);
        register(shell, &request, 1).unwrap_err().error
    };
    assert_eq!(refused(&mut shell, |r| r.cluster_id = "other".into()), ErrorCode::InconsistentClusterId);
    assert_eq!(refused(&mut shell, |r| r.features.clear()), ErrorCode::UnsupportedVersion);
    assert_eq!(refused(&mut shell, |r| r.log_dirs = vec![Uuid::ZERO]), ErrorCode::InvalidRequest);
    assert_eq!(refused(&mut shell, |r| r.log_dirs.push(DIRECTORY)), ErrorCode::InvalidRequest);
}

#[test]
fn partitions_that_a_stopped_kafka_left_without_a_leader_get_one_back() {
    // What Apache Kafka 4.3.1 appends to its log when its only broker stops.
    let mut shell = with_topics(&[], &["a"]);
    let topic_id = shell.image().topics.by_name("a").unwrap().id;
    let stopped = PartitionChangeRecord {
        topic_id,
        partition_id: 0,
        isr: Some(Vec::new()),
        leader: -1,
        eligible_leader_replicas: Some(vec![1]),
        last_known_elr: Some(vec![1]),
        ..Default::default()
    };
    shell.apply(&[stopped.into(), FenceBrokerRecord { id: 1, epoch: 10 }.into()]);
    shell.run(|context| unfence_broker(context.image, 1, 10)).unwrap();
    let partition = shell.image().topics.by_name("a").unwrap().partition(0).unwrap();
    assert_eq!((partition.leader, partition.leader_epoch, &*partition.isr), (1, 2, &[1][..]));
    assert!(partition.elr.is_empty() && partition.last_known_elr.is_empty());
    assert_eq!(partition.leader_recovery, metadata::LeaderRecovery::Recovered);
}

#[test]
fn a_new_cluster_starts_with_one_transaction() {
    let shell = Shell::new(0, &[("min.insync.replicas", "2")]);
    let formatted = metadata::bootstrap_features(metadata::MetadataVersion::LATEST);
    let records = bootstrap(formatted, &shell.config);
    assert!(matches!(&records[0], MetadataRecord::BeginTransaction(begin)
        if begin.name.as_deref() == Some("Bootstrap records")));
    assert!(matches!(records.last(), Some(MetadataRecord::EndTransaction(_))));
    assert!(matches!(&records[records.len() - 2], MetadataRecord::Config(config)
        if config.value.as_deref() == Some("2") && config.resource_type == 4));
    let mut loader = metadata::Loader::default();
    records.iter().for_each(|record| loader.apply(record).unwrap());
    assert_eq!(loader.image().features.metadata_version().0, 30);
    assert_ne!(*loader.image(), Image::default());
}

#[test]
fn a_controller_registers_once() {
    let mut shell = Shell::new(0, &[]);
    let mut register = |incarnation: u8| {
        let mut count = 0;
        shell.run(|context| {
            let decision = register_controller(context.image, 1, Uuid([incarnation; 16]), Vec::new());
            count = decision.records.len();
            decision
        });
        count
    };
    assert_eq!([register(1), register(1), register(2)], [1, 0, 1]);
}
