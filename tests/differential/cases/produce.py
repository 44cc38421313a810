"""Produce: what is taken, what is refused, and with which words."""

import gzip

from batch import record
from cases.logs import produce, read
from script import Ask, Batch, Case, Topic, on_topic

IDEMPOTENT = Ask("InitProducerId", {"transactional_id": None, "transaction_timeout_ms": 60_000}, save={"producer": "producer_id"})
KEPT = Topic("kept")


def batch_of(*values, **told):
    """Refused before it is written, so that all versions share a topic."""
    return produce((0, Batch(*values, **told)), topic="kept")


def gzipped(*records):
    """A compressed batch of these records."""
    return Batch(*records, attributes=1, records=gzip.compress(b"".join(records), mtime=0))


def refused(title, **told):
    """A batch that lies."""
    return Case("Produce", title, KEPT, batch_of("a", **told))


CASES = [
    Case("Produce", "a batch", Topic(), produce((0, Batch("a", "b"))), produce((0, Batch("c"))), read()),
    Case("Produce", "keys, empty values and null values", Topic(), produce((0, Batch(("k", "v"), ("k", ""), ("k", None), ("", "v")))),
         read()),
    Case("Produce", "several partitions, one of which is not there", Topic("t@", 2),
         produce((1, Batch("a")), (0, Batch("b")), (7, Batch("c")))),
    Case("Produce", "a topic that nobody knows", produce((0, Batch("a")))),
    Case("Produce", "the id that is none", Ask("Produce", {"acks": -1, "timeout_ms": 1000, "topic_data": [
        on_topic("kept", topic_id="00000000-0000-0000-0000-000000000000", partition_data=[{"index": 0, "records": Batch("a")}])]}),
         versions=range(13, 99)),
    Case("Produce", "an empty name", produce((0, Batch("a")), topic="")),
    Case("Produce", "a name that is none", produce((0, Batch("a")), topic="a b")),
    Case("Produce", "a name that is too long", produce((0, Batch("a")), topic="x" * 250)),
    Case("Produce", "partitions that are not there", KEPT,
         produce((1, Batch("a")), (-1, Batch("a")), (2**31 - 1, Batch("a")), (-2**31, Batch("a")), topic="kept")),
    Case("Produce", "no topics", Ask("Produce", {"acks": -1, "timeout_ms": 1000, "topic_data": []})),
    Case("Produce", "no partitions", KEPT, produce(topic="kept")),
    Case("Produce", "no records", KEPT, produce((0, b""), topic="kept")),
    Case("Produce", "null for the partitions", KEPT,
         Ask("Produce", {"acks": -1, "timeout_ms": 1000, "topic_data": [on_topic("kept", partition_data=None)]})),
    Case("Produce", "a partition twice", Topic(), produce((0, Batch("a")), (0, Batch("b"))), read()),
    Case("Produce", "a topic twice", Topic("t@", 2), Ask("Produce", {"acks": -1, "timeout_ms": 1000, "topic_data": [
        on_topic("t@", partition_data=[{"index": 0, "records": Batch("a")}]),
        on_topic("t@", partition_data=[{"index": 1, "records": Batch("b")}])]}), read()),
    Case("Produce", "two topics", Topic("t@"), Topic("u@"), Ask("Produce", {"acks": 1, "timeout_ms": 1000, "topic_data": [
        on_topic("u@", partition_data=[{"index": 0, "records": Batch("a")}]),
        on_topic("t@", partition_data=[{"index": 0, "records": Batch("b")}])]}), read()),
    Case("Produce", "acks=0", Topic(), produce((0, Batch("a")), acks=0, answered=False), produce((0, Batch("b"))), read()),
    Case("Produce", "acks=0 for a partition that is not there", KEPT, produce((5, Batch("a")), topic="kept", acks=0, answered=False)),
    Case("Produce", "acks=0 with a corrupt batch", KEPT, produce((0, Batch("a", crc_error=1)), topic="kept", acks=0, answered=False)),
    Case("Produce", "acks=0 with no topics", Ask("Produce", {"acks": 0, "timeout_ms": 1, "topic_data": []}, answered=False)),
    Case("Produce", "acks=1", Topic(), produce((0, Batch("a")), acks=1)),
    Case("Produce", "acks that there are not", KEPT, produce((0, Batch("a")), topic="kept", acks=2),
         produce((0, Batch("a")), topic="kept", acks=-2), produce((0, Batch("a")), (9, Batch("a")), topic="kept", acks=-32768),
         produce((0, Batch("a")), topic="unknown", acks=3)),
    Case("Produce", "no time, and less than none", Topic(), produce((0, Batch("a")), timeout_ms=0),
         produce((0, Batch("b")), timeout_ms=-1), read(), versions=range(8, 14)),
    Case("Produce", "more than a topic takes", Topic("small", configs={"max.message.bytes": "200"}),
         produce((0, Batch("x" * 300)), topic="small")),
    Case("Produce", "more than a segment takes", Topic("short", configs={"segment.bytes": "1048576", "max.message.bytes": "3000000"}),
         produce((0, Batch("x" * 1_100_000)), topic="short"), versions=range(9, 10)),
    refused("a corrupt checksum", crc_error=1),
    refused("magic 0", magic=0),
    refused("magic 1", magic=1),
    refused("magic 3", magic=3),
    refused("more records promised than there are", count=2),
    refused("no records promised", count=0),
    refused("a negative count", count=-1),
    refused("a last offset that is not the count's", last_delta=5),
    refused("a negative last offset", last_delta=-1),
    Case("Produce", "a length that leaves a byte over", KEPT, batch_of("a", length_error=-1)),
    Case("Produce", "a length that is a byte too long", KEPT, batch_of("a", length_error=1)),
    Case("Produce", "a length below that of the header", KEPT, batch_of("a", length_error=-50)),
    refused("a control batch", attributes=0x20),
    refused("a codec that there is not", attributes=5),
    refused("gzip that is none", attributes=1),
    refused("lz4 that is none", attributes=3),
    refused("zstd that is none", attributes=4),
    refused("snappy that is none", attributes=2),
    refused("records that begin with garbage", records=b"\x01\x02\x03"),
    refused("a record whose length lies", records=b"\x7f\x00\x00\x00\x01\x02a\x00"),
    Case("Produce", "two batches for one partition", KEPT,
         produce((0, b"".join(Batch(text).encode(lambda value: value) for text in "ab")), topic="kept")),
    Case("Produce", "offsets, epochs and attributes that the broker sets", Topic(),
         produce((0, Batch("a", "b", base_offset=77, epoch=9))), read(), versions=range(9, 14)),
    Case("Produce", "log append time said by the client", Topic(), produce((0, Batch("a", attributes=8))), read()),
    Case("Produce", "a codec that all know", Topic(),
         produce((0, Batch("a", attributes=1, records=gzip.compress(Batch("a").records(), mtime=0)))), read()),
    Case("Produce", "times that are none", Topic(), produce((0, Batch("a", times=(-1, -1)))), read(), versions=range(9, 14)),
    Case("Produce", "a largest time that is not that of the records", Topic(), produce((0, Batch("a", times=(1_000, 5_000)))), read(),
         versions=range(9, 14)),
    Case("Produce", "a broker that sets the time", Topic(configs={"message.timestamp.type": "LogAppendTime"}),
         produce((0, Batch("a", "b"))), read(), versions=range(3, 14)),
    Case("Produce", "no key on a compacted topic", Topic("compacted", configs={"cleanup.policy": "compact"}),
         produce((0, Batch(("k", "v"), "v", ("k", "w"), "w")), topic="compacted")),
    Case("Produce", "five keys that are missing", Topic("compacted", configs={"cleanup.policy": "compact"}),
         produce((0, Batch("a", "b", "c", "d", "e")), topic="compacted")),
    Case("Produce", "log append time said to a topic that has it", Topic("stamped", configs={"message.timestamp.type": "LogAppendTime"}),
         produce((0, Batch(("k", "vw"), "x", (None, None), attributes=8)), topic="stamped")),
    Case("Produce", "log append time without one", KEPT, batch_of(("k", "vw"), "x", attributes=8, times=(-1, -1))),
    Case("Produce", "offsets that are not one after the other", Topic("gaps"),
         produce((0, gzipped(record(b"a", 0), record(b"bc", 5, key=b"k"))), topic="gaps")),
    Case("Produce", "offsets without compression that are not one after the other", Topic("gaps"),
         produce((0, Batch("a", "b", records=record(b"a", 0) + record(b"bc", 5, key=b"k"))), topic="gaps")),
    Case("Produce", "keys on a compacted topic", Topic(configs={"cleanup.policy": "compact"}),
         produce((0, Batch(("k", "v"), ("k", None)))), read(), versions=range(9, 14)),
    Case("Produce", "times too far ahead", Topic("timely", configs={"message.timestamp.after.max.ms": "1000"}),
         produce((0, Batch("a", times=(32_503_680_000_000, 32_503_680_000_000))), topic="timely")),
    Case("Produce", "times too far back", Topic("recent", configs={"message.timestamp.before.max.ms": "1000"}),
         produce((0, Batch("a", "b")), topic="recent")),
    Case("Produce", "an internal topic", produce((0, Batch(("k", "v"))), topic="__consumer_offsets")),
    Case("Produce", "a transactional batch without an id", KEPT, IDEMPOTENT, batch_of("a", attributes=0x10, producer=("$producer", 0, 0))),
    Case("Produce", "in sync replicas that are missing", Topic("doubtful", configs={"min.insync.replicas": "2"}),
         produce((0, Batch("a")), topic="doubtful"), versions=range(9, 14)),
]
