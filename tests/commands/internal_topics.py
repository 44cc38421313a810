"""Records of the cluster's own topics, as both tools write them: of every type and version that the tables have, drawn at random,
and damaged ones. They stand in topics like any other, so that neither broker nor client must know what they are.
"""

import random
import struct
import uuid

from batch import uvarint
from cases import Case
from codec import Encoder
from schema import messages

DRAWS = 2
# In `schemas/`, but not in the release whose tools are asked.
LATER = {"assignment_epochs", "stored_description_topology_epoch", "failed_description_topology_epoch"}
# Kafka's tools have names for these numbers, and refuse others.
CHOICES = {"remote_log_segment_state": range(4), "remote_partition_delete_state": range(3), "start_offset": range(10),
           "end_offset": range(10, 99), "transaction_status": range(7), "segment_size_in_bytes": range(99)}
INTEGERS = {"i8": 8, "i16": 16, "i32": 32, "i64": 64, "u16": 16, "u32": 32}
COORDINATORS = {"groups": "group-records", "transactions": "transaction-records", "shares": "share-records"}
FORMATTERS = {
    "groups": ("Offsets", "GroupMetadata", "ShareGroup"), "transactions": ("TransactionLog",), "shares": (),
}
DECODERS = {
    "groups": "--offsets-decoder", "transactions": "--transaction-log-decoder", "shares": "--share-group-state-decoder",
    "remote": "--remote-log-metadata-decoder",
}
PACKAGE = "org.apache.kafka.tools.consumer"
REMOTE = "org.apache.kafka.server.log.remote.metadata.storage.serialization.RemoteLogMetadataSerde$RemoteLogMetadataFormatter"


class Draw:
    """Draws messages of one kind at one version."""

    def __init__(self, dice, message, version):
        self.dice = dice
        self.message = message
        self.version = version

    def bytes(self):
        return Encoder(self.message, self.version).fields(self.message, self.fields(self.message))

    def fields(self, struct_):
        """All fields; of those with a tag some."""
        known = [one for one in struct_.fields if self.version in one.versions and one.name not in LATER]
        return {one.name: self.field(one) for one in known if self.version not in one.tagged or self.dice.random() < 0.5}

    def field(self, one):
        if self.version in one.nullable and self.dice.random() < 0.2:
            return None
        return [self.single(one) for _ in range(self.dice.randrange(3))] if one.is_array else self.single(one)

    def single(self, one):
        if one.kind in self.message.structs:
            return self.fields(self.message.structs[one.kind])
        if one.name in CHOICES:
            return self.dice.choice(CHOICES[one.name])
        if one.kind in INTEGERS:
            bits = INTEGERS[one.kind]
            lowest = 0 if one.kind[0] == "u" else -2 ** (bits - 1)
            return self.dice.choice([lowest, 0, 1, 7, lowest + 2**bits - 1])
        return {"bool": True, "uuid": str(uuid.UUID(int=self.dice.getrandbits(128))), "bytes": self.dice.randbytes(5),
                "string": self.dice.choice(["", "a", 'say "so"', "여울", "consumer"])}[one.kind]


def coordinator_records(file):
    """Keys with values of every version, without one, and with some that nobody can read."""
    dice = random.Random(file)
    tables = messages(file)
    for name, message in tables.items():
        if message.kind != "coordinator-key":
            continue
        value = tables[name.removesuffix("Key") + "Value"]
        key = struct.pack(">h", message.key) + Draw(dice, message, 0).bytes()
        for version in [version for version in value.versions for _ in range(DRAWS)]:
            yield key, struct.pack(">h", version) + Draw(dice, value, version).bytes()
        yield key, None
        yield key, struct.pack(">h", value.versions[-1] + 1)
        yield key, b"\0"
        yield key, struct.pack(">h", value.versions[-1]) + b"\0"
        yield key[:-1], None
    yield struct.pack(">h", 99), b"unknown"
    yield b"k", b"v"
    yield b"", b"\0\0"


def remote_log_records():
    """Records of each type in their frame, and some that nobody can read."""
    dice = random.Random("remote")
    for message in messages("tiering-records").values():
        if message.kind != "metadata":
            continue
        for _ in range(2 * DRAWS):
            yield None, uvarint(1) + uvarint(message.key) + uvarint(0) + Draw(dice, message, 0).bytes()
        yield None, uvarint(1) + uvarint(message.key) + uvarint(0)
    yield None, None
    yield None, uvarint(1) + uvarint(99) + uvarint(0)


RECORDS = {**{name: list(coordinator_records(file)) for name, file in COORDINATORS.items()}, "remote": list(remote_log_records())}


def prepare(commands):
    """A topic of each kind, with a record a line."""
    for name, records in RECORDS.items():
        write(commands, name, records)


def write(commands, name, records):
    commands.create(f"internal-{name}", 1)
    text = ("NULL" if field is None else field.hex() for record in records for field in record)
    lines = [f"{key}:{value}" for key, value in zip(text, text)]
    commands.produce(f"internal-{name}", lines, "--timeout", "0", "--reader-property", "parse.key=true", "--reader-property",
                     "key.separator=:", "--reader-property", "null.marker=NULL", "--key-format", "hex", "--value-format", "hex")


def formatter(title, topic, name, **more):
    return Case(f"console-consumer: {title}", "console-consumer",
                f"--bootstrap-server {{broker}} --topic internal-{topic} --from-beginning --max-messages {len(RECORDS[topic])} "
                f"--formatter {name}", **more)


def skipping(title, topic, name):
    return formatter(title, topic, f"{name} --skip-message-on-error", exact=True)


CONSUMED = [
    *[skipping(f"{topic} as {name}", topic, f"{PACKAGE}.{name}MessageFormatter")
      for topic, names in FORMATTERS.items() for name in names],
    skipping("the state of shares", "shares", f"{PACKAGE}.group.share.ShareGroupStateMessageFormatter"),
    skipping("segments in remote storage", "remote", REMOTE),
    formatter("a record that is none ends it", "groups", f"{PACKAGE}.OffsetsMessageFormatter", exact=True),
]


def dumped(data):
    """The same topics in files, by the right decoder and by a wrong one."""
    for topic, decoder in DECODERS.items():
        for words in (decoder, f"{decoder} --skip-record-metadata", "--transaction-log-decoder --deep-iteration"):
            file = data / f"internal-{topic}-0" / f"{0:020}.log"
            yield Case(f"dump-log: {topic} {words}", "dump-log", f"--files {file} {words}")
