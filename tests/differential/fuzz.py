"""Random requests at every version that a broker serves: it answers each, stays as large as it was, and keeps what it has taken.

Each API is asked in each of its versions at least once. What can be read before a kill -9 can be read after it, and says the same.
"""

import os
import random
import struct
import threading
import time
from pathlib import Path

from batch import batch, record
from broker import Failure, check, wait_until
from codec import Malformed
from random_requests import GROUPS, TOPICS, Generator, Known
from records import HEADER
from schema import apis
from wire import Closed, Connection

SEED = int(os.environ.get("FUZZ_SEED", "1"))
THREADS = 4
EARLIEST = -2
KEPT = "kept-for-ever"
GROWTH_BYTES_MAX = 300_000_000
# Served, and told to nobody.
UNADVERTISED = [("GetTelemetrySubscriptions", 0), ("PushTelemetry", 0)]
# Of so many requests, one puts a batch into the topic whose content is read again in the end, and one asks which topics there are.
KEEP_EVERY, ASK_EVERY = 50, 100


class Worker(threading.Thread):
    """Sends requests one after the other, each drawn from a seed of its own."""

    def __init__(self, number, port, served, deadline):
        super().__init__(name=f"fuzz-{number}")
        self.draw = random.Random(SEED * THREADS + number)
        self.port = port
        self.served = served
        # Those to be asked before any is asked twice, but not all in one order.
        self.due = served[number::THREADS]
        self.draw.shuffle(self.due)
        self.reached = set()
        # The APIs that have answered something without an error.
        self.granted = set()
        self.deadline = deadline
        self.known = Known()
        self.connection = Connection(port)
        # (base offset, records) of what the broker has acknowledged.
        self.kept = []
        self.count = 0
        self.failure = None

    def run(self):
        try:
            while self.due or time.monotonic() < self.deadline:
                self.step()
        except Exception as error:  # whatever goes wrong is told by the main thread
            self.failure = error

    def step(self):
        self.count += 1
        if self.count % KEEP_EVERY == 0:
            self.keep()
        elif self.count % ASK_EVERY == 1:
            self.known.learn("Metadata", {}, self.connection.ask("Metadata", 12, {"topics": None}))
        else:
            self.send_any()

    def keep(self):
        """Puts a batch where it will be looked for."""
        content = record(self.draw.randbytes(20))
        data = {"name": KEPT, "partition_data": [{"index": 0, "records": batch(content)}]}
        answer = self.connection.ask("Produce", 9, {"acks": -1, "timeout_ms": 10_000, "topic_data": [data]})
        (told,) = answer["responses"][0]["partition_responses"]
        check(told["error_code"] == 0, f"a good batch is refused: {told}")
        self.kept.append((told["base_offset"], content))

    def send_any(self):
        api, version = self.due.pop() if self.due else self.draw.choice(self.served)
        fields = Generator(self.draw, self.known, api, version).request()
        try:
            self.connection.send(api, version, fields)
            if api == "Produce" and fields["acks"] == 0:
                self.connection.forget()
                # A refusal shows in that the connection ends.
                self.connection.ask("ApiVersions", 0, {})
            else:
                answer = self.connection.receive()
                self.known.learn(api, fields, answer)
                if 0 in errors(answer):
                    self.granted.add(api)
            self.reached.add((api, version))
        except Closed as error:
            # That is the only way to tell who wants no answer.
            if api != "Produce" or fields["acks"] != 0:
                raise Failure(f"{api} version {version} is not answered: {fields}") from error
            self.connection = Connection(self.port)
            self.reached.add((api, version))
        except (Malformed, TimeoutError) as error:
            raise Failure(f"{api} version {version}: {type(error).__name__} {error}: {fields}") from error


def served_by(advertised):
    """(API, version) of all that is served; Produce below 3 only stands in the list."""
    pairs = [(apis()[key], version) for key, (first, last) in advertised.items() for version in range(first, last + 1)]
    return [(api, version) for api, version in pairs if api != "Produce" or version >= 3] + UNADVERTISED


def errors(answer):
    """All error codes of an answer."""
    if isinstance(answer, list):
        return [code for one in answer for code in errors(one)]
    if not isinstance(answer, dict):
        return []
    return [code for name, value in answer.items() for code in ([value] if name == "error_code" else errors(value))]


def resident(pid):
    """Bytes of the process in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def make_topics(port):
    """Some topics that random requests can hit, and the one that is kept."""
    connection = Connection(port)
    topics = [{"name": name, "num_partitions": 2, "replication_factor": 1} for name in [*TOPICS, KEPT]]
    answer = connection.ask("CreateTopics", 7, {"topics": topics, "timeout_ms": 10_000})
    check(not any(one["error_code"] for one in answer["topics"]), f"topics were not created: {answer}")
    connection.close()


def run(broker, advertised, seconds):
    """Sends requests for so long, kills the broker, and reads what it had taken."""
    make_topics(broker.port)
    before = resident(broker.pid())
    deadline = time.monotonic() + seconds
    workers = [Worker(number, broker.port, served_by(advertised), deadline) for number in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    failures = [repr(worker.failure) for worker in workers if worker.failure]
    check(broker.process.poll() is None, f"the broker ended with {broker.process.poll()}")
    check(not failures, f"seed {SEED}: {failures}")
    grown = resident(broker.pid()) - before
    check(grown < GROWTH_BYTES_MAX, f"it grew by {grown / 1e6:.0f} MB")
    left = set(workers[0].served) - set().union(*(worker.reached for worker in workers))
    check(not left, f"not reached: {sorted(left)}")
    kept = [one for worker in workers for one in worker.kept]
    before = contents(broker.port)
    broker.kill()
    broker.restart()
    check_kept(broker.port, kept)
    check_same(before, contents(broker.port))
    count = sum(worker.count for worker in workers)
    refused = {api for api, _ in workers[0].served} - set().union(*(worker.granted for worker in workers))
    read_again = sum(len(records) for (kind, *_), records in before.items() if kind == "records")
    return (f"{count} requests, {len(workers[0].served)} versions of APIs, {len(kept)} batches and {read_again / 1e6:.1f} MB read again, "
            f"{grown / 1e6:.0f} MB more; without an error never: {', '.join(sorted(refused)) or 'none'}")


def contents(port):
    """All that can be read: records by topic and partition, and offsets by group, topic and partition."""
    connection = Connection(port)
    found = {}
    for topic in connection.ask("Metadata", 12, {"topics": None})["topics"]:
        for partition in [] if topic["is_internal"] else topic["partitions"]:
            place = topic["name"], partition["partition_index"]
            found["records", *place] = records_of(connection, *place)
    for group in GROUPS:
        wanted = [{"group_id": group, "topics": None}]
        (told,) = wait_until(lambda: settled(connection.ask("OffsetFetch", 8, {"groups": wanted})["groups"]), 30, f"{group} is loaded")
        for topic in told["topics"]:
            for partition in topic["partitions"]:
                found["offset", group, topic["name"], partition["partition_index"]] = partition["committed_offset"]
    connection.close()
    return found


def settled(groups):
    """The groups, if their coordinator has loaded them."""
    return groups if groups[0]["error_code"] not in (14, 15, 16) else None


def records_of(connection, topic, partition):
    """All records of a partition as they are, from its start."""
    found, offset = b"", start_of(connection, topic, partition)
    while True:
        wanted = {"partition": partition, "fetch_offset": offset, "partition_max_bytes": 10_000_000}
        answer = connection.ask("Fetch", 12, {"max_bytes": 10_000_000, "session_epoch": -1,
            "topics": [{"topic": topic, "partitions": [wanted]}]})
        told = answer["responses"][0]["partitions"][0]
        check(told["error_code"] == 0, f"{topic}-{partition} cannot be read: {told['error_code']}")
        if not told["records"]:
            return found
        found += told["records"]
        offset = end_of(told["records"])


def start_of(connection, topic, partition):
    """The offset of the first record."""
    wanted = {"partition_index": partition, "timestamp": EARLIEST}
    answer = connection.ask("ListOffsets", 5, {"replica_id": -1, "topics": [{"name": topic, "partitions": [wanted]}]})
    return answer["topics"][0]["partitions"][0]["offset"]


def end_of(records):
    """The offset behind the last batch."""
    at = 0
    while at < len(records):
        base, length = struct.unpack_from(">qi", records, at)
        (last_delta,) = struct.unpack_from(">i", records, at + 23)
        at += 12 + length
    return base + last_delta + 1


def check_same(before, after):
    """Nothing is missing, and nothing says something else. What was on its way to the disk without being waited for may follow."""
    check(before.keys() == after.keys(), f"others are there: {sorted(before.keys() ^ after.keys())[:5]}")
    other = [place for place, told in before.items() if not is_told_again(told, after[place])]
    check(not other, f"{len(other)} are not as they were: {sorted(other)[:5]}")


def is_told_again(told, again):
    return again.startswith(told) if isinstance(told, bytes) else again == told


def check_kept(port, kept):
    """Every batch that was acknowledged is where it was."""
    connection = Connection(port)
    for offset, content in kept:
        wanted = {"partition": 0, "fetch_offset": offset, "partition_max_bytes": 1}
        answer = connection.ask("Fetch", 12, {"max_bytes": 1_000_000, "session_epoch": -1,
            "topics": [{"topic": KEPT, "partitions": [wanted]}]})
        found = answer["responses"][0]["partitions"][0]["records"]
        (base,) = HEADER.unpack_from(found)[:1]
        check((base, found[HEADER.size:HEADER.size + len(content)]) == (offset, content), f"another batch at offset {offset}")
    connection.close()
