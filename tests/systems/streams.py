"""Kafka Streams: a word count, whose words pass through a repartition topic and whose counts are kept in a changelog.

Streams promises to count each word at least once. When the broker or the application is killed with -9, what was not committed may be
counted twice. As long as everything ends in order nothing is, and its counts are the same when it starts elsewhere, without its state.
"""

import random
import shutil
import struct
from collections import Counter
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from broker import check, wait_until
from program import Program

SOURCE = Path(__file__).resolve().parent / "WordCount.java"
APPLICATION, LINES, COUNTS = "word-count", "lines", "word-counts"
REPARTITION, CHANGELOG = f"{APPLICATION}-words-repartition", f"{APPLICATION}-counts-changelog"
PARTITIONS = 3
LINES_A_STEP = 1_000
WORDS = [f"word{number}" for number in range(50)]
PATIENCE_SECONDS = 90


class Counts:
    """The last count of each word in the topic of counts."""

    def __init__(self, bootstrap):
        self.reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused"})
        self.reader.assign([TopicPartition(COUNTS, partition, OFFSET_BEGINNING) for partition in range(PARTITIONS)])
        self.found = {}

    def read(self):
        """What has come since."""
        for message in self.reader.consume(10_000, 0.2):
            if message.error() is None:
                (self.found[message.key().decode()],) = struct.unpack(">q", message.value())


class WordCount:
    """The application, its topics, and what it ought to count."""

    def __init__(self, home, broker):
        self.broker = broker
        self.state = Path(home) / "streams-state"
        self.application = Program(home, "word-count", [str(SOURCE), broker.bootstrap, str(self.state), LINES, COUNTS])
        self.admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        self.group = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": APPLICATION})
        self.counts = None
        self.dice = random.Random(5)
        self.expected = Counter()

    def write(self):
        """Lines of words, some words more frequent than others; the producer sees to it that each is there once."""
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "enable.idempotence": True, "linger.ms": 5})
        for _ in range(LINES_A_STEP):
            words = self.dice.choices(WORDS, range(1, len(WORDS) + 1), k=self.dice.randint(1, 8))
            self.expected.update(words)
            producer.produce(LINES, " ".join(words))
        check(producer.flush(60) == 0, "lines were left")

    def create(self):
        for future in self.admin.create_topics([NewTopic(LINES, PARTITIONS, 1), NewTopic(COUNTS, PARTITIONS, 1)]).values():
            future.result(30)
        self.counts = Counts(self.broker.bootstrap)
        return self.start()

    def start(self, exactly=True):
        self.write()
        self.application.start()
        return self.check_counts(exactly)

    def places(self):
        return [TopicPartition(topic, partition) for topic in (LINES, REPARTITION) for partition in range(PARTITIONS)]

    def committed(self):
        """Whether the application has committed the ends of the lines and of the words."""
        ends = [self.group.get_watermark_offsets(place, 10)[1] for place in self.places()]
        return [max(place.offset, 0) for place in self.group.committed(self.places(), 10)] == ends

    def check_counts(self, exactly):
        """Every word is counted as often as it was written since the last look, or at least as often."""
        def counted():
            self.application.check_running()
            self.counts.read()
            return all(self.counts.found.get(word, 0) >= count for word, count in self.expected.items()) and self.committed()

        wait_until(counted, PATIENCE_SECONDS, f"{self.expected.total():,} words are counted and committed")
        self.counts.read()
        found = self.counts.found
        twice = Counter(found) - self.expected
        check(not (exactly and twice), f"counted too often: {twice}")
        self.expected = Counter(found)
        return f"{self.expected.total():,} words, {twice.total()} of them twice"

    def check_topics(self):
        """Words between two steps are deleted once they are counted; counts are kept for good."""
        for topic, policy in ((REPARTITION, "delete"), (CHANGELOG, "compact")):
            (configs,) = self.admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]).values()
            found = configs.result(30)["cleanup.policy"].value
            check(found == policy, f"the cleanup policy of {topic} is {found}")
        counted = TopicPartition(REPARTITION, 0)
        wait_until(lambda: self.group.get_watermark_offsets(counted, 10)[0] > 0, PATIENCE_SECONDS, "counted words are deleted")

    def lose_the_broker(self):
        """While it counts."""
        self.write()
        self.broker.kill()
        self.broker.restart()
        self.write()
        return self.check_counts(exactly=False)

    def lose_the_state(self):
        """It ends in order and starts elsewhere."""
        self.application.stop()
        shutil.rmtree(self.state)
        return self.start()

    def die(self):
        """It is killed with its state at hand."""
        self.write()
        self.application.kill()
        return self.start(exactly=False)


def streams(suite, home, broker):
    job = WordCount(home, broker)
    try:
        if not suite.step("streams: counts words", job.create):
            return
        suite.step("streams: its topics are as it wants them", job.check_topics)
        suite.step("streams: counts all when the broker was killed with -9", job.lose_the_broker)
        suite.step("streams: counts go on from the changelog when its state was lost", job.lose_the_state)
        suite.step("streams: counts all when it was killed with -9", job.die)
        suite.step("streams: ends in order", job.application.stop)
    finally:
        job.application.kill()
