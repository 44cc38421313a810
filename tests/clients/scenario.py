"""What every client is asked to do: one list of checks over adapters with the same few methods.

An adapter is a class with `name`, `version` and, taking and giving plain values:

    create(topic, partitions, configs)      describe_topic_configs(topic) -> {name: value}
    topics() -> {name: partitions}          describe_cluster() -> (cluster id, {node id: "host:port"})
    delete(topic)                           produce(topic, codec, records) -> error name or None
    read_all(topic) -> [Read]               read_since(topic, milliseconds) -> [Read]
    group_read(topic, group, count) -> [Read], commits them, leaves
    static_read(topic, group, count, instance) -> [Read], commits them, does not leave
    two_members(topic, group) -> [partitions of one, partitions of the other, partitions of the one once the other has left]
    offsets_at(topic, when) -> {partition: offset or None}, when = "earliest", "latest" or milliseconds
    groups() -> {names}                     describe_group(group) -> (state, count of members)
    committed(topic, group) -> {partition: offset}
    delete_group(group)                     alter_topic_config(topic, name, value)
    add_partitions(topic, total)            delete_records(topic, partition, before)

`lacks` says what a client does not offer, and why: a method, a codec, or another word of what a check needs. Such a check is skipped;
one whose method is neither there nor in `lacks` fails. `plain = True` says that a client cannot choose timestamps and headers record
by record.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

from broker import check, wait_until

PARTITIONS = 3
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
RECORDS_A_CODEC = 20
FIRST_TIMESTAMP = 1_700_000_000_000
STEP_MS = 1_000
FIRST_READ = 25
TOPIC_CONFIGS = {"retention.ms": "-1", "max.message.bytes": "600000"}
LARGE_BYTES = 3_000_000


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
    return [record for codec in codecs_of(client) for record in records_of(client.name, codec, is_plain(client))]


def is_plain(client):
    """Whether it leaves timestamps and headers to whole calls."""
    return getattr(client, "plain", False)


def codecs_of(client):
    """The codecs that a client has."""
    return [codec for codec in CODECS if codec not in client.lacks]


def empties():
    """Keys and values that are null, empty or neither, in all ways but for one that has a check of its own."""
    pairs = [pair for pair in product([None, b"", b"key"], [None, b"", b"value"]) if pair != (None, None)]
    return [Record(at % PARTITIONS, FIRST_TIMESTAMP + at, key, value) for at, (key, value) in enumerate(pairs)]


def with_headers(*headers):
    """One record that has these."""
    return [Record(0, FIRST_TIMESTAMP, b"key", b"value", headers)]


def large():
    """A record that is much larger than what clients ask for at once."""
    value = b"".join(b"%d " % number for number in range(LARGE_BYTES // 6))
    return [Record(0, FIRST_TIMESTAMP, b"large", value)]


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


def has_all(share):
    """Whether a member holds every partition."""
    return len(share) == PARTITIONS and share


def place(read):
    """Where a record stands."""
    return read.record.partition, read.offset


def brief(record):
    """A record with its long values cut."""
    value = record.value if record.value is None else record.value[:40]
    return replace(record, value=value)


@dataclass(frozen=True)
class Check:
    """One line of the list: what must be there for it, and what is done."""

    title: str
    needs: tuple
    action: Callable


class Scenario:
    """The checks, bound to one client and its topic."""

    def __init__(self, client, proxy, observer):
        self.client = client
        self.proxy = proxy
        self.observer = observer
        self.topic = f"t.{client.name}"
        self.once = f"once.{client.name}"
        self.group_id = f"g.{client.name}"
        self.codecs = codecs_of(client)
        self.sent = all_records(client)

    def own_checks(self):
        """Those in which the client is alone, but for the last."""
        return [
            Check("create topic", ("topics",), self.create),
            *[Check(f"produce {codec}", ("produce", codec), lambda codec=codec: self.produce(codec)) for codec in CODECS],
            Check("read from the beginning", ("read_all",), self.read),
            Check("read from a time on", ("read_since",), self.since),
            Check("null and empty keys and values", ("empties",), self.empty),
            Check("neither key nor value", ("neither",), self.neither),
            Check("headers in any script", ("headers",), self.any_script),
            Check("headers without a value", ("headers", "null headers"), self.null_headers),
            Check("a header twice", ("headers", "repeated headers"), self.repeated_headers),
            Check("a record of 3 MB", ("produce",), self.large),
            Check("too large a record is refused", ("produce",), self.too_large),
            Check("idempotence: an answer is lost, each record is there once", ("produce", "idempotence"), self.lost_answer),
            Check("group commits and resumes", ("group_read",), self.group),
            Check("group: a member joins and leaves", ("two_members",), self.rebalance),
            Check("group: a static member comes back", ("static_read",), self.static_member),
            Check("admin: offsets of a group", ("committed",), self.committed),
            Check("admin: list and describe groups", ("groups", "describe_group"), self.groups),
            Check("admin: delete a group", ("delete_group",), self.delete_group),
            Check("admin: offsets by time", ("offsets_at",), self.offsets),
            Check("admin: describe configs", ("describe_topic_configs",), self.configs),
            Check("admin: alter configs", ("alter_topic_config", "describe_topic_configs"), self.alter_config),
            Check("admin: add partitions", ("add_partitions",), self.add_partitions),
            Check("admin: delete records", ("delete_records",), self.delete_records),
            Check("admin: describe cluster", ("describe_cluster",), self.cluster),
        ]

    def shared_check(self, others):
        """Every client reads what the others wrote."""
        return Check("read what the others wrote", ("read_all",), lambda: self.read_others(others))

    def last_check(self):
        """Nobody needs the topic any more."""
        return Check("admin: delete topic", ("delete",), self.delete)

    def create(self):
        """By the admin client; one without any has the broker create it when it is first written to."""
        if hasattr(self.client, "create"):
            self.client.create(self.topic, PARTITIONS, TOPIC_CONFIGS)
        else:
            self.client.touch(self.topic)
        wait_until(lambda: self.client.topics().get(self.topic) == PARTITIONS, 30, f"{self.topic} has {PARTITIONS} partitions")
        self.observer.wait_for(self.topic, PARTITIONS)

    def produce(self, codec):
        self.send(self.topic, records_of(self.client.name, codec, is_plain(self.client)), codec)

    def send(self, topic, records, codec="none"):
        error = self.client.produce(topic, codec, records)
        check(error is None, f"refused: {error}")

    def read(self):
        check_read(self.sent, self.client.read_all(self.topic))

    def since(self):
        """All from the first record of a time on, partition by partition."""
        everything = self.client.read_all(self.topic)
        when = sorted(read.record.timestamp for read in everything)[len(everything) // 2]
        first = {}
        for read in sorted(everything, key=lambda read: read.offset):
            if read.record.timestamp >= when:
                first.setdefault(read.record.partition, read.offset)
        wanted = {place(read) for read in everything if read.offset >= first.get(read.record.partition, len(everything))}
        found = [place(read) for read in self.client.read_since(self.topic, when)]
        check(sorted(found) == sorted(wanted), f"from {when} on there are {len(wanted)} records, {len(found)} were read")

    def carries(self, what, records, configs=None):
        """Sends records to a topic of their own and reads them."""
        topic = f"{what}.{self.client.name}"
        self.observer.create(topic, PARTITIONS, configs or {})
        records = [replace(record, timestamp=None) for record in records] if is_plain(self.client) else records
        self.send(topic, records)
        check_read(records, self.client.read_all(topic))

    def empty(self):
        self.carries("empty", empties())

    def neither(self):
        self.carries("neither", [Record(0, FIRST_TIMESTAMP, None, None)])

    def any_script(self):
        self.carries("script", with_headers(("이름", "여울".encode()), ("имя", "порог".encode()), ("🌊", "".encode())))

    def null_headers(self):
        self.carries("valueless", with_headers(("none", None), ("more", b"1")))

    def repeated_headers(self):
        self.carries("repeated", with_headers(("twice", b"1"), ("twice", b"2"), ("once", b"3")))

    def large(self):
        self.carries("large", large(), {"max.message.bytes": str(2 * LARGE_BYTES)})

    def too_large(self):
        big = Record(0, FIRST_TIMESTAMP, b"big", b"x" * 1_200_000, (("codec", b"none"),))
        error = self.client.produce(self.topic, "none", [big])
        check(error and "large" in error.lower().replace("_", " "), f"1.2 MB gave {error}")

    def lost_answer(self):
        """The records are written and the connection ends before the client knows: it sends them again."""
        self.observer.create(self.once, PARTITIONS, {})
        records = records_of(self.client.name, "none", is_plain(self.client))
        self.proxy.losing.add(self.client.name)
        self.send(self.once, records)
        check(self.client.name in self.proxy.lost, "no answer was lost")
        check_read(records, self.client.read_all(self.once))

    def group(self):
        first = self.client.group_read(self.topic, self.group_id, FIRST_READ)
        rest = self.client.group_read(self.topic, self.group_id, len(self.sent) - len(first))
        self.check_both(first, rest)
        return f"{len(first)} then {len(rest)}"

    def check_both(self, first, rest):
        """Two reads of a group have all records, and none of them twice."""
        check(len(first) >= FIRST_READ, f"asked for {FIRST_READ} records, got {len(first)}")
        seen = Counter(place(read) for read in [*first, *rest])
        check(max(seen.values()) == 1, "records came again after their commit")
        check_read(self.sent, [*first, *rest])

    def rebalance(self):
        one, two, alone = self.client.two_members(self.topic, f"two.{self.client.name}")
        check(sorted(map(len, (one, two))) == [1, 2], f"the members hold {one} and {two}")
        check(one | two == set(range(PARTITIONS)), f"the members hold {one} and {two}")
        check(alone == set(range(PARTITIONS)), f"the one that stayed holds {alone}")

    def static_member(self):
        """Gone for a moment, it is a member all the while, and goes on as the same one."""
        group, instance = f"static.{self.client.name}", "one"
        first = self.client.static_read(self.topic, group, FIRST_READ, instance)
        state, members = self.observer.group(group)
        check(state == "Stable" and list(members) == [instance], f"while it is away the group is {state} with {members}")
        rest = self.client.static_read(self.topic, group, len(self.sent) - len(first), instance)
        state, members = self.observer.group(group)
        check(state == "Stable" and list(members) == [instance], f"after it came back the group is {state} with {members}")
        self.check_both(first, rest)
        self.observer.dismiss(group, instance)

    def committed(self):
        found, wanted = self.client.committed(self.topic, self.group_id), self.counts()
        check(found == wanted, f"the offsets are {found}, not {wanted}")

    def counts(self):
        """Where each partition ends."""
        return dict(Counter(record.partition for record in self.sent))

    def groups(self):
        check(self.group_id in self.client.groups(), "the group is not listed")
        state, members = self.client.describe_group(self.group_id)
        check((state.lower(), members) == ("empty", 0), f"the group is {state} with {members} members")

    def delete_group(self):
        self.client.delete_group(self.group_id)
        state, _ = self.observer.group(self.group_id)
        check(state == "Dead", f"the group is {state}")

    def offsets(self):
        earliest = self.client.offsets_at(self.topic, "earliest")
        check(earliest == {p: 0 for p in range(PARTITIONS)}, f"earliest is {earliest}")
        latest = self.client.offsets_at(self.topic, "latest")
        check(latest == self.counts(), f"latest is {latest}, not {self.counts()}")
        if not is_plain(self.client):
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
        wanted = {**TOPIC_CONFIGS, "cleanup.policy": "delete", "segment.bytes": "1073741824"}
        found = {name: configs.get(name) for name in wanted}
        check(found == wanted, f"configs are {found}")
        return f"{len(configs)} settings"

    def alter_config(self):
        self.client.alter_topic_config(self.topic, "file.delete.delay.ms", "12345")
        wait_until(lambda: self.client.describe_topic_configs(self.topic)["file.delete.delay.ms"] == "12345", 30, "it is 12345")

    def add_partitions(self):
        topic = f"more.{self.client.name}"
        self.observer.create(topic, 1, {})
        self.client.add_partitions(topic, 4)
        wait_until(lambda: self.observer.partitions(topic) == 4, 30, "there are 4 partitions")

    def delete_records(self):
        """A partition begins later, the others stay."""
        topic = f"cut.{self.client.name}"
        self.observer.create(topic, PARTITIONS, {})
        self.send(topic, records_of(self.client.name, "none", is_plain(self.client)))
        self.client.delete_records(topic, 1, 4)
        found = self.observer.first_offsets(topic, PARTITIONS)
        check(found == {0: 0, 1: 4, 2: 0}, f"the partitions begin at {found}")

    def cluster(self):
        cluster_id, nodes = self.client.describe_cluster()
        check(cluster_id == self.client.cluster_id, f"the cluster's id is {cluster_id}")
        check(nodes == {1: self.client.bootstrap}, f"the nodes are {nodes}")

    def read_others(self, others):
        legible = [other for other in others if other is not self and set(other.codecs) <= set(self.codecs)]
        for other in legible:
            check_read(other.sent, self.client.read_all(other.topic))
        return f"{len(legible)} others"

    def delete(self):
        self.client.delete(self.topic)
        wait_until(lambda: self.topic not in self.client.topics(), 30, f"{self.topic} is gone")
