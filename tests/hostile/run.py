"""Bytes that no client should send: each is answered as Apache Kafka answers it, or its connection is closed.

After every case the broker must still take a record on another connection, and its memory must be where it was, give or take.
An outcome is `closed`, `waits` (neither answered nor closed), `error N` (the error code of the one partition of a produce request),
or `answered`.
"""

import gzip
import os
import random
import socket
import struct
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

from batch import batch, produce_body, record, varint  # noqa: E402
from broker import Broker, Suite, check, frame, lists_a_broker, receive  # noqa: E402
from connections import Bounded, Crowded, OfAddresses, for_brokers, half_open, new_topic, of_addresses, of_requests  # noqa: E402

TOPIC = "hostile"
PRODUCE, FETCH, LIST_OFFSETS, METADATA, API_VERSIONS, CREATE_TOPICS, JOIN_GROUP = 0, 1, 2, 3, 18, 19, 11
WAIT_SECONDS = 1.0
ANSWER_SECONDS = 20
GROWTH_BYTES_MAX = 200_000_000
PROMISES = 200
PROMISED_BYTES = 90_000_000
BOMB_BYTES = 200_000_000


def noise(count):
    """The same noise every time."""
    return random.Random(3).randbytes(count)


def produce(data, acks=-1, records_length=None):
    """A whole produce request."""
    return frame(PRODUCE, 7, produce_body(TOPIC, data, acks, records_length))


def flexible(api_key, version, body):
    """A request with header version 2: no tagged fields in the header."""
    content = struct.pack(">hhih", api_key, version, 1, -1) + b"\0" + body
    return struct.pack(">i", len(content)) + content


def bomb():
    """One record of zeros that is a thousandth of its size on the wire."""
    inner = record(bytes(BOMB_BYTES))
    return batch(gzip.compress(inner, 6), attributes=1)


GOOD = record(b"hello")
TWO = GOOD + record(b"hello", 1)

# What Apache Kafka 4.3.1 does not pass itself: no answer at all, and a heap that is full.
FLAWS_OF_KAFKA = ["records of negative length", "200 connections that promise 90 MB each"]

# (title, bytes to send, what Apache Kafka 4.3.1 does)
CASES = [
    ("half a frame", struct.pack(">i", 100) + b"half", "waits"),
    ("a frame of 2 GB", struct.pack(">i", 0x7FFFFFFF), "closed"),
    ("a frame of negative size", struct.pack(">i", -5), "closed"),
    ("an empty frame", struct.pack(">i", 0), "closed"),
    ("garbage", noise(65536), "closed"),
    ("garbage in a frame", struct.pack(">i", 4096) + noise(4096), "closed"),
    ("text", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "closed"),
    ("an unknown api", frame(9999, 0, b""), "closed"),
    ("a negative api", frame(-3, 0, b""), "closed"),
    ("a produce of version 99", frame(PRODUCE, 99, b""), "closed"),
    ("a produce of version 0", frame(PRODUCE, 0, b""), "closed"),
    ("an api versions of version 99", flexible(API_VERSIONS, 99, b""), "answered"),
    ("an empty body", frame(PRODUCE, 7, b""), "closed"),
    ("an array of two thousand million topics", frame(METADATA, 1, struct.pack(">i", 0x7FFFFFFF)), "closed"),
    ("an array of minus five topics", frame(LIST_OFFSETS, 1, struct.pack(">ii", -1, -5)), "closed"),
    ("a string longer than its frame", frame(METADATA, 1, struct.pack(">ih", 1, 30000) + b"short"), "closed"),
    ("a compact array of two thousand million", flexible(METADATA, 9, b"\xff\xff\xff\xff\x07"), "closed"),
    ("a varint without an end", flexible(METADATA, 9, b"\xff" * 20), "closed"),
    ("two thousand million tagged fields", flexible(METADATA, 9, b"\0\1\0\0" + b"\xff\xff\xff\xff\x07"), "closed"),
    ("records longer than their frame", produce(batch(GOOD), records_length=1_000_000_000), "closed"),
    ("records of negative length", produce(batch(GOOD), records_length=-7), "closed"),
    ("a good batch", produce(batch(GOOD)), "error 0"),
    ("a corrupt checksum", produce(batch(GOOD, crc_error=1)), "error 2"),
    ("more records promised than there are", produce(batch(GOOD, count=5)), "error 87"),
    ("fewer records promised than there are", produce(batch(TWO, count=1)), "error 87"),
    ("a last offset that is not the count's", produce(batch(GOOD, count=1, last_delta=9)), "error 87"),
    ("a count of two thousand million", produce(batch(GOOD, count=0x7FFFFFFF)), "error 87"),
    ("a negative count", produce(batch(GOOD, count=-2, last_delta=0)), "error 87"),
    ("a record longer than its batch", produce(batch(record(b"hello", length_error=1000))), "error 87"),
    ("a key longer than its record", produce(batch(record(b"hello", key_length=500))), "error 87"),
    ("a record of two thousand million bytes", produce(batch(varint(0x7FFFFFFF) + GOOD)), "error 87"),
    ("a batch longer than the records", produce(batch(GOOD, length_error=50)), "error 87"),
    ("a batch shorter than its header", produce(batch(GOOD, length_error=-60)), "error 2"),
    ("half a batch", produce(batch(GOOD)[:30]), "error 87"),
    ("no batch", produce(b""), "error 87"),
    ("two batches for one partition", produce(batch(GOOD) + batch(GOOD)), "error 87"),
    ("a batch of magic 9", produce(batch(GOOD, magic=9)), "error 2"),
    ("a batch of magic 1", produce(batch(GOOD, magic=1)), "error 87"),
    ("a codec that does not exist", produce(batch(GOOD, attributes=7)), "error -1"),
    ("gzip that is not", produce(batch(noise(500), attributes=1)), "error -1"),
    ("snappy that is not", produce(batch(noise(500), attributes=2)), "error -1"),
    ("lz4 that is not", produce(batch(noise(500), attributes=3)), "error -1"),
    ("zstd that is not", produce(batch(noise(500), attributes=4)), "error -1"),
    ("a control batch from a client", produce(batch(GOOD, attributes=0x20)), "error 87"),
    ("an out of order sequence", produce(batch(GOOD, producer=(77, 0, 50))), "error 0"),
    ("acks of 7", produce(batch(GOOD), acks=7), "error 21"),
]


def outcome(port, data):
    """What happens to a connection that sends the data."""
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) as connection:
        try:
            connection.sendall(data)
            connection.settimeout(WAIT_SECONDS if incomplete(data) else ANSWER_SECONDS)
            (size,) = struct.unpack(">i", receive(connection, 4))
            return named(data, receive(connection, size))
        except TimeoutError:
            return "waits"
        except OSError:
            return "closed"


def incomplete(data):
    """Whether the frame promises more than was sent, so that waiting is right."""
    (size,) = struct.unpack_from(">i", data)
    return 0 < size <= 100_000_000 and len(data) < 4 + size


def named(data, answer):
    """The outcome that an answer means."""
    (api_key,) = struct.unpack_from(">h", data, 4)
    if api_key != PRODUCE:
        return "answered"
    at = 4 + 4 + 2 + len(TOPIC) + 4 + 4
    return f"error {struct.unpack_from('>h', answer, at)[0]}"


def resident(pid):
    """Bytes of the process in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def check_alive(broker):
    """The broker runs and takes a record on another connection."""
    check(broker.process.poll() is None, f"the broker ended with {broker.process.poll()}")
    found = outcome(broker.port, produce(batch(GOOD)))
    check(found == "error 0", f"afterwards a good batch is {found}")


def run_case(broker, data, expected):
    """Closing is always right for what Apache Kafka refuses in any way."""
    before = resident(broker.pid())
    found = outcome(broker.port, data)
    acceptable = {expected} if expected in ("error 0", "waits", "answered") else {expected, "closed"}
    check(found in acceptable, f"{found}, not {expected}")
    check_alive(broker)
    grown = resident(broker.pid()) - before
    check(grown < GROWTH_BYTES_MAX, f"it grew by {grown / 1e6:.0f} MB")
    return found


def promises(broker):
    """Many connections that each promise a large frame and send little of it."""
    before = resident(broker.pid())
    connections = []
    try:
        for _ in range(PROMISES):
            connection = socket.create_connection(("127.0.0.1", broker.port), timeout=ANSWER_SECONDS)
            connection.sendall(struct.pack(">i", PROMISED_BYTES) + struct.pack(">hhih", PRODUCE, 7, 1, -1))
            connections.append(connection)
        check_alive(broker)
        grown = resident(broker.pid()) - before
        check(grown < GROWTH_BYTES_MAX, f"it grew by {grown / 1e6:.0f} MB")
        return f"{grown / 1e6:.0f} MB more"
    finally:
        for connection in connections:
            connection.close()


def slow_neighbour(broker):
    """Others are served while a connection has sent half a frame."""
    with socket.create_connection(("127.0.0.1", broker.port)) as connection:
        connection.sendall(produce(batch(GOOD))[:40])
        check(lists_a_broker(broker.port), "nobody else was answered")
        connection.sendall(produce(batch(GOOD))[40:])
        connection.settimeout(ANSWER_SECONDS)
        (size,) = struct.unpack(">i", receive(connection, 4))
        receive(connection, size)


def pipelined(broker):
    """Answers come in the order of their requests, also when one in the middle is refused."""
    requests = [produce(batch(GOOD)), produce(batch(GOOD, crc_error=1)), frame(METADATA, 1, struct.pack(">i", 0)), produce(batch(GOOD))]
    numbered = [data[:8] + struct.pack(">i", number) + data[12:] for number, data in enumerate(requests)]
    with socket.create_connection(("127.0.0.1", broker.port), timeout=ANSWER_SECONDS) as connection:
        connection.sendall(b"".join(numbered))
        found = []
        for _ in requests:
            (size,) = struct.unpack(">i", receive(connection, 4))
            found.append(struct.unpack_from(">i", receive(connection, size))[0])
    check(found == [0, 1, 2, 3], f"answered in the order {found}")


def create_topic(broker):
    """The topic with one partition."""
    with socket.create_connection(("127.0.0.1", broker.port), timeout=ANSWER_SECONDS) as connection:
        connection.sendall(frame(CREATE_TOPICS, 2, new_topic(TOPIC)))
        (size,) = struct.unpack(">i", receive(connection, 4))
        answer = receive(connection, size)
    (error,) = struct.unpack_from(">h", answer, 4 + 4 + 4 + 2 + len(TOPIC))
    check(error == 0, f"refused with error {error}")


def checks():
    """(title, action, what it takes besides the broker)"""
    yield from ((title, run_case, data, expected) for title, data, expected in CASES)
    yield "a bomb of 200 MB", run_case, produce(bomb()), "error 0"
    yield "half a frame holds nobody up", slow_neighbour
    yield "answers keep the order of requests", pipelined
    yield "200 connections that promise 90 MB each", promises


def crowds(suite, home):
    """Connections that are many, each kind with a broker of its own."""
    for kind, steps in [
        (Crowded, [("thousands that begin and never go on", half_open, resident, GROWTH_BYTES_MAX)]),
        (Bounded, [("as many connections as may be", for_brokers)]),
        (OfAddresses, [("create the topic again", create_topic), ("so many connections of an address", of_addresses),
                       ("one request at work at a time", of_requests)]),
    ]:
        with kind(home / kind.__name__) as broker:
            for title, action, *arguments in steps:
                suite.step(title, action, broker, *arguments)
            suite.last_words_of(broker)


def main():
    suite = Suite("hostile")
    with tempfile.TemporaryDirectory(prefix="yeoul-hostile-") as home:
        with Broker(Path(home) / "one") as broker:
            if suite.step("create the topic", create_topic, broker):
                for title, action, *arguments in checks():
                    if broker.kind == "yeoul" or title not in FLAWS_OF_KAFKA:
                        suite.step(title, action, broker, *arguments)
            suite.step("the broker stops cleanly", broker.stop)
            suite.last_words_of(broker)
        crowds(suite, Path(home))
    return suite.end()


if __name__ == "__main__":
    import resource as limits
    limits.setrlimit(limits.RLIMIT_NOFILE, (limits.getrlimit(limits.RLIMIT_NOFILE)[1],) * 2)
    sys.exit(main())
