"""Transactions that Apache Kafka's producers have written, under us: which records a reader sees who only reads what is committed.

Apache Kafka writes the directory, for transactions need its coordinator; then we serve it, after a clean stop and after kill -9 of
either broker. Three clients read with both isolation levels. One transaction is left open, and readers stop before it.
"""

import asyncio
import os

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as AiokafkaPartition
from confluent_kafka import OFFSET_BEGINNING, Consumer, IsolationLevel, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from broker import check
from with_java import Client as JavaClient

TOPIC, HANGING = "transactions", "hanging"
PARTITIONS = 2
PRODUCERS = 3
ROUNDS = 40
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
LEVELS = ["read_committed", "read_uncommitted"]
# Of what does not compress, so that the log has several segments.
PAYLOAD_BYTES = 6_000


class Transactions:
    """What was written, and what each level may see of it."""

    def __init__(self):
        self.seen = {(topic, level): set() for topic in (TOPIC, HANGING) for level in LEVELS}
        self.hanging_at = 0

    def copy(self):
        """The same, to be changed by itself."""
        copied = Transactions()
        copied.seen = {key: set(names) for key, names in self.seen.items()}
        copied.hanging_at = self.hanging_at
        return copied

    def write(self, broker):
        """Interleaved transactions, some aborted; then one that stays open, with a record behind it."""
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        topics = [NewTopic(TOPIC, PARTITIONS, 1, config={"segment.bytes": "1048576", "index.interval.bytes": "1024"}), NewTopic(HANGING, 1, 1)]
        for future in admin.create_topics(topics).values():
            future.result(30)
        producers = [transactional(broker, number) for number in range(PRODUCERS)]
        for turn in range(ROUNDS):
            self.round(producers, turn)
        self.leave_open(broker)
        return f"{len(self.seen[TOPIC, 'read_committed'])} of {len(self.seen[TOPIC, 'read_uncommitted'])} records are committed"

    def round(self, producers, turn):
        """One transaction of each producer, all under way together; every third is aborted."""
        for producer in producers:
            producer.begin_transaction()
        for index in range(4):
            for number, producer in enumerate(producers):
                self.send(producer, TOPIC, f"{turn}/{number}/{index}", index % PARTITIONS, is_aborted(turn, number))
        for producer in producers:
            producer.flush(30)
        for number, producer in enumerate(producers):
            end = producer.abort_transaction if is_aborted(turn, number) else producer.commit_transaction
            end(30)

    def send(self, producer, topic, name, partition, hidden):
        value = name.encode() + b" " + os.urandom(PAYLOAD_BYTES).hex().encode()[:PAYLOAD_BYTES]
        producer.produce(topic, value, partition=partition)
        self.seen[topic, "read_uncommitted"].add(name)
        if not hidden:
            self.seen[topic, "read_committed"].add(name)

    def leave_open(self, broker):
        plain = Producer({"bootstrap.servers": broker.bootstrap})
        self.send(plain, HANGING, "before", 0, False)
        check(plain.flush(30) == 0, "a record was left")
        self.hanging_at = 1
        self.open = transactional(broker, PRODUCERS)
        self.open.begin_transaction()
        self.send(self.open, HANGING, "open", 0, True)
        check(self.open.flush(30) == 0, "a record was left")
        self.send(plain, HANGING, "behind", 0, True)
        check(plain.flush(30) == 0, "a record was left")

    def take_more(self, broker):
        """A record that belongs to no transaction, acknowledged."""
        plain = Producer({"bootstrap.servers": broker.bootstrap})
        for partition in range(PARTITIONS):
            self.send(plain, TOPIC, f"more {len(self.seen[TOPIC, 'read_committed'])}", partition, False)
        check(plain.flush(30) == 0, "a record was left")

    def check_served(self, broker):
        """Every client sees at every level what it may see, each record once."""
        places = [(topic, partitions, level) for level in LEVELS for topic, partitions in ((TOPIC, PARTITIONS), (HANGING, 1))]
        with JavaClient(broker.bootstrap, None) as java:
            for place in places:
                self.check_read("the Java client", place, read_by_java(java, *place))
                self.check_read("confluent-kafka", place, read_by_confluent(broker, *place))
                self.check_read("aiokafka", place, asyncio.run(asyncio.wait_for(read_by_aiokafka(broker, *place), 60)))
        self.check_ends(broker)
        return f"{len(self.seen[TOPIC, 'read_committed'])} of {len(self.seen[TOPIC, 'read_uncommitted'])} records are committed"

    def check_read(self, client, place, names):
        """What a client has read of a topic at a level."""
        topic, _, level = place
        wanted, context = self.seen[topic, level], f"{client}, {topic}, {level}"
        check(len(names) == len(set(names)), f"{context}: a record came twice")
        check(set(names) == wanted, f"{context}: {difference(wanted, set(names))}")

    def check_ends(self, broker):
        """The end of the log is for each level where its reader stops."""
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        place = TopicPartition(HANGING, 0)
        ends = []
        for level in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED):
            ends.append(admin.list_offsets({place: OffsetSpec.latest()}, isolation_level=level)[place].result(30).offset)
        check(ends == [self.hanging_at, 3], f"the ends of {HANGING} are {ends}")


def is_aborted(turn, number):
    return (turn + number) % 3 == 0


def transactional(broker, number):
    producer = Producer({
        "bootstrap.servers": broker.bootstrap, "transactional.id": f"writer-{number}", "linger.ms": 1, "transaction.timeout.ms": 900_000,
        "compression.type": CODECS[number % len(CODECS)]})
    producer.init_transactions(30)
    return producer


def difference(wanted, found):
    return f"{sorted(wanted - found)[:5]} are missing of {len(wanted)}, {sorted(found - wanted)[:5]} ought not to be there"


def name_of(value):
    return value.split(b" ", 2)[0].decode() if not value.startswith(b"more") else b" ".join(value.split(b" ", 2)[:2]).decode()


def read_by_confluent(broker, topic, partitions, level):
    reader = Consumer({
        "bootstrap.servers": broker.bootstrap, "group.id": "unused", "enable.partition.eof": True, "isolation.level": level})
    reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(partitions)])
    names, ended = [], 0
    while ended < partitions:
        message = reader.poll(30)
        check(message is not None, f"nothing of {topic} came for 30 s")
        if message.error() is None:
            names.append(name_of(message.value()))
        else:
            check(message.error().code() == KafkaError._PARTITION_EOF, str(message.error()))
            ended += 1
    reader.close()
    return names


async def read_by_aiokafka(broker, topic, partitions, level):
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, isolation_level=level, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [AiokafkaPartition(topic, partition) for partition in range(partitions)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        names = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                names += [name_of(record.value) for record in records]
        return names
    finally:
        await consumer.stop()


def read_by_java(java, topic, _partitions, level):
    return [name_of(read.record.value) for read in java.read_all(topic, level)]
