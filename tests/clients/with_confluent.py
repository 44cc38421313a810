"""confluent-kafka, Python over librdkafka."""

from importlib.metadata import version

from confluent_kafka import OFFSET_BEGINNING, Consumer, ConsumerGroupTopicPartitions, KafkaError, Producer, TopicPartition, libversion
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic

from broker import check, wait_until
from scenario import Read, Record, has_all, settled

SECONDS = 30


class Client:
    """A producer, consumers and an admin client of one process."""

    name = "confluent-kafka"
    version = f"{version('confluent-kafka')}, librdkafka {libversion()[0]}"
    lacks = {}

    def __init__(self, bootstrap, cluster_id):
        self.bootstrap, self.cluster_id = bootstrap, cluster_id
        self.admin = AdminClient(self.settings())

    def settings(self, **more):
        """What all of it is told."""
        return {"bootstrap.servers": self.bootstrap, "client.id": self.name, "log_level": 0, **more}

    def create(self, topic, partitions, configs):
        self.admin.create_topics([NewTopic(topic, partitions, 1, config=configs)])[topic].result(SECONDS)

    def topics(self):
        found = self.admin.list_topics(timeout=SECONDS).topics
        return {name: len(topic.partitions) for name, topic in found.items()}

    def delete(self, topic):
        self.admin.delete_topics([topic])[topic].result(SECONDS)

    def describe_topic_configs(self, topic):
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        entries = self.admin.describe_configs([resource])[resource].result(SECONDS)
        return {name: entry.value for name, entry in entries.items()}

    def describe_cluster(self):
        cluster = self.admin.describe_cluster(request_timeout=SECONDS).result(SECONDS)
        return cluster.cluster_id, {node.id: f"{node.host}:{node.port}" for node in cluster.nodes}

    def produce(self, topic, codec, records):
        errors = []
        producer = Producer(self.settings(**{
            "enable.idempotence": True, "compression.type": codec, "linger.ms": 20, "message.max.bytes": 10_000_000}))
        for record in records:
            when = {} if record.timestamp is None else {"timestamp": record.timestamp}
            producer.produce(
                topic, record.value, record.key, record.partition, headers=list(record.headers),
                on_delivery=lambda error, _: error and errors.append(error.name()), **when)
        check(producer.flush(60) == 0, "records were still queued after a minute")
        return errors[0] if errors else None

    def consumer(self, group="unused", **more):
        """A consumer that checks the checksums itself."""
        return Consumer(self.settings(**{
            "group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest", "check.crcs": True,
            "heartbeat.interval.ms": 500, **more}))

    def read_all(self, topic):
        return self.read_from([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(self.topics()[topic])])

    def read_since(self, topic, when):
        asked = [TopicPartition(topic, partition, when) for partition in range(self.topics()[topic])]
        return self.read_from(self.consumer().offsets_for_times(asked, SECONDS))

    def read_from(self, places):
        """Everything from there to the ends."""
        consumer = self.consumer(**{"enable.partition.eof": True})
        consumer.assign(places)
        found, ended = [], set()
        while len(ended) < len(places):
            message = consumer.poll(SECONDS)
            check(message is not None, "nothing came for 30 s")
            if message.error():
                check(message.error().code() == KafkaError._PARTITION_EOF, str(message.error()))
                ended.add(message.partition())
            else:
                found.append(read(message))
        consumer.close()
        return found

    def static_read(self, topic, group, count, instance):
        return self.group_read(topic, group, count, **{"group.instance.id": instance})

    def group_read(self, topic, group, count, **more):
        consumer = self.consumer(group, **more)
        consumer.subscribe([topic])
        found = []
        while len(found) < count:
            message = consumer.poll(SECONDS)
            check(message is not None, f"{len(found)} of {count} records, then nothing for 30 s")
            check(not message.error(), str(message.error()))
            found.append(read(message))
        consumer.commit(asynchronous=False)
        consumer.close()
        return found

    def two_members(self, topic, group):
        members = [self.consumer(group), self.consumer(group)]
        for member in members:
            member.subscribe([topic])

        def shares():
            for member in members:
                member.poll(0.05)
            return [{p.partition for p in member.assignment()} for member in members]

        found = wait_until(lambda: settled(shares()), 60, "the members share the partitions")
        members.pop().close()
        alone = wait_until(lambda: has_all(shares()[0]), 60, "the one that stays has all partitions")
        members.pop().close()
        return *found, alone

    def groups(self):
        return {group.group_id for group in self.admin.list_consumer_groups(request_timeout=SECONDS).result().valid}

    def describe_group(self, group):
        described = self.admin.describe_consumer_groups([group], request_timeout=SECONDS)[group].result()
        return described.state.name, len(described.members)

    def committed(self, topic, group):
        asked = [ConsumerGroupTopicPartitions(group)]
        found = self.admin.list_consumer_group_offsets(asked, request_timeout=SECONDS)[group].result()
        return {place.partition: place.offset for place in found.topic_partitions if place.topic == topic}

    def delete_group(self, group):
        self.admin.delete_consumer_groups([group], request_timeout=SECONDS)[group].result()

    def alter_topic_config(self, topic, name, value):
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
        self.admin.incremental_alter_configs([resource])[resource].result(SECONDS)

    def add_partitions(self, topic, total):
        self.admin.create_partitions([NewPartitions(topic, total)])[topic].result(SECONDS)

    def delete_records(self, topic, partition, before):
        (future,) = self.admin.delete_records([TopicPartition(topic, partition, before)], request_timeout=SECONDS).values()
        check(future.result(SECONDS).low_watermark == before, "the partition begins elsewhere")

    def offsets_at(self, topic, when):
        partitions = range(self.topics()[topic])
        consumer = self.consumer()
        if when in ("earliest", "latest"):
            marks = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), SECONDS) for p in partitions}
            return {p: low if when == "earliest" else high for p, (low, high) in marks.items()}
        asked = [TopicPartition(topic, partition, when) for partition in partitions]
        return {p.partition: p.offset for p in consumer.offsets_for_times(asked, SECONDS)}


def read(message):
    """A message as the scenario compares it."""
    headers = tuple(message.headers() or ())
    record = Record(message.partition(), message.timestamp()[1], message.key(), message.value(), headers)
    return Read(message.offset(), record)
