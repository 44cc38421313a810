"""Steps of group members that several tables of cases share."""

from script import Ask, on_topic

RANGE = {"name": "range", "metadata": b"meta"}
# Far longer than the suite takes, so that nobody is removed while others are looked at.
SESSION_MS = 1_800_000


def join(member="", group="g@", kind="consumer", protocols=(RANGE,), instance=None, session_ms=SESSION_MS, rebalance_ms=60_000,
         save=None, on="a", later=False, version=None, **more):
    """A member joins."""
    fields = {"group_id": group, "session_timeout_ms": session_ms, "rebalance_timeout_ms": rebalance_ms, "member_id": member,
              "group_instance_id": instance, "protocol_type": kind, "protocols": list(protocols), **more}
    return Ask("JoinGroup", fields, save=save or {}, on=on, later=later, version=version)


def sync(member="$member", generation="$generation", group="g@", instance=None, assignments=(), on="a", later=False, **more):
    """A member asks for its part; a leader says who has what: (member, bytes)."""
    told = [{"member_id": one, "assignment": data} for one, data in assignments]
    fields = {"group_id": group, "generation_id": generation, "member_id": member, "group_instance_id": instance, "assignments": told,
        **more}
    return Ask("SyncGroup", fields, on=on, later=later)


def heartbeat(member="$member", generation="$generation", group="g@", instance=None, on="a"):
    """A member lives."""
    fields = {"group_id": group, "generation_id": generation, "member_id": member, "group_instance_id": instance}
    return Ask("Heartbeat", fields, on=on)


def leave(*members, group="g@", on="a"):
    """Members leave: ids, or (id, instance)."""
    told = [one if isinstance(one, tuple) else (one, None) for one in members]
    fields = {"group_id": group, "member_id": told[0][0] if told else "",
              "members": [{"member_id": one, "group_instance_id": instance, "reason": "because"} for one, instance in told]}
    return Ask("LeaveGroup", fields, on=on)


def describe(*groups, **more):
    """What groups are like."""
    return Ask("DescribeGroups", {"groups": list(groups or ["g@"]), **more})


def joined(group="g@", name="member", **more):
    """One member is in: where a member must come with an id, it comes twice."""
    return (join(group=group, save={name: "member_id"}, **more),
            join(f"${name}", group=group, save={"generation": "generation_id"}, **more))


def stable(group="g@", **more):
    """One member has all."""
    return (*joined(group, **more), sync(group=group, assignments=[("$member", b"all")]))


def commit(*partitions, group="g@", topic="t@", member="", generation=-1, instance=None, **more):
    """Offsets of partitions of one topic: (index, offset), perhaps with metadata."""
    told = [{"partition_index": one[0], "committed_offset": one[1], "committed_metadata": one[2] if len(one) > 2 else ""}
            for one in partitions]
    fields = {"group_id": group, "generation_id_or_member_epoch": generation, "member_id": member, "group_instance_id": instance,
              "topics": [on_topic(topic, partitions=told)], **more}
    return Ask("OffsetCommit", fields)


def offsets(*partitions, group="g@", topic="t@", **more):
    """Committed offsets of partitions of one topic."""
    return offsets_of({"group_id": group, "topics": [on_topic(topic, partition_indexes=list(partitions))]}, **more)


def offsets_of(*groups, **more):
    """Committed offsets as versions before 8 ask (the first group alone), and as those from 8 on do."""
    return Ask("OffsetFetch", {**groups[0], "groups": list(groups), **more})
