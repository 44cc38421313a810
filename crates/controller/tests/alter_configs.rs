//! AlterConfigs and IncrementalAlterConfigs, held against what Apache Kafka 4.3.1 answered with one broker whose id is 1.

mod shell;

use controller::{alter_configs, create_topics, incremental_alter_configs};
use metadata::{ConfigResource, ResourceType};
use protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use protocol::messages::{AlterConfigsRequest, IncrementalAlterConfigsRequest, MetadataRecord};
use protocol::messages::{alter_configs_request as legacy, incremental_alter_configs_request as incremental};
use protocol::{ErrorCode, Listener};
use shell::Shell;

const TOPIC: i8 = ResourceType::TOPIC.0;
const BROKER: i8 = ResourceType::BROKER.0;
const CLIENT_METRICS: i8 = ResourceType::CLIENT_METRICS.0;
const GROUP: i8 = ResourceType::GROUP.0;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// Name, operation and value.
type Change = (&'static str, i8, Option<&'static str>);

/// A cluster with the topic `t1`.
fn kafka() -> Shell {
    let mut shell = Shell::new(1, &[]);
    let topic =
        CreatableTopic { name: "t1".into(), num_partitions: 1, replication_factor: 1, ..Default::default() };
    shell.run(|context| {
        create_topics(context, &CreateTopicsRequest { topics: vec![topic], ..Default::default() })
    });
    shell
}

fn resource(resource_type: i8, name: &str, changes: &[Change]) -> incremental::AlterConfigsResource {
    let config = |(name, config_operation, value): &Change| incremental::AlterableConfig {
        name: (*name).to_owned(),
        config_operation: *config_operation,
        value: value.map(str::to_owned),
    };
    incremental::AlterConfigsResource {
        resource_type,
        resource_name: name.to_owned(),
        configs: changes.iter().map(config).collect(),
    }
}

/// Error code and message of each resource.
fn alter(
    shell: &mut Shell,
    listener: Listener,
    resources: Vec<incremental::AlterConfigsResource>,
) -> Vec<(i16, String)> {
    let request = IncrementalAlterConfigsRequest { resources, ..Default::default() };
    let response = shell.run(|context| incremental_alter_configs(context, &request, listener));
    let told = response.responses.into_iter();
    told.map(|answer| (answer.error_code, answer.error_message.unwrap_or_default())).collect()
}

fn alter_one(shell: &mut Shell, of: (i8, &str), changes: &[Change]) -> (i16, String) {
    alter(shell, Listener::Broker, vec![resource(of.0, of.1, changes)]).remove(0)
}

fn value(shell: &Shell, of: (i8, &str), name: &str) -> Option<String> {
    let resource = ConfigResource { resource_type: ResourceType(of.0), name: of.1.to_owned() };
    shell.image().configs.get(&resource, name).map(str::to_owned)
}

/// What is asked for, and how it is refused: recorded at Apache Kafka.
const REFUSED: &[(i8, &str, Change, ErrorCode, &str)] = {
    use ErrorCode::{
        InvalidConfig as Config, InvalidRequest as Request, InvalidTopicException as Name,
        UnknownTopicOrPartition as Unknown,
    };
    &[
        (TOPIC, "t1", ("foo", SET, Some("1")), Config, "Unknown topic config name: foo"),
        (
            TOPIC,
            "t1",
            ("segment.bytes", SET, Some("1")),
            Config,
            "Invalid value 1 for configuration segment.bytes: Value must be at least 1048576",
        ),
        (TOPIC, "t1", ("segment.bytes", SET, None), Request, "Null value not supported for : segment.bytes"),
        (
            TOPIC,
            "t1",
            ("cleanup.policy", APPEND, Some("foo")),
            Config,
            "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete",
        ),
        (
            TOPIC,
            "t1",
            ("retention.ms", APPEND, Some("1")),
            Config,
            "Can't APPEND to key retention.ms because its type is not LIST.",
        ),
        (
            TOPIC,
            "t1",
            ("foo", SUBTRACT, Some("1")),
            Config,
            "Can't SUBTRACT to key foo because its type is not LIST.",
        ),
        (TOPIC, "nope", ("retention.ms", SET, Some("1")), Unknown, "The topic 'nope' does not exist."),
        (TOPIC, "", ("retention.ms", SET, Some("1")), Request, "Default topic resources are not allowed."),
        (
            TOPIC,
            "a b",
            ("retention.ms", SET, Some("1")),
            Name,
            "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
        ),
        (
            TOPIC,
            "t1",
            ("remote.storage.enable", SET, Some("true")),
            Config,
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
        ),
        (TOPIC, "t1", ("max.compaction.lag.ms", SET, Some("5")), ErrorCode::None, ""),
        (
            TOPIC,
            "t1",
            ("min.compaction.lag.ms", SET, Some("10")),
            Config,
            "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)",
        ),
        (TOPIC, "t1", ("retention.ms", 9, Some("1")), Request, "Unknown operations type 9"),
        (
            BROKER,
            "1",
            ("num.partitions", SET, Some("5")),
            Request,
            "Cannot update these configs dynamically: [num.partitions]",
        ),
        (BROKER, "1", ("num.partitions", DELETE, None), ErrorCode::None, ""),
        (BROKER, "1", ("foo.bar", APPEND, Some("5")), Config, "Unknown config name: foo.bar"),
        (
            BROKER,
            "1",
            ("log.cleaner.backoff.ms", SUBTRACT, Some("5")),
            Config,
            "Config value subtract is not allowed for config key: log.cleaner.backoff.ms",
        ),
        (
            BROKER,
            "2",
            ("log.cleaner.backoff.ms", SET, Some("5")),
            Request,
            "Unexpected broker id, expected 1, but received 2",
        ),
        (
            BROKER,
            "x",
            ("log.cleaner.backoff.ms", SET, Some("5")),
            Request,
            "Node id must be an integer, but it is: x",
        ),
        (
            BROKER,
            "1",
            ("min.insync.replicas", SET, Some("1")),
            Config,
            "Broker-level min.insync.replicas cannot be altered while ELR is enabled.",
        ),
        (
            BROKER,
            "",
            ("min.insync.replicas", DELETE, None),
            Config,
            "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.",
        ),
        (
            BROKER,
            "1",
            ("leader.replication.throttled.rate", SET, Some("x")),
            Request,
            "Invalid value x for configuration leader.replication.throttled.rate: Not a number of type LONG",
        ),
        (GROUP, "g1", ("foo", SET, Some("1")), Config, "Unknown group config name: foo"),
        (
            GROUP,
            "",
            ("consumer.session.timeout.ms", SET, Some("50000")),
            Request,
            "Default group resources are not allowed.",
        ),
        (
            GROUP,
            "g1",
            ("consumer.session.timeout.ms", SET, Some("5")),
            Config,
            "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
        ),
        (
            CLIENT_METRICS,
            "m1",
            ("interval.ms", SET, Some("99")),
            Request,
            "Invalid value 99 for interval.ms, interval must be between 100 and 3600000 (1 hour)",
        ),
        (CLIENT_METRICS, "", ("interval.ms", SET, Some("1000")), Request, "Subscription name can't be empty"),
        (
            CLIENT_METRICS,
            "m1",
            ("metrics", APPEND, Some("x")),
            Config,
            "Can't APPEND to key metrics because its type is not LIST.",
        ),
        (77, "1", ("x", SET, Some("y")), Request, "Unknown resource type 77"),
    ]
};

#[test]
fn what_apache_kafka_refuses_is_refused_with_its_code_and_in_its_words() {
    let mut shell = kafka();
    for (resource_type, name, change, error, message) in REFUSED {
        let told = alter_one(&mut shell, (*resource_type, name), &[*change]);
        assert_eq!(told, (error.code(), (*message).to_owned()), "{resource_type} {name:?} {}", change.0);
    }
}

#[test]
fn a_value_that_is_too_long_is_refused_in_apache_kafkas_words() {
    let long: &'static str = Box::leak("0:1,".repeat(9_000).into_boxed_str());
    let change = ("leader.replication.throttled.replicas", SET, Some(long));
    let told = alter_one(&mut kafka(), (TOPIC, "t1"), &[change]);
    let message =
        "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes.";
    assert_eq!(told, (ErrorCode::InvalidConfig.code(), message.to_owned()));
}

#[test]
fn a_controllers_listener_leaves_out_what_a_broker_checks_first() {
    use ErrorCode::{
        BrokerIdNotRegistered as NoNode, InvalidRequest as Request, UnsupportedVersion as Version,
    };
    let recorded: &[(i8, &str, Change, ErrorCode, &str)] = &[
        (TOPIC, "t1", ("retention.ms", SET, None), ErrorCode::None, ""),
        (BROKER, "1", ("num.partitions", SET, Some("5")), ErrorCode::None, ""),
        (BROKER, "2", ("log.cleaner.backoff.ms", SET, Some("5")), NoNode, "No node with id 2 found."),
        (
            BROKER,
            "x",
            ("log.cleaner.backoff.ms", SET, Some("5")),
            Request,
            "Unable to parse broker name as a base 10 number.",
        ),
        (BROKER, "-1", ("log.cleaner.backoff.ms", SET, Some("5")), Request, "Invalid negative broker ID."),
        (77, "1", ("x", SET, Some("y")), Version, "Unknown resource type 77."),
    ];
    let mut shell = kafka();
    for (resource_type, name, change, error, message) in recorded {
        let told = alter(&mut shell, Listener::Controller, vec![resource(*resource_type, name, &[*change])])
            .remove(0);
        assert_eq!(told, (error.code(), (*message).to_owned()), "{resource_type} {name:?} {}", change.0);
    }
}

#[test]
fn a_list_grows_and_shrinks_word_by_word_from_its_default() {
    let mut shell = kafka();
    let mut after = |operation, words| {
        alter_one(&mut shell, (TOPIC, "t1"), &[("cleanup.policy", operation, Some(words))]);
        value(&shell, (TOPIC, "t1"), "cleanup.policy").expect("the topic has a policy of its own")
    };
    assert_eq!(after(APPEND, "compact"), "delete,compact");
    assert_eq!(after(APPEND, "compact"), "delete,compact");
    assert_eq!(after(SUBTRACT, "delete"), "compact");
    assert_eq!(after(SUBTRACT, "delete,compact"), "");
    assert_eq!(after(APPEND, "delete"), "delete");
}

#[test]
fn a_resource_is_changed_as_a_whole_or_not_at_all_and_on_its_own() {
    let mut shell = kafka();
    let told = alter(
        &mut shell,
        Listener::Broker,
        vec![
            resource(TOPIC, "t1", &[("retention.ms", SET, Some("7")), ("segment.bytes", SET, Some("x"))]),
            resource(BROKER, "", &[("log.retention.ms", SET, Some("5"))]),
        ],
    );
    assert_eq!(told.iter().map(|(code, _)| *code).collect::<Vec<_>>(), [40, 0]);
    assert_eq!(value(&shell, (TOPIC, "t1"), "retention.ms"), None);
    assert_eq!(value(&shell, (BROKER, ""), "log.retention.ms").as_deref(), Some("5"));
}

#[test]
fn a_resource_that_is_named_twice_is_refused_both_times() {
    let mut shell = kafka();
    for (listener, message) in [
        (Listener::Broker, "Each resource must appear at most once."),
        (Listener::Controller, "Duplicate resource."),
    ] {
        let twice = || resource(TOPIC, "t1", &[("retention.ms", SET, Some("7"))]);
        let other = resource(CLIENT_METRICS, "m1", &[("interval.ms", SET, Some("1000"))]);
        let told = alter(&mut shell, listener, vec![twice(), other, twice()]);
        let refused = (ErrorCode::InvalidRequest.code(), message.to_owned());
        assert_eq!(told, [refused.clone(), (0, String::new()), refused]);
        assert_eq!(value(&shell, (TOPIC, "t1"), "retention.ms"), None);
    }
}

#[test]
fn nothing_changes_when_it_is_only_to_be_validated() {
    let mut shell = kafka();
    let before = shell.image().clone();
    let resources = vec![resource(TOPIC, "t1", &[("retention.ms", SET, Some("7"))])];
    let request = IncrementalAlterConfigsRequest { resources, validate_only: true };
    let response = shell.run(|context| incremental_alter_configs(context, &request, Listener::Broker));
    assert_eq!(response.responses[0].error_code, 0);
    assert_eq!(*shell.image(), before);
}

#[test]
fn the_older_api_replaces_all_settings_of_a_resource() {
    let mut shell = kafka();
    alter_one(
        &mut shell,
        (TOPIC, "t1"),
        &[("retention.ms", SET, Some("7")), ("segment.bytes", SET, Some("2000000"))],
    );
    let mut replace = |of: (i8, &str), configs: &[(&str, Option<&str>)]| {
        let config = |(name, value): &(&str, Option<&str>)| legacy::AlterableConfig {
            name: (*name).to_owned(),
            value: value.map(str::to_owned),
        };
        let resources = vec![legacy::AlterConfigsResource {
            resource_type: of.0,
            resource_name: of.1.to_owned(),
            configs: configs.iter().map(config).collect(),
        }];
        let request = AlterConfigsRequest { resources, ..Default::default() };
        let answer =
            shell.run(|context| alter_configs(context, &request, Listener::Broker)).responses.remove(0);
        let kept = |name| value(&shell, of, name);
        (
            answer.error_code,
            answer.error_message.unwrap_or_default(),
            kept("retention.ms"),
            kept("segment.bytes"),
        )
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(replace((TOPIC, "t1"), &[("retention.ms", Some("9"))]), (0, String::new(), some("9"), None));
    let null = "Null value not supported for : retention.ms".to_owned();
    assert_eq!(replace((TOPIC, "t1"), &[("retention.ms", None)]), (42, null, some("9"), None));
    assert_eq!(replace((TOPIC, "t1"), &[]), (0, String::new(), None, None));
    alter_one(&mut shell, (BROKER, ""), &[("min.insync.replicas", SET, Some("1"))]);
    let mut replace = |configs| {
        let resources = vec![legacy::AlterConfigsResource {
            resource_type: BROKER,
            resource_name: String::new(),
            configs,
        }];
        let request = AlterConfigsRequest { resources, ..Default::default() };
        shell
            .run(|context| alter_configs(context, &request, Listener::Broker))
            .responses
            .remove(0)
            .error_message
    };
    assert_eq!(
        replace(Vec::new()).as_deref(),
        Some("Cluster-level min.insync.replicas cannot be removed while ELR is enabled.")
    );
}

#[test]
fn eligible_leader_replicas_are_forgotten_when_min_insync_replicas_changes() {
    let shell = kafka();
    let resources = vec![
        resource(TOPIC, "t1", &[("min.insync.replicas", SET, Some("2"))]),
        resource(BROKER, "", &[("min.insync.replicas", SET, Some("2"))]),
    ];
    let request = IncrementalAlterConfigsRequest { resources, ..Default::default() };
    let mut random = || 0;
    let context = controller::Context { image: shell.image(), config: &shell.config, random: &mut random };
    let records = incremental_alter_configs(&context, &request, Listener::Broker).records;
    let cleared: Vec<&str> = records
        .iter()
        .filter_map(|record| match record {
            MetadataRecord::ClearElr(record) => Some(record.topic_name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(cleared, ["t1", ""]);
}

#[test]
fn a_request_that_causes_too_many_records_changes_nothing() {
    let mut shell = kafka();
    let names: Vec<String> = (0..10_001).map(|number| format!("m{number}")).collect();
    let resources = names
        .iter()
        .map(|name| resource(CLIENT_METRICS, name, &[("interval.ms", SET, Some("1000"))]))
        .collect();
    let told = alter(&mut shell, Listener::Broker, resources);
    assert!(told.iter().all(|(code, _)| *code == ErrorCode::PolicyViolation.code()));
    assert_eq!(shell.image().configs.resources().count(), 0);
}
