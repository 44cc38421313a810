"""Acknowledged means kept: the broker is killed with -9 at random moments, and every acknowledged record is found again.

Writers send numbered records one request at a time, each to its own partition, and note what was acknowledged. After a kill the
partition must hold 0, 1, 2, … without a gap at least up to the last note, and at most the one record more that was under way.
ROUNDS and SEED choose how often and when.
"""

import os
import random
import socket
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent.parent / "hostile")]

from batch import batch, record  # noqa: E402
from broker import Broker, Failure, Suite, ask, check, frame, receive, wait_until  # noqa: E402

PRODUCE, FETCH, CREATE_TOPICS = 0, 1, 19  # keys of the APIs
TOPIC = b"crash"
WRITERS = 8
NOT_YET = (3, 5, 6)  # the topic is unknown, or has no leader, just after its creation or a start
LONGEST_SECONDS = 1.0
BYTES = [1, 100, 3000, 5000, 70000]


def topic_head(rest):
    """An array of one topic with one array of one partition."""
    return struct.pack(">ih", 1, len(TOPIC)) + TOPIC + rest


class Writer:
    """One partition's writer, over all rounds."""

    def __init__(self, partition):
        self.partition = partition
        self.acknowledged = 0
        self.trouble = None

    def value(self, number):
        """Starts with its number; the length changes from one to the next."""
        return struct.pack(">Q", number) + bytes(BYTES[number % len(BYTES)])

    def request(self, number):
        """Produce version 7, acks=all."""
        data = batch(record(self.value(number)))
        body = struct.pack(">hhi", -1, -1, 10_000) + topic_head(struct.pack(">iii", 1, self.partition, len(data)) + data)
        return frame(PRODUCE, 7, body)

    def write(self, port, found):
        """Until the connection breaks. Starts at what the partition holds."""
        self.acknowledged = found
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                while self.exchange(connection):
                    self.acknowledged += 1
        except Failure as trouble:
            self.trouble = trouble
        except OSError:
            return

    def exchange(self, connection):
        """One record; whether it was taken."""
        connection.sendall(self.request(self.acknowledged))
        (size,) = struct.unpack(">i", receive(connection, 4))
        answer = receive(connection, size)
        error, offset = struct.unpack_from(">hq", answer, 4 + 4 + 2 + len(TOPIC) + 4 + 4)
        check(error == 0, f"refused with error {error}")
        check(offset == self.acknowledged, f"record {self.acknowledged} got offset {offset}")
        return True

    def found(self, port):
        """How many records the partition holds; each must be the one of its offset."""
        offset = 0
        while True:
            answer = wait_until(lambda at=offset: fetched(port, self.partition, at), 30, "the partition is served")
            numbers = answer[0]
            if not numbers:
                return offset
            check(numbers == list(range(offset, offset + len(numbers))), f"at {offset} of {self.partition} are {numbers[:5]}")
            offset += len(numbers)


def fetched(port, partition, offset):
    """fetch() in a list, so that an empty answer is an answer; nothing while there is none."""
    numbers = fetch(port, partition, offset)
    return None if numbers is None else [numbers]


def fetch(port, partition, offset):
    """The numbers of the records from an offset on, by Fetch version 4; None while the partition is not served yet."""
    body = struct.pack(">iiiib", -1, 0, 0, 1 << 20, 0) + topic_head(struct.pack(">iiqi", 1, partition, offset, 1 << 20))
    answer = ask(port, frame(FETCH, 4, body), 20)
    at = 4 + 4 + 2 + len(TOPIC) + 4 + 4
    error, _, _, aborted = struct.unpack_from(">hqqi", answer, at)
    if error in NOT_YET:
        return None
    check(error == 0, f"fetch from {offset} of {partition}: error {error}")
    at += 2 + 8 + 8 + 4 + 16 * max(aborted, 0)
    (size,) = struct.unpack_from(">i", answer, at)
    return numbers_in(answer[at + 4 : at + 4 + max(size, 0)], offset)


def numbers_in(data, offset):
    """The numbers at the start of the values; a batch here is one record, whose value stands behind a header of known form."""
    numbers = []
    while len(data) >= 61 and len(data) >= 12 + struct.unpack_from(">i", data, 8)[0]:
        base, length = struct.unpack_from(">qi", data)
        if base >= offset:
            numbers.append(struct.unpack_from(">Q", data, value_at(data))[0])
        data = data[12 + length :]
    return numbers


def value_at(data):
    """Where the value of the first record starts: after its length, attributes, deltas, null key and the value's length."""
    at = varint_end(data, 61) + 4
    return varint_end(data, at)


def varint_end(data, at):
    """The position after a varint."""
    while data[at] & 0x80:
        at += 1
    return at + 1


def create_topic(broker):
    """CreateTopics version 2."""
    body = struct.pack(">ih", 1, len(TOPIC)) + TOPIC + struct.pack(">ihiiib", WRITERS, 1, 0, 0, 30_000, 0)
    (error,) = struct.unpack_from(">h", ask(broker.port, frame(CREATE_TOPICS, 2, body), 60), 4 + 4 + 2 + len(TOPIC))
    check(error == 0, f"refused with error {error}")


def write_until_killed(broker, writers, seconds):
    """All writers at once, and the kill in the middle of it."""
    threads = [threading.Thread(target=writer.write, args=(broker.port, writer.found(broker.port))) for writer in writers]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    broker.process.kill()
    for thread in threads:
        thread.join()
    broker.kill()
    for writer in writers:
        check(writer.trouble is None, writer.trouble)


def round_of(broker, writers, seconds):
    """Write, kill, start, compare."""
    write_until_killed(broker, writers, seconds)
    begin = time.monotonic()
    broker.restart()
    started = time.monotonic() - begin
    total = 0
    for writer in writers:
        found = writer.found(broker.port)
        missing = writer.acknowledged - found
        check(missing <= 0, f"partition {writer.partition}: {missing} of {writer.acknowledged} acknowledged records are gone")
        check(missing >= -1, f"partition {writer.partition} has {-missing} records more than were acknowledged")
        total += found
    return f"killed after {seconds:.2f} s, started in {started:.2f} s, {total:,} records"


def main():
    suite = Suite("crash")
    dice = random.Random(int(os.environ.get("SEED", "7")))
    with tempfile.TemporaryDirectory(prefix="yeoul-crash-") as home, Broker(home) as broker:
        rounds = int(os.environ.get("ROUNDS", "2" if broker.kind == "apache-kafka" else "12"))
        writers = [Writer(partition) for partition in range(WRITERS)]
        held = suite.step("create the topic", create_topic, broker)
        for number in range(rounds if held else 0):
            if not suite.step(f"round {number + 1}", round_of, broker, writers, dice.uniform(0.01, LONGEST_SECONDS)):
                break
        suite.step("the broker stops cleanly", broker.stop)
        suite.last_words_of(broker)
    return suite.end()


if __name__ == "__main__":
    sys.exit(main())
