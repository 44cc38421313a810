"""Random requests that follow the tables: every field has a value of its type, often one at a boundary, often one that means something."""

import uuid

from batch import batch, record
from codec import NO_UUID
from schema import request

INTEGERS = {"i8": 8, "i16": 16, "i32": 32, "i64": 64, "u16": 16, "u32": 32}
TOPICS = [f"random-{number}" for number in range(8)]
GROUPS = [f"group-{number}" for number in range(6)]
SETTINGS = ["retention.ms", "cleanup.policy", "max.message.bytes", "min.insync.replicas", "compression.type", "no.such.thing"]
NULL_SHARE = 0.1

# What waits must not wait long, and what is made must not be made in masses. Anything else is drawn by its type.
CHOICES = {
    "max_wait_ms": [-1, 0, 1, 20], "timeout_ms": [-2**31, -1, 0, 1, 1_000], "session_timeout_ms": [-1, 0, 99, 100, 200, 2**31 - 1],
    "rebalance_timeout_ms": [-1, 0, 1, 50, 200], "num_partitions": [-2**31, -2, -1, 0, 1, 3, 10_001, 2**31 - 1],
    "replication_factor": [-1, 0, 1, 2, 32767], "count": [-1, 0, 1, 2, 4, 20_001, 2**31 - 1], "broker_ids": [-1, 1, 1, 2],
    "partition": [0, 0, 1, 2, 3, -1, 2**31 - 1], "partition_index": [0, 0, 1, 2, -1], "index": [0, 0, 1, -1],
    "partitions": [0, 1, 2, -1], "partition_indexes": [0, 1, 2, -1], "acks": [-1, -1, 0, 1, 1, 2, -32768],
    "resource_type": [0, 2, 2, 4, 8, 16, 32, -1], "name": [*TOPICS, "", "a b", "x" * 250, "ü", *SETTINGS],
    "topic": [*TOPICS, "", "nobody"], "topic_names": [*TOPICS, ""], "group_id": [*GROUPS, ""], "groups": GROUPS, "groups_names": GROUPS,
    "protocol_type": ["consumer", "", "sr"], "generation_id": [-1, 0, 1, 2, 3], "key_type": [-1, 0, 1, 2, 3],
    "resource_name": [*TOPICS, "1", "", "group-1"], "transactional_id": [None, None, "", "t"], "producer_epoch": [-1, 0, 0, 1, 32767],
    "configuration_keys": SETTINGS, "timestamp": [-1, -2, -3, -4, -5, -6, -7, 0, 1_700_000_000_000, 2**63 - 1],
    "committed_metadata": ["", "m", None, "x" * 5_000], "config_operation": [0, 1, 2, 3, 4, -1],
}
# Whole requests of these APIs are drawn now and then from what answers have told: drawn field by field they never fit together.
COHERENT_SHARE = 0.3
# Changes that would take away what is read again in the end, or reach beyond topics.
FIXED = {(api, "validate_only"): True for api in ("AlterConfigs", "IncrementalAlterConfigs", "UpdateFeatures")}


class Known:
    """What answers have told: ids that mean something to the broker."""

    def __init__(self):
        self.topic_ids, self.member_ids, self.sessions, self.producers = [], [], [], [-1, 0, 1]
        self.joined, self.subscribed, self.log_dirs, self.made = {}, {}, [], 0

    def learn(self, api, asked, answer):
        """Keeps what later requests may use."""
        if api == "Metadata":
            found = [one["topic_id"] for one in answer["topics"] if one.get("name") in TOPICS and "topic_id" in one]
            self.topic_ids = found or self.topic_ids
        elif api == "JoinGroup" and answer["member_id"]:
            self.member_ids = [*self.member_ids[-20:], answer["member_id"]]
            if answer["error_code"] == 0:
                self.joined = {"group_id": asked["group_id"], "member_id": answer["member_id"], "generation_id": answer["generation_id"]}
        elif api == "GetTelemetrySubscriptions":
            self.subscribed = {"client_instance_id": answer["client_instance_id"], "subscription_id": answer["subscription_id"]}
        elif api == "DescribeLogDirs":
            self.log_dirs = [one["log_dir"] for one in answer["results"]]
        elif api == "Fetch" and answer.get("session_id"):
            self.sessions = [*self.sessions[-5:], answer["session_id"]]
        elif api == "InitProducerId" and answer["producer_id"] >= 0:
            self.producers = [*self.producers[-10:], answer["producer_id"]]

    def choices(self, name):
        """Values that mean something, if there are any for a field."""
        return {"topic_id": self.topic_ids, "member_id": self.member_ids, "session_id": self.sessions,
                "producer_id": self.producers}.get(name, [])


    def coherent(self, api):
        """Fields that fit together, if there are any for an API."""
        match api:
            case "Heartbeat" | "SyncGroup":
                return {**self.joined, "group_instance_id": None, "protocol_type": None, "protocol_name": None} if self.joined else {}
            case "PushTelemetry":
                return {**self.subscribed, "compression_type": 0} if self.subscribed else {}
            case "AlterReplicaLogDirs":
                topic = {"name": TOPICS[0], "partitions": [0]}
                return {"dirs": [{"path": path, "topics": [topic]} for path in self.log_dirs[:1]]}
            case "CreateTopics":
                self.made += 1
                topic = {"name": f"made-{self.made % 3}", "num_partitions": 1, "replication_factor": 1, "assignments": [], "configs": []}
                return {"topics": [topic], "validate_only": False}
            case "CreatePartitions":
                return {"topics": [{"name": TOPICS[1], "count": 3 + self.made % 5, "assignments": None}], "validate_only": False}
            case _:
                return {}


class Generator:
    """Draws requests of one API at one version."""

    def __init__(self, draw, known, api, version):
        self.draw = draw
        self.known = known
        self.api = api
        self.version = version
        self.message = request(api)

    def request(self):
        """The fields of a request."""
        fields = self.fields()
        if self.draw.random() < COHERENT_SHARE:
            told = self.known.coherent(self.api)
            fields.update((name, value) for name, value in told.items() if name in fields)
        return fields

    def fields(self, struct=None):
        """The fields of the request, or of a struct in it."""
        struct = struct or self.message
        present = [field for field in struct.fields if self.version in field.versions]
        return {field.name: self.field(field) for field in present
                if self.version not in field.tagged or self.draw.random() < 0.5}

    def field(self, field):
        if (self.api, field.name) in FIXED:
            return FIXED[self.api, field.name]
        if self.version in field.nullable and self.draw.random() < NULL_SHARE:
            return None
        if field.is_array:
            return [self.one(field) for _ in range(self.draw.choice([0, 1, 1, 1, 2, 3]))]
        return self.one(field)

    def one(self, field):
        if field.kind in self.message.structs:
            return self.fields(self.message.structs[field.kind])
        choices = [*self.known.choices(field.name), *CHOICES.get(field.name, [])]
        fitting = [choice for choice in choices if self.fits(choice, field)]
        if fitting and self.draw.random() < 0.8:
            return self.draw.choice(fitting)
        return self.anything(field)

    def fits(self, choice, field):
        """Whether a value that stands for a name's usual type can be written as this field."""
        if choice is None:
            return self.version in field.nullable and not field.is_array
        if field.kind in INTEGERS:
            return isinstance(choice, int) and -2**(INTEGERS[field.kind] - 1) <= choice < 2**(INTEGERS[field.kind] - 1)
        return isinstance(choice, str) and field.kind in ("string", "uuid")

    def anything(self, field):
        """Any value of the type."""
        match field.kind:
            case "bool":
                return self.draw.random() < 0.5
            case "string":
                return self.draw.choice(["", "a", "ä€", "x" * 300, "\0"])
            case "uuid":
                return self.draw.choice([NO_UUID, str(uuid.UUID(bytes=self.draw.randbytes(16)))])
            case "bytes":
                return self.draw.choice([b"", b"\0", self.draw.randbytes(40)])
            case "records":
                return self.records()
            case "f64":
                return self.draw.choice([0.0, -1.0, 1e300, float("inf")])
            case integer:
                return self.integer(integer, CHOICES.get(field.name))

    def integer(self, kind, usual):
        """A boundary; of a field that has usual values nothing else, since those may be bounds of time or of amount."""
        if usual and self.fits_all(usual):
            return self.draw.choice(usual)
        low, high = (0, 2**INTEGERS[kind] - 1) if kind[0] == "u" else (-2**(INTEGERS[kind] - 1), 2**(INTEGERS[kind] - 1) - 1)
        return self.draw.choice([0, 0, 1, 2, high, *([-1, low] if low else [])])

    def fits_all(self, usual):
        return all(isinstance(one, int) for one in usual)

    def records(self):
        """A batch, sometimes with a byte that is wrong."""
        count = self.draw.choice([1, 1, 2, 5])
        content = b"".join(record(self.draw.randbytes(5), at, key=b"k") for at in range(count))
        producer = self.draw.choice([(-1, -1, -1), (self.draw.choice(self.known.producers), 0, self.draw.choice([0, 1, 5]))])
        data = bytearray(batch(content, count, producer=producer, attributes=self.draw.choice([0, 0, 0, 1, 8, 16, 32])))
        if self.draw.random() < 0.3:
            data[self.draw.randrange(len(data))] ^= 1 << self.draw.randrange(8)
        return self.draw.choice([bytes(data), bytes(data), bytes(data), bytes(data + data), bytes(data[:-1]), b""])
