"""MirrorMaker 2 between an Apache Kafka and the broker, both ways at once.

Each cluster has a topic of the same name with records of its own; the other one gets it under a name with the cluster's alias in front:
records with keys, headers and timestamps, configs, and the commits of a group, translated. The broker is killed with -9 meanwhile.
"""

import time
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from broker import Broker, check, wait_until
from kafka_tools import KafkaTools
from program import Program, write_properties

TOPIC, GROUP = "orders", "order-readers"
PARTITIONS = 2
CONFIGS = {"retention.ms": "7200000", "max.message.bytes": "500000", "compression.type": "lz4"}
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
RECORDS_A_CODEC = 40
# Not so long ago that they would expire.
FIRST_TIMESTAMP_MS = int(time.time() * 1_000) - 600_000
START_SECONDS_MAX = 120
ARRIVAL_SECONDS_MAX = 90


def settings(theirs, ours):
    """MirrorMaker's, with short intervals and every record's offset noted, so that commits are translated to the record."""
    one_replica = ["", "checkpoints.topic.", "heartbeats.topic.", "offset-syncs.topic.", "offset.storage.", "status.storage.", "config.storage."]
    each_second = ["emit.heartbeats", "emit.checkpoints", "sync.group.offsets", "refresh.topics", "refresh.groups", "sync.topic.configs"]
    return {
        "clusters": "theirs,ours", "theirs.bootstrap.servers": theirs.bootstrap, "ours.bootstrap.servers": ours.bootstrap,
        "theirs->ours.enabled": "true", "ours->theirs.enabled": "true", "topics": TOPIC, "groups": GROUP,
        "sync.group.offsets.enabled": "true", "offset.lag.max": "0", "offset.flush.interval.ms": "500",
        **{f"{name}replication.factor": "1" for name in one_replica},
        **{f"{name}.interval.seconds": "1" for name in each_second}}


class Side:
    """One cluster: what was written to it, and what it must have of the other one."""

    def __init__(self, alias, broker):
        self.alias, self.broker = alias, broker
        self.admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        self.written = {partition: [] for partition in range(PARTITIONS)}

    def create(self):
        self.admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1, config=CONFIGS)])[TOPIC].result(30)
        self.write()
        self.commit()

    def write(self):
        """Records of every codec with keys, headers and timestamps; some have no value."""
        for codec in CODECS:
            producer = Producer({"bootstrap.servers": self.broker.bootstrap, "compression.type": codec, "enable.idempotence": True})
            for _ in range(RECORDS_A_CODEC):
                self.send(producer, codec)
            check(producer.flush(60) == 0, "records were left")

    def send(self, producer, codec):
        number = sum(map(len, self.written.values()))
        key, value = f"key {number % 7}".encode(), None if number % 10 == 0 else f"{self.alias} {number}".encode() * 5
        headers = [("number", str(number).encode()), ("codec", codec.encode()), ("codec", None)]
        partition, timestamp = number % PARTITIONS, FIRST_TIMESTAMP_MS + number
        producer.produce(TOPIC, value, key, partition, timestamp=timestamp, headers=headers)
        self.written[partition].append((timestamp, key, value, headers))

    def commit(self):
        """The group has read everything."""
        reader = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": GROUP, "enable.auto.commit": False})
        places = [TopicPartition(TOPIC, partition, len(records)) for partition, records in self.written.items()]
        reader.commit(offsets=places, asynchronous=False)
        reader.close()

    def check_copy_of(self, other):
        """Every record of the other, in order; what was under way at a kill may be there twice."""
        copy = Copy(self, other)
        wait_until(copy.complete, ARRIVAL_SECONDS_MAX, f"{self.alias} has the records of {other.alias}", pause=0.1)
        for partition, records in copy.records.items():
            first_times = [record for at, record in enumerate(records) if record not in records[:at]]
            check(first_times == other.written[partition], f"partition {partition} of {copy.topic} has other records")
        return f"{sum(map(len, other.written.values()))} records, {copy.count() - sum(map(len, other.written.values()))} of them twice"

    def check_configs_of(self, other):
        """What was set for the other's topic is set for its copy."""
        topic = f"{other.alias}.{TOPIC}"

        def same():
            (configs,) = self.admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]).values()
            found = configs.result(30)
            return all(found[name].value == value for name, value in CONFIGS.items())

        wait_until(same, ARRIVAL_SECONDS_MAX, f"{topic} has the configs", pause=0.2)

    def check_commits_of(self, other):
        """The group could go on here where it stopped there, at the end."""
        reader = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": GROUP})
        places = [TopicPartition(f"{other.alias}.{TOPIC}", partition) for partition in range(PARTITIONS)]
        ends = [reader.get_watermark_offsets(place, 30)[1] for place in places]

        def translated():
            return [place.offset for place in reader.committed(places, 30)] == ends

        wait_until(translated, ARRIVAL_SECONDS_MAX, f"{self.alias} has the commits of {other.alias}, at {ends}", pause=0.2)
        reader.close()
        return f"at {ends}"


class Copy:
    """What a side has of the other's topic."""

    def __init__(self, side, other):
        self.topic = f"{other.alias}.{TOPIC}"
        self.wanted = other.written
        self.admin = side.admin
        self.reader = Consumer({"bootstrap.servers": side.broker.bootstrap, "group.id": "unused"})
        self.reader.assign([TopicPartition(self.topic, partition, OFFSET_BEGINNING) for partition in range(PARTITIONS)])
        self.records = {partition: [] for partition in range(PARTITIONS)}

    def complete(self):
        """Whether the last record of each partition has come."""
        for message in self.reader.consume(1_000, 0.2):
            if message.error() is None:
                record = (message.timestamp()[1], message.key(), message.value(), message.headers())
                self.records[message.partition()].append(record)
        return all(self.records[partition][-1:] == records[-1:] for partition, records in self.wanted.items())

    def count(self):
        return sum(map(len, self.records.values()))


def both_ways(theirs, ours):
    """(to, from)"""
    return (theirs, ours), (ours, theirs)


def check_own_topics(theirs, ours):
    """Checkpoints and heartbeats, as MirrorMaker's own formatters read them; nothing goes round in a circle."""
    with KafkaTools() as tools:
        for here, there in both_ways(theirs, ours):
            said = formatted(tools, here, f"{there.alias}.checkpoints.internal", "Checkpoint")
            check(f"consumerGroupId={GROUP}" in said and f"{there.alias}.{TOPIC}" in said, f"checkpoints: {said[:300]}")
            beats = formatted(tools, here, f"{there.alias}.heartbeats", "Heartbeat")
            check(f"sourceClusterAlias={here.alias}, targetClusterAlias={there.alias}" in beats, f"heartbeats: {beats[:300]}")
            topics = here.admin.list_topics(timeout=30).topics
            circles = [name for name in topics if name.startswith(f"{there.alias}.{here.alias}.")]
            check(not circles, f"copies of copies: {circles}")


def formatted(tools, side, topic, formatter):
    """The first record of a topic of MirrorMaker's."""
    code, said, complaints = tools.call("org.apache.kafka.tools.consumer.ConsoleConsumer", [
        "--bootstrap-server", side.broker.bootstrap, "--topic", topic, "--from-beginning", "--max-messages", "1", "--timeout-ms", "30000",
        "--formatter", f"org.apache.kafka.connect.mirror.formatters.{formatter}Formatter"], "")
    check(code == 0, f"the console consumer ended with {code}: {complaints[-300:]}")
    return said


def lose_the_broker(theirs, ours):
    """Records under way when it is killed, and more while it is away."""
    for side in (theirs, ours):
        side.write()
    ours.broker.kill()
    theirs.write()
    ours.broker.restart()
    ours.write()
    for side in (theirs, ours):
        side.commit()
    said = [here.check_copy_of(there) for here, there in both_ways(theirs, ours)]
    for here, there in both_ways(theirs, ours):
        here.check_commits_of(there)
    return "; ".join(said)


def mirror(suite, home, broker):
    with Broker(Path(home) / "theirs", "apache-kafka") as other:
        theirs, ours = Side("theirs", other), Side("ours", broker)
        maker = Program(home, "mirror", [
            "org.apache.kafka.connect.mirror.MirrorMaker",
            write_properties(Path(home) / "mirror.properties", settings(other, broker))])
        for side in (theirs, ours):
            side.create()
        with maker:
            steps(suite, maker, theirs, ours)
        other.stop()


def steps(suite, maker, theirs, ours):
    def copied():
        maker.check_running()
        return all(f"{a.alias}.{TOPIC}" in b.admin.list_topics(timeout=30).topics for a, b in both_ways(theirs, ours))

    if not suite.step(
            "mirror: both topics are at the other side", wait_until, copied, START_SECONDS_MAX, "the topics are copied", 0.2):
        return
    for here, there in both_ways(theirs, ours):
        suite.step(f"mirror: records of {there.alias}", here.check_copy_of, there)
        suite.step(f"mirror: configs of {there.alias}", here.check_configs_of, there)
        suite.step(f"mirror: commits of {there.alias}", here.check_commits_of, there)
    suite.step("mirror: checkpoints and heartbeats", check_own_topics, theirs, ours)
    suite.step("mirror: goes on when the broker was killed with -9", lose_the_broker, theirs, ours)
    suite.step("mirror: ends in order", maker.stop)
