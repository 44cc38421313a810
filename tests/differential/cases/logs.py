"""Steps on logs that several tables of cases share."""

from script import Ask, on_topic

BYTES_MAX = 1_000_000


def produce(*partitions, topic="t@", acks=-1, timeout_ms=10_000, transactional_id=None, answered=True, save=None):
    """Batches for partitions of one topic: (index, records)."""
    data = [{"index": index, "records": records} for index, records in partitions]
    fields = {"acks": acks, "timeout_ms": timeout_ms, "transactional_id": transactional_id,
              "topic_data": [on_topic(topic, partition_data=data)]}
    return Ask("Produce", fields, answered=answered, save=save or {})


def wanted(partition=0, offset=0, bytes_max=BYTES_MAX, **more):
    """A partition that is to be read."""
    return {"partition": partition, "fetch_offset": offset, "partition_max_bytes": bytes_max, **more}


def fetch(*partitions, topic="t@", session=(0, -1), wait_ms=0, save=None, forgotten=(), **more):
    """Partitions of one topic."""
    fields = {"max_wait_ms": wait_ms, "min_bytes": 1, "max_bytes": BYTES_MAX, "session_id": session[0], "session_epoch": session[1],
              "topics": [on_topic(topic, partitions=list(partitions))] if partitions else [],
              "forgotten_topics_data": [on_topic(topic, partitions=list(forgotten))] if forgotten else [], **more}
    return Ask("Fetch", fields, save=save or {})


def read(topic="t@", partition=0, offset=0):
    """All that there is from an offset on."""
    return fetch(wanted(partition, offset), topic=topic)


def list_offsets(*partitions, topic="t@", isolation=0, replica=-1, **more):
    """Offsets of partitions of one topic: (index, timestamp) or the whole of it as a dict."""
    asked = [one if isinstance(one, dict) else {"partition_index": one[0], "timestamp": one[1]} for one in partitions]
    fields = {"replica_id": replica, "isolation_level": isolation, "topics": [on_topic(topic, partitions=asked)], **more}
    return Ask("ListOffsets", fields)
