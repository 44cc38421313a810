"""Fetch: what is read, where it may not be read, and sessions."""

from cases.logs import fetch, produce, read, wanted
from script import ONCE, Ask, Batch, Case, Sum, Topic, on_topic

# One topic for all cases that only read.
FILLED = (Topic("filled", 3),)
RANGES = range(4, 99)


def filled(*partitions, **more):
    """Partitions of the topic that all share."""
    return fetch(*partitions, topic="filled", **more)


def reads(title, *steps, versions=None):
    """Reading what is there changes nothing."""
    return Case("Fetch", title, *FILLED, *steps, versions=versions)


CASES = [
    Case("Fetch", "what is to be read from here on is written", *FILLED,
         produce((0, Batch("a", "b", "c")), (1, Batch("d")), topic="filled"),
         produce((0, Batch("e", "f")), topic="filled"), versions=ONCE),
    reads("from the beginning", filled(wanted())),
    reads("from within a batch", filled(wanted(offset=1)), filled(wanted(offset=4))),
    reads("at the end", filled(wanted(offset=5))),
    reads("past the end", filled(wanted(offset=6)), filled(wanted(offset=2**62))),
    reads("before the beginning", filled(wanted(offset=-1)), filled(wanted(offset=-5))),
    reads("an empty partition", filled(wanted(2))),
    reads("several partitions", filled(wanted(1), wanted(0), wanted(2))),
    reads("a partition twice", filled(wanted(0), wanted(0, 3))),
    reads("partitions that are not there", filled(wanted(3), wanted(-1), wanted(2**31 - 1))),
    reads("a topic that nobody knows", fetch(wanted(), topic="nobody")),
    reads("an empty name", fetch(wanted(), topic="")),
    reads("no topics", filled()),
    reads("no partitions", Ask("Fetch", {"session_epoch": -1, "topics": [on_topic("filled", partitions=[])]})),
    reads("null for the topics", Ask("Fetch", {"session_epoch": -1, "topics": None})),
    reads("only uncommitted or only committed", filled(wanted(), isolation_level=1), filled(wanted(offset=9), isolation_level=1)),
    reads("isolation that there is not", filled(wanted(), isolation_level=2), filled(wanted(), isolation_level=-1)),
    reads("an epoch that is over", filled(wanted(current_leader_epoch=-1)), filled(wanted(current_leader_epoch=-2))),
    reads("the epoch", filled(wanted(current_leader_epoch=0))),
    reads("an epoch that is to come", filled(wanted(current_leader_epoch=1), wanted(1, current_leader_epoch=7))),
    reads("the epoch that it read last", filled(wanted(offset=3, last_fetched_epoch=0)),
          filled(wanted(offset=5, last_fetched_epoch=0)), versions=range(12, 99)),
    reads("an epoch read last that never was", filled(wanted(offset=3, last_fetched_epoch=5)),
          filled(wanted(offset=9, last_fetched_epoch=0)), versions=range(12, 99)),
    reads("no bytes for a partition", filled(wanted(bytes_max=0), wanted(1, bytes_max=0))),
    reads("negative bytes for a partition", filled(wanted(bytes_max=-1))),
    reads("less than a batch for each partition", filled(wanted(bytes_max=10), wanted(1, bytes_max=10))),
    reads("no bytes at all", filled(wanted(), wanted(1), max_bytes=0)),
    reads("negative bytes for all", filled(wanted(), max_bytes=-1)),
    reads("bytes for the first batch", filled(wanted(), wanted(1), max_bytes=100)),
    reads("more than there is to wait for", filled(wanted(), min_bytes=2**31 - 1, wait_ms=20)),
    reads("a negative time", filled(wanted(offset=5), wait_ms=-1)),
    reads("the least bytes are negative", filled(wanted(offset=5), wait_ms=20, min_bytes=-1),
        filled(wanted(offset=5), wait_ms=20, min_bytes=0)),
    reads("a rack", filled(wanted(), rack_id="nowhere")),
    reads("another cluster's id", filled(wanted(), cluster_id="another"), versions=range(12, 99)),
    reads("a log start offset of the reader", filled(wanted(log_start_offset=3))),
    reads("a consumer that debugs", filled(wanted(), replica_id=-2)),
    reads("a wait that ends with data", filled(wanted(2, 0), wait_ms=30)),
    reads("a session", filled(wanted(), wanted(1), session=(0, 0), save={"session": "session_id"}),
          filled(session=("$session", 1)), filled(wanted(1, 1), session=("$session", 2)), filled(wanted(2), session=("$session", 3)),
          versions=range(7, 99)),
    reads("a session that nobody has", filled(session=(1_234, 1)), filled(wanted(), session=(1_234, 5)), versions=range(7, 99)),
    reads("an id without an epoch", filled(wanted(), session=(1_234, 0)), filled(wanted(), session=(1_234, -1)), versions=range(7, 99)),
    reads("epochs of no session", filled(wanted(), session=(0, 5)), filled(wanted(), session=(0, -2)), versions=range(7, 99)),
    reads("an epoch of the session that is over", filled(wanted(), session=(0, 0), save={"session": "session_id"}),
          filled(session=("$session", 1)), filled(session=("$session", 1)), filled(session=("$session", 7)),
          filled(session=("$session", 2)), versions=range(7, 99)),
    reads("a session that is ended", filled(wanted(), session=(0, 0), save={"session": "session_id"}),
          filled(session=("$session", -1)), filled(session=("$session", 1)), versions=range(7, 99)),
    reads("a session that begins anew", filled(wanted(), session=(0, 0), save={"session": "session_id"}),
          filled(wanted(1), session=("$session", 0), save={"session": "session_id"}), filled(session=("$session", 1)),
          versions=range(7, 99)),
    reads("a session that forgets", filled(wanted(), wanted(1), session=(0, 0), save={"session": "session_id"}),
          filled(session=("$session", 1), forgotten=[0]), filled(wanted(offset=3), session=("$session", 2)),
          filled(session=("$session", 3), forgotten=[0, 1, 9]), filled(session=("$session", 4)), versions=range(7, 99)),
    reads("a session with what is not there", filled(wanted(), wanted(9), session=(0, 0), save={"session": "session_id"}),
          filled(session=("$session", 1)), filled(session=("$session", 2)), versions=range(7, 99)),
    reads("a session on a topic that nobody knows", fetch(wanted(), topic="nobody", session=(0, 0), save={"session": "session_id"}),
          fetch(session=("$session", 1)), versions=range(7, 99)),
    Case("Fetch", "a session that hears of new records", Topic(), fetch(wanted(), session=(0, 0), save={"session": "session_id"}),
         produce((0, Batch("a"))), fetch(session=("$session", 1)), fetch(wanted(0, 1), session=("$session", 2)),
         versions=range(7, 99, 3)),
    reads("a session without partitions", filled(session=(0, 0)), versions=range(7, 99)),
    reads("a session by names goes on by ids", Ask("Fetch", {"session_id": 0, "session_epoch": 0, "max_bytes": 1000, "topics": [
        on_topic("filled", partitions=[wanted()])]}, save={"session": "session_id"}, version=12),
          filled(session=("$session", 1)), versions=range(13, 99)),
]
