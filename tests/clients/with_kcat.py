"""kcat, Debian's command line over librdkafka."""

import json
import re
import subprocess
from itertools import groupby

from broker import check, wait_until
from scenario import Read, Record

DELIMITER = "\x01"
ENDING = "\x02"
NO_ADMIN = "it has no admin client"
LACKS = ["committed", "groups", "describe_group", "delete_group", "describe_topic_configs", "alter_topic_config", "add_partitions",
         "delete_records", "describe_cluster", "delete"]


class Client:
    """One kcat process a call."""

    name = "kcat"
    plain = True
    lacks = {
        **dict.fromkeys(LACKS, NO_ADMIN),
        "two_members": "it does not say which partitions it holds",
        "neither": "it skips a line of nothing",
        "empties": "an empty word of a line is either null or empty, for all lines",
    }

    def __init__(self, bootstrap, cluster_id):
        self.bootstrap, self.cluster_id = bootstrap, cluster_id
        said = self.asked("-V").decode()
        self.version = "{}, librdkafka {}".format(*re.search(r"Version (\S+) .*librdkafka (\S+)", said).groups())

    def kcat(self, *arguments, stdin=b"", seconds=60):
        """(exit code, stdout, stderr)"""
        done = subprocess.run(["kcat", "-b", self.bootstrap, "-X", f"client.id={self.name}", *arguments], input=stdin, capture_output=True, timeout=seconds)
        return done.returncode, done.stdout, done.stderr.decode(errors="replace")

    def asked(self, *arguments):
        """Standard output of a call that must succeed."""
        code, out, err = self.kcat(*arguments)
        check(code == 0, f"kcat {' '.join(arguments)} ended with {code}: {err}")
        return out

    def touch(self, topic):
        """A producer's look at an unknown topic has the broker create it, a moment later."""
        self.asked("-L", "-t", topic, "-X", "allow.auto.create.topics=true")
        wait_until(lambda: topic in self.topics(), 30, f"{topic} is created")

    def topics(self):
        listed = json.loads(self.asked("-L", "-J"))
        return {topic["topic"]: len(topic["partitions"]) for topic in listed["topics"]}

    def produce(self, topic, codec, records):
        in_partitions = sorted(records, key=lambda record: record.partition)
        for (partition, headers), some in groupby(in_partitions, lambda record: (record.partition, record.headers)):
            error = self.produce_to(topic, codec, partition, headers, list(some))
            if error:
                return error
        return None

    def produce_to(self, topic, codec, partition, headers, records):
        """One invocation for those of one partition with the same headers: both are chosen on the command line."""
        lines = [(r.key or b"") + DELIMITER.encode() + (r.value or b"") for r in records]
        named = [word for header in headers for word in ("-H", written(*header))]
        code, _, err = self.kcat(
            "-P", "-E", "-t", topic, "-p", str(partition), "-K", DELIMITER, "-D", ENDING, "-Z", "-z", codec, *named,
            "-X", "enable.idempotence=true", "-X", "message.max.bytes=10000000", stdin=ENDING.encode().join(lines))
        return err if code else None

    def read_all(self, topic):
        return self.read_from(topic, "beginning")

    def read_since(self, topic, when):
        return self.read_from(topic, f"s@{when}")

    def read_from(self, topic, place):
        """Everything from there to the ends."""
        out = self.asked("-C", "-t", topic, "-o", place, "-e", "-q", "-J", "-X", "check.crcs=true")
        return [read(json.loads(line)) for line in out.splitlines()]

    def static_read(self, topic, group, count, instance):
        return self.group_read(topic, group, count, "-X", f"group.instance.id={instance}")

    def group_read(self, topic, group, count, *more):
        """kcat commits what it has read when it leaves a group."""
        out = self.asked(
            "-G", group, "-c", str(count), "-q", "-J", "-X", "auto.offset.reset=earliest", "-X", "check.crcs=true", *more, topic)
        return [read(json.loads(line)) for line in out.splitlines()]

    def offsets_at(self, topic, when):
        code = {"earliest": -2, "latest": -1}.get(when, when)
        found = {}
        for partition in range(self.topics()[topic]):
            out = self.asked("-Q", "-t", f"{topic}:{partition}:{code}").decode()
            found[partition] = int(out.rsplit("offset", 1)[1])
        return found


def read(line):
    """A line of kcat's JSON; its headers are a flat list of names and values."""
    flat = line.get("headers") or []
    headers = tuple((name, encoded(value)) for name, value in zip(flat[::2], flat[1::2], strict=True))
    record = Record(line["partition"], line["ts"], encoded(line["key"]), encoded(line["payload"]), headers)
    return Read(line["offset"], record)


def written(name, value):
    """A header as it stands on the command line."""
    return name if value is None else f"{name}={value.decode()}"


def encoded(text):
    """Bytes of a text that may be missing."""
    return None if text is None else text.encode()
