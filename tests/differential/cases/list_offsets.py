"""ListOffsets: every timestamp that means something, and those that do not."""

import gzip

import cramjam
import lz4.frame
import zstandard

from batch import record
from cases.deletion import delete
from cases.logs import list_offsets, produce
from script import ONCE, Ask, Batch, Case, Topic, on_topic

TIMED = Topic("timed", 2)
# By the codecs' numbers.
COMPRESS = [
    bytes, lambda data: gzip.compress(data, mtime=0), lambda data: bytes(cramjam.snappy.compress_raw(data)),
    lambda data: lz4.frame.compress(data, block_linked=False), zstandard.ZstdCompressor().compress]
CODED = Topic("coded", len(COMPRESS))
EACH_CODEC = range(len(COMPRESS))


def stamped(*times, codec=0):
    """A batch of records that have these times."""
    records = b"".join(record(b"v" * 20, at, timestamp_delta=time - times[0]) for at, time in enumerate(times))
    return Batch(*times, records=COMPRESS[codec](records), attributes=codec, times=(times[0], max(times)))


def everywhere(time, **more):
    """Partitions of the topic that has one for each codec."""
    return list_offsets(*((index, time) for index in EACH_CODEC), topic="coded", **more)


def listed(*partitions, **more):
    """Partitions of the topic that all share."""
    return list_offsets(*partitions, topic="timed", **more)


def lists(title, *steps, versions=None):
    """Asking changes nothing."""
    return Case("ListOffsets", title, TIMED, *steps, versions=versions)


def at(index, timestamp, epoch):
    """A partition in whose epoch the client believes."""
    return {"partition_index": index, "timestamp": timestamp, "current_leader_epoch": epoch}


CASES = [
    Case("ListOffsets", "what is to be found from here on is written", TIMED,
         produce((0, Batch("a", "b", times=(1_000, 1_000))), topic="timed"), produce((0, Batch("c", times=(5_000, 5_000))), topic="timed"),
         produce((0, Batch("d", times=(3_000, 3_000))), topic="timed"), produce((0, Batch("e", times=(5_000, 5_000))), topic="timed"),
         versions=ONCE),
    Case("ListOffsets", "what is to be found in batches of each codec is written", CODED,
         *(produce(*((codec, stamped(*times, codec=codec)) for codec in EACH_CODEC), topic="coded")
           for times in ((1_000, 3_000, 2_000), (4_000, 9_000, 9_000, 5_000), (6_000, 7_000))), versions=ONCE),
    Case("ListOffsets", "a time within batches of each codec", CODED,
         *(everywhere(time) for time in (0, 1_000, 1_500, 3_000, 3_500, 4_500, 9_000, 9_001))),
    Case("ListOffsets", "the largest time within batches of each codec", CODED, everywhere(-3), everywhere(-3, isolation=1)),
    Case("ListOffsets", "what is local and what is tiered of batches of each codec", CODED, everywhere(-4), everywhere(-5)),
    Case("ListOffsets", "the largest time lies before the start", Topic(), produce((0, stamped(1_000, 9_000))), produce((0, stamped(5_000))),
         produce((0, stamped(7_000, 2_000))), delete((0, 2)), list_offsets((0, -3)), list_offsets((0, -2)),
         *(list_offsets((0, time)) for time in (0, 5_001, 7_000, 7_001, 9_000)), delete((0, 4)), list_offsets((0, -3)), list_offsets((0, 0))),
    Case("ListOffsets", "records without times", Topic(), produce((0, stamped(-1, -1))), list_offsets((0, -3)), list_offsets((0, 0)),
         produce((0, stamped(3_000))), list_offsets((0, -3)), list_offsets((0, 0))),
    lists("the end and the beginning", listed((0, -1), (1, -1)), listed((0, -2), (1, -2))),
    lists("the largest time", listed((0, -3), (1, -3))),
    lists("what is local", listed((0, -4), (1, -4))),
    lists("what is tiered", listed((0, -5), (1, -5))),
    lists("what waits to be tiered", listed((0, -6), (1, -6))),
    lists("times that mean nothing", listed((0, -7)), listed((0, -2**63))),
    lists("a time", *(listed((0, time), (1, time)) for time in (0, 1_000, 1_001, 3_000, 4_000, 5_000, 5_001, 2**63 - 1))),
    lists("committed only", listed((0, -1), (1, 1_000), isolation=1), listed((0, -3), isolation=1)),
    lists("isolation that there is not", listed((0, -1), isolation=2), listed((0, 1_000), isolation=-1)),
    lists("partitions that are not there", listed((2, -1), (-1, -1), (2**31 - 1, 0))),
    lists("a topic that nobody knows", list_offsets((0, -1), topic="nobody")),
    lists("an empty name", list_offsets((0, -1), topic="")),
    lists("a partition twice", listed((0, -1), (0, -2), (1, -1))),
    lists("no partitions", listed()),
    lists("no topics", Ask("ListOffsets", {"topics": []})),
    lists("null for the topics", Ask("ListOffsets", {"topics": None})),
    lists("null for a name", Ask("ListOffsets", {"topics": [{"name": None, "partitions": []}]})),
    lists("the epoch", listed(at(0, -1, 0), at(1, 1_000, 0))),
    lists("an epoch that is over, and one to come", listed(at(0, -1, -2), at(1, -1, 1)), listed(at(0, 1_000, 5))),
    lists("a consumer that debugs", listed((0, -1), replica=-2)),
    lists("another broker", listed((0, -1), replica=7)),
    lists("no time to answer", listed((0, -1), timeout_ms=0), listed((0, 1_000), timeout_ms=-1)),
    lists("two topics", Topic("filled", 3), Ask("ListOffsets", {"topics": [
        on_topic(name, partitions=[{"partition_index": 0, "timestamp": -1}]) for name in ("timed", "filled")]})),
]
