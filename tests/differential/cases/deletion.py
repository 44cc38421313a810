"""DeleteRecords."""

from cases.logs import list_offsets, produce, read
from script import Ask, Batch, Case, Topic, on_topic

SHORT = Topic("shortened", 2)


def delete(*partitions, topic="t@", timeout_ms=10_000):
    """Up to which offsets records of partitions of one topic go: (index, offset)."""
    told = [{"partition_index": index, "offset": offset} for index, offset in partitions]
    return Ask("DeleteRecords", {"topics": [on_topic(topic, partitions=told)], "timeout_ms": timeout_ms})


CASES = [
    Case("DeleteRecords", "up to an offset", Topic(), produce((0, Batch("a", "b", "c"))), produce((0, Batch("d"))), delete((0, 2)),
         list_offsets((0, -2), (0, -4)), read(offset=2), read(offset=1), delete((0, 1)), delete((0, 2))),
    Case("DeleteRecords", "all", Topic(), produce((0, Batch("a", "b"))), delete((0, -1)), list_offsets((0, -2)), produce((0, Batch("c"))),
         read(offset=2)),
    Case("DeleteRecords", "offsets that there are not", SHORT, delete((0, 1), (1, -2), topic="shortened"),
         delete((0, 2**62), topic="shortened")),
    Case("DeleteRecords", "partitions that are not there", SHORT, delete((2, 0), (-1, 0), topic="shortened"),
         delete((0, 0), topic="nobody"),
         delete((0, 0), topic="")),
    Case("DeleteRecords", "a partition twice", SHORT, delete((0, 0), (0, 0), topic="shortened")),
    Case("DeleteRecords", "a compacted topic", Topic("compact", configs={"cleanup.policy": "compact"}), delete((0, 0), topic="compact")),
    Case("DeleteRecords", "an internal topic", delete((0, 0), topic="__consumer_offsets")),
    Case("DeleteRecords", "no topics", Ask("DeleteRecords", {"topics": [], "timeout_ms": 1000})),
    Case("DeleteRecords", "no partitions", SHORT, delete(topic="shortened")),
    Case("DeleteRecords", "no time, and less than none", SHORT, delete((0, 0), topic="shortened", timeout_ms=0),
         delete((0, 0), topic="shortened", timeout_ms=-1)),
]
