"""kafka-python, pure Python."""

from importlib.metadata import version

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import KafkaError

from broker import check, wait_until
from scenario import Read, Record, has_all, settled


class Client:
    """A client object a call, as short scripts use it."""

    name = "kafka-python"
    version = version(name)
    lacks = {
        "neither": "it sends no record that has neither",
        "null headers": "it sends no header without a value",
    }

    def __init__(self, bootstrap, cluster_id):
        self.bootstrap, self.cluster_id = bootstrap, cluster_id
        self.who = {"bootstrap_servers": bootstrap, "client_id": self.name}
        self.admin = KafkaAdminClient(**self.who)

    def create(self, topic, partitions, configs):
        self.admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])

    def topics(self):
        described = self.admin.describe_topics()
        return {topic["name"]: len(topic["partitions"]) for topic in described}

    def delete(self, topic):
        self.admin.delete_topics([topic])

    def describe_topic_configs(self, topic):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        return flat_configs(self.admin.describe_configs([resource], config_filter="all"), topic)

    def describe_cluster(self):
        found = self.admin.describe_cluster()
        return found["cluster_id"], {b["broker_id"]: f"{b['host']}:{b['port']}" for b in found["brokers"]}

    def produce(self, topic, codec, records):
        producer = KafkaProducer(
            **self.who, enable_idempotence=True, linger_ms=20, max_request_size=10_000_000,
            compression_type=None if codec == "none" else codec)
        try:
            sent = [self.send(producer, topic, record) for record in records]
            for future in sent:
                future.get(timeout=60)
        except KafkaError as error:
            return type(error).__name__
        finally:
            producer.close()
        return None

    def send(self, producer, topic, record):
        """A future of the record's place."""
        return producer.send(
            topic, value=record.value, key=record.key, headers=list(record.headers), partition=record.partition,
            timestamp_ms=record.timestamp)

    def consumer(self, group=None, **more):
        """A consumer that starts at the beginning."""
        return KafkaConsumer(
            **self.who, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest", heartbeat_interval_ms=500, **more)

    def partitions(self, topic):
        """A topic's partitions."""
        return [TopicPartition(topic, partition) for partition in range(self.topics()[topic])]

    def read_all(self, topic):
        return self.read_from(topic, lambda consumer, partitions: consumer.seek_to_beginning())

    def read_since(self, topic, when):
        def seek(consumer, partitions):
            for partition, found in consumer.offsets_for_times({one: when for one in partitions}).items():
                consumer.seek(partition, found.offset)

        return self.read_from(topic, seek)

    def read_from(self, topic, seek):
        """Everything from where a function seeks to the ends."""
        consumer, partitions = self.consumer(), self.partitions(topic)
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        seek(consumer, partitions)
        found = []

        def complete():
            found.extend(polled(consumer))
            return all(consumer.position(partition) >= ends[partition] for partition in partitions)

        wait_until(complete, 60, f"all of {topic} is read")
        consumer.close()
        return found

    def static_read(self, topic, group, count, instance):
        return self.group_read(topic, group, count, group_instance_id=instance)

    def group_read(self, topic, group, count, **more):
        consumer = self.consumer(group, max_poll_records=10, **more)
        consumer.subscribe([topic])
        found = []

        def complete():
            found.extend(polled(consumer))
            return len(found) >= count

        wait_until(complete, 60, f"{count} records are read")
        consumer.commit()
        consumer.close()
        return found

    def two_members(self, topic, group):
        members = [self.consumer(group), self.consumer(group)]
        for member in members:
            member.subscribe([topic])

        def shares():
            # Long enough to join in: a member whose poll ends on the way in is sometimes left outside, by Apache Kafka too.
            for member in members:
                member.poll(timeout_ms=500)
            return [{p.partition for p in member.assignment()} for member in members]

        found = wait_until(lambda: settled(shares()), 60, "the members share the partitions")
        members.pop().close()
        alone = wait_until(lambda: has_all(shares()[0]), 60, "the one that stays has all partitions")
        members.pop().close()
        return *found, alone

    def groups(self):
        return {group["group_id"] for group in self.admin.list_groups()}

    def describe_group(self, group):
        described = self.admin.describe_groups([group])[group]
        return described["group_state"], len(described["members"])

    def committed(self, topic, group):
        found = self.admin.list_group_offsets(group)[group]
        return {partition.partition: place.offset for partition, place in found.items() if partition.topic == topic}

    def delete_group(self, group):
        self.admin.delete_groups([group])

    def alter_topic_config(self, topic, name, value):
        self.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})])

    def add_partitions(self, topic, total):
        self.admin.create_partitions({topic: total})

    def delete_records(self, topic, partition, before):
        self.admin.delete_records({TopicPartition(topic, partition): before})

    def offsets_at(self, topic, when):
        consumer, partitions = self.consumer(), self.partitions(topic)
        if when == "earliest":
            found = consumer.beginning_offsets(partitions)
        elif when == "latest":
            found = consumer.end_offsets(partitions)
        else:
            times = consumer.offsets_for_times({partition: when for partition in partitions})
            found = {partition: place and place.offset for partition, place in times.items()}
        consumer.close()
        return {partition.partition: offset for partition, offset in found.items()}


def flat_configs(described, topic):
    """{name: value} out of what describe_configs answers."""
    check(described, f"no configs of {topic}")
    by_topic = described.get("TOPIC", described.get("topic", described))
    entries = by_topic.get(topic, by_topic)
    return {name: entry["value"] if isinstance(entry, dict) else entry for name, entry in entries.items()}


def polled(consumer):
    """The records of one poll."""
    batches = consumer.poll(timeout_ms=500)
    return [read(message) for batch in batches.values() for message in batch]


def read(message):
    """A message as the scenario compares it."""
    record = Record(message.partition, message.timestamp, message.key, message.value, tuple(map(tuple, message.headers)))
    return Read(message.offset, record)
