"""Settings, features and the quorum as operators handle them: with Apache Kafka's own tools, all in one JVM.

Then whether what was set acts, and stays when the broker is started again; and whether every setting is described field by field
as a running Apache Kafka describes it.
"""

import re
import socket
import struct
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS)]

from confluent_kafka import KafkaError, KafkaException, Producer  # noqa: E402
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType  # noqa: E402

from broker import Broker, Suite, check, default_kind, java, receive, wait_until  # noqa: E402
from cases import BROKERS, CLASSES, CLIENT_METRICS, Case, FEATURES, GROUPS, LOGGERS, QUORUM, TOPICS  # noqa: E402
from kafka_tools import KafkaTools  # noqa: E402
import tools_page  # noqa: E402

# The older API is asked on purpose.
warnings.filterwarnings("ignore", message="alter_configs")
SECONDS_MAX = 60
GET_TELEMETRY_SUBSCRIPTIONS = 71
THROTTLING_QUOTA_EXCEEDED = 89
CHANGED = {"log.retention.ms": "700000000", "ssl.keystore.password": "secret", "my.own.plugin": "x", "message.max.bytes": "2000000"}
DESCRIBED = "TOPIC:described,BROKER:1,BROKER:,GROUP:readers,CLIENT_METRICS:fast"
# What differs by nature, with the reason.
OWN = re.compile(r"yeoul\.")
PLACES = re.compile(r"127\.0\.0\.1:\d+|/[^,;\t]*/data")


class Settings:
    """A broker, and what is asked of it."""

    def __init__(self, broker, tools):
        self.broker = broker
        self.tools = tools
        self.admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})

    def call(self, case):
        """A tool says what it must."""
        code, out, error = self.tools.call(CLASSES[case.tool], case.words(self.broker), "")
        lines = [*out.splitlines(), *error.splitlines()]
        check((code != 0) == case.fails, f"it ended with {code}: {out[-500:]}{error[-500:]}")
        for wanted in case.expected:
            check(any(re.fullmatch(wanted, line) for line in lines), f"no line is {wanted!r}: {lines}")
        check(not case.absent or case.absent not in lines, f"{case.absent} is still among {lines}")

    def create(self, topic, settings=None):
        """Makes a topic of one partition."""
        made = self.admin.create_topics([NewTopic(topic, 1, 1, config=settings or {})])
        made[topic].result(SECONDS_MAX)

    def set(self, kind, name, settings):
        """Replaces all settings of a resource, by the older API."""
        resource = ConfigResource(kind, name, set_config=settings)
        self.admin.alter_configs([resource])[resource].result(SECONDS_MAX)

    def all_brokers(self, arguments):
        """Changes the settings of all brokers, which librdkafka has no words for."""
        self.call(Case("", "configs", "--bootstrap-server {broker} --alter --broker-defaults " + arguments))

    def send(self, topic, size, **settings):
        """The error of sending one record, or its timestamp."""
        told = []
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "message.timeout.ms": 10000, "retries": 0, "log_level": 0,
                             "message.max.bytes": 10_000_000, "enable.metrics.push": False, **settings})
        producer.produce(topic, b"x" * size, timestamp=1_000_000, on_delivery=lambda error, message: told.append((error, message)))
        producer.flush(30)
        check(told, "no answer to the record")
        error, message = told[0]
        return error.name() if error else message.timestamp()

    def size_of_records(self):
        """A topic's bound on records acts at once, and that of all brokers where the topic has none."""
        self.create("sized")
        check(not isinstance(self.send("sized", 5000), str), "a record is refused")
        self.set(ResourceType.TOPIC, "sized", {"max.message.bytes": "1000"})
        wait_until(lambda: self.send("sized", 5000) == "MSG_SIZE_TOO_LARGE", 20, "the topic's bound acts")
        self.set(ResourceType.TOPIC, "sized", {})
        wait_until(lambda: self.send("sized", 5000) != "MSG_SIZE_TOO_LARGE", 20, "the topic's bound is gone")
        self.all_brokers("--add-config message.max.bytes=1000")
        wait_until(lambda: self.send("sized", 5000) == "MSG_SIZE_TOO_LARGE", 20, "the cluster's bound acts")
        self.set(ResourceType.BROKER, "1", {"message.max.bytes": "9000"})
        wait_until(lambda: self.send("sized", 5000) != "MSG_SIZE_TOO_LARGE", 20, "the broker's bound comes first")
        self.set(ResourceType.BROKER, "1", {})
        self.all_brokers("--delete-config message.max.bytes")
        wait_until(lambda: self.send("sized", 5000) != "MSG_SIZE_TOO_LARGE", 20, "both bounds are gone")

    def timestamps(self):
        """Whose clock counts changes with the setting."""
        self.create("timed", {"message.timestamp.before.max.ms": str(2**63 - 1)})
        check(self.send("timed", 10)[1] == 1_000_000, "the producer's timestamp is not kept")
        self.set(ResourceType.TOPIC, "timed", {"message.timestamp.type": "LogAppendTime"})
        wait_until(lambda: self.send("timed", 10)[1] > 1_000_000, 20, "the broker's clock counts")

    def replicas_in_sync(self):
        """A topic that asks for more replicas in sync than it has is content with those."""
        self.create("insync")
        self.set(ResourceType.TOPIC, "insync", {"min.insync.replicas": "2"})
        wait_until(lambda: self.own("insync") == {"min.insync.replicas": "2"}, 20, "the setting is there")
        for acks in ("all", "1"):
            told = self.send("insync", 10, acks=acks)
            check(not isinstance(told, str), f"acks={acks} is refused: {told}")

    def older_api(self):
        """AlterConfigs takes settings away that it does not name, and refuses what it must."""
        self.create("replaced", {"retention.ms": "5", "segment.ms": "6"})
        self.set(ResourceType.TOPIC, "replaced", {"retention.ms": "7"})
        wait_until(lambda: self.own("replaced") == {"retention.ms": "7"}, 20, "the other setting is gone")
        try:
            self.set(ResourceType.BROKER, "1", {"num.partitions": "5"})
        except KafkaException as refused:
            check(refused.args[0].code() == KafkaError.INVALID_REQUEST, f"it said {refused}")
        else:
            check(False, "a setting of the file was taken")

    def own(self, topic):
        """The settings that a topic has of its own."""
        resource = ConfigResource(ResourceType.TOPIC, topic)
        entries = self.admin.describe_configs([resource])[resource].result(SECONDS_MAX)
        return {name: entry.value for name, entry in entries.items() if entry.source == 1}

    def metrics(self):
        """Without a receiver clients are not told that they may push metrics; one that asks all the same is answered."""
        with socket.create_connection(("127.0.0.1", self.broker.port), timeout=10) as connection:
            told, instance, _ = get_subscriptions(connection, bytes(16))
            check(told == 0 and instance != bytes(16), f"the first request was told {told}")
            told, _, _ = get_subscriptions(connection, instance)
            check(told == THROTTLING_QUOTA_EXCEEDED, f"the second was told {told}")
        versions = self.tools.call("org.apache.kafka.tools.BrokerApiVersionsCommand",
                                   ["--bootstrap-server", self.broker.bootstrap], "")[1]
        for name in ("GetTelemetrySubscriptions(71)", "PushTelemetry(72)"):
            check(f"{name}: UNSUPPORTED" in versions, f"{name} is advertised")

    def levels(self):
        """What a logger says follows its level at once, and the loggers of the program are listed."""
        for level, is_said in (("ERROR", False), ("DEBUG", True), ("ERROR", False)):
            self.call(Case("", "configs", "--bootstrap-server {broker} --alter --broker-logger 1 --add-config root=" + level))
            before = self.broker.log.stat().st_size
            self.break_off()
            said = lambda: b"DEBUG" in self.broker.log.read_bytes()[before:]  # noqa: E731 (of this round)
            if is_said:
                wait_until(lambda: said() or self.break_off(), 20, "a line of this level is there")
            else:
                check(not said(), f"with {level} there is a line of DEBUG")

    def break_off(self):
        """A connection that ends in the middle of a request, which is worth a line to who wants to know everything."""
        with socket.create_connection(("127.0.0.1", self.broker.port), timeout=10) as connection:
            connection.sendall(b"\0\0")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def restart(self):
        """What was set is there after the broker was killed and started again."""
        before = self.own("changed")
        check(before == {"cleanup.policy": "compact,delete"}, f"before: {before}")
        self.broker.kill()
        self.broker.restart()
        check(self.own("changed") == before, f"after: {self.own('changed')}")
        check(self.send("insync", 10, acks="1") is not None, "it takes no records")


def get_subscriptions(connection, instance):
    """Error, instance id and subscription id that a client of this instance id is told."""
    body = struct.pack(">hhihB", GET_TELEMETRY_SUBSCRIPTIONS, 0, 1, -1, 0) + instance + bytes(1)
    connection.sendall(struct.pack(">i", len(body)) + body)
    (size,) = struct.unpack(">i", receive(connection, 4))
    return struct.unpack_from(">h16si", receive(connection, size), 4 + 1 + 4)


def rows_of(brokers):
    """Rows of each broker, by resource and name."""
    command = java(["Rows.java", DESCRIBED, *(broker.bootstrap for broker in brokers)], log_level="ERROR")
    command[command.index("Rows.java")] = str(Path(__file__).parent / "Rows.java")
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    check(done.returncode == 0, f"it ended with {done.returncode}: {done.stderr[-500:]}")
    found = {broker.bootstrap: {} for broker in brokers}
    for line in done.stdout.splitlines():
        address, resource, name, *fields = line.split("\t")
        found[address][resource, name] = [PLACES.sub("PLACE", field) for field in fields]
    return [found[broker.bootstrap] for broker in brokers]


def compare(home, ours, tools):
    """Every setting has the value, source, synonyms, type and marks that Apache Kafka shows."""
    with Broker(Path(home) / "reference", kind="apache-kafka", properties=CHANGED) as theirs:
        for broker in (ours, theirs):
            settings = Settings(broker, tools)
            settings.create("described", {"segment.ms": "12345", "cleanup.policy": "compact,delete"})
            settings.all_brokers("--add-config log.retention.ms=7,foo.bar=1")
            settings.set(ResourceType.BROKER, "1", {"log.retention.ms": "8", "log.cleaner.backoff.ms": "9"})
            for case in (GROUPS[0], CLIENT_METRICS[0]):
                settings.call(case)
        mine, reference = rows_of([ours, theirs])
        mine = {key: fields for key, fields in mine.items() if not OWN.match(key[1])}
        missing, more = sorted(reference.keys() - mine.keys()), sorted(mine.keys() - reference.keys())
        check(not missing and not more, f"missing are {missing}, and there are too many: {more}")
        other = [(key, mine[key], fields) for key, fields in sorted(reference.items()) if mine[key] != fields]
        check(not other, f"{len(other)} rows are others: {other[:5]}")
        return f"{len(reference)} rows alike"


def main(words):
    suite = Suite("settings")
    with tempfile.TemporaryDirectory(prefix="settings-") as home, KafkaTools() as tools:
        with Broker(Path(home) / "broker") as broker:
            settings = Settings(broker, tools)
            for case in [*TOPICS, *BROKERS, *LOGGERS, *GROUPS, *CLIENT_METRICS, *FEATURES, *QUORUM]:
                suite.step(case.title, settings.call, case)
            suite.step("the older API replaces all settings", settings.older_api)
            suite.step("a bound on records acts", settings.size_of_records)
            suite.step("whose clock counts", settings.timestamps)
            suite.step("replicas in sync", settings.replicas_in_sync)
            suite.step("metrics that clients push", settings.metrics)
            suite.step("levels of loggers act", settings.levels)
            suite.step("killed and started again", settings.restart)
            suite.last_words_of(broker)
        if default_kind() == "yeoul":
            with Broker(Path(home) / "described", properties=CHANGED) as broker:
                suite.step("every setting beside Apache Kafka's", compare, home, broker, tools)
                suite.last_words_of(broker)
            tools_page.finish(suite, "settings", tools.called, words)
    return suite.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
