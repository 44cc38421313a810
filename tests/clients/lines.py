"""Clients in other languages: a process that is spoken to in lines.

A request is words between tabs on one line (records to produce follow, a line each); the answer is lines, then "." alone. A line that
starts with "!" is an error. Bytes are "x" and hexadecimal digits, "-" is null.

    create TOPIC PARTITIONS NAME VALUE ...    topics -> NAME PARTITIONS        delete TOPIC
    configs TOPIC -> NAME VALUE               cluster -> ID, then NODE HOST:PORT
    produce TOPIC CODEC COUNT                 + PARTITION TIMESTAMP KEY VALUE HEADER VALUE ...
    read TOPIC [ISOLATION, only Java], since TOPIC MILLISECONDS, group TOPIC GROUP COUNT, static TOPIC GROUP COUNT INSTANCE
                                              -> PARTITION OFFSET TIMESTAMP KEY VALUE HEADER VALUE ...
    members TOPIC GROUP -> partitions of one, of the other, and of the one once the other has left
    offsets TOPIC earliest|latest|MILLISECONDS, committed TOPIC GROUP -> PARTITION OFFSET
    groups -> NAME                            describe GROUP -> STATE MEMBERS          forget GROUP
    alter TOPIC NAME VALUE                    grow TOPIC PARTITIONS                    cut TOPIC PARTITION OFFSET
"""

import subprocess

from broker import Failure
from scenario import Read, Record


class LineClient:
    """One process for all calls; it ends when its input does, or the block of which it is the context. A subclass has a name, a
    version and a command."""

    lacks = {}

    def __init__(self, bootstrap, cluster_id):
        self.bootstrap, self.cluster_id = bootstrap, cluster_id
        self.process = subprocess.Popen(self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

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

    def read_all(self, topic, *isolation):
        return [read(words) for words in self.ask("read", topic, *isolation)]

    def group_read(self, topic, group, count):
        return [read(words) for words in self.ask("group", topic, group, count)]

    def read_since(self, topic, when):
        return [read(words) for words in self.ask("since", topic, when)]

    def static_read(self, topic, group, count, instance):
        return [read(words) for words in self.ask("static", topic, group, count, instance)]

    def two_members(self, topic, group):
        return [set(map(int, words)) for words in self.ask("members", topic, group)]

    def offsets_at(self, topic, when):
        return offsets(self.ask("offsets", topic, when))

    def committed(self, topic, group):
        return offsets(self.ask("committed", topic, group))

    def groups(self):
        return {name for (name,) in self.ask("groups")}

    def describe_group(self, group):
        ((state, members),) = self.ask("describe", group)
        return state, int(members)

    def delete_group(self, group):
        self.ask("forget", group)

    def alter_topic_config(self, topic, name, value):
        self.ask("alter", topic, name, value)

    def add_partitions(self, topic, total):
        self.ask("grow", topic, total)

    def delete_records(self, topic, partition, before):
        self.ask("cut", topic, partition, before)


def offsets(lines):
    """{partition: offset}"""
    return {int(partition): int(offset) for partition, offset in lines}


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
