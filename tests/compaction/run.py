"""Compacted topics: what clients, tools and the other broker make of a log that was cleaned.

Kafka's own LogCompactionTester first. Then keyed records of all codecs with tombstones, cleaned, killed and cleaned again: every key
has its last value, Apache Kafka's dump tool has nothing to say about the segments, and the other broker starts on a copy of the
directory and reads the same. Transactions are written by Apache Kafka, for they are cleaned by either, up to one that is open still. Last
the groups' offsets: many commits leave a small log and the last of each.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

from broker import Broker, Failure, Suite, check, java, wait_until  # noqa: E402

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
TOPIC, TRANSACTIONS, OPEN, GROUP = "compacted", "transactions", "open", "compaction.readers"
KEYS = 200
ROUNDS = 25
TROUBLE = re.compile(r"mismatch|corrupt|Exception|invalid|unable|isvalid: false", re.IGNORECASE)
EAGER = {
    "log.cleaner.backoff.ms": "100",
    "log.cleaner.min.cleanable.ratio": "0.01",
    "log.initial.task.delay.ms": "100",
    "log.segment.bytes": "1048576",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.segment.bytes": "1048576",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "file.delete.delay.ms": "100",
}
LAZY = {**EAGER, "log.cleaner.enable": "false"}


def other(kind):
    """The broker that did not write."""
    return "apache-kafka" if kind == "yeoul" else "yeoul"


def create(broker, topic, **config):
    """One partition, compacted."""
    new = NewTopic(topic, 1, 1, config={"cleanup.policy": "compact", "segment.bytes": "1048576", **config})
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([new])[topic].result(30)


def tester(broker, codec, messages, deletes):
    """Kafka's own check. It reads a pause after it wrote, cleaned or not: on a busy machine a longer pause is tried."""
    for pause_s in (5, 20, 60):
        reduction, said = tested(broker, codec, messages, deletes, pause_s)
        if reduction > 20:
            return f"{reduction} % less"
    raise Failure(f"little was compacted: {said}")


def tested(broker, codec, messages, deletes, pause_s):
    """It produces, pauses, reads, and compares the last value of each key: by how much the log shrank, and what it said."""
    arguments = ["--bootstrap-server", broker.bootstrap, "--messages", str(messages), "--duplicates", "25", "--sleep", str(pause_s)]
    arguments += ["--compression-type", codec, "--percent-deletes", str(deletes)]
    done = subprocess.run(
        java(["org.apache.kafka.tools.LogCompactionTester", *arguments]), capture_output=True, text=True, timeout=300)
    said = done.stdout[-800:]
    check(done.returncode == 0, f"the tester ended with {done.returncode}: {said}{done.stderr[-800:]}")
    check("Data verification is completed" in said, said)
    reduction = re.search(r"\((-?[\d.]+)% reduction\)", done.stdout)
    return float(reduction[1]) if reduction else 0.0, said


class Written:
    """Keyed records, the last of each key known."""

    def __init__(self, broker):
        self.broker = broker
        self.last = {}
        self.sent = 0

    def produce(self, codec):
        """Many values of few keys in small batches; some of them are deleted in the end."""
        producer = Producer({
            "bootstrap.servers": self.broker.bootstrap, "enable.idempotence": True, "compression.type": codec, "linger.ms": 1})
        for index in range(ROUNDS * KEYS):
            key = f"{codec}-{index % KEYS}"
            deletes = index // KEYS == ROUNDS - 1 and index % 10 == 0
            value = None if deletes else f"{codec} {index} ".encode() + os.urandom(300)
            producer.produce(TOPIC, value, key, 0, headers=[("codec", codec.encode())])
            self.last[key.encode()] = value
            if index % 40 == 0:
                producer.flush(30)
        check(producer.flush(30) == 0, "records were left")
        self.sent += ROUNDS * KEYS

    def produce_all(self):
        for codec in CODECS:
            self.produce(codec)
        return f"{self.sent:,} records"

    def check_read(self, broker):
        """Every key has its last value, or none if that is a tombstone; offsets ascend."""
        rows = read(broker, TOPIC)
        found = {}
        before = -1
        for offset, key, value in rows:
            check(offset > before, f"offset {offset} comes after {before}")
            found[key], before = value, offset
        for key, value in self.last.items():
            check(key in found or value is None, f"key {key} is gone")
            check(found.get(key) == value, f"key {key} has another value")
        check(set(found) <= set(self.last), "a key that was never written")
        return rows


def read(broker, topic, isolation="read_uncommitted"):
    """(offset, key, value) of every record."""
    reader = Consumer({
        "bootstrap.servers": broker.bootstrap, "group.id": "unused", "enable.partition.eof": True, "check.crcs": True,
        "isolation.level": isolation, "enable.auto.commit": False})
    reader.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    rows = []
    while True:
        message = reader.poll(30)
        check(message is not None, f"nothing of {topic} came for 30 s")
        if message.error() is None:
            rows.append((message.offset(), message.key(), message.value()))
        else:
            check(message.error().code() == KafkaError._PARTITION_EOF, str(message.error()))
            break
    reader.close()
    return rows


def cleaned_offset(broker, topic):
    """Up to where the topic was cleaned, by the checkpoint."""
    path = broker.data / "cleaner-offset-checkpoint"
    text = path.read_text() if path.exists() else ""
    found = re.search(rf"^{re.escape(topic)} 0 (\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else 0


def segments(broker, topic):
    """The log files of the topic, by base offset."""
    return sorted((broker.data / f"{topic}-0").glob("*.log"))


def wait_cleaned(broker, topic):
    """Waits until all but the active segment is clean."""
    def is_clean():
        files = segments(broker, topic)
        return len(files) > 1 and cleaned_offset(broker, topic) >= int(files[-1].stem)
    wait_until(is_clean, 60, f"{topic} is cleaned; see {broker.log}")
    return f"up to {cleaned_offset(broker, topic):,}"


def dump(broker, topic):
    """The dump tool goes through every record and index."""
    files = [*segments(broker, topic), *(broker.data / f"{topic}-0").glob("*.index")]
    files += [*(broker.data / f"{topic}-0").glob("*.timeindex"), *(broker.data / f"{topic}-0").glob("*.txnindex")]
    done = subprocess.run(
        java(["org.apache.kafka.tools.DumpLogSegments", "--deep-iteration", "--files", ",".join(map(str, files))]),
        capture_output=True, text=True, timeout=120)
    check(done.returncode == 0, f"the dump tool ended with {done.returncode}: {done.stderr[-500:]}")
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if TROUBLE.search(line)]
    check(not complaints, f"the dump tool says: {complaints[:3]}")
    return f"{len(files)} files"


def keyless_refused(broker):
    """A record without a key is refused, and says so."""
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    said = []
    producer.produce(TOPIC, b"x", partition=0, on_delivery=lambda error, _: said.append(error))
    producer.flush(30)
    check(said and said[0] and said[0].code() == KafkaError.INVALID_RECORD, f"the answer was {said}")


def same_on_a_copy(broker, home, written, topics):
    """The other broker starts on a copy of the directory, and reads the same. Neither cleans, or they would not be the same."""
    broker.extra = LAZY
    shutil.copytree(broker.data, home / "data")
    with Broker(home, kind=other(broker.kind), properties=LAZY) as copy:
        copy_rows = {topic: read(copy, topic, "read_committed") for topic in topics}
        rows = written.check_read(copy)
        copy.stop()
    with broker:
        for topic in topics:
            check(copy_rows[topic] == read(broker, topic, "read_committed"), f"{topic} reads otherwise")
        check(rows == read(broker, TOPIC), "the records are others")
        broker.stop()
    return f"{len(rows):,} records"


class Transactions:
    """Committed and aborted transactions over the same keys, written by Apache Kafka."""

    def __init__(self, home):
        self.home = home
        self.last = {}

    def write(self):
        with Broker(self.home, kind="apache-kafka", properties=LAZY) as broker:
            create(broker, TRANSACTIONS, **{"delete.retention.ms": "0"})
            for name in ("one", "two"):
                self.write_as(broker, name)
            self.before = read(broker, TRANSACTIONS, "read_committed")
            broker.stop()

    def write_as(self, broker, name):
        producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": name, "linger.ms": 1})
        producer.init_transactions(30)
        for number in range(120):
            commits = number % 3 != 1
            producer.begin_transaction()
            for index in range(20):
                key, value = f"{name}-{index}".encode(), f"{number} {commits} ".encode() + os.urandom(500)
                producer.produce(TRANSACTIONS, value, key, 0)
                if commits:
                    self.last[key] = value
            if commits:
                producer.commit_transaction(30)
            else:
                producer.flush(30)
                producer.abort_transaction(30)

    def check_cleaned_by(self, kind, home):
        """What a broker makes of a copy: nothing aborted is left, and of each key the last value that was committed."""
        shutil.copytree(self.home / "data", home / "data")
        with Broker(home, kind=kind, properties=EAGER) as broker:
            wait_cleaned(broker, TRANSACTIONS)
            committed = read(broker, TRANSACTIONS, "read_committed")
            everything = read(broker, TRANSACTIONS)
            broker.stop()
        found = {key: value for _, key, value in committed}
        check(found == self.last, "a key has another value")
        last_segment = int(segments(broker, TRANSACTIONS)[-1].stem)
        aborted = [row for row in everything if b"False" in row[2] and row[0] < last_segment]
        check(not aborted, f"{len(aborted)} aborted records are left")
        check(len(committed) < len(self.before) / 2, f"{len(self.before)} records became {len(committed)}")
        dump(broker, TRANSACTIONS)
        return f"{len(self.before):,} records became {len(committed):,}"


class OpenTransaction:
    """A compacted topic into the middle of which a transaction reaches that nobody ends, written by Apache Kafka."""

    def __init__(self, home):
        self.home = home

    def write(self):
        with Broker(self.home, kind="apache-kafka", properties=LAZY) as broker:
            create(broker, OPEN)
            write_keyed(broker, OPEN, 8_000)
            unended = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": "unended"})
            unended.init_transactions(30)
            unended.begin_transaction()
            unended.produce(OPEN, b"nobody knows", b"key-0", 0)
            unended.flush(30)
            write_keyed(broker, OPEN, 8_000)
            self.before = read(broker, OPEN)
            broker.stop()
            del unended
        (self.begins,) = [offset for offset, _, value in self.before if value == b"nobody knows"]
        bases = [int(path.stem) for path in segments(broker, OPEN)]
        self.limit = max(base for base in bases if base <= self.begins)
        check(bases[0] < self.limit < self.begins and self.limit < bases[-1], f"it begins at {self.begins} of {bases}")

    def check_cleaned_by(self, kind, home):
        """Cleaned is what lies before the segment in which the transaction begins; from there on all is as it was."""
        shutil.copytree(self.home / "data", home / "data")
        with Broker(home, kind=kind, properties=EAGER) as broker:
            wait_until(lambda: cleaned_offset(broker, OPEN) > 0, 60, f"{OPEN} is cleaned; see {broker.log}")
            # Once another topic is clean the cleaner has looked at this one again.
            create(broker, TOPIC)
            write_keyed(broker, TOPIC, 8_000)
            wait_cleaned(broker, TOPIC)
            check(cleaned_offset(broker, OPEN) == self.limit, f"cleaned up to {cleaned_offset(broker, OPEN)}, not {self.limit}")
            rows = read(broker, OPEN)
            committed = read(broker, OPEN, "read_committed")
            broker.stop()
        check([row for row in rows if row[0] >= self.limit] == [row for row in self.before if row[0] >= self.limit], "the rest is other")
        kept = [row for row in rows if row[0] < self.limit]
        check(len(kept) == KEYS and kept[-1][0] == self.limit - 1, f"{len(kept)} records are left before")
        check(committed == [row for row in rows if row[0] < self.begins], "another end is read")
        dump(broker, OPEN)
        return f"up to {self.limit} of {self.begins}"


def write_keyed(broker, topic, count):
    """Values of some hundred bytes, each key in its turn."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 1})
    for index in range(count):
        producer.produce(topic, os.urandom(300), f"key-{index % KEYS}".encode(), 0)
        if index % 40 == 0:
            producer.flush(30)
    check(producer.flush(30) == 0, "records were left")


def commit_often(broker):
    """Many commits of one group."""
    reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": GROUP, "enable.auto.commit": False})
    metadata = "m" * 3_000
    for number in range(1, 1_601):
        place = TopicPartition(TOPIC, 0, number, metadata=f"{metadata}{number}")
        reader.commit(offsets=[place], asynchronous=False)
    reader.close()
    wait_cleaned(broker, "__consumer_offsets")
    return f"{log_bytes(broker, '__consumer_offsets'):,} bytes of 5 million"


def log_bytes(broker, topic):
    """Size of all log files of the topic."""
    return sum(path.stat().st_size for path in segments(broker, topic))


def check_committed(broker):
    """The last commit is known, from a small log."""
    small = log_bytes(broker, "__consumer_offsets")
    check(small < 2_500_000, f"the log of the offsets has {small:,} bytes")
    reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": GROUP})
    (place,) = reader.committed([TopicPartition(TOPIC, 0)], 30)
    reader.close()
    check((place.offset, place.metadata[3_000:]) == (1_600, "1600"), f"{place.offset} is committed")


def check_settled(broker):
    """Nothing of the cleaner's is left over."""
    left = [path.name for path in broker.data.glob("*-0/*") if path.suffix in (".cleaned", ".swap")]
    check(not left, f"files that nobody needs: {left[:5]}")


def main():
    suite = Suite("compaction")
    with tempfile.TemporaryDirectory(prefix="yeoul-compaction-") as folder:
        folder = Path(folder)
        broker = Broker(folder / "one", properties=EAGER)
        written = Written(broker)
        with broker:
            for codec, messages, deletes in (("none", 150_000, 10), ("lz4", 300_000, 0)):
                suite.step(f"Kafka's LogCompactionTester, {codec}", tester, broker, codec, messages, deletes)
            create(broker, TOPIC)
            suite.step("a record without a key is refused", keyless_refused, broker)
            suite.step("records of all codecs", written.produce_all)
            suite.step("they are cleaned", wait_cleaned, broker, TOPIC)
            suite.step("every key has its last value", lambda: f"{len(written.check_read(broker)):,} records")
            suite.step("more records, and kill -9 while they are cleaned", written.produce_all)
            broker.kill()
            broker.start()
            suite.step("they are cleaned after the restart", wait_cleaned, broker, TOPIC)
            suite.step("every key still has its last value", lambda: f"{len(written.check_read(broker)):,} records")
            suite.step("many commits leave a small log", commit_often, broker)
            suite.step("the last commit is known", check_committed, broker)
            broker.stop()
            broker.start()
            suite.step("and after a restart", check_committed, broker)
            broker.stop()
        suite.step("nothing is left over", check_settled, broker)
        suite.step("the dump tool reads the cleaned segments", dump, broker, TOPIC)
        suite.step("the dump tool reads the groups' log", dump, broker, "__consumer_offsets")
        suite.step("the other broker reads the same", same_on_a_copy, broker, folder / "copy", written, [TOPIC])
        suite.last_words_of(broker)
        transactions = Transactions(folder / "transactions")
        suite.step("transactions are written by Apache Kafka", transactions.write)
        for kind in ("yeoul", "apache-kafka"):
            suite.step(f"{kind} cleans transactions", transactions.check_cleaned_by, kind, folder / f"transactions-{kind}")
        unended = OpenTransaction(folder / "open")
        suite.step("Apache Kafka writes a transaction that nobody ends", unended.write)
        for kind in ("yeoul", "apache-kafka"):
            suite.step(f"{kind} cleans up to that", unended.check_cleaned_by, kind, folder / f"open-{kind}")
    return suite.end()


if __name__ == "__main__":
    sys.exit(main())
