"""kcat, Debian's command line over librdkafka."""

import json
import subprocess

from broker import check, wait_until
from scenario import Read, Record

DELIMITER = "\x01"


class Client:
    """One kcat process a call."""

    name = "kcat"
    plain = True

    def __init__(self, bootstrap, cluster_id):
        self.bootstrap, self.cluster_id = bootstrap, cluster_id

    def kcat(self, *arguments, stdin=b"", seconds=60):
        """(exit code, stdout, stderr)"""
        done = subprocess.run(["kcat", "-b", self.bootstrap, *arguments], input=stdin, capture_output=True, timeout=seconds)
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
        for partition in sorted({record.partition for record in records}):
            error = self.produce_to(topic, codec, partition, [r for r in records if r.partition == partition])
            if error:
                return error
        return None

    def produce_to(self, topic, codec, partition, records):
        """One invocation a partition: it is chosen on the command line, as the headers are."""
        lines = [(r.key or b"") + DELIMITER.encode() + (r.value or b"") for r in records]
        headers = [part for name, value in records[0].headers for part in ("-H", f"{name}={value.decode()}")]
        code, _, err = self.kcat(
            "-P", "-t", topic, "-p", str(partition), "-K", DELIMITER, "-Z", "-z", codec, *headers,
            "-X", "enable.idempotence=true", "-X", "message.max.bytes=10000000", stdin=b"\n".join(lines))
        return err if code else None

    def read_all(self, topic):
        out = self.asked("-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J", "-X", "check.crcs=true")
        return [read(json.loads(line)) for line in out.splitlines()]

    def group_read(self, topic, group, count):
        """kcat commits what it has read when it leaves a group."""
        out = self.asked(
            "-G", group, "-c", str(count), "-q", "-J", "-X", "auto.offset.reset=earliest", "-X", "check.crcs=true", topic)
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


def encoded(text):
    """Bytes of a text that may be missing."""
    return None if text is None else text.encode()
