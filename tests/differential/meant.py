"""Differences that are right to keep, each with its reason."""

import re

from compare import Allowed
from schema import sentences

ANY = ".*"


def says_more(kafka, ours):
    """Kafka says nothing."""
    return kafka is None and isinstance(ours, str)


def in_our_words(kafka, ours):
    """Kafka has its general sentence for the error, we have ours."""
    return isinstance(kafka, str) and ours in sentences()


def ours_alone(kafka, ours):
    """A setting that only we have."""
    return kafka == "absent" and ours["name"].startswith("yeoul.")


def at_another_moment(kafka, ours):
    """The bounds of timestamps are counted from now."""
    bounds = re.compile(r"\[-?\d+, -?\d+\]")
    return isinstance(kafka, str) and isinstance(ours, str) and bounds.sub("", kafka) == bounds.sub("", ours)


MEANT = [
    Allowed(ANY, ANY, r"(.*\.)?error_message", "a sentence helps who reads it, where Kafka only has the code", says_more),
    Allowed(ANY, ANY, r"(.*\.)?error_message", "the general sentences for error codes are our own", in_our_words),
    Allowed("Produce", "times too far .*", r".*batch_index_error_message", "the bounds are those of another moment", at_another_moment),
    Allowed("Produce", "offsets that are not one after the other", ".*",
            "it is said which record is wrong; Kafka fails with an error that it did not foresee"),
    Allowed("Produce", "offsets without compression that are not one after the other", ".*",
            "refused as they are with compression; Kafka gives the batch offsets that its records do not have"),
    Allowed("DescribeConfigs", "kinds that there are not", r".*error_message", "we say which kind it is"),
    Allowed("CreateTopics|DescribeConfigs", ANY, r".*\.configs\.\*", "our own settings are listed beside Kafka's", ours_alone),
    Allowed("Metadata", "a topic that is made|versions that always make topics|an internal topic", r"topics\..*",
            "a topic is made before the answer, so that the client need not ask again"),
    Allowed("Produce|Fetch", "a partition twice", ".*", "each batch is taken and answered; Kafka loses all but the last without a word"),
    Allowed("Produce", "a topic twice", r"responses\.\*", "answered as it was asked; Kafka brings the two together"),
    Allowed("Fetch|ListOffsets", "isolation that there is not", ".*",
        "taken for read_uncommitted; Kafka fails with an error that it did not foresee"),
    Allowed("Fetch", "a topic that is made again under a session", ".*",
        "nobody knows the old id any more; Kafka's session still knows its name"),
    Allowed("CreatePartitions", "far too many", r".*error_code", "the limit is named; Kafka fails with an error that it did not foresee"),
    Allowed("DescribeTopicPartitions", "topics that nobody knows", ".*",
            "each is answered on its own; names that are none fail all of Kafka's answer with an error that it did not foresee"),
    Allowed("IncrementalAlterConfigs", "what is refused", r".*error_code",
            "an operation that there is not is an invalid request; Kafka fails with an error that it did not foresee"),
    Allowed("DescribeQuorum", ANY, r".*(leader_epoch|high_watermark|log_end_offset|_timestamp)",
            "each metadata log has its own length, elections and times"),
    Allowed("DescribeQuorum", ANY, r".*replica_directory_id",
        "we say in which directory a voter is; Kafka only where voters are not static"),
    Allowed("GetTelemetrySubscriptions|PushTelemetry", ANY, "subscription_id", "it follows from an instance id that each broker draws"),
    Allowed("OffsetForLeaderEpoch", "epochs that there are not", ".*", "an epoch below -1 is unknown; Kafka says that it ended at 0"),
    Allowed("Fetch", "negative bytes for .*", ".*", "taken for none; Kafka fails with an error that it did not foresee"),
    Allowed("Fetch", "bytes for the first batch", r".*\.records\.\*",
        "whole batches only; Kafka also sends the beginning of one, which readers drop"),
]

# What is not there yet. A line goes when what it tells of comes.
MISSING = []
