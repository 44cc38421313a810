"""Two log directories: Kafka's tools describe them and move replicas between them; one whose disk fails goes, one that is full stays.

Needs root: small file systems are mounted, a tmpfs for the full disk and ext4 on a loop device for the one that fails.
What only Yeoul promises, to take records again without a restart once a full disk has room, is not asked of Apache Kafka, which
takes such a directory offline.
"""

import fcntl
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent.parent / "hostile")]

import moves  # noqa: E402
from batch import batch, record  # noqa: E402
from broker import (  # noqa: E402
    STOP_SECONDS_MAX, Broker, Suite, TwoDirectories, ask, check, default_kind, frame, java, wait_until)

PRODUCE, FETCH, CREATE_TOPICS, METADATA = 0, 1, 19, 3  # keys of the APIs
STORAGE_ERROR = 56
NOT_LEADER = 6
PARTITIONS = 4
SHUTDOWN_IOCTL = 0x8004587D  # of the file system: everything fails from then on
AFTER_FLUSH, WITHOUT_FLUSH = 0, 2  # its arguments
MOVES = int(os.environ.get("ROUNDS", "2"))


class Mounted:
    """A file system on a directory as long as the block runs."""

    def __init__(self, path, *arguments):
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self.arguments = arguments

    def __enter__(self):
        mount(*self.arguments, str(self.path))
        found = self.path / "lost+found"
        if found.is_dir():
            # Apache Kafka takes it for a partition.
            found.rmdir()
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", str(self.path)], check=False)

    def fail(self):
        """Lets the disk fail: nothing can be read or written any more, and what was not flushed is lost. Apache Kafka acknowledges
        what is not flushed, and is spared that."""
        how = WITHOUT_FLUSH if default_kind() == "yeoul" else AFTER_FLUSH
        directory = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(directory, SHUTDOWN_IOCTL, struct.pack("I", how))
        finally:
            os.close(directory)

    def fill(self):
        """Leaves no room; what is taken is in `filler`."""
        with open(self.path / "filler", "wb") as filler:
            try:
                while True:
                    filler.write(bytes(65536))
                    filler.flush()
            except OSError:
                pass


def mount(*arguments):
    """Must work: a suite that mounts nothing proves nothing."""
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    check(done.returncode == 0, f"mount {' '.join(arguments)}: {done.stderr.strip()}; this suite has to run as root")


def small_tmpfs(path, megabytes):
    """A disk that is soon full."""
    return Mounted(path, "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs")


def small_ext4(path, image):
    """A disk that can be made to fail."""
    image.parent.mkdir(parents=True, exist_ok=True)
    with open(image, "wb") as file:
        file.truncate(96 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    return Mounted(path, "-o", "loop", str(image))


def tool(broker, name, *arguments, stdin=""):
    """Standard output of one of Kafka's tools, which must succeed."""
    command = java([f"org.apache.kafka.tools.{name}", "--bootstrap-server", broker.bootstrap, *arguments], log_level="ERROR")
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=90)
    check(done.returncode == 0, f"{name} ended with {done.returncode}: {done.stdout[-300:]}{done.stderr[-600:]}")
    return done.stdout


def of_partition(topic, rest):
    """An array of one topic with one array of one partition."""
    return struct.pack(">ih", 1, len(topic)) + topic.encode() + struct.pack(">i", 1) + rest


def create(broker, topic, partitions):
    """CreateTopics version 2."""
    body = struct.pack(">ih", 1, len(topic)) + topic.encode() + struct.pack(">ihiiib", partitions, 1, 0, 0, 30_000, 0)
    (error,) = struct.unpack_from(">h", ask(broker.port, frame(CREATE_TOPICS, 2, body), 60), 4 + 4 + 2 + len(topic))
    check(error == 0, f"creating {topic}: error {error}")


def produce(broker, topic, partition, value):
    """Error code and offset of one record, Produce version 7 with acks=all."""
    data = batch(record(value))
    body = struct.pack(">hhi", -1, -1, 10_000) + of_partition(topic, struct.pack(">ii", partition, len(data)) + data)
    return struct.unpack_from(">hq", ask(broker.port, frame(PRODUCE, 7, body), 30), 4 + 2 + len(topic) + 4 + 4)


def produced(broker, topic, partition, value):
    """The offset of a record that is taken in the end: clients try again as long as the error passes."""
    def taken():
        error, offset = produce(broker, topic, partition, value)
        check(error in (0, STORAGE_ERROR, NOT_LEADER, 5, 3), f"error {error}")
        return [offset] if error == 0 else None

    return wait_until(taken, 30, f"{topic}-{partition} takes a record")[0]


def fetched(broker, topic, partition, offset):
    """Error code, high watermark and bytes, Fetch version 4."""
    body = struct.pack(">iiiib", -1, 0, 0, 1 << 20, 0) + of_partition(topic, struct.pack(">iqi", partition, offset, 1 << 20))
    answer = ask(broker.port, frame(FETCH, 4, body), 30)
    at = 4 + 4 + 2 + len(topic) + 4 + 4
    error, high_watermark, _, aborted = struct.unpack_from(">hqqi", answer, at)
    at += 2 + 8 + 8 + 4 + 16 * max(aborted, 0)
    (size,) = struct.unpack_from(">i", answer, at)
    return error, high_watermark, answer[at + 4 : at + 4 + max(size, 0)]


def count_records(broker, topic, partition):
    """How many records a partition holds, each batch being one; every batch is whole and follows the one before."""
    offset = 0
    while True:
        error, high_watermark, data = wait_until(
            lambda at=offset: served(fetched(broker, topic, partition, at)), 30, f"{topic}-{partition} is served")
        while len(data) >= 61:
            base, length = struct.unpack_from(">qi", data)
            if len(data) < 12 + length:
                break
            check(base == offset, f"{base} comes where {offset} is due")
            offset, data = offset + 1, data[12 + length :]
        if offset >= high_watermark:
            return offset


def served(answer):
    """The answer, unless the partition has no leader yet."""
    return None if answer[0] in (3, 5, NOT_LEADER) else answer


def described(broker):
    """{directory: {partition: is it a copy}} and {directory: error} by kafka-log-dirs."""
    out = tool(broker, "LogDirsCommand", "--describe")
    dirs = json.loads(out.splitlines()[-1])["brokers"][0]["logDirs"]
    places = {one["logDir"]: {p["partition"]: p["isFuture"] for p in one["partitions"]} for one in dirs}
    return places, {one["logDir"]: one["error"] for one in dirs}


def holder(broker, partition):
    """The log directory that a partition is in."""
    places, _ = described(broker)
    return next(path for path, partitions in places.items() if partitions.get(partition) is False)


def is_in(path, partition):
    """Whether a partition's log is in a directory, by its name there."""
    return (Path(path) / partition).is_dir()


def move(broker, partition, path):
    """Asks for a move with kafka-reassign-partitions."""
    plan = broker.home / "plan.json"
    topic, number = partition.rsplit("-", 1)
    entry = {"topic": topic, "partition": int(number), "replicas": [1], "log_dirs": [str(path)]}
    plan.write_text(json.dumps({"version": 1, "partitions": [entry]}))
    tool(broker, "reassign.ReassignPartitionsCommand", "--reassignment-json-file", str(plan), "--execute")
    return plan


def verified(broker, plan):
    """What the tool says of a move."""
    return tool(
        broker, "reassign.ReassignPartitionsCommand", "--reassignment-json-file", str(plan), "--verify", "--preserve-throttles")


def other_of(broker, path):
    """The directory that is not this one."""
    return next(one for one in (str(broker.data), str(broker.home / "other")) if one != path)


class Writer(threading.Thread):
    """Writes numbered records to a partition until it is told to stop."""

    def __init__(self, broker, topic, partition):
        super().__init__()
        self.broker, self.topic, self.partition = broker, topic, partition
        self.acknowledged = 0
        self.errors = set()
        self.ends = threading.Event()

    def run(self):
        """A record behind the other; one that the broker has not answered is not counted."""
        while not self.ends.is_set():
            try:
                error, _ = produce(self.broker, self.topic, self.partition, bytes(3000))
            except OSError:
                return
            self.acknowledged += error == 0
            self.errors.add(error)

    def stop(self):
        """How many were acknowledged; none may have been refused."""
        self.ends.set()
        self.join()
        check(self.errors <= {0}, f"errors were {self.errors}")
        return self.acknowledged


def spread(broker):
    """New partitions go to where the fewest are, and the tool shows them with their sizes."""
    create(broker, "t", PARTITIONS)
    for number in range(PARTITIONS):
        produced(broker, "t", number, b"first")
    places, errors = described(broker)
    check(set(errors.values()) == {None}, f"errors are {errors}")
    counts = sorted(sum(name.startswith("t-") for name in partitions) for partitions in places.values())
    check(counts == [PARTITIONS // 2] * 2, f"they are spread {places}")


def move_while_writing(broker):
    """A replica moves while it is written to; the tool sees it through, and nothing is lost."""
    before = count_records(broker, "t", 0)
    writer = Writer(broker, "t", 0)
    writer.start()
    to = other_of(broker, holder(broker, "t-0"))
    plan = move(broker, "t-0", to)
    wait_until(lambda: is_in(to, "t-0"), 60, "the replica has moved")
    acknowledged = writer.stop()
    wait_until(lambda: (lambda out: out if "completed successfully" in out else None)(verified(broker, plan)), 30, "verified")
    check(holder(broker, "t-0") == to, "it is described where it is")
    found = count_records(broker, "t", 0)
    check(found == before + acknowledged, f"{found} records of {before} and {acknowledged}")
    check(not is_in(other_of(broker, to), "t-0"), "the original is gone")
    return f"{acknowledged} records meanwhile"


def kill_while_moving(broker):
    """The broker is killed in the middle of a move: it goes on afterwards, and what was acknowledged is there."""
    kept = count_records(broker, "t", 1)
    for number in range(20):
        produced(broker, "t", 1, bytes(500_000))
    kept += 20
    for number in range(MOVES):
        to = other_of(broker, holder(broker, "t-1"))
        writer = Writer(broker, "t", 1)
        writer.start()
        asking = threading.Thread(target=lambda target=to: quietly(move, broker, "t-1", target))
        asking.start()
        wait_until(lambda: any(name.endswith("-future") for name in os.listdir(to)) or is_in(to, "t-1"), 60, "the move has begun")
        time.sleep(0.02 * number)
        broker.kill()
        kept += writer.stop()
        asking.join()
        broker.restart()
        wait_until(lambda target=to: is_in(target, "t-1"), 60, "the move goes on")
        found = count_records(broker, "t", 1)
        check(kept <= found <= kept + 1, f"{found} records, {kept} acknowledged")
        kept = found


def quietly(action, *arguments):
    """A tool whose broker goes away may say so."""
    try:
        action(*arguments)
    except Exception:  # noqa: BLE001
        pass


def survives_a_restart(broker):
    """After a stop in order everything is where it was."""
    counts = [count_records(broker, "t", number) for number in range(PARTITIONS)]
    broker.stop()
    leftovers = [name for path in (broker.data, broker.home / "other") for name in os.listdir(path) if name.endswith("-future")]
    check(not leftovers, f"{leftovers} are left")
    broker.restart()
    check(counts == [count_records(broker, "t", number) for number in range(PARTITIONS)], "all records are there")


def refuses(broker):
    """A move to where there is nothing is refused."""
    check_refused(broker, "/nowhere", "LogDirNotFoundException")


def check_refused(broker, path, error):
    """A move of `t-0` is refused as Kafka does, by the codes in the log of the tool's library."""
    plan = broker.home / "plan.json"
    entry = {"topic": "t", "partition": 0, "replicas": [1], "log_dirs": [str(path)]}
    plan.write_text(json.dumps({"version": 1, "partitions": [entry]}))
    command = java([
        "org.apache.kafka.tools.reassign.ReassignPartitionsCommand", "--bootstrap-server", broker.bootstrap,
        "--reassignment-json-file", str(plan), "--execute", "--timeout", "3000"], log_level="ERROR")
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    check(error in done.stdout + done.stderr, f"it said {done.stdout[-400:]}{done.stderr[-400:]}")


def configure(broker, *arguments):
    """Changes the broker's own settings with kafka-configs."""
    command = ["kafka.admin.ConfigCommand", "--bootstrap-server", broker.bootstrap, "--entity-type", "brokers", "--entity-name", "1"]
    done = subprocess.run(java([*command, "--alter", *arguments], log_level="ERROR"), capture_output=True, text=True, timeout=90)
    check(done.returncode == 0, f"kafka-configs ended with {done.returncode}: {done.stdout[-300:]}{done.stderr[-600:]}")


def holders(broker, topic):
    """The log directories in which partitions of a topic are."""
    places, _ = described(broker)
    return {path for path, partitions in places.items() if any(name.rsplit("-", 1)[0] == topic for name in partitions)}


def cordons(broker):
    """A cordoned directory gets no new replicas, and none that are to move there, until it is cordoned no more."""
    to = other_of(broker, holder(broker, "t-0"))
    configure(broker, "--add-config", f"cordoned.log.dirs={to}")
    create(broker, "spared", PARTITIONS)
    check(holders(broker, "spared") == {other_of(broker, to)}, f"they are in {holders(broker, 'spared')}, {to} is cordoned")
    check_refused(broker, to, "InvalidReplicaAssignmentException")
    configure(broker, "--add-config", "cordoned.log.dirs=*")
    wait_until(lambda: not works(create, broker, "nowhere", 1), 30, "no directory takes a partition")
    configure(broker, "--delete-config", "cordoned.log.dirs")
    wait_until(lambda: works(create, broker, "somewhere", 1), 30, "partitions are taken again")
    check(holders(broker, "somewhere") == {to}, "it is where fewer are")
    move(broker, "t-0", to)
    wait_until(lambda: is_in(to, "t-0"), 60, "the replica has moved")


def throttles(broker):
    """A move is as slow as it is told to be, and goes on when it may be faster."""
    rate = "replica.alter.log.dirs.io.max.bytes.per.second"
    for _ in range(8):
        produced(broker, "t", 2, bytes(700_000))
    kept = count_records(broker, "t", 2)
    to = other_of(broker, holder(broker, "t-2"))
    configure(broker, "--add-config", f"{rate}=1")
    move(broker, "t-2", to)
    wait_until(lambda: any(name.startswith("t-2.") for name in os.listdir(to)), 60, "the move has begun")
    # The tools start a JVM each: without the limit it would be done long before.
    check(holder(broker, "t-2") != to and not is_in(to, "t-2"), "it moves faster than it may")
    configure(broker, "--delete-config", rate)
    wait_until(lambda: is_in(to, "t-2"), 60, "the replica has moved")
    check(count_records(broker, "t", 2) == kept, "all is there")


class MetadataApart(Broker):
    """A broker whose metadata log is in `home/metadata`, which is none of its log directories."""

    def properties(self):
        return {**super().properties(), "metadata.log.dir": str(self.home / "metadata")}


def metadata_apart(home):
    """The metadata log in a directory of its own: either broker goes on with what the other left, and after kill -9."""
    broker = MetadataApart(home)
    (home / "metadata").mkdir(parents=True)
    kinds = [broker.kind, "apache-kafka" if broker.kind == "yeoul" else "yeoul", broker.kind]
    for count, broker.kind in enumerate(kinds):
        with broker:
            create(broker, f"of-{count}", 1)
            for number in range(count + 1):
                produced(broker, f"of-{number}", 0, b"another")
                check(count_records(broker, f"of-{number}", 0) == count - number + 1, f"of-{number} has its records")
            places, _ = described(broker)
            check(set(places) == {str(broker.data)}, f"log directories are {set(places)}")
            if count == 0:
                broker.kill()
                broker.restart()
            broker.stop()
    check(is_in(home / "metadata", "__cluster_metadata-0"), "the metadata log is there")
    check(not is_in(broker.data, "__cluster_metadata-0"), "and nowhere else")


def unreadable_disk(home):
    """A disk that fails while nobody writes: its directory goes when somebody reads, the other one stays."""
    broker = TwoDirectories(home)
    with small_ext4(home / "other", home / "image") as disk:
        with broker:
            create(broker, "t", PARTITIONS)
            for number in range(PARTITIONS):
                produced(broker, "t", number, b"first")
            broker.stop()
        with broker:
            places, _ = described(broker)
            failing = [int(name[2:]) for name in places[str(broker.home / "other")] if name.startswith("t-")]
            healthy = next(number for number in range(PARTITIONS) if number not in failing)
            disk.fail()
            refusals = (STORAGE_ERROR, NOT_LEADER)
            wait_until(lambda: fetched(broker, "t", failing[0], 0)[0] in refusals, 30, "what cannot be read is refused")
            wait_until(lambda: leaders(broker, "t", failing) == {-1}, 30, "they have no leader")
            _, errors = described(broker)
            check(errors[str(broker.data)] is None and "KafkaStorageException" in errors[str(broker.home / 'other')], f"{errors}")
            check(count_records(broker, "t", healthy) == 1, "the other directory is served")
            broker.process.send_signal(15)
            broker.ended("SIGTERM")


def failing_disk(home):
    """One disk fails: the other directory goes on; after a restart on a mended disk all is there."""
    broker = TwoDirectories(home)
    image = home / "image"
    with small_ext4(home / "other", image) as disk:
        with broker:
            create(broker, "t", PARTITIONS)
            for number in range(PARTITIONS):
                check(produced(broker, "t", number, b"first") == 0, "it is the first")
            places, _ = described(broker)
            failing = [int(name[2:]) for name in places[str(broker.home / "other")] if name.startswith("t-")]
            healthy = [number for number in range(PARTITIONS) if number not in failing]
            check(failing and healthy, f"they are spread {places}")
            disk.fail()
            wait_until(lambda: all(produce(broker, "t", number, bytes(70_000))[0] == STORAGE_ERROR for number in failing), 60, "they are refused")
            for number in healthy:
                produced(broker, "t", number, b"second")
            _, errors = described(broker)
            check(errors[str(broker.data)] is None and "KafkaStorageException" in errors[str(broker.home / 'other')], f"{errors}")
            wait_until(lambda: leaders(broker, "t", failing) == {-1}, 30, "they have no leader")
            create(broker, "later", 2)
            produced(broker, "later", 0, b"first")
            broker.process.send_signal(15)
            broker.ended("SIGTERM")
    with Mounted(home / "other", "-o", "loop", str(image)), broker:
        for number in range(PARTITIONS):
            check(count_records(broker, "t", number) >= (1 if number in failing else 2), "what was acknowledged is there")
            produced(broker, "t", number, b"third")
        broker.stop()


def leaders(broker, topic, numbers):
    """The leaders of partitions, Metadata version 1."""
    body = ask(broker.port, frame(METADATA, 1, struct.pack(">ih", 1, len(topic)) + topic.encode()), 20)
    at = 4
    for _ in range(struct.unpack_from(">i", body)[0]):
        (size,) = struct.unpack_from(">h", body, at + 4)
        at += 4 + 2 + size + 4
        (rack,) = struct.unpack_from(">h", body, at)
        at += 2 + max(rack, 0)
    at += 4 + 4 + 2 + 2 + len(topic) + 1
    (count,) = struct.unpack_from(">i", body, at)
    at += 4
    found = {}
    for _ in range(count):
        _, number, found_leader, replicas = struct.unpack_from(">hiii", body, at)
        at += 14 + 4 * replicas
        (isr,) = struct.unpack_from(">i", body, at)
        at += 4 + 4 * isr
        found[number] = found_leader
    return {found[number] for number in numbers}


def full_disk(home):
    """A directory is full: its producers are told to try again, reads and the other directory go on, and later so do writes."""
    broker = TwoDirectories(home)
    with small_tmpfs(home / "other", 32) as disk, broker:
        create(broker, "t", PARTITIONS)
        places, _ = described(broker)
        number = next(int(name[2:]) for name in places[str(broker.home / "other")] if name.startswith("t-"))
        elsewhere = next(int(name[2:]) for name in places[str(broker.data)] if name.startswith("t-"))
        taken = 0
        while True:
            error, offset = produce(broker, "t", number, bytes(700_000))
            if error:
                break
            check(offset == taken, f"{offset} is the next")
            taken += 1
            check(taken < 200, "it is full at last")
        check(error == STORAGE_ERROR, f"error {error}")
        check(count_records(broker, "t", number) == taken, "reads go on")
        produced(broker, "t", elsewhere, b"first")
        _, errors = described(broker)
        check(set(errors.values()) == {None}, f"a full disk is no failure: {errors}")
        mount("-o", "remount,size=128m", str(disk.path))
        check(produced(broker, "t", number, b"again") == taken, "it goes on where it was")
        check(count_records(broker, "t", number) == taken + 1, "all is there")
        broker.kill()
        broker.restart()
        check(count_records(broker, "t", number) == taken + 1, "and after a kill")
        broker.stop()
    return f"{taken} records until it was full"


def full_metadata_and_offsets(home):
    """The only disk is full: topics cannot be created nor offsets committed, and can be once there is room."""
    from confluent_kafka import Consumer, KafkaException, TopicPartition
    from confluent_kafka.admin import AdminClient, NewTopic

    broker = Broker(home)
    with small_tmpfs(broker.data, 40) as disk, broker:
        create(broker, "t", 1)
        consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "g", "enable.auto.commit": False})
        commit = lambda offset: consumer.commit(offsets=[TopicPartition("t", 0, offset)], asynchronous=False)  # noqa: E731
        wait_until(lambda: works(commit, 1), 30, "an offset is committed")
        while produce(broker, "t", 0, bytes(700_000))[0] == 0:
            pass
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        try:
            admin.create_topics([NewTopic("u", 1, 1)], request_timeout=10)["u"].result(20)
            raise AssertionError("a topic was created without room")
        except KafkaException:
            pass
        check(not works(commit, 2), "an offset was committed without room")
        mount("-o", "remount,size=160m", str(disk.path))
        wait_until(lambda: works(commit, 3), 30, "offsets are committed again")
        wait_until(lambda: works(create, broker, "v", 1), 30, "topics are created again")
        committed = consumer.committed([TopicPartition("t", 0)], timeout=20)[0].offset
        check(committed == 3, f"{committed} is committed")
        consumer.close()
        broker.stop()


def works(action, *arguments):
    """Whether it does."""
    try:
        action(*arguments)
    except Exception:  # noqa: BLE001
        return False
    return True


def start_on_a_full_disk(home):
    """The broker says what to do, and starts once that is done."""
    broker = Broker(home)
    with small_tmpfs(broker.data, 32) as disk:
        with broker:
            create(broker, "t", 1)
            produced(broker, "t", 0, b"first")
            broker.stop()
        disk.fill()
        broker.spawn()
        code = broker.process.wait(STOP_SECONDS_MAX)
        broker.process = None
        check(code not in (0, None), f"it ended with {code}")
        said = broker.last_words()
        check(str(broker.data) in said and re.search("No space left", said), f"it said {said}")
        check("free some space" in said, f"it said {said}")
        (disk.path / "filler").unlink()
        with broker:
            check(count_records(broker, "t", 0) == 1, "the record is there")
            broker.stop()


def metadata_disk_fails(home):
    """Without the metadata log the broker ends with a sentence and a code."""
    broker = TwoDirectories(home)
    with small_ext4(broker.data, home / "image") as disk:
        with broker:
            create(broker, "t", 2)
            disk.fail()
            quietly(create, broker, "u", 1)
            code = broker.process.wait(60)
            broker.process = None
        check(code not in (0, None), f"it ended with {code}")
        said = broker.log.read_text(errors="replace")
        check(str(broker.data) in said, f"it said {broker.last_words()}")
        if broker.kind == "yeoul":
            check("start the broker again" in said, f"it said {broker.last_words()}")


def main():
    """All checks, each mount in a directory of its own."""
    suite = Suite("directories")
    with tempfile.TemporaryDirectory(prefix="yeoul-directories-") as home:
        home = Path(home)
        broker = TwoDirectories(home / "two")
        with broker:
            for title, action in [
                    ("new partitions are spread", spread), ("a replica moves while it is written to", move_while_writing),
                    ("a move survives kill -9", kill_while_moving), ("a restart finds everything", survives_a_restart),
                    ("an unknown directory is refused", refuses),
                    ("a cordoned directory is spared", cordons),
                    ("a move keeps to its rate", throttles)]:
                suite.step(title, action, broker)
            suite.last_words_of(broker)
        moves.run(suite, home / "moves")
        suite.step("one disk fails, the other directory goes on", failing_disk, home / "failing")
        suite.step("a disk cannot be read", unreadable_disk, home / "unreadable")
        suite.step("the metadata log in a directory of its own", metadata_apart, home / "apart")
        suite.step("the disk of the metadata log fails", metadata_disk_fails, home / "fatal")
        if default_kind() == "yeoul":
            suite.step("a full disk", full_disk, home / "full")
            suite.step("metadata and offsets on a full disk", full_metadata_and_offsets, home / "offsets")
            suite.step("a start on a full disk", start_on_a_full_disk, home / "start")
    return suite.end()


if __name__ == "__main__":
    sys.exit(main())
