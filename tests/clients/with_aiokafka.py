"""aiokafka, Python's asyncio."""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from broker import check
from scenario import Read, Record, settled


class Client:
    """Each call runs its own event loop."""

    name = "aiokafka"

    def __init__(self, bootstrap, cluster_id):
        self.bootstrap, self.cluster_id = bootstrap, cluster_id

    def administer(self, action):
        """Runs an async action with an admin client."""

        async def run():
            admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
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

    def consumer(self, group=None, topics=()):
        """A consumer that starts at the beginning."""
        return AIOKafkaConsumer(
            *topics, bootstrap_servers=self.bootstrap, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest")

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
                bootstrap_servers=self.bootstrap, enable_idempotence=True, linger_ms=20, max_request_size=10_000_000,
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

    def read_all(self, topic):
        partitions = [TopicPartition(topic, partition) for partition in range(self.topics()[topic])]

        async def action(consumer):
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            await consumer.seek_to_beginning()
            found = []
            while any([await consumer.position(p) < ends[p] for p in partitions]):
                found.extend(await polled(consumer))
            return found

        return self.consume(action)

    def group_read(self, topic, group, count):
        async def action(consumer):
            found = []
            while len(found) < count:
                found.extend(await polled(consumer))
            await consumer.commit()
            return found

        return self.consume(action, group=group, topics=[topic])

    def two_members(self, topic, group):
        async def run():
            members = [self.consumer(group, [topic]), self.consumer(group, [topic])]
            await asyncio.gather(*[member.start() for member in members])
            shares = None
            while not shares:
                await asyncio.gather(*[member.getmany(timeout_ms=50) for member in members])
                shares = settled([{p.partition for p in member.assignment()} for member in members])
            await asyncio.gather(*[member.stop() for member in members])
            return shares

        return asyncio.run(asyncio.wait_for(run(), 60))

    def offsets_at(self, topic, when):
        partitions = [TopicPartition(topic, partition) for partition in range(self.topics()[topic])]

        async def action(consumer):
            if when == "earliest":
                return await consumer.beginning_offsets(partitions)
            if when == "latest":
                return await consumer.end_offsets(partitions)
            times = await consumer.offsets_for_times({partition: when for partition in partitions})
            return {partition: place and place.offset for partition, place in times.items()}

        return {partition.partition: offset for partition, offset in self.consume(action).items()}


async def polled(consumer):
    """The records of one poll, few at a time."""
    batches = await consumer.getmany(timeout_ms=500, max_records=10)
    return [read(message) for batch in batches.values() for message in batch]


def read(message):
    """A message as the scenario compares it."""
    record = Record(message.partition, message.timestamp, message.key, message.value, tuple(message.headers))
    return Read(message.offset, record)
