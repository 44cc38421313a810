"""Our directory under Apache Kafka's eyes, and Apache Kafka's under ours.

Records of all codecs, a topic of many segments, a group's commits and an idempotent producer's state are written by one broker.
Then, after a clean stop and again after kill -9 and `yeoul storage recover`: Apache Kafka's dump tool reads every file, and the
other broker starts on a copy of the directory and serves the same records and offsets. Then the same the other way round.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

from broker import Broker, Suite, check, java, yeoul_binary  # noqa: E402

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
TOPIC, ROLLED, GROUP = "files", "rolled", "files.readers"
PARTITIONS = 3
RECORDS_A_CODEC = 600
ROLLED_RECORDS = 2_000
COMMITTED = 250
DUMP_FILES_AT_ONCE = 40
TROUBLE = re.compile(r"mismatch|corrupt|Exception|Found timestamp|is followed by|invalid|unable|isvalid: false", re.IGNORECASE)
# The tool says this of the first record of every segment but a partition's first, whoever wrote it.
HARMLESS = "-1 is followed by"


class Written:
    """What a broker was given, as a client reads it back."""

    def __init__(self, broker):
        self.broker = broker
        self.cluster_id = None
        self.records = None
        self.committed = None

    def write(self):
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        topics = [
            NewTopic(TOPIC, PARTITIONS, 1),
            NewTopic(ROLLED, 1, 1, config={"segment.bytes": "1048576", "index.interval.bytes": "512", "retention.ms": "-1"}),
            NewTopic("emptied", 1, 1),
        ]
        for future in admin.create_topics(topics).values():
            future.result(30)
        for codec in CODECS:
            self.produce(codec)
        self.roll()
        admin.delete_topics(["emptied"])["emptied"].result(30)
        self.commit()
        self.look()

    def produce(self, codec, count=RECORDS_A_CODEC):
        """Small batches of one codec from one idempotent producer, into all partitions."""
        producer = self.producer(codec)
        for index in range(count):
            headers = [("codec", codec.encode())]
            producer.produce(TOPIC, f"{codec} {index} ".encode() * 20, f"{index}", index % PARTITIONS, headers=headers)
            if index % 30 == 0:
                producer.flush(30)
        check(producer.flush(30) == 0, "records were left")

    def roll(self):
        """About 6 MB of what does not compress, into segments of 1 MiB."""
        producer = self.producer("lz4")
        for index in range(ROLLED_RECORDS):
            producer.produce(ROLLED, os.urandom(3_000), f"{index}", 0)
            if index % 50 == 0:
                producer.flush(30)
        check(producer.flush(30) == 0, "records were left")

    def producer(self, codec):
        return Producer({
            "bootstrap.servers": self.broker.bootstrap, "enable.idempotence": True, "compression.type": codec, "linger.ms": 2})

    def commit(self):
        """A group that has read part of the topic."""
        reader = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": GROUP, "enable.auto.commit": False})
        places = [TopicPartition(TOPIC, partition, COMMITTED + partition, metadata="so far") for partition in range(PARTITIONS)]
        reader.commit(offsets=places, asynchronous=False)
        reader.close()

    def look(self):
        """Remembers what this broker serves."""
        self.cluster_id, self.records, self.committed = served(self.broker)
        return f"{len(self.records):,} records"

    def check_same(self, other):
        """The other broker serves the same."""
        cluster_id, records, committed = served(other)
        check(cluster_id == self.cluster_id, f"the cluster's id was {self.cluster_id}, is {cluster_id}")
        check(len(records) == len(self.records), f"{len(self.records):,} records became {len(records):,}")
        check(records == self.records, "a record is another")
        check(committed == self.committed, f"commits were {self.committed}, are {committed}")
        return f"{len(records):,} records"


def served(broker):
    """(cluster id, every record of the two topics, the group's commits)"""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    cluster = admin.describe_cluster(request_timeout=30).result(30)
    topics = admin.list_topics(timeout=30).topics
    check("emptied" not in topics, "a deleted topic is back")
    records = [*read(broker, TOPIC, PARTITIONS), *read(broker, ROLLED, 1)]
    return cluster.cluster_id, sorted(records), committed(broker)


def read(broker, topic, partitions):
    """All records of a topic as comparable tuples."""
    reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "unused", "enable.partition.eof": True, "check.crcs": True})
    reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(partitions)])
    rows, ended = [], 0
    while ended < partitions:
        message = reader.poll(30)
        check(message is not None, f"nothing of {topic} came for 30 s")
        if message.error() is None:
            rows.append((
                topic, message.partition(), message.offset(), message.timestamp(), message.key(), message.value(),
                repr(message.headers())))
        else:
            check(message.error().code() == KafkaError._PARTITION_EOF, str(message.error()))
            ended += 1
    reader.close()
    return rows


def committed(broker):
    """Offset and metadata of each partition."""
    reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": GROUP})
    places = reader.committed([TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)], 30)
    reader.close()
    return [(place.partition, place.offset, place.metadata) for place in places]


def dump(files, *options):
    """The dump tool's words on some files; none of them may be a complaint."""
    said = []
    for first in range(0, len(files), DUMP_FILES_AT_ONCE):
        names = ",".join(map(str, files[first : first + DUMP_FILES_AT_ONCE]))
        done = subprocess.run(
            java(["org.apache.kafka.tools.DumpLogSegments", *options, "--files", names]), capture_output=True, text=True, timeout=120)
        check(done.returncode == 0, f"the dump tool ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
        said.append(done.stdout)
        complaints = complaints_in(done.stdout + done.stderr)
        check(not complaints, f"the dump tool says: {complaints[:3]}")
    return "".join(said)


def complaints_in(said):
    """The lines that name trouble."""
    return [line for line in said.splitlines() if TROUBLE.search(line) and HARMLESS not in line]


def kept(data, end):
    """The files with that ending of all partitions that are not about to be removed."""
    return [path for path in sorted(data.glob(f"*-*/*.{end}")) if not path.parent.name.endswith("-delete")]


def dump_all(data):
    """Every log, index, time index, snapshot and checkpoint under a directory."""
    logs = kept(data, "log")
    plain = [log for log in logs if not log.parent.name.startswith("__")]
    text = dump(plain, "--deep-iteration", "--print-data-log")
    found = len(re.findall(r"\| offset: \d+", text))
    wanted = len(CODECS) * RECORDS_A_CODEC + ROLLED_RECORDS
    check(found >= wanted, f"the dump tool found {found} of {wanted} records")
    dump([log for log in logs if log.parent.name.startswith("__consumer_offsets")], "--offsets-decoder")
    metadata = [*data.glob("__cluster_metadata-0/*.log"), *data.glob("__cluster_metadata-0/*.checkpoint")]
    check("TOPIC_RECORD" in dump(metadata, "--cluster-metadata-decoder"), "no topic in the metadata log")
    others = [path for end in ("index", "timeindex", "snapshot") for path in kept(data, end)]
    dump(others, "--index-sanity-check")
    dump(others)
    return f"{len(logs)} logs, {len(others)} indexes and snapshots, {found:,} records"


def check_plain(data):
    """Nothing but Kafka's files, and the mark of a clean stop."""
    check((data / ".kafka_cleanshutdown").exists(), "no .kafka_cleanshutdown")
    allowed = re.compile(
        r"\.lock|\.kafka_cleanshutdown|meta\.properties|bootstrap\.checkpoint|[a-z-]+-checkpoint|"
        r"quorum-state|partition\.metadata|\d{20}(-\d{10})?\.(log|index|timeindex|txnindex|snapshot|checkpoint)")
    strange = [str(path.relative_to(data)) for path in data.rglob("*") if path.is_file() and not allowed.fullmatch(path.name)]
    check(not strange, f"files that are not Kafka's: {strange[:5]}")
    segments = len(list((data / f"{ROLLED}-0").glob("*.log")))
    check(segments >= 5, f"{segments} segments of {ROLLED}")


def check_recovered(data):
    """The clean mark may be missing after a recovery; all else is as after a clean stop."""
    (data / ".kafka_cleanshutdown").touch()
    check_plain(data)
    (data / ".kafka_cleanshutdown").unlink()


def recover(home):
    """`yeoul storage recover` makes the directory Kafka's after a crash."""
    done = subprocess.run(
        [yeoul_binary(), "storage", "recover", "-c", home / "server.properties"], capture_output=True, text=True, timeout=60)
    check(done.returncode == 0, f"recover ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "silent"


def on_a_copy(suite, title, written, kind, then=None):
    """The other broker on a copy of the directory serves the same, takes more, and stops cleanly."""
    with tempfile.TemporaryDirectory(prefix="yeoul-files-copy-") as home:
        shutil.copytree(written.broker.data, Path(home) / "data")
        other = Broker(home, kind)
        failed = len(suite.failed)
        if suite.step(f"{title}: {kind} starts", other.start):
            suite.step(f"{title}: {kind} serves the same", written.check_same, other)
            more = Written(other)
            suite.step(f"{title}: {kind} takes more", more.produce, "zstd", 30)
            suite.step(f"{title}: {kind} stops cleanly", other.stop)
            if then:
                then(other)
        if len(suite.failed) > failed:
            suite.last_words_of(other)
        other.kill()


def ours(suite):
    """What we write, after a clean stop and after a crash."""
    with tempfile.TemporaryDirectory(prefix="yeoul-files-") as home, Broker(home) as broker:
        written = Written(broker)
        if not suite.step("ours: write", written.write):
            suite.last_words_of(broker)
            return
        suite.step("ours, stopped: stops cleanly", broker.stop)
        suite.step("ours, stopped: the files are Kafka's alone", check_plain, broker.data)
        suite.step("ours, stopped: the dump tool reads all", dump_all, broker.data)
        on_a_copy(suite, "ours, stopped", written, "apache-kafka", lambda other: back(suite, written, other))
        if suite.step("ours, killed: starts again and takes more", start_and_kill, broker, written):
            if broker.kind == "yeoul":
                suite.step("ours, killed: recover", recover, broker.home)
                suite.step("ours, killed: the files are Kafka's alone", check_recovered, broker.data)
                suite.step("ours, killed: the dump tool reads all", dump_all, broker.data)
            on_a_copy(suite, "ours, killed", written, "apache-kafka")
            suite.step("ours, killed: starts again", broker.restart)
            suite.step("ours, killed: serves the same", written.check_same, broker)


def start_and_kill(broker, written):
    """More records, then kill -9 as soon as they are acknowledged."""
    broker.restart()
    written.produce("gzip", 90)
    written.look()
    broker.kill()


def back(suite, written, other):
    """A directory that went to Apache Kafka and came back."""
    us = Broker(other.home)
    if suite.step("ours, back from apache-kafka: starts", us.start):
        records = suite.step("ours, back from apache-kafka: serves both brokers' records", serves_more, us, written)
        if records:
            suite.step("ours, back from apache-kafka: stops cleanly", us.stop)
    us.kill()


def serves_more(broker, written):
    """The records of before, and 30 that the other broker took."""
    _, records, commits = served(broker)
    check(set(written.records) <= set(records), "a record of before is missing")
    check(len(records) == len(written.records) + 30, f"{len(records):,} records")
    check(commits == written.committed, f"commits were {written.committed}, are {commits}")


def theirs(suite):
    """What Apache Kafka writes, under us."""
    with tempfile.TemporaryDirectory(prefix="yeoul-files-") as home, Broker(home, "apache-kafka") as broker:
        written = Written(broker)
        suite.step("theirs: write", written.write)
        suite.step("theirs, stopped: stops cleanly", broker.stop)
        suite.step("theirs, stopped: the dump tool reads all", dump_all, broker.data)
        on_a_copy(suite, "theirs, stopped", written, os.environ.get("BROKER", "yeoul"))
        suite.step("theirs, killed: starts again and takes more", start_and_kill, broker, written)
        on_a_copy(suite, "theirs, killed", written, os.environ.get("BROKER", "yeoul"))


def main():
    suite = Suite("files")
    ours(suite)
    theirs(suite)
    return suite.end()


if __name__ == "__main__":
    sys.exit(main())
