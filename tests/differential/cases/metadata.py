"""Metadata: topics by name and by id, and topics that are made because somebody asks."""

from script import NOBODYS_ID, Ask, Case, NoTopic, Topic

ZERO = "00000000-0000-0000-0000-000000000000"
SEEN = Topic("seen", 2)


def metadata(*names, create=False, **more):
    """Topics by name."""
    return Ask("Metadata", {"topics": [{"name": name} for name in names], "allow_auto_topic_creation": create, **more})


def by_id(*ids, name=None, **more):
    """Topics by id."""
    return Ask("Metadata", {"topics": [{"topic_id": one, "name": name} for one in ids], "allow_auto_topic_creation": False, **more})


def known(name):
    """Asks until the topic that is being made has leaders."""
    return Ask("Metadata", {"topics": [{"name": name}], "allow_auto_topic_creation": False}, compared=False,
               until={"topics.0.error_code": 0, "topics.0.partitions.0.error_code": 0})


CASES = [
    Case("Metadata", "all topics", SEEN, Ask("Metadata", {"topics": None}), versions=range(1, 99)),
    Case("Metadata", "all topics as version 0 asks", SEEN, metadata(), versions=range(0, 1)),
    Case("Metadata", "null where it is not allowed", Ask("Metadata", {"topics": None}), versions=range(0, 1)),
    Case("Metadata", "no topics", metadata(), versions=range(1, 99)),
    Case("Metadata", "a topic", SEEN, metadata("seen")),
    Case("Metadata", "topics that nobody knows", SEEN, metadata("nobody", "seen", "nothing"), versions=range(4, 99)),
    Case("Metadata", "a topic twice", SEEN, metadata("seen", "seen")),
    Case("Metadata", "an unknown topic twice", metadata("nobody", "nobody"), versions=range(4, 99)),
    Case("Metadata", "names that are none", metadata("", "a b", ".", "..", "x" * 250, "a/b"), versions=range(4, 99)),
    Case("Metadata", "names that are none, to be made", metadata("", "a b", "x" * 250, create=True), versions=range(4, 99)),
    Case("Metadata", "a topic that is made", metadata("made@", create=True), known("made@"), metadata("made@"), NoTopic("made@"),
         versions=range(4, 99)),
    Case("Metadata", "versions that always make topics", metadata("made@"), known("made@"), NoTopic("made@"), versions=range(0, 4)),
    Case("Metadata", "a name that collides, to be made", Topic("with.dots"), metadata("with_dots", create=True), versions=range(4, 99)),
    Case("Metadata", "an internal topic", metadata("__consumer_offsets"), metadata("__share_group_state")),
    Case("Metadata", "null for a name", SEEN, metadata(None)),
    Case("Metadata", "ids", SEEN, by_id("$seen.id"), by_id(NOBODYS_ID), by_id(NOBODYS_ID, "$seen.id"), versions=range(10, 99)),
    Case("Metadata", "an id and a name", SEEN, by_id("$seen.id", name="seen"), by_id("$seen.id", name="another"),
         by_id(NOBODYS_ID, name="seen"), versions=range(10, 99)),
    Case("Metadata", "neither id nor name", by_id(ZERO), versions=range(10, 99)),
    Case("Metadata", "an id twice", SEEN, by_id("$seen.id", "$seen.id"), versions=range(12, 99)),
    Case("Metadata", "some by id and some by name", SEEN,
         Ask("Metadata", {"topics": [{"topic_id": "$seen.id", "name": None}, {"name": "seen"}]}), versions=range(12, 99)),
    Case("Metadata", "what one may do", SEEN, metadata("seen", include_topic_authorized_operations=True,
                                                       include_cluster_authorized_operations=True), versions=range(8, 99)),
]
