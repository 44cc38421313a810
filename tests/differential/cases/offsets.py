"""Offsets of groups: committed, asked for and deleted."""

from cases.members import commit, describe, heartbeat, joined, leave, offsets, offsets_of, stable
from script import NOBODYS_ID, Ask, Case, NoTopic, Topic, on_topic

READ = Topic("read", 2)


def delete(*partitions, group="g@", topic="read"):
    """Offsets of partitions of one topic."""
    told = [{"partition_index": one} for one in partitions]
    return Ask("OffsetDelete", {"group_id": group, "topics": [on_topic(topic, partitions=told)]})


def committed(*partitions, **more):
    """Offsets of the topic that all share."""
    return commit(*partitions, topic="read", **more)


def found(*partitions, **more):
    """What is committed for it."""
    return offsets(*partitions, topic="read", **more)


def everything(group="g@"):
    """All that a group has committed."""
    return offsets_of({"group_id": group, "topics": None})


# A subscription of a consumer to the topic, as its protocol writes it.
SUBSCRIBED = {"name": "range", "metadata": b"\0\0\0\0\0\1\0\4read\0\0\0\0"}

CASES = [
    Case("OffsetCommit", "by nobody in particular", READ, committed((0, 5, "m"), (1, 0)), found(0, 1), describe()),
    Case("OffsetCommit", "a topic that nobody knows", commit((0, 5), topic="nobody")),
    Case("OffsetCommit", "a name that is empty", commit((0, 5), topic="")),
    Case("OffsetCommit", "partitions that are not there", READ, committed((2, 5), (-1, 5), (0, 5), (2**31 - 1, 1)), found(0, 2)),
    Case("OffsetCommit", "offsets that there are not", READ, committed((0, -1), (1, -5)), committed((0, 2**63 - 1)), found(0, 1)),
    Case("OffsetCommit", "metadata of all sizes", READ, committed((0, 1, "x" * 4096), (1, 1, "x" * 4097)), committed((0, 2, None)),
         found(0, 1)),
    Case("OffsetCommit", "a partition twice", READ, committed((0, 1), (0, 2)), found(0)),
    Case("OffsetCommit", "a topic twice", READ, Ask("OffsetCommit", {"group_id": "g@", "topics": [
        on_topic("read", partitions=[{"partition_index": at, "committed_offset": 7, "committed_metadata": ""}]) for at in (0, 1)]}),
        found(0, 1)),
    Case("OffsetCommit", "no topics", Ask("OffsetCommit", {"group_id": "g@", "topics": []}), describe()),
    Case("OffsetCommit", "no partitions", READ, committed()),
    Case("OffsetCommit", "null for the topics", Ask("OffsetCommit", {"group_id": "g@", "topics": None})),
    Case("OffsetCommit", "no group", READ, committed((0, 5), group="")),
    Case("OffsetCommit", "an epoch of the leader", READ, Ask("OffsetCommit", {"group_id": "g@", "topics": [on_topic("read", partitions=[
        {"partition_index": 0, "committed_offset": 3, "committed_leader_epoch": 4, "committed_metadata": ""}])]}), found(0)),
    Case("OffsetCommit", "how long to keep it", READ, committed((0, 5), retention_time_ms=1_000), found(0)),
    Case("OffsetCommit", "a member", READ, *stable(), committed((0, 5), member="$member", generation="$generation"), found(0)),
    Case("OffsetCommit", "a member before it has its part", READ, *joined(), committed((0, 5), member="$member", generation="$generation"),
         found(0)),
    Case("OffsetCommit", "not a member of a group that has some", READ, *stable(), committed((0, 5)),
         committed((0, 5), member="nobody", generation=1),
         committed((0, 5), member="$member", generation=99), committed((0, 5), member="$member", generation=-1), found(0)),
    Case("OffsetCommit", "a generation of a group that nobody has", READ, committed((0, 5), generation=3),
         committed((0, 5), member="nobody", generation=0),
         committed((0, 5), member="nobody")),
    Case("OffsetCommit", "a member that has left", READ, *stable(), leave("$member"),
         committed((0, 5), member="$member", generation="$generation"),
         committed((1, 5))),
    Case("OffsetCommit", "an instance that the group does not have", READ, *stable(),
         committed((0, 5), member="$member", generation="$generation", instance="i"), versions=range(7, 99)),
    Case("OffsetCommit", "the id that is none", READ, Ask("OffsetCommit", {"group_id": "g@", "topics": [
        on_topic("read", topic_id="00000000-0000-0000-0000-000000000000",
        partitions=[{"partition_index": 0, "committed_offset": 1, "committed_metadata": ""}]),
        on_topic("read", topic_id=NOBODYS_ID, partitions=[{"partition_index": 0, "committed_offset": 1, "committed_metadata": ""}])]}),
        versions=range(10, 99)),
    Case("OffsetFetch", "a group that nobody has", READ, found(0, 1, group="nothing")),
    Case("OffsetFetch", "no group", READ, found(0, group="")),
    Case("OffsetFetch", "a topic that nobody knows", offsets(0, topic="nobody")),
    Case("OffsetFetch", "partitions that are not there", READ, committed((0, 5)), found(0, 1, 2, -1)),
    Case("OffsetFetch", "a partition twice", READ, committed((0, 5)), found(0, 0)),
    Case("OffsetFetch", "no partitions", READ, committed((0, 5)), found()),
    Case("OffsetFetch", "no topics", READ, committed((0, 5)), offsets_of({"group_id": "g@", "topics": []})),
    Case("OffsetFetch", "all", READ, committed((1, 5, "m")), everything(), everything("nothing"), versions=range(2, 99)),
    Case("OffsetFetch", "null where it is not allowed", everything(), versions=range(1, 2)),
    Case("OffsetFetch", "stable offsets only", READ, committed((0, 5)), found(0, require_stable=True), versions=range(7, 99)),
    Case("OffsetFetch", "several groups", READ, committed((0, 5)), committed((1, 7), group="h@"),
         offsets_of({"group_id": "g@", "topics": None}, {"group_id": "h@", "topics": [on_topic("read", partition_indexes=[1])]},
                    {"group_id": "nothing", "topics": None}), versions=range(8, 99)),
    Case("OffsetFetch", "a group twice", READ, committed((0, 5)),
         offsets_of({"group_id": "g@", "topics": None}, {"group_id": "g@", "topics": []}),
         versions=range(8, 99)),
    Case("OffsetFetch", "no groups", Ask("OffsetFetch", {"groups": []}), versions=range(8, 99)),
    Case("OffsetFetch", "a member and its epoch", READ, *stable(), committed((0, 5), member="$member", generation="$generation"),
         *(offsets_of({"group_id": "g@", "member_id": member, "member_epoch": epoch, "topics": [on_topic("read", partition_indexes=[0])]})
           for member, epoch in (("$member", 1), ("$member", 99), ("nobody", 1), ("", 1), (None, -1), (None, 5))), versions=range(9, 99)),
    Case("OffsetDelete", "offsets of a group without members", READ, committed((0, 5), (1, 6)), delete(0), found(0, 1), delete(0, 1, 7),
         found(0, 1)),
    Case("OffsetDelete", "a group that nobody has", READ, delete(0, group="nothing"), delete(0, group="")),
    Case("OffsetDelete", "a topic that nobody knows", READ, committed((0, 5)), delete(0, topic="nobody")),
    Case("OffsetDelete", "no topics", READ, committed((0, 5)), Ask("OffsetDelete", {"group_id": "g@", "topics": []})),
    Case("OffsetDelete", "no partitions", READ, committed((0, 5)), delete()),
    Case("OffsetDelete", "null for the topics", Ask("OffsetDelete", {"group_id": "g@", "topics": None})),
    Case("OffsetDelete", "a partition twice", READ, committed((0, 5)), delete(0, 0), found(0)),
    Case("OffsetDelete", "a topic that a member reads", READ, Topic("unread"), *stable(protocols=(SUBSCRIBED,)),
         committed((0, 5), member="$member", generation="$generation"), delete(0), delete(0, topic="unread")),
    Case("OffsetDelete", "a group of another kind with a member", READ, *stable(kind="sr"), delete(0)),
    Case("OffsetDelete", "a group whose member's subscription cannot be read", READ, *stable(), delete(0)),
    Case("OffsetFetch", "a topic that is deleted", Topic(), commit((0, 5)), NoTopic(),
         Ask("OffsetFetch", {"groups": [{"group_id": "g@", "topics": None}]}, version=8, until={"groups.0.topics": []}), offsets(0)),
    Case("Heartbeat", "a group that has only offsets", READ, committed((0, 5)), heartbeat("nobody", 1), describe()),
]
