"""What is asked of a node as such: its quorum, features, metrics of clients, log directories and reassignments."""

from cases.logs import produce
from script import NOBODYS_ID, ONCE, Ask, Batch, Case, Topic, on_topic

ZERO = "00000000-0000-0000-0000-000000000000"
PLACED = Topic("placed", 2)


def quorum(*partitions, topic="__cluster_metadata"):
    """Partitions of a topic that a quorum agrees on."""
    return Ask("DescribeQuorum", {"topics": [{"topic_name": topic, "partitions": [{"partition_index": one} for one in partitions]}]})


def features(*updates, validate_only=True, timeout_ms=10_000):
    """Levels of features: (name, level, kind of change)."""
    told = [{"feature": name, "max_version_level": level, "upgrade_type": kind, "allow_downgrade": kind != 1} for name, level,
    kind in updates]
    return Ask("UpdateFeatures", {"feature_updates": told, "validate_only": validate_only, "timeout_ms": timeout_ms})


def push(subscription, instance="$instance", terminating=False, compression=0, metrics=b""):
    """A client's metrics."""
    return Ask("PushTelemetry", {"client_instance_id": instance, "subscription_id": subscription, "terminating": terminating,
                                 "compression_type": compression, "metrics": metrics})


def subscriptions(instance=ZERO):
    """Which metrics a client is to push."""
    save = {"instance": "client_instance_id", "subscription": "subscription_id"}
    return Ask("GetTelemetrySubscriptions", {"client_instance_id": instance}, save=save)


def log_dirs(*partitions, topic="placed"):
    """Where partitions of a topic are."""
    return Ask("DescribeLogDirs", {"topics": [on_topic(topic, partitions=list(partitions))]})


def move(path, *partitions, topic="placed"):
    """Moves partitions to a log directory."""
    return Ask("AlterReplicaLogDirs", {"dirs": [{"path": path, "topics": [on_topic(topic, partitions=list(partitions))]}]})


def reassign(*partitions, topic="placed", timeout_ms=10_000):
    """Brokers for partitions of a topic: (index, brokers), None to give up."""
    told = [{"partition_index": index, "replicas": brokers} for index, brokers in partitions]
    return Ask("AlterPartitionReassignments", {"topics": [{"name": topic, "partitions": told}], "timeout_ms": timeout_ms})


def reassigned(*partitions, topic="placed"):
    """Reassignments of partitions of a topic that are under way."""
    return Ask("ListPartitionReassignments", {"topics": [{"name": topic, "partition_indexes": list(partitions)}]})


CASES = [
    Case("DescribeQuorum", "the quorum", quorum(0)),
    Case("DescribeQuorum", "what no quorum agrees on", quorum(1), quorum(0, topic="nobody"), quorum(),
         Ask("DescribeQuorum", {"topics": []})),
    Case("UpdateFeatures", "what is refused", features(("no.such", 1, 1)), features(("metadata.version", 0, 1)),
         features(("metadata.version", 999, 1)), features(("metadata.version", 7, 1)), features(("metadata.version", 7, 2)),
         features(("group.version", 99, 1)), features(("group.version", -1, 1)), features(("group.version", 1, 9)), features(("", 1, 1)),
         versions=range(1, 99)),
    Case("UpdateFeatures", "a feature twice", features(("group.version", 1, 1), ("group.version", 0, 2)), versions=range(1, 99)),
    Case("UpdateFeatures", "nothing", features(), versions=range(1, 99)),
    Case("UpdateFeatures", "no time", features(("group.version", 1, 1), timeout_ms=0), versions=range(1, 99)),
    Case("GetTelemetrySubscriptions", "a new client", subscriptions(), versions=ONCE),
    Case("PushTelemetry", "what nobody wants", subscriptions(), push("$subscription"), versions=ONCE),
    Case("PushTelemetry", "a subscription that there is not", subscriptions(), push(12_345), versions=ONCE),
    Case("PushTelemetry", "a client that nobody knows", push(1, instance=NOBODYS_ID), push(1, instance=ZERO), versions=ONCE),
    Case("DescribeLogDirs", "partitions", PLACED, produce((0, Batch("a")), topic="placed"), log_dirs(0, 1), versions=ONCE),
    Case("DescribeLogDirs", "some partitions", PLACED, log_dirs(0, 1), log_dirs(1, 9)),
    Case("DescribeLogDirs", "a topic that nobody knows", log_dirs(0, topic="nobody")),
    Case("DescribeLogDirs", "no topics", Ask("DescribeLogDirs", {"topics": []})),
    Case("DescribeLogDirs", "no partitions", PLACED, log_dirs()),
    Case("AlterReplicaLogDirs", "directories that there are not", PLACED, move("/nowhere", 0, 1), move("", 0), move("relative", 0)),
    Case("AlterReplicaLogDirs", "nothing", Ask("AlterReplicaLogDirs", {"dirs": []}), PLACED, move("/nowhere")),
    Case("AlterPartitionReassignments", "the brokers that there are", PLACED, reassign((0, [1])), reassigned(0)),
    Case("AlterPartitionReassignments", "brokers that there are not", PLACED, reassign((0, [2]), (1, [1, 2])), reassign((0, [])),
         reassign((0, [1, 1])), reassign((0, [-1]))),
    Case("AlterPartitionReassignments", "nothing to give up", PLACED, reassign((0, None))),
    Case("AlterPartitionReassignments", "partitions that are not there", PLACED, reassign((2, [1]), (-1, [1])),
         reassign((0, [1]), topic="nobody")),
    Case("AlterPartitionReassignments", "no time", PLACED, reassign((0, [1]), timeout_ms=0)),
    Case("AlterPartitionReassignments", "nothing", Ask("AlterPartitionReassignments", {"topics": []})),
    Case("ListPartitionReassignments", "none", PLACED, reassigned(0, 1), Ask("ListPartitionReassignments", {"topics": None}), reassigned()),
    Case("ListPartitionReassignments", "what is not there", reassigned(0, topic="nobody"), reassigned(9)),
]
