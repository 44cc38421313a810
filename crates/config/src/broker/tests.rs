use super::*;
use crate::listener::{Listener, SecurityProtocol};
use std::path::PathBuf;

/// A single node's properties with changes: `key=value` sets, `-key` removes.
fn changed(changes: &[&str]) -> Properties {
    let base = BrokerConfig::standalone(Path::new("/data"));
    let removed = |key: &str| changes.iter().any(|change| change.strip_prefix('-') == Some(key));
    let mut properties: Properties = base.iter().filter(|(key, _)| !removed(key)).collect();
    for change in changes.iter().filter(|change| !change.starts_with('-')) {
        properties.set_pair(change).unwrap();
    }
    properties
}

fn read(changes: &[&str]) -> (BrokerConfig, Vec<Notice>) {
    BrokerConfig::new(&changed(changes)).unwrap_or_else(|errors| panic!("{changes:?}: {errors:?}"))
}

fn errors(changes: &[&str]) -> Vec<String> {
    let errors = BrokerConfig::new(&changed(changes)).expect_err("the settings cannot be");
    errors.into_iter().map(|error| error.message).collect()
}

fn shown(listeners: &[Listener]) -> Vec<String> {
    listeners.iter().map(Listener::to_string).collect()
}

#[test]
fn a_node_without_a_file_is_broker_and_controller_on_the_loopback() {
    let (config, notices) = read(&[]);
    assert_eq!(config.node.id, 1);
    assert_eq!(config.node.roles, Roles { broker: true, controller: true });
    assert_eq!(shown(&config.network.listeners), ["PLAINTEXT://127.0.0.1:9092"]);
    assert_eq!(shown(&config.network.advertised), ["PLAINTEXT://127.0.0.1:9092"]);
    assert_eq!(shown(&config.network.controller_listeners), ["CONTROLLER://127.0.0.1:9093"]);
    assert_eq!(config.node.log_dirs, [PathBuf::from("/data")]);
    assert_eq!(config.node.metadata_log_dir, PathBuf::from("/data"));
    assert_eq!(config.offsets_topic.replication_factor, 1);
    assert_eq!(config.limits.queued_request_bytes_max, None);
    let keys: Vec<_> = notices.iter().map(|notice| notice.key.as_str()).collect();
    assert!(keys.iter().all(|key| key.contains(".state.")), "{keys:?}");
}

#[test]
fn the_old_name_of_the_node_id_is_understood_and_must_agree() {
    assert_eq!(read(&["-node.id", "broker.id=1"]).0.node.id, 1);
    assert_eq!(errors(&["broker.id=2"]), ["You must set `node.id` to the same value as `broker.id`."]);
}

#[test]
fn log_dirs_come_before_log_dir_and_are_not_listed_twice() {
    let dirs = |changes: &[&str]| read(changes).0.node.log_dirs;
    assert_eq!(dirs(&["log.dirs=/a, /b ,/a"]), [PathBuf::from("/a"), PathBuf::from("/b")]);
    assert_eq!(dirs(&["-log.dirs", "log.dir=/q"]), [PathBuf::from("/q")]);
    assert_eq!(dirs(&["-log.dirs"]), [PathBuf::from("/tmp/kafka-logs")]);
}

#[test]
fn clients_are_told_the_advertised_listeners_without_the_controllers() {
    let (config, _) = read(&["advertised.listeners=PLAINTEXT://h:1,CONTROLLER://h:2"]);
    assert_eq!(shown(&config.network.advertised), ["PLAINTEXT://h:1"]);
    let two = [
        "listeners=PLAINTEXT://:9092,INSIDE://:9094,CONTROLLER://:9093",
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name=inside",
    ];
    assert_eq!(read(&two).0.network.inter_broker_listener, "INSIDE");
}

#[test]
fn a_broker_alone_names_controllers_elsewhere() {
    let (config, _) = read(&["process.roles=broker", "listeners=PLAINTEXT://:9092", "node.id=2"]);
    assert_eq!(config.node.voters, [Voter { id: 1, host: "127.0.0.1".into(), port: 9093 }]);
    let (config, _) =
        read(&["-controller.quorum.voters", "controller.quorum.bootstrap.servers=localhost:9093"]);
    assert_eq!(config.node.bootstrap_servers, [("localhost".to_owned(), 9093)]);
}

/// Changes to a node's settings, and what Apache Kafka 4.3.1 says of them.
const REFUSED: &[(&[&str], &str)] = &[
    (&["-process.roles"], "Missing required configuration \"process.roles\" which has no default value."),
    (&["-node.id"], "Missing required configuration \"node.id\" which has no default value."),
    (
        &["-controller.listener.names"],
        "Missing required configuration \"controller.listener.names\" which has no default value.",
    ),
    (
        &["process.roles="],
        "Configuration 'process.roles' must not be empty. Valid values include: [broker, controller]",
    ),
    (
        &["process.roles=foo"],
        "Invalid value foo for configuration process.roles: String must be one of: broker, controller",
    ),
    (
        &["process.roles=broker", "listeners=PLAINTEXT://:9092"],
        "If process.roles contains just the 'broker' role, the node id 1 must not be included in the set of voters controller.quorum.voters=Set(1)",
    ),
    (
        &["process.roles=controller"],
        "The listeners config must only contain KRaft controller listeners from controller.listener.names when process.roles=controller",
    ),
    (&["node.id=-1"], "Invalid value -1 for configuration node.id: Value must be at least 0"),
    (
        &["-controller.quorum.voters"],
        "If using process.roles, either controller.quorum.bootstrap.servers must contain the set of bootstrap controllers or controller.quorum.voters must contain a parseable set of controllers.",
    ),
    (
        &["controller.quorum.voters=2@h:1"],
        "If process.roles contains the 'controller' role, the node id 1 must be included in the set of voters controller.quorum.voters=Set(2)",
    ),
    (
        &["controller.quorum.voters=foo"],
        "Invalid configuration value for controller.quorum.voters. Each entry should be in the form `{id}@{host}:{port}`.",
    ),
    (
        &["controller.quorum.voters=1@h"],
        "Failed to parse host name from entry 1@h for the configuration controller.quorum.voters. Each entry should be in the form `{id}@{host}:{port}`.",
    ),
    (&["controller.quorum.voters=1@0.0.0.0:9093"], "Host string (0.0.0.0) is not routeable"),
    (&["controller.quorum.voters=a@h:9"], "Failed to parse voter ID as an integer from a"),
    (
        &["-controller.quorum.voters", "controller.quorum.bootstrap.servers=localhost"],
        "Failed to parse host name from localhost for the configuration controller.quorum.bootstrap.servers. Each entry should be in the form \"{host}:{port}\"",
    ),
    (
        &["controller.listener.names="],
        "Configuration 'controller.listener.names' must not be empty. Valid values include: any non-empty value",
    ),
    (
        &[
            "controller.listener.names=FOO",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        ],
        "controller.listener.names must contain at least one value appearing in the 'listeners' configuration when running the KRaft controller role",
    ),
    (
        &[
            "controller.listener.names=CONTROLLER,FOO",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        ],
        "controller.listener.names must only contain values appearing in the 'listeners' configuration when running the KRaft controller role",
    ),
    (
        &["listeners="],
        "Configuration 'listeners' must not be empty. Valid values include: any non-empty value",
    ),
    (
        &["listeners=CONTROLLER://:9093"],
        "There must be at least one broker advertised listener. Perhaps all listeners appear in controller.listener.names?",
    ),
    (
        &["advertised.listeners=PLAINTEXT://0.0.0.0:9092"],
        "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.",
    ),
    (
        &["advertised.listeners=FOO://h:9092"],
        "Error creating broker listeners from '[FOO://h:9092]': No security protocol defined for listener FOO",
    ),
    (
        &["listener.security.protocol.map=PLAINTEXT:PLAINTEXT"],
        "Error creating broker listeners from '[PLAINTEXT://127.0.0.1:9092, CONTROLLER://127.0.0.1:9093]': No security protocol defined for listener CONTROLLER",
    ),
    (
        &["listener.security.protocol.map=PLAINTEXT:FOO"],
        "Invalid security protocol `FOO` defined in listener.security.protocol.map",
    ),
    (
        &["inter.broker.listener.name=FOO"],
        "Listener with name FOO defined in inter.broker.listener.name not found in listener.security.protocol.map.",
    ),
    (
        &["inter.broker.listener.name=CONTROLLER"],
        "inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid options based on currently configured listeners are PLAINTEXT",
    ),
    (
        &["security.inter.broker.protocol=FOO"],
        "Invalid value FOO for configuration security.inter.broker.protocol: String must be one of: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL",
    ),
    (&["log.dirs="], "Configuration 'log.dirs' must not be empty. Valid values include: any non-empty value"),
    (&["log.retention.hours=0"], "log.retention.ms must be unlimited (-1) or, greater than or equal to 1"),
    (&["num.partitions=0"], "Invalid value 0 for configuration num.partitions: Value must be at least 1"),
    (&["num.partitions=x"], "Invalid value x for configuration num.partitions: Not a number of type INT"),
    (
        &["auto.create.topics.enable=maybe"],
        "Invalid value maybe for configuration auto.create.topics.enable: Expected value to be either true or false",
    ),
    (
        &["log.cleaner.min.cleanable.ratio=2"],
        "Invalid value 2.0 for configuration log.cleaner.min.cleanable.ratio: Value must be no more than 1",
    ),
    (
        &["log.cleaner.min.cleanable.ratio=x"],
        "Invalid value x for configuration log.cleaner.min.cleanable.ratio: Not a number of type DOUBLE",
    ),
    (
        &["queued.max.request.bytes=3"],
        "queued.max.request.bytes must be larger or equal to socket.request.max.bytes",
    ),
    (
        &["connections.max.idle.ms=5"],
        "connection.failed.authentication.delay.ms=100 should always be less than connections.max.idle.ms=5 to prevent failed authentication responses from timing out",
    ),
    (
        &["group.coordinator.rebalance.protocols=foo"],
        "Invalid value foo for configuration group.coordinator.rebalance.protocols: String must be one of: consumer, classic, share, streams",
    ),
];

#[test]
fn what_cannot_be_is_refused_in_kafkas_words() {
    for (changes, why) in REFUSED {
        assert_eq!(errors(changes), [*why], "{changes:?}");
    }
}

#[test]
fn what_kafka_takes_is_taken() {
    for change in [
        "num.partitions= 3 ",
        "auto.create.topics.enable= TRUE ",
        "log.cleanup.policy=",
        "log.cleanup.policy=compact,compact",
        "socket.send.buffer.bytes=-5",
        "log.retention.ms=-2",
        "group.min.session.timeout.ms=100",
        "message.max.bytes=200000000",
        "offsets.topic.num.partitions=1",
    ] {
        read(&[change]);
    }
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    assert_eq!(
        errors(&["num.partitions=x", "node.id=y", "-process.roles"]).len(),
        4,
        "broker.id takes node.id's value"
    );
}

#[test]
fn an_unknown_setting_is_a_notice_that_names_the_nearest() {
    let (_, notices) = read(&[
        "num.partition=3",
        "retention.ms=5",
        "my.plugin.key=1",
        "num.io.threads=9",
        "num.network.threads=3",
    ]);
    let said: Vec<_> = notices
        .iter()
        .filter(|notice| notice.message.starts_with("unknown"))
        .map(Notice::to_string)
        .collect();
    assert_eq!(
        said,
        [
            "unknown setting `my.plugin.key`",
            "unknown setting `num.partition`\nhint: did you mean `num.partitions`?",
            "unknown setting `retention.ms`\nhint: did you mean `log.retention.ms`?",
        ]
    );
}

#[test]
fn what_changes_nothing_is_named_once_and_together() {
    let (_, notices) = read(&["num.io.threads=9", "background.threads=11", "num.network.threads=3"]);
    let [notice] = &notices[..] else { panic!("{notices:?} is not one notice") };
    assert!(
        notice
            .message
            .starts_with("yeoul keeps these settings and does not act on them yet: `background.threads`, "),
        "{}",
        notice.message
    );
    assert!(notice.message.contains("`num.io.threads`") && !notice.message.contains("`num.network.threads`"));
}

#[test]
fn what_would_be_unsafe_to_pass_over_is_refused() {
    assert!(errors(&["yeoul.ack.flush=false"])[0].contains("unknown setting `yeoul.ack.flush`"));
    assert!(errors(&["authorizer.class.name=a.B"])[0].contains("checks no ACLs yet"));
    let tls = errors(&["listeners=SSL://:9092,CONTROLLER://:9093", "security.inter.broker.protocol=SSL"]);
    assert_eq!(tls, ["listener `SSL` asks for SSL, which yeoul does not speak yet"]);
}

#[test]
fn a_node_that_does_not_start_may_ask_for_what_is_not_there_yet() {
    let file = |more: &[&str]| {
        let usual = ["process.roles=broker", "node.id=1", "controller.listener.names=CONTROLLER"];
        let listeners = ["listeners=SASL_SSL://:9092", "inter.broker.listener.name=SASL_SSL"];
        let all = [&usual[..], &listeners, &["controller.quorum.bootstrap.servers=c:9093"], more].concat();
        BrokerConfig::at_rest(&Properties::parse(&all.join("\n")).unwrap())
    };
    let (config, _) = file(&["authorizer.class.name=a.B"]).unwrap();
    assert_eq!(config.network.listeners[0].protocol, SecurityProtocol::SaslSsl);
    assert!(file(&["log.retention.ms=0"]).is_err());
}

#[test]
fn dynamic_settings_change_what_may_change() {
    let (config, _) = read(&[]);
    let cluster = Overrides::from([
        ("producer.id.expiration.ms".to_owned(), "7".to_owned()),
        ("max.connections".to_owned(), "x".to_owned()),
        ("num.partitions".to_owned(), "7".to_owned()),
    ]);
    let dynamic = config.with_dynamic(&cluster, &Overrides::new());
    assert_eq!(dynamic.logs.producer_id_expiration_ms, 7);
    assert_eq!(dynamic.limits.connections_max, config.limits.connections_max);
    assert_eq!(dynamic.topics.partitions, config.topics.partitions);
    assert_eq!(dynamic.network, config.network);
}
