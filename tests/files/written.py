"""What a broker is given, and the same as clients see it: to be compared on another broker."""

import copy
import os
import struct
import time

from confluent_kafka import (
    OFFSET_BEGINNING, Consumer, ConsumerGroupTopicPartitions, KafkaError, Producer, TopicPartition)
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ConfigSource, NewTopic, OffsetSpec, ResourceType)

from batch import batch, record
from broker import ask, check, frame, wait_until

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
TOPIC, ROLLED, COMPACTED, NUMBERED, EMPTIED = "files", "rolled", "compacted", "numbered", "emptied"
PARTITIONS = {TOPIC: 3, ROLLED: 1, NUMBERED: 1}
RECORDS_A_CODEC = 600
ROLLED_RECORDS = 2_500
DELETED_RECORDS = 700
COMPACTED_KEYS, COMPACTED_ROUNDS = 20, 60
SINGLE, MEMBERS, FORGOTTEN = "files.readers", "files.members", "files.forgotten"
COMMITTED = 250
FIRST_TIMESTAMP_MS = int(time.time() * 1_000) - 3_600_000
MORE_RECORDS = 30
# Both brokers, so that what they keep from time to time is kept within the run.
PROPERTIES = {
    "metadata.log.max.record.bytes.between.snapshots": "1500", "log.cleaner.backoff.ms": "200", "log.retention.check.interval.ms": "200",
    "log.initial.task.delay.ms": "200"}
TOPIC_CONFIGS = [(ROLLED, "retention.ms", "-1"), (TOPIC, "max.message.bytes", "654321")]
# By which the topics without a retention of their own are kept.
DEFAULT_OF_ALL_BROKERS = ("log.retention.ms", "987654321")


class Written:
    """A broker's content: records of all codecs, many segments, deleted and compacted ones, commits, configs, a producer's state."""

    def __init__(self, broker):
        self.broker = broker
        self.admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        self.numbered = Numbered()
        self.seen = None

    def write(self):
        self.create_topics()
        self.change_configs()
        for codec in CODECS:
            self.produce(codec)
        self.roll()
        self.numbered.write(self.broker)
        self.delete_records()
        self.admin.delete_topics([EMPTIED])[EMPTIED].result(30)
        self.commit()
        self.compact()
        return self.look()

    def create_topics(self):
        small_segments = {"segment.bytes": "1048576", "index.interval.bytes": "512"}
        topics = [
            NewTopic(TOPIC, PARTITIONS[TOPIC], 1), NewTopic(ROLLED, 1, 1, config=small_segments),
            NewTopic(COMPACTED, 1, 1, config={**small_segments, "cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01"}),
            NewTopic(NUMBERED, 1, 1), NewTopic(EMPTIED, 1, 1)]
        for future in self.admin.create_topics(topics).values():
            future.result(30)

    def change_configs(self):
        """Those of two topics, and a default of all brokers."""
        for topic, key, value in TOPIC_CONFIGS:
            entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
            resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
            for future in self.admin.incremental_alter_configs([resource]).values():
                future.result(30)
        set_for_all_brokers(self.broker, *DEFAULT_OF_ALL_BROKERS)

    def produce(self, codec, count=RECORDS_A_CODEC):
        """Small batches of one codec from one idempotent producer, into all partitions, a second apart by their timestamps."""
        producer = self.producer(codec)
        for index in range(count):
            producer.produce(
                TOPIC, f"{codec} {index} ".encode() * 20, f"{index}", index % PARTITIONS[TOPIC],
                headers=[("codec", codec.encode())], timestamp=FIRST_TIMESTAMP_MS + 1_000 * index)
            if index % 30 == 0:
                producer.flush(30)
        check(producer.flush(30) == 0, "records were left")

    def roll(self):
        """Megabytes of what does not compress, into segments of 1 MiB."""
        producer = self.producer("lz4")
        for index in range(ROLLED_RECORDS):
            producer.produce(ROLLED, os.urandom(3_000), f"{index}", 0)
            if index % 50 == 0:
                producer.flush(30)
        check(producer.flush(30) == 0, "records were left")

    def delete_records(self):
        """The log starts within a segment, and those below it are gone: Kafka finds no offsets by timestamps while they are there."""
        end = TopicPartition(ROLLED, 0, DELETED_RECORDS)
        self.admin.delete_records([end])[end].result(30)
        first = self.broker.data / f"{ROLLED}-0" / f"{0:020}.log"
        wait_until(lambda: not first.exists(), 30, "the first segment is gone")

    def compact(self):
        """The same keys over and over, until the cleaner has been there."""
        producer = self.producer("zstd")
        for index in range(COMPACTED_KEYS * COMPACTED_ROUNDS):
            producer.produce(COMPACTED, os.urandom(3_000), f"{index % COMPACTED_KEYS}", 0)
            if index % 50 == 0:
                producer.flush(30)
        check(producer.flush(30) == 0, "records were left")
        wait_until(
            lambda: len(read(self.broker, COMPACTED, 1)) < COMPACTED_KEYS * COMPACTED_ROUNDS / 2, 60, "the topic is compacted", pause=0.2)

    def producer(self, codec):
        return Producer({
            "bootstrap.servers": self.broker.bootstrap, "enable.idempotence": True, "compression.type": codec, "linger.ms": 2})

    def commit(self):
        """A group that only keeps offsets, one that has had a member, and one that is deleted again."""
        for group in (SINGLE, FORGOTTEN):
            reader = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": group, "enable.auto.commit": False})
            reader.commit(offsets=commits(), asynchronous=False)
            reader.close()
        member = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": MEMBERS, "enable.auto.commit": False})
        member.subscribe([TOPIC])
        wait_until(lambda: member.poll(0.1) is None and len(member.assignment()) == PARTITIONS[TOPIC], 30, "the member has its partitions")
        member.commit(offsets=commits(), asynchronous=False)
        member.close()
        self.admin.delete_consumer_groups([FORGOTTEN])[FORGOTTEN].result(30)

    def look(self):
        """Remembers what this broker serves."""
        self.seen = served(self.broker)
        return f"{len(self.seen['records']):,} records"

    def check_same(self, other):
        """The other broker serves the same."""
        found = served(other)
        for what, wanted in self.seen.items():
            check(found[what] == wanted, f"{what} differ: {difference(wanted, found[what])}")
        copy.copy(self.numbered).check_goes_on(other)
        return f"{len(found['records']):,} records"

    def check_more(self, other):
        """The other broker serves the records of before, and those that a third one has taken."""
        found = served(other)
        check(set(self.seen["records"]) <= set(found["records"]), "a record of before is missing")
        check(len(found["records"]) == len(self.seen["records"]) + MORE_RECORDS + 1, f"{len(found['records']):,} records")
        for what in ("commits", "groups", "configs", "compacted"):
            check(found[what] == self.seen[what], f"{what} differ: {difference(self.seen[what], found[what])}")


class Numbered:
    """An idempotent producer, whose place the broker must know: what it repeats is not written twice, and what it skips is refused."""

    NOT_YET = (3, 5, 6)
    OUT_OF_ORDER = 45
    # A producer is forgotten a day after the timestamps of its batches.
    times = (FIRST_TIMESTAMP_MS, FIRST_TIMESTAMP_MS)

    def __init__(self):
        self.producer_id = self.epoch = None
        self.next = 0

    def write(self, broker):
        answer = ask(broker.port, frame(22, 1, struct.pack(">hi", -1, 60_000)), 30)
        error, self.producer_id, self.epoch = struct.unpack_from(">hqh", answer, 4)
        check(error == 0, f"no producer id: error {error}")
        for _ in range(7):
            self.send_next(broker)

    def send_next(self, broker):
        self.check_answer(broker, self.next, (0, self.next))
        self.next += 1

    def check_goes_on(self, broker):
        """Its last batch again, one too far, and the next one."""
        self.check_answer(broker, self.next - 1, (0, self.next - 1))
        self.check_answer(broker, self.next + 5, (self.OUT_OF_ORDER, -1))
        self.send_next(broker)

    def check_answer(self, broker, sequence, wanted):
        found = wait_until(lambda: self.send(broker, sequence), 30, f"{NUMBERED} is served")
        check(found == wanted, f"sequence {sequence} of producer {self.producer_id} got (error, offset) {found}, not {wanted}")

    def send(self, broker, sequence):
        """Error and offset of one record by Produce version 7; None while the partition is not served yet."""
        data = batch(record(f"number {sequence}".encode()), producer=(self.producer_id, self.epoch, sequence), times=self.times)
        name = NUMBERED.encode()
        topic = struct.pack(">ih", 1, len(name)) + name + struct.pack(">iii", 1, 0, len(data)) + data
        answer = ask(broker.port, frame(0, 7, struct.pack(">hhi", -1, -1, 10_000) + topic), 30)
        error, offset = struct.unpack_from(">hq", answer, 4 + 2 + len(name) + 4 + 4)
        return None if error in self.NOT_YET else (error, offset)


def set_for_all_brokers(broker, key, value):
    """IncrementalAlterConfigs version 0 of the broker without a name, which librdkafka refuses to ask for."""
    entry = struct.pack(">h", len(key)) + key.encode() + struct.pack(">bh", 0, len(value)) + value.encode()
    answer = ask(broker.port, frame(44, 0, struct.pack(">ibhi", 1, 4, 0, 1) + entry + b"\0"), 30)
    (error,) = struct.unpack_from(">h", answer, 4 + 4)
    check(error == 0, f"a default of all brokers was refused with error {error}")


def commits():
    return [TopicPartition(TOPIC, partition, COMMITTED + partition, metadata="so far") for partition in range(PARTITIONS[TOPIC])]


def served(broker):
    """All that must be the same on another broker, by what it is."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    topics = admin.list_topics(timeout=30).topics
    check(EMPTIED not in topics, "a deleted topic is back")
    return {
        "cluster ids": admin.describe_cluster(request_timeout=30).result(30).cluster_id,
        "partitions": {name: len(topic.partitions) for name, topic in topics.items()},
        "records": sorted(row for topic, partitions in PARTITIONS.items() for row in read(broker, topic, partitions)),
        # How far it is cleaned may change at any time.
        "compacted": {key: (offset, value) for _, _, offset, _, key, value, _ in read(broker, COMPACTED, 1)},
        "offsets": offsets(admin),
        "groups": groups(admin),
        "commits": {group: committed(admin, group) for group in (SINGLE, MEMBERS)},
        "configs": configs(admin),
    }


def read(broker, topic, partitions):
    """All records of a topic as comparable tuples."""
    reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "unused", "enable.partition.eof": True, "check.crcs": True})
    reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(partitions)])
    rows, ended = [], 0
    while ended < partitions:
        message = reader.poll(30)
        check(message is not None, f"nothing of {topic} came for 30 s")
        if message.error() is None:
            rows.append((
                topic, message.partition(), message.offset(), message.timestamp(), message.key() or b"", message.value(),
                repr(message.headers())))
        else:
            check(message.error().code() == KafkaError._PARTITION_EOF, str(message.error()))
            ended += 1
    reader.close()
    return rows


def offsets(admin):
    """Of every partition the first, the last, that of the largest timestamp, and those at some times."""
    asked = {"earliest": OffsetSpec.earliest(), "latest": OffsetSpec.latest(), "largest": OffsetSpec.max_timestamp()}
    times = [-1_000, 0, 1, 59_500, 300_000, 599_000, 599_001, 86_400_000]
    asked |= {f"{after} ms": OffsetSpec.for_timestamp(FIRST_TIMESTAMP_MS + after) for after in times}
    found = {}
    for topic in (TOPIC, ROLLED):
        for partition in range(PARTITIONS[topic]):
            place = TopicPartition(topic, partition)
            for name, spec in asked.items():
                result = admin.list_offsets({place: spec})[place].result(30)
                found[topic, partition, name] = (result.offset, result.timestamp)
    return found


def groups(admin):
    """Those that are listed, with their states."""
    listed = admin.list_consumer_groups(request_timeout=30).result(30).valid
    described = {group.group_id: (group.state.name, group.is_simple_consumer_group) for group in listed}
    check(FORGOTTEN not in described, "a deleted group is back")
    return {name: described.get(name) for name in (SINGLE, MEMBERS)}


def committed(admin, group):
    """Offset and metadata of each partition."""
    places = [TopicPartition(TOPIC, partition) for partition in range(PARTITIONS[TOPIC])]
    found = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, places)])[group].result(30)
    return sorted((place.partition, place.offset, place.metadata) for place in found.topic_partitions)


def configs(admin):
    """What somebody has set of the topics: name, value and where it comes from."""
    set_by_somebody = (ConfigSource.DYNAMIC_TOPIC_CONFIG.value, ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG.value)
    resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in (TOPIC, ROLLED, COMPACTED, NUMBERED)]
    found = {}
    for resource, future in admin.describe_configs(resources).items():
        entries = [entry for entry in future.result(30).values() if entry.source in set_by_somebody]
        found[resource.name] = sorted((entry.name, entry.value, entry.source) for entry in entries)
    return found


def difference(wanted, found):
    """The first of what is not the same."""
    if isinstance(wanted, dict):
        keys = [key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key)]
        return {key: (wanted.get(key), found.get(key)) for key in keys[:3]}
    if isinstance(wanted, list):
        return f"{len(wanted):,} and {len(found):,}; {str(sorted(set(wanted) ^ set(found))[:2])[:600]}"
    return wanted, found
