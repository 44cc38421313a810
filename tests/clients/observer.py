"""What the broker says, asked without any of the clients: for what a client cannot tell of itself."""

import threading

from broker import check, wait_until
from wire import Connection

EARLIEST = -2


class Observer:
    """A connection to the broker beside the clients'."""

    def __init__(self, port):
        self.connection = Connection(port)
        self.turn = threading.Lock()

    def ask(self, api, version, fields):
        """The answer to a request, one at a time."""
        with self.turn:
            return self.connection.ask(api, version, fields)

    def create(self, topic, partitions, configs):
        """Makes a topic, whatever a client can."""
        wanted = {
            "name": topic, "num_partitions": partitions, "replication_factor": 1,
            "configs": [{"name": name, "value": value} for name, value in configs.items()]}
        (made,) = self.ask("CreateTopics", 5, {"topics": [wanted], "timeout_ms": 30_000})["topics"]
        check(made["error_code"] == 0, f"{topic} is not made: {made}")
        self.wait_for(topic, partitions)

    def wait_for(self, topic, partitions):
        """Waits until a topic serves: Apache Kafka takes an idempotent producer's second batch first where a partition comes to be
        between the two."""
        served = dict.fromkeys(range(partitions), 0)
        wait_until(lambda: self.first_offsets(topic, partitions) == served, 30, f"{topic} serves {partitions} partitions")

    def partitions(self, topic):
        """How many partitions of a topic have a leader."""
        (found,) = self.ask("Metadata", 9, {"topics": [{"name": topic}], "allow_auto_topic_creation": False})["topics"]
        return sum(one["leader_id"] >= 0 for one in found["partitions"])

    def first_offsets(self, topic, partitions):
        """Where each partition begins, or -1 where it does not serve."""
        asked = [{"partition_index": partition, "timestamp": EARLIEST} for partition in range(partitions)]
        answer = self.ask("ListOffsets", 5, {"replica_id": -1, "topics": [{"name": topic, "partitions": asked}]})
        return {one["partition_index"]: one["offset"] for one in answer["topics"][0]["partitions"]}

    def group(self, group):
        """(state, {instance id: member id}) of a group."""
        (found,) = self.ask("DescribeGroups", 5, {"groups": [group]})["groups"]
        return found["group_state"], {one["group_instance_id"]: one["member_id"] for one in found["members"]}

    def dismiss(self, group, instance):
        """Takes a static member out of its group."""
        members = [{"member_id": "", "group_instance_id": instance}]
        answer = self.ask("LeaveGroup", 3, {"group_id": group, "members": members})
        check(answer["error_code"] == 0, f"{instance} is still in {group}: {answer}")
