//! CreateTopics, held against what Apache Kafka 4.3.1 answers with one broker, `num.partitions=4` and
//! `default.replication.factor=1`.

mod shell;

use controller::create_topics;
use protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use protocol::messages::create_topics_response::CreatableTopicResult;
use shell::{DIRECTORY, Shell, broker};

fn topic(name: &str) -> CreatableTopic {
    CreatableTopic { name: name.into(), num_partitions: -1, replication_factor: -1, ..Default::default() }
}

fn sized(num_partitions: i32, replication_factor: i16) -> CreatableTopic {
    CreatableTopic { num_partitions, replication_factor, ..topic("r") }
}

fn assigned(assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let assignment = |(partition_index, broker_ids): &(i32, &[i32])| CreatableReplicaAssignment {
        partition_index: *partition_index,
        broker_ids: broker_ids.to_vec(),
    };
    CreatableTopic { assignments: assignments.iter().map(assignment).collect(), ..topic("m") }
}

fn configured(name: &str, configs: &[(&str, Option<&str>)]) -> CreatableTopic {
    let config = |(name, value): &(&str, Option<&str>)| CreatableTopicConfig {
        name: (*name).into(),
        value: value.map(str::to_owned),
    };
    CreatableTopic { configs: configs.iter().map(config).collect(), ..topic(name) }
}

fn create(shell: &mut Shell, topics: Vec<CreatableTopic>) -> Vec<CreatableTopicResult> {
    shell.run(|context| create_topics(context, &CreateTopicsRequest { topics, ..Default::default() })).topics
}

fn kafka() -> Shell {
    Shell::new(1, &[("num.partitions", "4")])
}

/// Error code, and message.
fn refusal(topic: CreatableTopic) -> (i16, String) {
    let mut shell = kafka();
    create(&mut shell, vec![self::topic("ok"), self::topic("a.b")]);
    let before = shell.image().clone();
    let result = create(&mut shell, vec![topic]).remove(0);
    assert_eq!((result.num_partitions, result.replication_factor), (-1, -1));
    assert_eq!(result.configs, Some(Vec::new()));
    assert!(result.topic_id.is_zero());
    assert_eq!(*shell.image(), before);
    (result.error_code, result.error_message.expect("a refusal has a message"))
}

#[test]
fn a_topic_has_the_defaults_and_is_described() {
    let mut shell = kafka();
    let created = create(&mut shell, vec![topic("ok"), configured("ok2", &[("retention.ms", Some("1000"))])]);
    let ok = &created[0];
    assert_eq!((ok.error_code, &ok.error_message), (0, &None));
    assert_eq!((ok.num_partitions, ok.replication_factor, ok.topic_config_error_code), (4, 1, 0));
    let configs = ok.configs.as_ref().unwrap();
    let retention = configs.iter().find(|config| config.name == "retention.ms").unwrap();
    assert_eq!((retention.value.as_deref(), retention.config_source), (Some("604800000"), 5));
    let own =
        created[1].configs.as_ref().unwrap().iter().find(|config| config.name == "retention.ms").unwrap();
    assert_eq!((own.value.as_deref(), own.config_source), (Some("1000"), 1));

    let topic = shell.image().topics.by_name("ok").unwrap();
    assert_eq!(topic.id, ok.topic_id);
    let partition = topic.partition(3).unwrap();
    assert_eq!((&*partition.replicas, &*partition.isr, partition.leader), (&[1][..], &[1][..], 1));
    assert_eq!((partition.leader_epoch, partition.partition_epoch), (0, 0));
    assert_eq!(partition.directories, [DIRECTORY]);
}

#[test]
fn the_records_come_in_kafkas_order() {
    let mut shell = kafka();
    let wanted = configured("ok2", &[("retention.ms", Some("1000")), ("cleanup.policy", Some("compact"))]);
    let request = CreateTopicsRequest { topics: vec![wanted], ..Default::default() };
    let mut names = Vec::new();
    shell.run(|context| {
        let decision = create_topics(context, &request);
        names = decision.records.iter().map(|record| record.name()).collect();
        decision
    });
    let expected = ["TopicRecord", "ConfigRecord", "ConfigRecord", "PartitionRecord"];
    assert_eq!(names[..4], expected);
    assert_eq!(names.len(), 7);
}

#[test]
fn what_is_only_validated_is_answered_and_not_made() {
    let mut shell = kafka();
    let before = shell.image().clone();
    let request =
        CreateTopicsRequest { topics: vec![sized(2, 1)], validate_only: true, ..Default::default() };
    let result = shell.run(|context| create_topics(context, &request)).topics.remove(0);
    assert_eq!((result.error_code, result.num_partitions), (0, 2));
    assert!(!result.topic_id.is_zero());
    assert_eq!(*shell.image(), before);
}

#[test]
fn names_are_refused_in_kafkas_words() {
    let illegal = |name: &str| {
        format!(
            "Topic name is invalid: '{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' \
             and '-'"
        )
    };
    let long = "a".repeat(250);
    for (name, message) in [
        ("", "Topic name is invalid: the empty string is not allowed".to_owned()),
        (".", "Topic name is invalid: '.' is not allowed".to_owned()),
        ("..", "Topic name is invalid: '..' is not allowed".to_owned()),
        ("a b", illegal("a b")),
        ("ä", illegal("ä")),
        (
            &long,
            format!(
                "Topic name is invalid: the length of '{long}' is longer than the max allowed length 249"
            ),
        ),
        ("a_b", "Topic 'a_b' collides with existing topic: a.b".to_owned()),
    ] {
        assert_eq!(refusal(topic(name)), (17, message));
    }
    assert_eq!(refusal(topic("ok")), (36, "Topic 'ok' already exists.".into()));
    let prohibited = "Creation of internal topic __cluster_metadata is prohibited.";
    assert_eq!(refusal(topic("__cluster_metadata")), (42, prohibited.into()));
}

#[test]
fn new_names_that_collide_with_each_other_are_let_through_as_kafka_does() {
    let mut shell = kafka();
    let request = CreateTopicsRequest {
        topics: vec![topic("c.c"), topic("c_c")],
        validate_only: true,
        ..Default::default()
    };
    let results = shell.run(|context| create_topics(context, &request)).topics;
    assert!(results.iter().all(|result| result.error_code == 0));
}

#[test]
fn a_name_that_is_asked_for_twice_is_answered_once_at_the_end() {
    let results = create(&mut kafka(), vec![topic("d1"), topic("x1"), topic("d1")]);
    let answers: Vec<_> = results.iter().map(|result| (&*result.name, result.error_code)).collect();
    assert_eq!(answers, [("x1", 0), ("d1", 42)]);
    assert_eq!(results[1].error_message.as_deref(), Some("Duplicate topic name."));
}

#[test]
fn numbers_are_refused_in_kafkas_words() {
    let factor = "Replication factor must be larger than 0, or -1 to use the default value.";
    let count = "Number of partitions was set to an invalid non-positive value.";
    let too_many = "Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached \
                    because only 1 broker(s) are registered or some brokers have all their log directories cordoned.";
    for (topic, error, message) in [
        (sized(1, 0), 38, factor),
        (sized(1, -2), 38, factor),
        (sized(0, 0), 38, factor),
        (sized(1, 2), 38, too_many),
        (sized(0, 1), 37, count),
        (sized(-2, 1), 37, count),
        (sized(10_000, 1), 44, "Unable to perform excessively large batch operation."),
        (sized(10_001, 1), 44, "Excessively large number of partitions per request."),
    ] {
        assert_eq!(refusal(topic), (error, message.into()));
    }
}

#[test]
fn assignments_are_refused_in_kafkas_words() {
    let unlike =
        |what: &str| format!("A manual partition assignment was specified, but {what} was not set to -1.");
    let unknown = |id: i32| {
        format!("The manual partition assignment includes broker {id}, but no such broker is registered.")
    };
    let gap = "partitions should be a consecutive 0-based integer sequence".to_owned();
    let one = assigned(&[(0, &[1])]);
    for (topic, error, message) in [
        (CreatableTopic { num_partitions: 1, ..one.clone() }, 42, unlike("numPartitions")),
        (CreatableTopic { replication_factor: 1, ..one.clone() }, 42, unlike("replication factor")),
        (
            CreatableTopic { num_partitions: 1, replication_factor: 1, ..one },
            42,
            unlike("replication factor"),
        ),
        (
            assigned(&[(0, &[1]), (0, &[1])]),
            39,
            "Found multiple manual partition assignments for partition 0".into(),
        ),
        (assigned(&[(1, &[1])]), 39, gap.clone()),
        (assigned(&[(0, &[1]), (2, &[1])]), 39, gap.clone()),
        (assigned(&[(-1, &[1])]), 39, gap),
        (assigned(&[(0, &[])]), 39, "The manual partition assignment includes an empty replica list.".into()),
        (assigned(&[(0, &[9])]), 39, unknown(9)),
        (assigned(&[(0, &[1, -1])]), 39, unknown(-1)),
        (assigned(&[(0, &[1]), (1, &[1, 2])]), 39, unknown(2)),
        (
            assigned(&[(0, &[1, 1])]),
            39,
            "The manual partition assignment includes the broker 1 more than once.".into(),
        ),
    ] {
        assert_eq!(refusal(topic), (error, message));
    }
}

#[test]
fn settings_are_refused_in_kafkas_words() {
    for (configs, message) in [
        (&[("nope", Some("1"))][..], "Unknown topic config name: nope"),
        (&[("retention.ms", None)], "Null value not supported for topic configs: retention.ms"),
        (
            &[("retention.ms", Some("x"))],
            "Invalid value x for configuration retention.ms: Not a number of type LONG",
        ),
        (
            &[("segment.bytes", Some("1"))],
            "Invalid value 1 for configuration segment.bytes: Value must be at least 1048576",
        ),
    ] {
        assert_eq!(refusal(configured("c", configs)), (40, message.into()));
    }
}

#[test]
fn of_several_faults_kafkas_first_is_named() {
    let nope: &[(&str, Option<&str>)] = &[("nope", Some("1"))];
    let faulty = |name: &str| CreatableTopic { num_partitions: 0, ..configured(name, nope) };
    assert_eq!(refusal(faulty("a b")).0, 17);
    assert_eq!(refusal(faulty("ok")).0, 36);
    assert_eq!(refusal(faulty("r")).0, 40);
}

#[test]
fn too_many_partitions_refuse_the_whole_request() {
    let results = create(&mut kafka(), vec![sized(10_001, 1), topic("q")]);
    assert!(results.iter().all(|result| result.error_code == 44));
    let many = |name: &str, num_partitions| CreatableTopic { num_partitions, ..topic(name) };
    let results = create(&mut kafka(), vec![many("b1", 5000), many("b2", 4999), many("b3", 1)]);
    assert_eq!(results.len(), 3);
    assert!(results.iter().all(|result| result.error_code == 44));
}

#[test]
fn replicas_are_spread_over_racks_and_leaders_over_brokers() {
    let mut shell = Shell::new(0, &[]);
    for id in 0..6 {
        shell.apply(&[broker(id, Some(["a", "b", "c"][(id % 3) as usize]), false)]);
    }
    create(&mut shell, vec![sized(12, 3)]);
    let topic = shell.image().topics.by_name("r").unwrap();
    let mut leaders = [0; 6];
    for (_, partition) in topic.partitions() {
        let racks: std::collections::BTreeSet<_> = partition.replicas.iter().map(|id| id % 3).collect();
        assert_eq!(racks.len(), 3);
        leaders[partition.leader as usize] += 1;
    }
    assert_eq!(leaders, [2; 6]);
}

#[test]
fn a_fenced_broker_gets_replicas_only_where_they_are_needed_and_leads_none() {
    let mut shell = Shell::new(2, &[]);
    shell.apply(&[broker(3, None, true)]);
    create(&mut shell, vec![sized(4, 3), CreatableTopic { name: "s".into(), ..sized(4, 2) }]);
    for (_, partition) in shell.image().topics.by_name("r").unwrap().partitions() {
        assert!(partition.replicas.contains(&3) && !partition.isr.contains(&3) && partition.leader != 3);
    }
    for (_, partition) in shell.image().topics.by_name("s").unwrap().partitions() {
        assert!(!partition.replicas.contains(&3));
    }
    let mut fenced = Shell::new(0, &[]);
    fenced.apply(&[broker(1, None, true)]);
    assert_eq!(create(&mut fenced, vec![sized(1, 1)])[0].error_code, 38);
    assert_eq!(create(&mut fenced, vec![assigned(&[(0, &[1])])])[0].error_code, 39);
}
