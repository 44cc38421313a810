"""confluent-kafka, Python over librdkafka."""

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from broker import check, wait_until
from scenario import Read, Record, settled


class Client:
    """A producer, consumers and an admin client of one process."""

    name = "confluent-kafka"

    def __init__(self, bootstrap, cluster_id):
        self.bootstrap, self.cluster_id = bootstrap, cluster_id
        self.admin = AdminClient({"bootstrap.servers": bootstrap})

    def create(self, topic, partitions, configs):
        self.admin.create_topics([NewTopic(topic, partitions, 1, config=configs)])[topic].result(30)

    def topics(self):
        found = self.admin.list_topics(timeout=30).topics
        return {name: len(topic.partitions) for name, topic in found.items()}

    def delete(self, topic):
        self.admin.delete_topics([topic])[topic].result(30)

    def describe_topic_configs(self, topic):
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        entries = self.admin.describe_configs([resource])[resource].result(30)
        return {name: entry.value for name, entry in entries.items()}

    def describe_cluster(self):
        cluster = self.admin.describe_cluster(request_timeout=30).result(30)
        return cluster.cluster_id, {node.id: f"{node.host}:{node.port}" for node in cluster.nodes}

    def produce(self, topic, codec, records):
        errors = []
        producer = Producer({
            "bootstrap.servers": self.bootstrap, "enable.idempotence": True, "compression.type": codec,
            "linger.ms": 20, "message.max.bytes": 10_000_000})
        for record in records:
            when = {} if record.timestamp is None else {"timestamp": record.timestamp}
            producer.produce(
                topic, record.value, record.key, record.partition, headers=list(record.headers),
                on_delivery=lambda error, _: error and errors.append(error.name()), **when)
        check(producer.flush(60) == 0, "records were still queued after a minute")
        return errors[0] if errors else None

    def consumer(self, group="unused", **more):
        """A consumer that checks the checksums itself."""
        return Consumer({
            "bootstrap.servers": self.bootstrap, "group.id": group, "enable.auto.commit": False,
            "auto.offset.reset": "earliest", "check.crcs": True, **more})

    def read_all(self, topic):
        consumer = self.consumer(**{"enable.partition.eof": True})
        partitions = range(self.topics()[topic])
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
        found, ended = [], set()
        while len(ended) < len(partitions):
            message = consumer.poll(30)
            check(message is not None, "nothing came for 30 s")
            if message.error():
                check(message.error().code() == KafkaError._PARTITION_EOF, str(message.error()))
                ended.add(message.partition())
            else:
                found.append(read(message))
        consumer.close()
        return found

    def group_read(self, topic, group, count):
        consumer = self.consumer(group)
        consumer.subscribe([topic])
        found = []
        while len(found) < count:
            message = consumer.poll(30)
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
        for member in members:
            member.close()
        return found

    def offsets_at(self, topic, when):
        partitions = range(self.topics()[topic])
        consumer = self.consumer()
        if when in ("earliest", "latest"):
            marks = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), 30) for p in partitions}
            return {p: low if when == "earliest" else high for p, (low, high) in marks.items()}
        asked = [TopicPartition(topic, partition, when) for partition in partitions]
        return {p.partition: p.offset for p in consumer.offsets_for_times(asked, 30)}


def read(message):
    """A message as the scenario compares it."""
    headers = tuple(message.headers() or ())
    record = Record(message.partition(), message.timestamp()[1], message.key(), message.value(), headers)
    return Read(message.offset(), record)
