"""Moves between log directories while Kafka's producer writes: nothing is lost, doubled or out of order; slow ones that are given up, and kills.

Kafka's `kafka-reassign-partitions` asks for the moves. What a producer was told it wrote at an offset must be read there.
"""

import json
import os
import subprocess

from broker import Runner, TwoDirectories, check, java, wait_until, yeoul_binary
from kafka_tools import KafkaTools

REASSIGN = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"
SECONDS_MAX = 60
ROUNDS = int(os.environ.get("ROUNDS", "2"))
PARTITIONS = 3
# A byte a second: what has more than is copied at once is on its way as long as a check takes.
SLOWLY, FAST = (("--replica-alter-log-dirs-throttle", rate) for rate in ("1", "1000000000"))
LINE_BYTES, LINES = 100_000, 30


class Plan:
    """All partitions of a topic into one log directory, for Kafka's tool."""

    def __init__(self, broker, kafka, topic, path, partitions=PARTITIONS):
        self.broker, self.kafka, self.path = broker, kafka, str(path)
        self.names = [f"{topic}-{number}" for number in range(partitions)]
        self.file = broker.home / f"{topic}.json"
        self.entries = [{"topic": topic, "partition": number, "replicas": [1], "log_dirs": [self.path]} for number in range(partitions)]

    def call(self, *words):
        """What the tool prints, which must succeed."""
        self.file.write_text(json.dumps({"version": 1, "partitions": self.entries}))
        words = ["--bootstrap-server", self.broker.bootstrap, "--reassignment-json-file", str(self.file), *words]
        code, out, error = self.kafka.call(REASSIGN, words, "")
        check(code == 0, f"the tool ended with {code}: {out}{error}")
        return out

    def is_done(self):
        """Whether every partition is there, by the directory's content and by the tool."""
        if not all((self.broker.home / self.path / name).is_dir() for name in self.names):
            return False
        told = self.call("--verify", "--preserve-throttles")
        return told.count("completed successfully") == len(self.names)

    def wait(self):
        """Waits until the moves are done."""
        wait_until(self.is_done, SECONDS_MAX, f"{self.names} are in {self.path}", pause=0.1)


class Producer(Runner):
    """Kafka's verifiable producer, idempotent; an error that it is told is a failed check. It ends with the block."""

    def __init__(self, broker, topic):
        settings = broker.home / "producer.properties"
        settings.write_text("enable.idempotence=true\nretries=1000000\nlinger.ms=0\n")
        command = ["org.apache.kafka.tools.VerifiableProducer", "--bootstrap-server", broker.bootstrap, "--topic", topic,
                   "--repeating-keys", "7", "--throughput", "1000", "--command-config", str(settings)]
        self.output = broker.home / f"{topic}.events"
        with open(self.output, "w") as output:
            self.process = subprocess.Popen(java(command, log_level="ERROR"), stdout=output, stderr=subprocess.DEVNULL)

    def events(self, name):
        """What it has told so far by this name, whole lines only."""
        text = self.output.read_text()
        lines = text[: text.rfind("\n") + 1].splitlines()
        return [json.loads(line) for line in lines if f'"{name}"' in line]

    def sent(self):
        """(partition, offset, value) of every record that was acknowledged."""
        return [(event["partition"], event["offset"], event["value"]) for event in self.events("producer_send_success")]

    def wait_for(self, count):
        """Waits until so many more records were acknowledged."""
        before = len(self.sent())
        wait_until(lambda: len(self.sent()) >= before + count, SECONDS_MAX, f"{count} more records are acknowledged", pause=0.1)

    def stop(self):
        """Ends it in order; what it was told."""
        self.process.terminate()
        self.process.wait(SECONDS_MAX)
        errors = self.events("producer_send_error")
        check(not errors, f"it was refused {errors[:2]}")
        return self.sent()


def ours(broker, tool, *words, stdin=""):
    """What our tool prints, which must succeed."""
    done = subprocess.run([yeoul_binary(), tool, "--bootstrap-server", broker.bootstrap, *words],
                          input=stdin, capture_output=True, text=True, timeout=SECONDS_MAX)
    check(done.returncode == 0, f"{tool} ended with {done.returncode}: {done.stdout[-300:]}{done.stderr[-500:]}")
    return done.stdout


def create(broker, topic, *words):
    """A topic of three partitions, each of which has more than is copied at once."""
    ours(broker, "topics", "--create", "--topic", topic, "--partitions", str(PARTITIONS), *words)
    lines = "".join("x" * LINE_BYTES + "\n" for _ in range(LINES * PARTITIONS))
    ours(broker, "console-producer", "--topic", topic, "--partitioner", "round-robin", stdin=lines)


def read(broker, topic, partition, count):
    """(offset, value) of the first records of a partition."""
    lines = ours(broker, "console-consumer", "--topic", topic, "--partition", str(partition), "--offset", "earliest",
                 "--max-messages", str(count), "--timeout-ms", "20000", "--output", "json").splitlines()
    return [(record["offset"], record["value"]) for record in map(json.loads, lines)]


def check_all(broker, topic, sent):
    """Every acknowledged record is where the producer was told, in the order of sending, and nothing is there twice."""
    for partition in range(PARTITIONS):
        told = sorted((offset, value) for number, offset, value in sent if number == partition)
        found = read(broker, topic, partition, told[-1][0] + 1)
        check([offset for offset, _ in found] == list(range(len(found))), f"offsets of {topic}-{partition} have gaps")
        mine = [record for record in found if not record[1].startswith("x")]
        values = [int(value) for _, value in mine]
        check(values == sorted(set(values)), f"{topic}-{partition} is out of order, or has records twice")
        missing = set(told) - set(mine)
        check(not missing, f"{len(missing)} records of {topic}-{partition} are missing, as {sorted(missing)[:3]}")


def copies(broker):
    """Directories of copies that are under way."""
    return [name for path in (broker.data, broker.home / "other") for name in os.listdir(path) if name.endswith("-future")]


def places(broker):
    """Both log directories."""
    return broker.home / "other", broker.data


def while_a_producer_writes(broker, kafka):
    """All partitions of a topic go back and forth while a producer writes to them."""
    create(broker, "written")
    with Producer(broker, "written") as producer:
        producer.wait_for(1000)
        for number in range(2 * ROUNDS):
            plan = Plan(broker, kafka, "written", places(broker)[number % 2])
            plan.call("--execute")
            plan.wait()
            producer.wait_for(200)
        sent = producer.stop()
    check_all(broker, "written", sent)
    return f"{len(sent)} records"


def given_up(broker, kafka):
    """A slow move is given up while a producer writes: no copy is left, and the replicas stay; then they move after all."""
    create(broker, "kept")
    for path in places(broker):
        move_at_once(broker, kafka, "kept", path)
    plan = Plan(broker, kafka, "kept", broker.home / "other")
    with Producer(broker, "kept") as producer:
        producer.wait_for(100)
        plan.call("--execute", *SLOWLY)
        check(len(copies(broker)) == PARTITIONS, f"what moves is {copies(broker)}")
        producer.wait_for(100)
        told = plan.call("--cancel", "--preserve-throttles")
        check(told.count(f"Successfully started moving log directory to {broker.data} ") == PARTITIONS, f"it told {told}")
        wait_until(lambda: not copies(broker), SECONDS_MAX, "the copies are gone")
        told = plan.call("--verify")
        check(told.count("is not being moved") == PARTITIONS, f"it told {told}")
        producer.wait_for(100)
        move_at_once(broker, kafka, "kept", broker.home / "other")
        sent = producer.stop()
    check_all(broker, "kept", sent)


def move_at_once(broker, kafka, topic, path):
    """Moves a topic as fast as it goes."""
    plan = Plan(broker, kafka, topic, path)
    plan.call("--execute", *FAST)
    plan.wait()


def killed(broker, kafka):
    """The broker is killed with -9 in the middle of a slow move: it goes on, as slowly as before, until it may be faster or is given up."""
    create(broker, "killed")
    move_at_once(broker, kafka, "killed", broker.data)
    plan = Plan(broker, kafka, "killed", broker.home / "other")
    with Producer(broker, "killed") as producer:
        for is_given_up in (True, False):
            producer.wait_for(100)
            plan.call("--execute", *SLOWLY)
            check(len(copies(broker)) == PARTITIONS, f"what moves is {copies(broker)}")
            broker.kill()
            broker.restart()
            producer.wait_for(100)
            told = plan.call("--verify")
            check(told.count("is still in progress") == PARTITIONS, f"it told {told}")
            if is_given_up:
                plan.call("--cancel")
                wait_until(lambda: not copies(broker), SECONDS_MAX, "the copies are gone")
        move_at_once(broker, kafka, "killed", broker.home / "other")
        sent = producer.stop()
    check_all(broker, "killed", sent)
    return f"{len(sent)} records"


def cut_meanwhile(broker, kafka):
    """Records that are deleted while a replica moves are gone where it comes to. Apache Kafka lets such a deletion run out of time."""
    create(broker, "cut")
    move_at_once(broker, kafka, "cut", broker.data)
    Plan(broker, kafka, "cut", broker.home / "other").call("--execute", *SLOWLY)
    for partition in range(PARTITIONS):
        ours(broker, "delete-records", "--topic", "cut", "--partition", str(partition), "--before-offset", str(LINES - partition))
    move_at_once(broker, kafka, "cut", broker.home / "other")
    told = ours(broker, "get-offsets", "--topic", "cut", "--time", "earliest").split()
    check(told == [f"cut:{partition}:{LINES - partition}" for partition in range(PARTITIONS)], f"they begin at {told}")


def deleted_meanwhile(broker, kafka):
    """A topic that is deleted while its replicas move leaves no copies, and one by its name can come."""
    create(broker, "gone")
    move_at_once(broker, kafka, "gone", broker.data)
    Plan(broker, kafka, "gone", broker.home / "other").call("--execute", *SLOWLY)
    ours(broker, "topics", "--delete", "--topic", "gone")
    wait_until(lambda: not copies(broker), SECONDS_MAX, "the copies are gone")
    create(broker, "gone")
    move_at_once(broker, kafka, "gone", broker.home / "other")
    check(len(read(broker, "gone", 0, LINES)) == LINES, "its records are there")


def compacted(broker, kafka):
    """What was compacted moves as it is: offsets keep their gaps."""
    ours(broker, "topics", "--create", "--topic", "compact", "--partitions", "1", "--config", "cleanup.policy=compact",
         "--config", "segment.bytes=1048576", "--config", "min.cleanable.dirty.ratio=0.01", "--config", "segment.ms=1000")
    lines = "".join(f"{number % 3}:{number}-{'y' * 30_000}\n" for number in range(150))
    ours(broker, "console-producer", "--topic", "compact", "--reader-property", "parse.key=true",
         "--reader-property", "key.separator=:", stdin=lines)
    wait_until(lambda: len(read_all(broker, "compact")) < 150, SECONDS_MAX, "the topic is compacted", pause=0.5)
    before = read_all(broker, "compact")
    for path in places(broker):
        plan = Plan(broker, kafka, "compact", path, 1)
        plan.call("--execute", *FAST)
        plan.wait()
    after = read_all(broker, "compact")
    check(after == [record for record in before if record in after] and after[-3:] == before[-3:], f"{len(before)} before, {len(after)} now")
    return f"{len(after)} of 150 records"


def read_all(broker, topic):
    """(offset, key) of all records of a topic of one partition."""
    lines = ours(broker, "console-consumer", "--topic", topic, "--from-beginning", "--timeout-ms", "1000", "--output", "json")
    return [(record["offset"], record["key"]) for record in map(json.loads, lines.splitlines())]


def run(suite, home):
    """All of them on a broker of their own, with Kafka's tool in one JVM."""
    broker = TwoDirectories(home, properties={"log.cleaner.backoff.ms": "500"})
    with KafkaTools() as kafka, broker:
        for title, action in (
                ("what an idempotent producer writes while replicas move", while_a_producer_writes),
                ("a slow move is given up", given_up),
                ("kill -9 in the middle of slow moves", killed),
                ("a topic is deleted while it moves", deleted_meanwhile),
                ("a compacted topic moves", compacted)):
            suite.step(title, action, broker, kafka)
        if broker.kind == "yeoul":
            suite.step("records are deleted while they move", cut_meanwhile, broker, kafka)
        suite.last_words_of(broker)
