"""CreateTopics and DeleteTopics."""

from cases.logs import fetch, produce, read, wanted
from script import NOBODYS_ID, Answer, Ask, Batch, Case, NoTopic, Topic

ZERO = "00000000-0000-0000-0000-000000000000"
EXISTING = Topic("existing")


def create(*topics, validate_only=False, timeout_ms=10_000):
    """Topics: dicts of what is not one partition and one replica."""
    told = [{"num_partitions": 1, "replication_factor": 1, **one} for one in topics]
    return Ask("CreateTopics", {"topics": told, "timeout_ms": timeout_ms, "validate_only": validate_only})


def only_checked(title, *topics):
    """What is refused, or would be made, leaves nothing behind."""
    return Case("CreateTopics", title, EXISTING, create(*topics, validate_only=True),
        create(*(topic for topic in topics if refused(topic))))


def refused(topic):
    """Whether the broker refuses the topic, so that it can be asked in earnest too."""
    return not topic["name"].startswith("good")


def assigned(*replicas, **more):
    """A topic whose partitions have these replicas."""
    told = [{"partition_index": at, "broker_ids": list(one)} for at, one in replicas]
    return {"num_partitions": -1, "replication_factor": -1, "assignments": told, **more}


def configured(**configs):
    """Settings of a topic, with underscores for dots."""
    return {"configs": [{"name": name.replace("_", "."), "value": value} for name, value in configs.items()]}


def delete(*names, ids=(), timeout_ms=10_000):
    """Topics by name, and by id where the version has room for them."""
    states = [{"name": name, "topic_id": ZERO} for name in names] + [{"name": None, "topic_id": one} for one in ids]
    return Ask("DeleteTopics", {"topics": states, "topic_names": list(names), "timeout_ms": timeout_ms})


CASES = [
    Case("CreateTopics", "a topic", create({"name": "t@"}), NoTopic()),
    Case("CreateTopics", "the broker's numbers", create({"name": "t@", "num_partitions": -1, "replication_factor": -1}), NoTopic(),
         versions=range(4, 99)),
    Case("CreateTopics", "the broker's numbers before they could be asked for",
         create({"name": "good", "num_partitions": -1, "replication_factor": -1},
                                                                                         validate_only=True), versions=range(2, 4)),
    Case("CreateTopics", "settings", create({"name": "t@", **configured(retention_ms="1000", cleanup_policy="compact")}), NoTopic()),
    Case("CreateTopics", "assignments", create({"name": "t@", **assigned((0, [1]), (1, [1]))}), NoTopic()),
    Case("CreateTopics", "one that there is", EXISTING, create({"name": "existing"}), create({"name": "existing"}, validate_only=True)),
    Case("CreateTopics", "some good and some not", create({"name": "t@"}, {"name": "a b"}, {"name": "u@", "num_partitions": 0}), NoTopic()),
    Case("CreateTopics", "no topics", create()),
    Case("CreateTopics", "null for the topics", Ask("CreateTopics", {"topics": None})),
    Case("CreateTopics", "null for a name", create({"name": None})),
    Case("CreateTopics", "no time, and less than none", create({"name": "a b"}, timeout_ms=0), create({"name": "a b"}, timeout_ms=-1)),
    only_checked("a good topic that is only checked", {"name": "good"},
        {"name": "good2", "num_partitions": 5, **configured(retention_ms="5")}),
    only_checked("names that are none", {"name": ""}, {"name": "."}, {"name": ".."}, {"name": "a b"}, {"name": "a/b"}, {"name": "x" * 250},
        {"name": "ü"}),
    only_checked("a name as long as may be", {"name": "good" + "x" * 245}),
    Case("CreateTopics", "a name that collides", Topic("with.dots"), create({"name": "with_dots"}),
         create({"name": "with_dots"}, validate_only=True)),
    only_checked("a topic twice", {"name": "twice"}, {"name": "twice", "num_partitions": 2}),
    only_checked("a topic twice and a good one", {"name": "twice"}, {"name": "twice"}, {"name": "good"}),
    only_checked("an internal topic", {"name": "__consumer_offsets"}),
    only_checked("counts that there are not", {"name": "none", "num_partitions": 0}, {"name": "negative", "num_partitions": -2},
                 {"name": "least", "num_partitions": -2**31}),
    only_checked("more partitions than may be", {"name": "many", "num_partitions": 10_001}),
    only_checked("far more partitions than may be", {"name": "most", "num_partitions": 2**31 - 1}),
    only_checked("more partitions than may be in one request", {"name": "some", "num_partitions": 6_000},
        {"name": "others", "num_partitions": 6_000}),
    only_checked("factors that there are not", {"name": "none", "replication_factor": 0}, {"name": "two", "replication_factor": 2},
                 {"name": "negative", "replication_factor": -2}, {"name": "most", "replication_factor": 32767}),
    only_checked("assignments with counts", {"name": "counted", **assigned((0, [1]), num_partitions=1)},
                 {"name": "factored", **assigned((0, [1]), replication_factor=1)}),
    only_checked("assignments of other brokers", {"name": "other", **assigned((0, [2]))}, {"name": "both", **assigned((0, [1, 2]))},
                 {"name": "negative", **assigned((0, [-1]))}),
    only_checked("assignments that leave partitions out", {"name": "second", **assigned((1, [1]))},
        {"name": "gap", **assigned((0, [1]), (2, [1]))},
                 {"name": "below", **assigned((-1, [1]), (0, [1]))}),
    only_checked("assignments without replicas", {"name": "nobody", **assigned((0, []))}),
    only_checked("a replica twice", {"name": "twice", **assigned((0, [1, 1]))}),
    only_checked("a partition twice", {"name": "twice", **assigned((0, [1]), (0, [1]))}),
    only_checked("assignments of different sizes", {"name": "uneven", **assigned((0, [1]), (1, [1, 2]))}),
    only_checked("settings that there are not", {"name": "unknown", **configured(no_such_thing="1")},
                 {"name": "dotted", "configs": [{"name": "", "value": "1"}]}),
    only_checked("values that there are not", *({"name": f"bad{at}", **one} for at, one in enumerate((
        configured(retention_ms="soon"), configured(retention_ms="-2"), configured(cleanup_policy="burn"), configured(cleanup_policy=""),
        configured(max_message_bytes="-1"), configured(compression_type="rar"), configured(min_insync_replicas="0"),
        configured(min_cleanable_dirty_ratio="1.5"), configured(segment_bytes="13"), configured(retention_ms=""),
        configured(unclean_leader_election_enable="maybe"), configured(message_timestamp_type="Yesterday"),
        configured(segment_bytes="99999999999"), configured(retention_ms=" 5"))))),
    only_checked("null for a value", {"name": "null", **configured(retention_ms=None)},
        {"name": "nulls", **configured(no_such_thing=None)}),
    only_checked("a setting twice", {"name": "double", "configs": [{"name": "retention.ms", "value": "1"},
        {"name": "retention.ms", "value": "2"}]}),
    only_checked("settings that do not go together", {"name": "local", **configured(local_retention_ms="10", retention_ms="5")},
                 {"name": "remote", **configured(remote_storage_enable="true")}),
    Case("DeleteTopics", "a topic", Topic(), delete("t@"), Ask("Metadata", {"topics": [{"name": "t@"}], "allow_auto_topic_creation": False},
                                                               until={"topics.0.error_code": 3})),
    Case("DeleteTopics", "topics that nobody knows", delete("nobody", "")),
    Case("DeleteTopics", "a topic twice", Topic(), delete("t@", "t@"), Ask("Metadata", {"topics": [{"name": "t@"}]}, version=12)),
    Case("DeleteTopics", "an unknown topic twice", delete("nobody", "nobody", "nobody")),
    Case("DeleteTopics", "names that are none", delete("a b", "x" * 250)),
    Case("DeleteTopics", "no topics", delete()),
    Case("DeleteTopics", "null for the topics", Ask("DeleteTopics", {"topics": None, "topic_names": None})),
    Case("DeleteTopics", "no time, and less than none", delete("nobody", timeout_ms=0), delete("nobody", timeout_ms=-1)),
    Case("DeleteTopics", "ids", Topic(), delete(ids=[NOBODYS_ID, "$t@.id"]), versions=range(6, 99)),
    Case("DeleteTopics", "an id twice", Topic(), delete(ids=["$t@.id", "$t@.id"]), versions=range(6, 99)),
    Case("DeleteTopics", "the same by id and by name", Topic(), delete("t@", ids=["$t@.id"]), versions=range(6, 99)),
    Case("DeleteTopics", "both id and name", Topic(), Ask("DeleteTopics",
         {"topics": [{"name": "t@", "topic_id": "$t@.id"}], "timeout_ms": 1000}),
         versions=range(6, 99)),
    Case("DeleteTopics", "neither id nor name", Ask("DeleteTopics", {"topics": [{"name": None, "topic_id": ZERO}], "timeout_ms": 1000}),
         versions=range(6, 99)),
    Case("Fetch", "a topic under a reader", Topic(), produce((0, Batch("a"))), read(),
         Ask("Fetch", {"max_wait_ms": 10_000, "min_bytes": 1, "max_bytes": 1000, "session_epoch": -1, "topics": [
             {"topic": "t@", "topic_id": "$t@.id", "partitions": [wanted(0, 1)]}]}, on="b", later=True),
         delete("t@"), Answer("b"), Ask("Metadata", {"topics": [{"name": "t@"}], "allow_auto_topic_creation": False},
         until={"topics.0.error_code": 3}),
         read(), versions=range(4, 99, 4)),
    Case("Fetch", "a topic that is made again under a session", Topic(),
         fetch(wanted(), session=(0, 0), save={"session": "session_id"}), NoTopic(), Topic(), fetch(session=("$session", 1)),
         versions=range(7, 99, 5)),
]
