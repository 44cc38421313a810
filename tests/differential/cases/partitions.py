"""CreatePartitions, ElectLeaders, DescribeTopicPartitions, DescribeProducers and OffsetForLeaderEpoch."""

from cases.logs import produce
from cases.produce import IDEMPOTENT
from script import ONCE, Ask, Batch, Case, NoTopic, Topic

WIDE = Topic("wide", 3)
PAGED = (Topic("paged-a", 2), Topic("paged-b", 3))
WRITTEN = Topic("written", 2)


def create_partitions(*topics, validate_only=False, timeout_ms=10_000):
    """Topics with the number of partitions that they are to have, perhaps with the brokers of the new ones."""
    told = [{"name": one[0], "count": one[1], "assignments": [{"broker_ids": each} for each in one[2]] if len(one) > 2 else None}
            for one in topics]
    return Ask("CreatePartitions", {"topics": told, "timeout_ms": timeout_ms, "validate_only": validate_only})


def refused(title, *topics):
    """What is refused when it is only checked, and in earnest."""
    return Case("CreatePartitions", title, WIDE, create_partitions(*topics, validate_only=True), create_partitions(*topics))


def elect(*partitions, topic="wide", kind=0, timeout_ms=10_000):
    """Leaders of partitions of one topic."""
    told = [{"topic": topic, "partitions": list(partitions)}]
    return Ask("ElectLeaders", {"election_type": kind, "topic_partitions": told, "timeout_ms": timeout_ms})


def described(*names, limit=2_000, cursor=None):
    """Topics by pages."""
    at = cursor and {"topic_name": cursor[0], "partition_index": cursor[1]}
    return Ask("DescribeTopicPartitions", {"topics": [{"name": one} for one in names], "response_partition_limit": limit, "cursor": at})


def producers(*partitions, topic="written"):
    """Who has written to partitions of one topic."""
    return Ask("DescribeProducers", {"topics": [{"name": topic, "partition_indexes": list(partitions)}]})


def epochs(*partitions, topic="written", replica=-2):
    """Where epochs end: (index, the epoch that the client believes in, the epoch that it asks for)."""
    told = [{"partition": one[0], "current_leader_epoch": one[1], "leader_epoch": one[2]} for one in partitions]
    return Ask("OffsetForLeaderEpoch", {"replica_id": replica, "topics": [{"topic": topic, "partitions": told}]})


CASES = [
    Case("CreatePartitions", "more partitions", Topic("t@", 1), create_partitions(("t@", 3)),
         Ask("Metadata", {"topics": [{"name": "t@"}], "allow_auto_topic_creation": False}, until={"topics.0.partitions.2.error_code": 0}),
         NoTopic()),
    Case("CreatePartitions", "only checked", WIDE, create_partitions(("wide", 5), validate_only=True)),
    Case("CreatePartitions", "assignments", Topic("t@", 1), create_partitions(("t@", 3, [[1], [1]])), NoTopic()),
    refused("as many as there are, and fewer", ("wide", 3), ("with.dots", 0)),
    refused("counts that there are not", ("wide", 0)),
    refused("a negative count", ("wide", -1)),
    refused("far too many", ("wide", 2**31 - 1)),
    refused("a topic that nobody knows, and names that are none", ("nobody", 3), ("", 3), ("a b", 3)),
    refused("a topic twice", ("wide", 5), ("wide", 6)),
    refused("assignments for another number of partitions", ("wide", 5, [[1]])),
    refused("no assignments", ("wide", 5, [])),
    refused("assignments of other brokers", ("wide", 4, [[2]])),
    refused("assignments of several brokers", ("wide", 4, [[1, 2]])),
    refused("a broker twice", ("wide", 4, [[1, 1]])),
    refused("assignments without brokers", ("wide", 4, [[]])),
    Case("CreatePartitions", "no topics", create_partitions()),
    Case("CreatePartitions", "null for the topics", Ask("CreatePartitions", {"topics": None})),
    Case("CreatePartitions", "no time, and less than none", WIDE, create_partitions(("wide", 1), timeout_ms=0),
         create_partitions(("wide", 1), timeout_ms=-1)),
    Case("ElectLeaders", "preferred leaders", WIDE, elect(0, 2)),
    Case("ElectLeaders", "leaders that are not in sync", WIDE, elect(0, 2, kind=1), versions=range(1, 99)),
    Case("ElectLeaders", "a kind that there is not", WIDE, elect(0, kind=2), elect(0, kind=-1), versions=range(1, 99)),
    Case("ElectLeaders", "partitions that are not there", WIDE, elect(3, -1, 0), elect(0, topic="nobody"), elect(0, topic="")),
    Case("ElectLeaders", "a partition twice", WIDE, elect(0, 0)),
    Case("ElectLeaders", "no topics", Ask("ElectLeaders", {"topic_partitions": [], "timeout_ms": 1000})),
    Case("ElectLeaders", "no partitions", WIDE, elect()),
    Case("ElectLeaders", "no time, and less than none", WIDE, elect(0, timeout_ms=0), elect(0, timeout_ms=-1)),
    Case("DescribeTopicPartitions", "topics", *PAGED, described("paged-b", "paged-a")),
    Case("DescribeTopicPartitions", "topics that nobody knows", *PAGED, described("nobody", "paged-a", "", "a b")),
    Case("DescribeTopicPartitions", "a topic twice", *PAGED, described("paged-a", "paged-a")),
    Case("DescribeTopicPartitions", "pages", *PAGED, described("paged-a", "paged-b", limit=1), described("paged-a", "paged-b", limit=3),
         described("paged-a", "paged-b", limit=2), described("paged-a", "paged-b", cursor=("paged-a", 1)),
         described("paged-a", "paged-b", limit=2, cursor=("paged-b", 0)), described("paged-a", "paged-b", limit=5)),
    Case("DescribeTopicPartitions", "limits that there are not", *PAGED, described("paged-a", limit=0), described("paged-a", limit=-1),
         described("paged-a", limit=2**31 - 1)),
    Case("DescribeTopicPartitions", "cursors that lead nowhere", *PAGED, described("paged-a", "paged-b", cursor=("nobody", 0)),
         described("paged-a", "paged-b", cursor=("paged-a", 9)), described("paged-a", "paged-b", cursor=("paged-a", -1)),
         described("paged-a", "paged-b", cursor=("", 0)), described("paged-a", cursor=("zzz", 0))),
    Case("DescribeTopicPartitions", "an internal topic", described("__consumer_offsets")),
    Case("DescribeTopicPartitions", "null for the topics", Ask("DescribeTopicPartitions", {"topics": None})),
    Case("DescribeProducers", "a producer", WRITTEN, IDEMPOTENT,
         produce((0, Batch("a", "b", producer=("$producer", 0, 0))), topic="written"), producers(0, 1), versions=ONCE),
    Case("DescribeProducers", "partitions that are not there", WRITTEN, producers(2, -1), producers(0, topic="nobody"),
         producers(0, topic="")),
    Case("DescribeProducers", "a partition twice", WRITTEN, producers(1, 1)),
    Case("DescribeProducers", "no topics", Ask("DescribeProducers", {"topics": []})),
    Case("DescribeProducers", "no partitions", WRITTEN, producers()),
    Case("OffsetForLeaderEpoch", "the epoch that there is", WRITTEN, epochs((0, -1, 0), (1, -1, 0), (0, 0, 0))),
    Case("OffsetForLeaderEpoch", "epochs that there are not", WRITTEN, epochs((0, -1, 1), (1, -1, -1)),
         epochs((0, -1, 2**31 - 1), (1, -1, -2))),
    Case("OffsetForLeaderEpoch", "an epoch of the leader that is over, and one to come", WRITTEN, epochs((0, -2, 0), (1, 1, 0))),
    Case("OffsetForLeaderEpoch", "partitions that are not there", WRITTEN, epochs((2, -1, 0), (-1, -1, 0)),
         epochs((0, -1, 0), topic="nobody")),
    Case("OffsetForLeaderEpoch", "a partition twice", WRITTEN, epochs((0, -1, 0), (0, -1, 0))),
    Case("OffsetForLeaderEpoch", "another broker", WRITTEN, epochs((0, -1, 0), replica=7), epochs((0, -1, 0), replica=-1)),
    Case("OffsetForLeaderEpoch", "no topics", Ask("OffsetForLeaderEpoch", {"topics": []})),
    Case("OffsetForLeaderEpoch", "no partitions", WRITTEN, epochs()),
]
