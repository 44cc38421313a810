"""aiokafka, Python's asyncio."""

import asyncio
from importlib.metadata import version

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from broker import check
from scenario import Read, Record, has_all, settled


class Client:
    """Each call runs its own event loop."""

    name = "aiokafka"
    version = version(name)
    lacks = {
        "neither": "it sends no record that has neither",
        "delete_group": "its admin client has no call for it",
    }

    def __init__(self, bootstrap, cluster_id):
        self.bootstrap, self.cluster_id = bootstrap, cluster_id
        self.who = {"bootstrap_servers": bootstrap, "client_id": self.name}

    def administer(self, action):
        """Runs an async action with an admin client."""

        async def run():
            admin = AIOKafkaAdminClient(**self.who)
            await admin.start()
            try:
                return await action(admin)
            finally:
                await admin.close()

        return asyncio.run(asyncio.wait_for(run(), 60))

    def consume(self, action, **settings):
        """Runs an async action with a consumer."""

        async def run():
            consumer = self.consumer(**settings)
            await consumer.start()
            try:
                return await action(consumer)
            finally:
                await consumer.stop()

        return asyncio.run(asyncio.wait_for(run(), 60))

    def consumer(self, group=None, topics=(), **more):
        """A consumer that starts at the beginning."""
        return AIOKafkaConsumer(
            *topics, **self.who, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest", heartbeat_interval_ms=500, **more)

    def create(self, topic, partitions, configs):
        new = NewTopic(topic, partitions, 1, topic_configs=configs)
        response = self.administer(lambda admin: admin.create_topics([new]))
        check(all(error[1] == 0 for error in response.topic_errors), f"refused: {response.topic_errors}")

    def topics(self):
        described = self.administer(lambda admin: admin.describe_topics())
        return {topic["topic"]: len(topic["partitions"]) for topic in described}

    def delete(self, topic):
        response = self.administer(lambda admin: admin.delete_topics([topic]))
        check(all(code == 0 for _, code in response.topic_error_codes), f"refused: {response.topic_error_codes}")

    def describe_topic_configs(self, topic):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        (answer,) = self.administer(lambda admin: admin.describe_configs([resource]))
        (found,) = answer.resources
        check(found[0] == 0, f"refused: {found[:2]}")
        return {entry[0]: entry[1] for entry in found[4]}

    def describe_cluster(self):
        found = self.administer(lambda admin: admin.describe_cluster())
        return found["cluster_id"], {b["node_id"]: f"{b['host']}:{b['port']}" for b in found["brokers"]}

    def produce(self, topic, codec, records):
        async def run():
            producer = AIOKafkaProducer(
                **self.who, enable_idempotence=True, linger_ms=20, max_request_size=10_000_000,
                compression_type=None if codec == "none" else codec)
            await producer.start()
            try:
                await asyncio.gather(*[await self.send(producer, topic, record) for record in records])
            except KafkaError as error:
                return type(error).__name__
            finally:
                await producer.stop()
            return None

        return asyncio.run(asyncio.wait_for(run(), 60))

    def send(self, producer, topic, record):
        """A future of the record's place."""
        return producer.send(
            topic, record.value, record.key, record.partition, timestamp_ms=record.timestamp, headers=list(record.headers))

    def partitions(self, topic):
        """A topic's partitions."""
        return [TopicPartition(topic, partition) for partition in range(self.topics()[topic])]

    def read_all(self, topic):
        return self.read_from(topic, lambda consumer, partitions: consumer.seek_to_beginning())

    def read_since(self, topic, when):
        async def seek(consumer, partitions):
            found = await consumer.offsets_for_times({partition: when for partition in partitions})
            for partition, at in found.items():
                consumer.seek(partition, at.offset)

        return self.read_from(topic, seek)

    def read_from(self, topic, seek):
        """Everything from where a function seeks to the ends."""
        partitions = self.partitions(topic)

        async def action(consumer):
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            await seek(consumer, partitions)
            found = []
            while any([await consumer.position(p) < ends[p] for p in partitions]):
                found.extend(await polled(consumer))
            return found

        return self.consume(action)

    def static_read(self, topic, group, count, instance):
        return self.group_read(topic, group, count, group_instance_id=instance)

    def group_read(self, topic, group, count, **more):
        async def action(consumer):
            found = []
            while len(found) < count:
                found.extend(await polled(consumer))
            await consumer.commit()
            return found

        return self.consume(action, group=group, topics=[topic], **more)

    def two_members(self, topic, group):
        async def run():
            members = [self.consumer(group, [topic]), self.consumer(group, [topic])]
            await asyncio.gather(*[member.start() for member in members])
            found = await once(members, settled)
            await members.pop().stop()
            alone = await once(members, lambda shares: has_all(shares[0]))
            await members.pop().stop()
            return *found, alone

        return asyncio.run(asyncio.wait_for(run(), 60))

    def groups(self):
        return {group for group, _ in self.administer(lambda admin: admin.list_consumer_groups())}

    def describe_group(self, group):
        (answer,) = self.administer(lambda admin: admin.describe_consumer_groups([group]))
        ((code, _, state, _, _, members, *_),) = answer.groups
        check(code == 0, f"refused: {code}")
        return state, len(members)

    def committed(self, topic, group):
        found = self.administer(lambda admin: admin.list_consumer_group_offsets(group))
        return {partition.partition: place.offset for partition, place in found.items() if partition.topic == topic}

    def alter_topic_config(self, topic, name, value):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs={name: value})
        (answer,) = self.administer(lambda admin: admin.alter_configs([resource]))
        check(all(found[0] == 0 for found in answer.resources), f"refused: {answer.resources}")

    def add_partitions(self, topic, total):
        answer = self.administer(lambda admin: admin.create_partitions({topic: NewPartitions(total)}))
        check(all(found[1] == 0 for found in answer.topic_errors), f"refused: {answer.topic_errors}")

    def delete_records(self, topic, partition, before):
        wanted = {TopicPartition(topic, partition): RecordsToDelete(before)}
        self.administer(lambda admin: admin.delete_records(wanted))

    def offsets_at(self, topic, when):
        partitions = self.partitions(topic)

        async def action(consumer):
            if when == "earliest":
                return await consumer.beginning_offsets(partitions)
            if when == "latest":
                return await consumer.end_offsets(partitions)
            times = await consumer.offsets_for_times({partition: when for partition in partitions})
            return {partition: place and place.offset for partition, place in times.items()}

        return {partition.partition: offset for partition, offset in self.consume(action).items()}


async def once(members, condition):
    """What a condition makes of the members' shares once it holds; they poll meanwhile."""
    found = None
    while not found:
        await asyncio.gather(*[member.getmany(timeout_ms=50) for member in members])
        found = condition([{p.partition for p in member.assignment()} for member in members])
    return found


async def polled(consumer):
    """The records of one poll, few at a time."""
    batches = await consumer.getmany(timeout_ms=500, max_records=10)
    return [read(message) for batch in batches.values() for message in batch]


def read(message):
    """A message as the scenario compares it."""
    record = Record(message.partition, message.timestamp, message.key, message.value, tuple(message.headers))
    return Read(message.offset, record)
