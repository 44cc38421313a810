"""A long mixed load, with kills, and a ledger of every acknowledged record.

Three clients write at a limited rate into two topics, one of which is kept whole; of the other, records are deleted by its size and by
request once the group has committed them. A group of three members, one of each client, handles everything. Topics come and go. Every
half a minute or so somebody dies by kill -9: the broker, a writer or a member; now and then the broker stops in order.

At the end every acknowledged record must have been handled by the group, at the offset that was acknowledged; each writer's records
stand once and in order; what was deleted stayed so; the logs have no gaps; the broker's memory was bounded all the time.

    SOAK_SECONDS (an hour)    SOAK_RATE records a second and writer (200)    SEED of the dice (7)
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from confluent_kafka import (  # noqa: E402
    OFFSET_BEGINNING, Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec  # noqa: E402
from ledger import Ledger  # noqa: E402
from load import GROUP, KEPT, PARTITIONS, SHORT, TOPICS, name_of  # noqa: E402

from broker import Broker, Suite, check, java, wait_until  # noqa: E402

SECONDS = int(os.environ.get("SOAK_SECONDS", "3600"))
RATE = int(os.environ.get("SOAK_RATE", "200"))
SEED = int(os.environ.get("SEED", "7"))
PAUSE_SECONDS = (10, 40)
END_SECONDS_MAX = 300
PASSING_RECORDS = 50
# Several times what a broker takes of this load: a leak comes to it within the hour.
MEMORY_BYTES_MAX = 200_000_000
PROPERTIES = {"log.retention.check.interval.ms": "5000", "log.segment.delete.delay.ms": "1000"}
TOPIC_CONFIGS = {
    KEPT: {"retention.ms": "-1", "segment.bytes": "16777216"},
    SHORT: {"retention.bytes": "8388608", "segment.bytes": "1048576", "compression.type": "producer"}}
CLIENTS = {
    "confluent": [sys.executable, str(HERE / "with_confluent.py")],
    "kafka-python": [sys.executable, str(HERE / "with_kafka_python.py")],
    "java": None,  # its command line asks for the jars, which need not be there yet
}
DICE = ["broker"] * 4 + ["writer"] * 2 + ["member"] * 2 + ["stop"]


class Actor:
    """A client's process, whose lines are followed."""

    def __init__(self, home, client, name, words):
        self.client, self.name = client, name
        self.out, self.complaints = Path(home) / f"{name}.lines", Path(home) / f"{name}.log"
        self.rest = ""
        command = CLIENTS[client] or java([str(HERE / "Load.java")], log_level="ERROR")
        with self.out.open("wb") as out, self.complaints.open("wb") as complaints:
            self.process = subprocess.Popen([*command, *words], stdin=subprocess.DEVNULL, stdout=out, stderr=complaints)
        self.lines = self.out.open()

    def new_lines(self):
        """Whole lines that have come since, as words."""
        *lines, self.rest = (self.rest + self.lines.read()).split("\n")
        return [line.split(" ") for line in lines]

    def check_running(self):
        check(self.process.poll() is None, f"{self.name} ended with {self.process.returncode}: {self.last_words()}")

    def last_words(self):
        return self.complaints.read_text(errors="replace")[-1_500:]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        """SIGTERM, and an end in order."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(END_SECONDS_MAX)
        check(code == 0, f"{self.name} ended with {code}: {self.last_words()}")


class Memory:
    """The broker's resident memory, whoever of its lives."""

    def __init__(self):
        self.samples = []

    def sample(self, pid):
        resident_pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        self.samples.append(resident_pages * os.sysconf("SC_PAGE_SIZE"))

    def quarters(self):
        """The largest of each quarter of the time."""
        size = max(1, len(self.samples) // 4)
        return [max(self.samples[at * size : (at + 1) * size], default=0) for at in range(4)]


class Soak:
    """The broker, its clients, and what is known of them."""

    def __init__(self, home, broker):
        self.home, self.broker = Path(home), broker
        self.ledger, self.memory = Ledger(), Memory()
        self.dice = random.Random(SEED)
        self.writers, self.members = {}, {}
        self.lives = Counter()
        self.events = Counter()
        self.starts = Counter()

    def begin(self):
        for topic, configs in TOPIC_CONFIGS.items():
            wanted = NewTopic(topic, PARTITIONS, 1, config=configs)
            self.ask(lambda admin, wanted=wanted: admin.create_topics([wanted])[wanted.topic])
        for client in CLIENTS:
            self.start_writer(client)
            self.start_member(client)

    def start_writer(self, client):
        """A new life has a new name: what the last one had under way may be there or not."""
        self.lives[client] += 1
        writer = f"{client}-{self.lives[client]}"
        self.writers[client] = Actor(self.home, client, f"writer-{writer}", ["write", self.broker.bootstrap, writer, str(RATE)])

    def start_member(self, client):
        self.lives["member"] += 1
        self.members[client] = Actor(self.home, client, f"member-{self.lives['member']}-{client}", ["read", self.broker.bootstrap])

    def run(self):
        """Until the time is over: look each second, and let something happen after each pause."""
        end = time.monotonic() + SECONDS
        next_event = time.monotonic() + self.dice.uniform(*PAUSE_SECONDS)
        while time.monotonic() < end:
            self.look()
            if time.monotonic() > next_event:
                self.let_happen(self.dice.choice(DICE))
                self.delete_records()
                self.pass_by()
                next_event = time.monotonic() + self.dice.uniform(*PAUSE_SECONDS)
            time.sleep(1)  # between two samples
        return ", ".join(f"{count} × {what}" for what, count in sorted(self.events.items()))

    def look(self):
        self.memory.sample(self.broker.pid())
        for actor in [*self.writers.values(), *self.members.values()]:
            actor.check_running()
        self.follow()

    def follow(self):
        for writer in self.writers.values():
            self.note_acknowledged(writer)
        for member in self.members.values():
            self.note_handled(member)

    def note_acknowledged(self, writer):
        name = writer.name.removeprefix("writer-")
        for words in writer.new_lines():
            self.ledger.acknowledge(name, *words)

    def note_handled(self, member):
        for words in member.new_lines():
            self.ledger.handle(*words)

    def let_happen(self, what):
        if what == "broker":
            self.broker.kill()
            self.broker.restart()
        elif what == "stop":
            self.broker.stop()
            self.broker.restart()
        elif what == "writer":
            writer = self.writers[self.dice.choice(list(CLIENTS))]
            writer.kill()
            self.note_acknowledged(writer)
            self.start_writer(writer.client)
        else:
            member = self.members[self.dice.choice(list(CLIENTS))]
            member.kill()
            self.note_handled(member)
            self.start_member(member.client)
        self.events["broker stopped in order" if what == "stop" else f"{what} killed"] += 1

    def delete_records(self):
        """What the group has committed of the short topic goes; what has gone before is not back."""
        places = [TopicPartition(SHORT, partition) for partition in range(PARTITIONS)]
        for place in places:
            self.check_start(place)
        asked = [ConsumerGroupTopicPartitions(GROUP, places)]
        answer = self.ask(lambda admin: admin.list_consumer_group_offsets(asked)[GROUP])
        for place in answer.topic_partitions:
            if place.offset > 0:
                deleted = self.ask(lambda admin, place=place: admin.delete_records([place])[place])
                self.starts[place.partition] = max(self.starts[place.partition], deleted.low_watermark)
                self.events["deletion of records"] += 1

    def ask(self, question):
        """What an admin client is answered in the end. Each try is a new client's: one that has lost its broker may give up at once."""
        said = []

        def answered():
            admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
            try:
                said.append(question(admin).result(10))
            except (KafkaException, TimeoutError):
                return False
            return True

        wait_until(answered, 60, "an admin client is answered", pause=0.2)
        return said[0]

    def start_of(self, place):
        """The first offset that is not deleted."""
        return self.ask(lambda admin: admin.list_offsets({place: OffsetSpec.earliest()})[place]).offset

    def check_start(self, place):
        start = self.start_of(place)
        check(start >= self.starts[place.partition], f"{SHORT}-{place.partition} starts at {start}, had {self.starts[place.partition]}")
        if start > self.starts[place.partition]:
            self.events["start moved by size"] += 1
        self.starts[place.partition] = start

    def pass_by(self):
        """A topic that lives for a moment."""
        topic = f"soak-passing-{self.events['topic passed by']}"
        self.ask(lambda admin: admin.create_topics([NewTopic(topic, 1, 1)])[topic])
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "enable.idempotence": True})
        for number in range(PASSING_RECORDS):
            producer.produce(topic, f"passing {number} ".encode(), partition=0)
        check(producer.flush(60) == 0, f"records of {topic} were left")
        found = [number for _, _, number in self.read(topic, 0)]
        check(found == list(range(PASSING_RECORDS)), f"{topic} has {found}")
        self.ask(lambda admin: admin.delete_topics([topic])[topic])
        self.events["topic passed by"] += 1

    def read(self, topic, partition):
        """(offset, writer, number) of everything in a partition."""
        reader = Consumer({
            "bootstrap.servers": self.broker.bootstrap, "group.id": "unused", "enable.partition.eof": True, "check.crcs": True})
        reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
        while True:
            message = reader.poll(60)
            check(message is not None, f"nothing of {topic}-{partition} came for 60 s")
            if message.error() is None:
                yield message.offset(), *name_of(message.value())
            elif message.error().code() == KafkaError._PARTITION_EOF:
                reader.close()
                return

    def end_writers(self):
        for writer in self.writers.values():
            writer.end()
            self.note_acknowledged(writer)
        return f"{self.ledger.records:,} records acknowledged"

    def check_handled(self):
        """The group comes to the end, and has handled every acknowledged record where it was acknowledged."""
        def all_handled():
            self.look_at_members()
            return not self.ledger.missing()

        try:
            wait_until(all_handled, END_SECONDS_MAX, "everything is handled", pause=2)
        finally:
            lost = self.ledger.missing()
            check(not lost, f"lost {len(lost)}: {[(place, offset, self.ledger.name(code)) for place, offset, code in lost[:5]]}")
        for member in self.members.values():
            member.end()
            self.note_handled(member)
        self.ledger.check_order()
        return f"lost 0, {self.ledger.repeated:,} handled again after kills"

    def look_at_members(self):
        for member in self.members.values():
            member.check_running()
            self.note_handled(member)

    def check_logs(self):
        """What is still there, from each log's start to its end."""
        counts = []
        for topic in TOPICS:
            for partition in range(PARTITIONS):
                rows = list(self.read(topic, partition))
                start = rows[0][0] if rows else self.start_of(TopicPartition(topic, partition))
                deleted = self.starts[partition] if topic == SHORT else 0
                check(start >= deleted and (topic == SHORT or start == 0), f"{topic}-{partition} starts at {start}, not {deleted}")
                self.ledger.check_log((topic, partition), start, rows)
                counts.append(len(rows))
        return f"{sum(counts):,} records still there"

    def check_memory(self):
        quarters = self.memory.quarters()
        said = "largest of each quarter: " + ", ".join(f"{size // 1_000_000} MB" for size in quarters)
        check(self.broker.kind != "yeoul" or max(quarters) < MEMORY_BYTES_MAX, said)
        return said

    def kill(self):
        for actor in [*self.writers.values(), *self.members.values()]:
            actor.kill()


def restart(broker):
    broker.stop()
    broker.restart()


def main():
    suite = Suite("soak")
    with tempfile.TemporaryDirectory(prefix="yeoul-soak-") as home, Broker(home, properties=PROPERTIES) as broker:
        soak = Soak(home, broker)
        try:
            if suite.step("topics, writers and members", soak.begin) and suite.step(f"{SECONDS:,} seconds of load", soak.run):
                suite.step("writers end with everything acknowledged", soak.end_writers)
                suite.step("every acknowledged record was handled, once and in order", soak.check_handled)
                suite.step("the logs are whole", soak.check_logs)
                suite.step("the broker stops cleanly and starts again", restart, broker)
                suite.step("the logs are whole after it", soak.check_logs)
                suite.step("memory was bounded", soak.check_memory)
        finally:
            soak.kill()
        suite.last_words_of(broker)
    return suite.end()


if __name__ == "__main__":
    sys.exit(main())
