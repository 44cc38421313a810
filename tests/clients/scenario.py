"""What every client is asked to do: one list of checks over adapters with the same few methods.

An adapter is a class with `name` and, taking and giving plain values:

    create(topic, partitions, configs)      describe_topic_configs(topic) -> {name: value}
    topics() -> {name: partitions}          describe_cluster() -> (cluster id, {node id: "host:port"})
    delete(topic)                           produce(topic, codec, records) -> error name or None
    read_all(topic) -> [Read]               group_read(topic, group, count) -> [Read], commits them, leaves
    offsets_at(topic, when) -> {partition: offset or None}, when = "earliest", "latest" or milliseconds
    two_members(topic, group) -> [partitions of one, partitions of the other]

A method that the client does not offer is missing; its checks are then listed as not offered.
`plain = True` says that a client cannot choose timestamps and headers record by record; `codecs` names those that it has.
"""

from collections import Counter
from dataclasses import dataclass, replace

from broker import check

PARTITIONS = 3
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
RECORDS_A_CODEC = 20
FIRST_TIMESTAMP = 1_700_000_000_000
STEP_MS = 1_000
FIRST_READ = 25


@dataclass(frozen=True)
class Record:
    """A record to send. `timestamp` is in milliseconds; None leaves it to the client."""

    partition: int
    timestamp: int | None
    key: bytes | None
    value: bytes | None
    headers: tuple = ()


@dataclass(frozen=True)
class Read:
    """A record that came back."""

    offset: int
    record: Record


def value_of(client, codec, index):
    """Distinct values, among them a tombstone, a long one, and one that does not compress."""
    if index == 3:
        return None
    text = f"{client} {codec} {index} "
    if index == 4:
        return (text + "a long and repetitive line; " * 4000).encode()
    if index == 5:
        return (text + "".join(chr(97 + (i * i * 7919 + i // 7) % 26) for i in range(5000))).encode()
    return text.encode()


def records_of(client, codec, plain=False):
    """The records that a client sends with one codec."""
    first = CODECS.index(codec) * RECORDS_A_CODEC
    return [record_of(client, codec, first, index, plain) for index in range(RECORDS_A_CODEC)]


def record_of(client, codec, first, index, plain):
    """One record; the timestamps of all codecs together grow by STEP_MS."""
    key = f"key-{first + index}".encode()
    value = value_of(client, codec, index)
    if plain:
        return Record(index % PARTITIONS, None, key, value, (("codec", codec.encode()),))
    headers = (("codec", codec.encode()), ("index", str(index).encode()), ("empty", b""))
    return Record(index % PARTITIONS, FIRST_TIMESTAMP + (first + index) * STEP_MS, key, value, headers)


def all_records(client):
    """Everything that a client sends, in order."""
    plain, codecs = getattr(client, "plain", False), getattr(client, "codecs", CODECS)
    return [record for codec in codecs for record in records_of(client.name, codec, plain)]


def same(sent, read):
    """Whether what was read is what was sent, up to a timestamp that the client chose itself."""
    expected = replace(sent, timestamp=read.timestamp) if sent.timestamp is None else sent
    return expected == read


def check_read(sent, read):
    """Every record once, unchanged, and in the order of sending within its partition."""
    check(len(read) == len(sent), f"{len(sent)} records sent, {len(read)} read")
    for partition in range(PARTITIONS):
        ours = [record for record in sent if record.partition == partition]
        theirs = sorted((r for r in read if r.record.partition == partition), key=lambda r: r.offset)
        check([r.offset for r in theirs] == list(range(len(ours))), f"offsets of {partition} are not 0..{len(ours)}")
        for wanted, found in zip(ours, theirs, strict=True):
            check(same(wanted, found.record), f"sent {brief(wanted)}, read {brief(found.record)}")


def settled(shares):
    """The members' partitions once each has some and none is held twice, as during a rebalance; None before."""
    complete = all(shares) and sum(len(share) for share in shares) == PARTITIONS
    return shares if complete else None


def brief(record):
    """A record with its long values cut."""
    value = record.value if record.value is None else record.value[:40]
    return replace(record, value=value)


class Scenario:
    """The checks, bound to one client and its topic."""

    def __init__(self, client, others):
        self.client = client
        self.plain = getattr(client, "plain", False)
        self.topic = f"t.{client.name}"
        self.codecs = getattr(client, "codecs", CODECS)
        self.sent = all_records(client)
        self.others = others

    def checks(self):
        """(title, methods that the client must offer, action)"""
        produce = [(f"produce {codec}", ["produce"], lambda codec=codec: self.produce(codec)) for codec in self.codecs]
        return [
            ("create topic", ["topics"], self.create),
            *produce,
            ("read from the beginning", ["read_all"], self.read),
            ("read what others wrote", ["read_all"], self.read_others),
            ("group commits and resumes", ["group_read"], self.group),
            ("group of two members", ["two_members"], self.rebalance),
            ("offsets by time", ["offsets_at"], self.offsets),
            ("describe configs", ["describe_topic_configs"], self.configs),
            ("describe cluster", ["describe_cluster"], self.cluster),
            ("too large a record is refused", ["produce"], self.too_large),
            ("delete topic", ["delete"], self.delete),
        ]

    def create(self):
        """By the admin client; one without any has the broker create it when it is first written to."""
        if hasattr(self.client, "create"):
            self.client.create(self.topic, PARTITIONS, {"retention.ms": "-1", "max.message.bytes": "600000"})
        else:
            self.client.touch(self.topic)
        found = self.client.topics().get(self.topic)
        check(found == PARTITIONS, f"{self.topic} has {found} partitions, not {PARTITIONS}")

    def produce(self, codec):
        error = self.client.produce(self.topic, codec, records_of(self.client.name, codec, self.plain))
        check(error is None, f"refused: {error}")

    def read(self):
        check_read(self.sent, self.client.read_all(self.topic))

    def read_others(self):
        theirs = [Scenario(other, []) for other in self.others]
        legible = [other for other in theirs if set(other.codecs) <= set(self.codecs)]
        for other in legible:
            check_read(other.sent, self.client.read_all(other.topic))
        return f"{len(legible)} others"

    def group(self):
        group = f"g.{self.client.name}"
        first = self.client.group_read(self.topic, group, FIRST_READ)
        rest = self.client.group_read(self.topic, group, len(self.sent) - len(first))
        check(len(first) >= FIRST_READ, f"asked for {FIRST_READ} records, got {len(first)}")
        seen = Counter((r.record.partition, r.offset) for r in [*first, *rest])
        check(max(seen.values()) == 1, "records came again after their commit")
        check_read(self.sent, [*first, *rest])
        return f"{len(first)} then {len(rest)}"

    def rebalance(self):
        shares = self.client.two_members(self.topic, f"two.{self.client.name}")
        check(sorted(len(share) for share in shares) == [1, 2], f"the members hold {shares}")
        check(set().union(*shares) == set(range(PARTITIONS)), f"the members hold {shares}")

    def offsets(self):
        counts = Counter(record.partition for record in self.sent)
        earliest = self.client.offsets_at(self.topic, "earliest")
        check(earliest == {p: 0 for p in range(PARTITIONS)}, f"earliest is {earliest}")
        latest = self.client.offsets_at(self.topic, "latest")
        check(latest == dict(counts), f"latest is {latest}, not {dict(counts)}")
        if not self.plain:
            self.offsets_in_the_middle()

    def offsets_in_the_middle(self):
        """The first record at or after a time, per partition; after the last one there is none."""
        when = self.sent[len(self.sent) // 2].timestamp
        before = Counter(record.partition for record in self.sent if record.timestamp < when)
        found = self.client.offsets_at(self.topic, when)
        check(found == dict(before), f"offsets at {when} are {found}, not {dict(before)}")
        beyond = self.client.offsets_at(self.topic, self.sent[-1].timestamp + 1)
        check(set(beyond.values()) <= {None, -1}, f"offsets after the last record are {beyond}")

    def configs(self):
        configs = self.client.describe_topic_configs(self.topic)
        wanted = {"retention.ms": "-1", "max.message.bytes": "600000", "cleanup.policy": "delete", "segment.bytes": "1073741824"}
        found = {name: configs.get(name) for name in wanted}
        check(found == wanted, f"configs are {found}")
        return f"{len(configs)} settings"

    def cluster(self):
        cluster_id, nodes = self.client.describe_cluster()
        check(cluster_id == self.client.cluster_id, f"the cluster's id is {cluster_id}")
        check(nodes == {1: self.client.bootstrap}, f"the nodes are {nodes}")

    def too_large(self):
        big = Record(0, FIRST_TIMESTAMP, b"big", b"x" * 1_200_000, (("codec", b"none"),))
        error = self.client.produce(self.topic, "none", [big])
        check(error and "large" in error.lower().replace("_", " "), f"1.2 MB gave {error}")

    def delete(self):
        self.client.delete(self.topic)
        check(self.topic not in self.client.topics(), f"{self.topic} is still there")
