"""The main job on real input: flights keyed by carrier through a broker that is killed while they pass.

1. A producer sends all flights to 6 partitions; a group of three reads them and commits.
2. At 20 % the broker is killed with -9 and started again; at 40 % the producer is killed and another one sends what is missing.
3. At 60 % the broker is killed again; at 80 % of what is handled, a member of the group is killed and replaced.
4. At the end every flight is in the log once, in order per carrier; the group has handled every one; its commits stand at the end.
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

from broker import Broker, Suite, check, wait_until  # noqa: E402
from consumer import ROW  # noqa: E402
from flights import FLIGHTS, GROUP, PARTITIONS, TOPIC, flights, number_of  # noqa: E402

HERE = Path(__file__).resolve().parent
PATIENCE_SECONDS = 120


class Run:
    """The broker, the producer and the members of one run."""

    def __init__(self, home, broker):
        self.home, self.broker = Path(home), broker
        self.members = []
        self.producer = None

    def create_topic(self):
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(30)

    def start_member(self):
        path = self.home / f"member-{len(self.members)}.rows"
        path.touch()
        command = [sys.executable, HERE / "consumer.py", self.broker.bootstrap, path]
        self.members.append((path, subprocess.Popen(command, stderr=subprocess.DEVNULL)))

    def start_producer(self):
        command = [sys.executable, HERE / "producer.py", self.broker.bootstrap]
        self.producer = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def wait_for_acknowledged(self, share):
        """Until the producer has said that many are acknowledged."""
        for line in self.producer.stdout:
            if int(line) >= share * FLIGHTS:
                return f"at {int(line):,} acknowledged"
        raise AssertionError(f"the producer ended early, with {self.producer.wait()}")

    def handled(self):
        """How many rows the members have written, repeated ones too."""
        return sum(path.stat().st_size // ROW.size for path, _ in self.members)

    def kill_broker(self, share):
        said = self.wait_for_acknowledged(share)
        self.broker.kill()
        self.broker.restart()
        return said

    def kill_producer(self):
        said = self.wait_for_acknowledged(0.4)
        self.producer.kill()
        self.producer.wait()
        self.quiet()
        self.start_producer()
        return said

    def quiet(self):
        """Until two looks at the ends of the log agree: what the dead producer had sent is in."""
        looks = [None]
        reader = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "unused"})

        def settled():
            looks.append(ends(reader))
            return looks[-1] == looks[-2]

        wait_until(settled, PATIENCE_SECONDS, "the log stands still", pause=0.2)
        reader.close()

    def kill_member(self):
        wait_until(lambda: self.handled() >= 0.8 * FLIGHTS, PATIENCE_SECONDS, "80 % are handled")
        self.members[0][1].kill()
        self.members[0][1].wait()
        self.start_member()
        return f"at {self.handled():,} handled"

    def finish_producer(self):
        for _ in self.producer.stdout:
            pass
        code = self.producer.wait(PATIENCE_SECONDS)
        check(code == 0, f"the producer ended with {code}")

    def finish_members(self):
        """They have handled every flight and leave in order."""
        wait_until(lambda: len(self.numbers()) == FLIGHTS, PATIENCE_SECONDS, "every flight is handled", pause=0.3)
        for _, process in self.members[1:]:
            process.send_signal(signal.SIGTERM)
        for _, process in self.members[1:]:
            check(process.wait(PATIENCE_SECONDS) == 0, "a member did not leave in order")
        return f"{self.handled() - FLIGHTS:,} handled twice around the kills"

    def rows(self, path):
        """(partition, offset, number) in the order of handling; a torn last row is a member's death."""
        data = path.read_bytes()
        return list(ROW.iter_unpack(data[: len(data) // ROW.size * ROW.size]))

    def numbers(self):
        """The flights that were handled."""
        if self.handled() < FLIGHTS:
            return set()
        return {number for path, _ in self.members for _, _, number in self.rows(path)}

    def end(self):
        """Ends what still runs."""
        for process in [self.producer, *[process for _, process in self.members]]:
            if process and process.poll() is None:
                process.kill()


def ends(reader):
    """End offset of every partition."""
    return [reader.get_watermark_offsets(TopicPartition(TOPIC, partition), 30)[1] for partition in range(PARTITIONS)]


def read_log(bootstrap):
    """[(partition, offset, carrier, value)] of the whole topic."""
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "enable.partition.eof": True, "check.crcs": True})
    reader.assign([TopicPartition(TOPIC, partition, OFFSET_BEGINNING) for partition in range(PARTITIONS)])
    rows, ended = [], 0
    while ended < PARTITIONS:
        for message in reader.consume(10_000, 1):
            if message.error() is None:
                rows.append((message.partition(), message.offset(), message.key().decode(), message.value()))
            elif message.error().code() == KafkaError._PARTITION_EOF:
                ended += 1
    reader.close()
    return rows


def check_log(bootstrap):
    """Every flight is there once, whole, and in order per carrier."""
    expected = flights()
    rows = read_log(bootstrap)
    check(len(rows) == FLIGHTS, f"{len(rows):,} records in the log")
    next_offset, last_number, home = [0] * PARTITIONS, {}, {}
    for partition, offset, carrier, value in rows:
        number = number_of(value)
        check(offset == next_offset[partition], f"offset {offset} of partition {partition}, not {next_offset[partition]}")
        next_offset[partition] += 1
        check(last_number.get(carrier, -1) < number, f"flight {number} of {carrier} came after {last_number.get(carrier)}")
        last_number[carrier] = number
        check(home.setdefault(carrier, partition) == partition, f"{carrier} is in two partitions")
        check(value.split(b",", 1)[1].decode() == expected[number][1], f"flight {number} was changed")
    check(len({number_of(row[3]) for row in rows}) == FLIGHTS, "a flight is missing")
    return f"{FLIGHTS:,} flights of {len(home)} carriers"


def check_handled(run):
    """Put together by position, the members' rows are each partition's log from its first offset to its end."""
    by_place = {(partition, offset): number for path, _ in run.members for partition, offset, number in run.rows(path)}
    check(len(by_place) == FLIGHTS, f"{len(by_place):,} places were handled")
    check(set(by_place.values()) == set(range(FLIGHTS)), "a flight was not handled")
    for path, _ in run.members[:3]:
        check(run.rows(path), f"{path.name} handled nothing")


def check_commits(bootstrap):
    """The group's commits stand at the ends of the partitions."""
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": GROUP})
    committed = reader.committed([TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)], 30)
    found = [max(place.offset, 0) for place in committed]  # a partition without flights has no commit
    check(found == ends(reader), f"committed {found}, the ends are {ends(reader)}")
    reader.close()


def steps(suite, run):
    """The job, then what must hold, then the same after a clean restart."""
    bootstrap = run.broker.bootstrap
    yield suite.step("create the topic", run.create_topic)
    for _ in range(3):
        run.start_member()
    run.start_producer()
    yield suite.step("kill -9 the broker at 20 % and start it again", run.kill_broker, 0.2)
    yield suite.step("kill -9 the producer at 40 %; another sends what is missing", run.kill_producer)
    yield suite.step("kill -9 the broker at 60 % and start it again", run.kill_broker, 0.6)
    yield suite.step("kill -9 a member of the group at 80 %; another takes its place", run.kill_member)
    yield suite.step("the producer ends with everything acknowledged", run.finish_producer)
    yield suite.step("the group handles every flight", run.finish_members)
    yield suite.step("every flight is in the log once, in order per carrier", check_log, bootstrap)
    yield suite.step("every flight was handled", check_handled, run)
    yield suite.step("the commits stand at the ends", check_commits, bootstrap)
    yield suite.step("the broker stops cleanly and starts again", restart, run.broker)
    yield suite.step("the log is the same after the restart", check_log, bootstrap)
    yield suite.step("the commits are the same after the restart", check_commits, bootstrap)


def restart(broker):
    broker.stop()
    broker.restart()


def main():
    suite = Suite("flights")
    with tempfile.TemporaryDirectory(prefix="yeoul-flights-") as home, Broker(home) as broker:
        run = Run(home, broker)
        try:
            for held in steps(suite, run):
                if not held:
                    break
        finally:
            run.end()
        suite.last_words_of(broker)
    return suite.end()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
