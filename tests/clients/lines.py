"""Clients in other languages: a process that is spoken to in lines.

A request is words between tabs on one line (records to produce follow, a line each); the answer is lines, then "." alone. A line that
starts with "!" is an error. Bytes are "x" and hexadecimal digits, "-" is null.

    create TOPIC PARTITIONS NAME VALUE ...    topics -> NAME PARTITIONS        delete TOPIC
    configs TOPIC -> NAME VALUE               cluster -> ID, then NODE HOST:PORT
    produce TOPIC CODEC COUNT                 + PARTITION TIMESTAMP KEY VALUE HEADER VALUE ...
    read TOPIC, group TOPIC GROUP COUNT -> PARTITION OFFSET TIMESTAMP KEY VALUE HEADER VALUE ...
    members TOPIC GROUP -> two lines of partitions
    offsets TOPIC earliest|latest|MILLISECONDS -> PARTITION OFFSET
"""

import subprocess

from broker import Failure
from scenario import Read, Record


class LineClient:
    """One process for all calls; it ends when its input does. A subclass has a name and a command."""

    def __init__(self, bootstrap, cluster_id):
        self.bootstrap, self.cluster_id = bootstrap, cluster_id
        self.process = subprocess.Popen(self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words, lines=()):
        """The lines of the answer, each split into words; an error line is raised."""
        self.process.stdin.write("\t".join(map(str, words)) + "\n" + "".join(line + "\n" for line in lines))
        self.process.stdin.flush()
        answer = []
        while (line := self.process.stdout.readline().rstrip("\n")) != ".":
            if line.startswith("!"):
                answer.append(line)
            elif not line and self.process.poll() is not None:
                raise Failure(f"the {self.name} client ended")
            else:
                answer.append(line.split("\t"))
        errors = [line for line in answer if isinstance(line, str)]
        if errors:
            raise Failure(errors[0][1:])
        return answer

    def create(self, topic, partitions, configs):
        self.ask("create", topic, partitions, *[word for pair in configs.items() for word in pair])

    def topics(self):
        return {name: int(partitions) for name, partitions in self.ask("topics")}

    def delete(self, topic):
        self.ask("delete", topic)

    def describe_topic_configs(self, topic):
        return {name: value for name, value in self.ask("configs", topic)}

    def describe_cluster(self):
        (cluster_id,), *nodes = self.ask("cluster")
        return cluster_id, {int(node): address for node, address in nodes}

    def produce(self, topic, codec, records):
        try:
            self.ask("produce", topic, codec, len(records), lines=[line(record) for record in records])
        except Failure as error:
            return str(error)
        return None

    def read_all(self, topic):
        return [read(words) for words in self.ask("read", topic)]

    def group_read(self, topic, group, count):
        return [read(words) for words in self.ask("group", topic, group, count)]

    def two_members(self, topic, group):
        return [set(map(int, words)) for words in self.ask("members", topic, group)]

    def offsets_at(self, topic, when):
        return {int(partition): int(offset) for partition, offset in self.ask("offsets", topic, when)}


def line(record):
    """A record as the other side reads it."""
    headers = [word for name, value in record.headers for word in (name, hexadecimal(value))]
    return "\t".join([str(record.partition), str(record.timestamp), hexadecimal(record.key), hexadecimal(record.value), *headers])


def hexadecimal(data):
    """Bytes as a word."""
    return "-" if data is None else "x" + data.hex()


def parsed(word):
    """A word as bytes."""
    return None if word == "-" else bytes.fromhex(word[1:])


def read(words):
    """A line of the other side as the scenario compares it."""
    partition, offset, timestamp, key, value, *headers = words
    pairs = tuple((name, parsed(data)) for name, data in zip(headers[::2], headers[1::2], strict=True))
    return Read(int(offset), Record(int(partition), int(timestamp), parsed(key), parsed(value), pairs))
