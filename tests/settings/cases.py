"""What operators ask of a broker's settings, features and quorum with Apache Kafka's tools, and what they are told.

A case is a call and what it must print: every line of `expected` is a regular expression that one line of standard output (or,
where the call fails, of standard error) matches as a whole.
"""

from dataclasses import dataclass

CLASSES = {
    "configs": "kafka.admin.ConfigCommand",
    "features": "org.apache.kafka.tools.FeatureCommand",
    "metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "client-metrics": "org.apache.kafka.tools.ClientMetricsCommand",
    "topics": "org.apache.kafka.tools.TopicCommand",
}


@dataclass(frozen=True)
class Case:
    """One call of a tool."""

    title: str
    tool: str
    arguments: str
    expected: tuple = ()
    fails: bool = False
    absent: str = ""

    def words(self, broker):
        """The arguments; a tilde stands for a blank."""
        place = {"broker": broker.bootstrap, "controller": f"127.0.0.1:{broker.controller_port}"}
        return [word.replace("~", " ") for word in self.arguments.format(**place).split(" ") if word]


def configs(title, arguments, *expected, **more):
    return Case(f"configs: {title}", "configs", "--bootstrap-server {broker} " + arguments, expected, **more)


def features(title, arguments, *expected, **more):
    return Case(f"features: {title}", "features", "--bootstrap-server {broker} " + arguments, expected, **more)


def quorum(title, arguments, *expected, **more):
    return Case(f"metadata-quorum: {title}", "metadata-quorum", arguments, expected, **more)


def client_metrics(title, arguments, *expected, **more):
    return Case(f"client-metrics: {title}", "client-metrics", "--bootstrap-server {broker} " + arguments, expected, **more)


TOPICS = [
    Case("topics: one to be changed", "topics", "--bootstrap-server {broker} --create --topic changed --partitions 1"),
    configs("set two of a topic", "--alter --topic changed --add-config retention.ms=1000,cleanup.policy=[compact,delete]",
            r"Completed updating config for topic changed\."),
    configs("describe a topic", "--describe --topic changed",
            r"Dynamic configs for topic changed are:",
            r"  retention\.ms=1000 sensitive=false synonyms=\{DYNAMIC_TOPIC_CONFIG:retention\.ms=1000\}",
            r"  cleanup\.policy=compact,delete sensitive=false synonyms=\{DYNAMIC_TOPIC_CONFIG:cleanup\.policy=compact,delete, "
            r"DEFAULT_CONFIG:log\.cleanup\.policy=delete\}"),
    configs("delete one of a topic", "--alter --topic changed --delete-config retention.ms",
            r"Completed updating config for topic changed\."),
    configs("what is deleted is the default", "--describe --topic changed --all",
            r"  retention\.ms=604800000 sensitive=false synonyms=\{\}"),
    configs("a setting that is none", "--alter --topic changed --add-config nope=1",
            r".*InvalidConfigurationException: Unknown topic config name: nope", fails=True),
    configs("a value that is none", "--alter --topic changed --add-config segment.bytes=1",
            r".*InvalidConfigurationException: Invalid value 1 for configuration segment\.bytes: Value must be at least 1048576",
            fails=True),
    configs("a topic that is not there", "--alter --topic nope --add-config retention.ms=1",
            r".*UnknownTopicOrPartitionException: The topic 'nope' does not exist\.", fails=True),
]

BROKERS = [
    configs("set one of a broker", "--alter --broker 1 --add-config log.cleaner.backoff.ms=123",
            r"Completed updating config for broker 1\."),
    configs("set one of all brokers", "--alter --broker-defaults --add-config log.cleaner.backoff.ms=124",
            r"Completed updating default config for brokers in the cluster\."),
    configs("describe a broker", "--describe --broker 1",
            r"Dynamic configs for broker 1 are:",
            r"  log\.cleaner\.backoff\.ms=123 sensitive=false synonyms=\{DYNAMIC_BROKER_CONFIG:log\.cleaner\.backoff\.ms=123, "
            r"DYNAMIC_DEFAULT_BROKER_CONFIG:log\.cleaner\.backoff\.ms=124, DEFAULT_CONFIG:log\.cleaner\.backoff\.ms=15000\}"),
    configs("describe all brokers", "--describe --broker-defaults",
            r"Default configs for brokers in the cluster are:",
            r"  log\.cleaner\.backoff\.ms=124 sensitive=false "
            r"synonyms=\{DYNAMIC_DEFAULT_BROKER_CONFIG:log\.cleaner\.backoff\.ms=124\}"),
    configs("a setting of the file", "--alter --broker 1 --add-config num.partitions=5",
            r".*InvalidRequestException: Cannot update these configs dynamically: \[num\.partitions\]", fails=True),
    configs("a setting of a broker alone for all", "--alter --broker-defaults --add-config listeners=PLAINTEXT://:9",
            r".*InvalidRequestException: Cannot update these configs at default cluster level, broker id must be specified: "
            r"\[listeners\]", fails=True),
    configs("a value that is none of a broker", "--alter --broker 1 --add-config log.cleaner.backoff.ms=x",
            r".*InvalidRequestException: Invalid value x for configuration log\.cleaner\.backoff\.ms: Not a number of type LONG",
            fails=True),
    configs("delete one of a broker", "--alter --broker 1 --delete-config log.cleaner.backoff.ms",
            r"Completed updating config for broker 1\."),
    configs("replicas in sync of the cluster stay", "--alter --broker-defaults --delete-config min.insync.replicas",
            r".*InvalidConfigurationException: Cluster-level min\.insync\.replicas cannot be removed while ELR is enabled\.",
            fails=True),
]

LOGGERS = [
    configs("set the level of a logger", "--alter --broker-logger 1 --add-config root=ERROR",
            r"Completed updating config for broker-logger 1\."),
    configs("describe loggers", "--describe --broker-logger 1",
            r"Dynamic configs for broker-logger 1 are:", r"  root=ERROR sensitive=false synonyms=\{\}"),
    configs("a level that is none", "--alter --broker-logger 1 --add-config root=LOUD",
            r".*InvalidConfigurationException: Cannot set the log level of root to LOUD as it is not a supported log level\. "
            r"Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN", fails=True),
    configs("a logger that there is not", "--alter --broker-logger 1 --add-config nobody=INFO",
            r"Invalid broker logger\(s\): nobody", fails=True),
    configs("the root keeps a level", "--alter --broker-logger 1 --delete-config root",
            r".*InvalidRequestException: Removing the log level of the root logger is not allowed", fails=True),
]

GROUPS = [
    configs("set one of a group", "--alter --group readers --add-config consumer.session.timeout.ms=50000",
            r"Completed updating config for group readers\."),
    configs("describe a group", "--describe --group readers",
            r"Dynamic configs for group readers are:",
            r"  consumer\.session\.timeout\.ms=50000 sensitive=false "
            r"synonyms=\{DYNAMIC_GROUP_CONFIG:consumer\.session\.timeout\.ms=50000, .*\}"),
    configs("beyond a group's bounds", "--alter --group readers --add-config consumer.session.timeout.ms=5",
            r".*InvalidConfigurationException: consumer\.session\.timeout\.ms must be greater than or equal to "
            r"group\.consumer\.min\.session\.timeout\.ms", fails=True),
    configs("groups with settings are listed", "--describe --entity-type groups",
            r"Dynamic configs for group readers are:"),
]

CLIENT_METRICS = [
    configs("subscribe to clients' metrics",
            "--alter --client-metrics fast --add-config interval.ms=1000,metrics=[org.apache.kafka.producer.],match=[client_id=a.*]",
            r"Completed updating config for client-metric fast\."),
    configs("describe a subscription", "--describe --client-metrics fast",
            r"  interval\.ms=1000 sensitive=false synonyms=\{DYNAMIC_CLIENT_METRICS_CONFIG:interval\.ms=1000\}"),
    client_metrics("alter", "--alter --name slow --interval 60000 --metrics org.apache.kafka.",
                   r"Altered client metrics config for slow\."),
    client_metrics("an interval that is none", "--alter --name slow --interval 1 --metrics org.apache.kafka.",
                   r".*interval must be between 100 and 3600000 \(1 hour\).*", fails=True),
    client_metrics("list", "--list", r"fast", r"slow"),
    client_metrics("describe", "--describe --name slow", r"  interval\.ms=60000"),
    client_metrics("delete", "--delete --name slow", r"Deleted client metrics config for slow\."),
    client_metrics("what is deleted is gone", "--list", r"fast", absent="slow"),
]

FEATURES = [
    features("describe", "describe",
             r"Feature: metadata\.version\s+SupportedMinVersion: 3\.3-IV3\s+SupportedMaxVersion: 4\.3-IV0\s+"
             r"FinalizedVersionLevel: 4\.3-IV0\s+Epoch: \d+",
             r"Feature: share\.version\s+SupportedMinVersion: 0\s+SupportedMaxVersion: 1\s+FinalizedVersionLevel: 1\s+Epoch: \d+"),
    features("downgrade, only tried", "downgrade --feature share.version=0 --dry-run",
             r"share\.version can be downgraded to 0\."),
    features("downgrade", "downgrade --feature share.version=0", r"share\.version was downgraded to 0\."),
    features("describe what is off", "describe",
             r"Feature: share\.version\s+SupportedMinVersion: 0\s+SupportedMaxVersion: 1\s+FinalizedVersionLevel: 0\s+Epoch: \d+"),
    features("upgrade", "upgrade --feature share.version=1", r"share\.version was upgraded to 1\."),
    features("too high", "upgrade --feature share.version=2", r"Could not upgrade share\.version to 2\. .*", fails=True),
    features("metadata that an older version cannot say", "downgrade --metadata 4.2",
             r"Could not downgrade metadata\.version to 29\. .*Refusing to perform the requested downgrade because it might "
             r"delete metadata information\.", fails=True),
]

QUORUM = [
    quorum("status", "--bootstrap-server {broker} describe --status",
           r"LeaderId:\s+1", r"LeaderEpoch:\s+\d+", r"HighWatermark:\s+\d+", r"MaxFollowerLag:\s+0", r"MaxFollowerLagTimeMs:\s+0",
           r"CurrentVoters:\s+\[\{\"id\": 1, .*\"endpoints\": \[\"CONTROLLER://127\.0\.0\.1:\d+\"\]\}\]",
           r"CurrentObservers:\s+\[\]"),
    quorum("replication", "--bootstrap-server {broker} describe --replication",
           r"1\s+\S+\s+\d+\s+0\s+\d+\s+\d+\s+Leader\s*"),
    quorum("status by the controller's listener", "--bootstrap-controller {controller} describe --status", r"LeaderId:\s+1"),
]
