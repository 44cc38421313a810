"""Our commands and Apache Kafka's, called alike on one broker: what they print on standard output, and how they end.

What differs by nature is masked: ids, times and the name of whose turn it is. Then what only ours is asked: two members of a
group, signals, closed pipes, brokers that are away.
"""

import array
import fcntl
import json
import re
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]

from broker import Broker, Suite, check, java, wait_until, yeoul_binary  # noqa: E402
from kafka_tools import KafkaTools  # noqa: E402
import tools_page  # noqa: E402
import administration  # noqa: E402
import apache  # noqa: E402
import deaths  # noqa: E402
import deserializers  # noqa: E402
import readers  # noqa: E402
import dumps  # noqa: E402
import endings  # noqa: E402
import events  # noqa: E402
import fetches  # noqa: E402
import flags  # noqa: E402
import groups  # noqa: E402
import house  # noqa: E402
import internal_topics  # noqa: E402
import kafkas_topics  # noqa: E402
import logs  # noqa: E402
import operators  # noqa: E402
import memberships  # noqa: E402
import perf  # noqa: E402
import transactions  # noqa: E402
import reassignments  # noqa: E402
import strangers  # noqa: E402
from cases import CLASSES, CONSUMER, INTERNAL, KEYED_LINES, PRODUCER, STORAGE, TOPICS  # noqa: E402

SECONDS_MAX = 60
MASKS = [
    (re.compile(r"CreateTime:\d+"), "CreateTime:N"),
    (re.compile(r"TopicId: \S+"), "TopicId: ID"),
    (re.compile(r"directory\.id=[^,]+"), "directory.id=ID"),
    (re.compile(r"usable: \d+"), "usable: N"),
    # APIs that came after the release of Kafka's tools.
    (re.compile(r",\n\t\w+\((93|94)\): UNSUPPORTED"), ""),
    (re.compile(r"Epoch: \d+"), "Epoch: N"),
    (re.compile(r"(Epoch|HighWatermark): +\d+"), r"\1: N"),
    (re.compile(r"(\d{10,}|\d+ ms ago) *"), "TIME"),
    (re.compile(r"(\t)\d+ *(\t0  \tTIME)"), r"\1END\2"),
    (re.compile(r"\b[\w-]{22}\b(?=\t|\")"), "UUID"),
    (re.compile(r"^[\w.]+\.[\w.]+(Exception|Error): "), ""),
    (re.compile(r"(Error at (offset )?\d+, skipping\.) (?!Could not read|Found an).*"), r"\1 WHY"),
    (re.compile(r"(buffer due to:) .*"), r"\1 WHY"),
    # Why the cluster refuses something each says in its own words.
    (re.compile(r"(due to:?|Error:|error:) (?!Executing|Assignments|Deletion|Encountered|No reset|Consumer).*"), r"\1 WHY"),
]


def masked(text, case, me):
    """The text without what differs between two runs."""
    for pattern, instead in MASKS:
        text = pattern.sub(instead, text)
    return text.replace(me, "ME") if "{me}" in case.arguments else text


class Kafka(KafkaTools):
    """Apache Kafka's tools by the names of ours."""

    def call(self, tool, words, stdin):
        """Exit code, standard output and standard error."""
        return super().call({**CLASSES, **administration.CLASSES}[tool], words, stdin)


def ours(tool, words, stdin):
    """The same of ours."""
    done = run([yeoul_binary(), tool, *words], stdin)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def run(command, stdin="", seconds=SECONDS_MAX):
    """The finished process, whose output is bytes."""
    return subprocess.run(command, input=stdin.encode(), capture_output=True, timeout=seconds)


class Commands:
    """A broker, and the tools that are compared on it."""

    def __init__(self, broker, home, kafka):
        self.broker = broker
        self.home = Path(home)
        self.kafka = kafka

    def ours(self, tool, *words):
        return [yeoul_binary(), tool, *words]

    def compare(self, case):
        """Both tools print the same and end the same."""
        told = []
        for me, (code, out, error) in self.answers(case):
            # Of a try that came to nothing and was made again a line of its own tells; how it ended is what both agree on.
            last_words = [line for line in error.splitlines() if not line.startswith(" WARN ")]
            first = last_words[0] if case.says and last_words else ""
            out = "\n".join(sorted(out.splitlines())) if case.shuffled else out
            told.append((code, out, first) if case.exact else (code, masked(out, case, me), masked(first, case, me)))
        check(told[0] == told[1], f"Kafka's {told[0]}, ours {told[1]}")

    def answers(self, case, who=("kafka", "yeoul")):
        """What each of both tools answers: exit code, standard output and standard error."""
        for me in who:
            call = self.kafka.call if me == "kafka" else ours
            yield me, call(case.tool, case.words(me, self.broker, self.home), case.stdin)

    def call(self, tool, words, stdin=""):
        """What ours answers."""
        return ours(tool, words, stdin)

    def members(self, group):
        """The members of a group."""
        done = self.json("consumer-groups", "--describe", "--group", group, "--members")
        check(done.returncode == 0, f"consumer-groups ended with {done.returncode}: {done}")
        return json.loads(done.stdout)

    def write_storage_properties(self):
        """Settings of nodes that are only formatted."""
        for me in ("kafka", "yeoul"):
            place = self.home / me
            place.mkdir()
            static, dynamic = "voters=1@127.0.0.1:9093", "bootstrap.servers=127.0.0.1:9093"
            for name, quorum in (("static", static), ("dynamic", dynamic), ("scram", static), ("voter", dynamic), ("observer", dynamic),
                                 ("unformatted", dynamic)):
                (place / f"{name}.properties").write_text(
                    "process.roles=broker,controller\nnode.id=1\n"
                    "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n"
                    "controller.listener.names=CONTROLLER\n"
                    "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
                    f"controller.quorum.{quorum}\nlog.dirs={place}/{name}\n")
        (self.home / "elections.json").write_text(
            '{"partitions": [{"topic": "set-kafka", "partition": 1}, {"topic": "nope", "partition": 0}]}')
        (self.home / "topic.properties").write_text("retention.bytes=5000\ncleanup.policy=compact,delete\n")

    def create(self, topic, partitions):
        done = run(self.ours("topics", "--bootstrap-server", self.broker.bootstrap, "--create", "--topic", topic,
                             "--partitions", str(partitions)))
        check(done.returncode == 0, f"topics --create ended with {done.returncode}: {done.stdout} {done.stderr}")

    def produce(self, topic, lines, *more):
        """Sends lines, which must succeed."""
        command = self.ours("console-producer", "--bootstrap-server", self.broker.bootstrap, "--topic", topic, *more)
        done = run(command, "".join(f"{line}\n" for line in lines))
        check(done.returncode == 0, f"console-producer ended with {done.returncode}: {done.stderr[-500:]}")

    def consume(self, topic, count, *more):
        """So many lines from the beginning."""
        command = self.ours("console-consumer", "--bootstrap-server", self.broker.bootstrap, "--topic", topic,
                            "--from-beginning", "--max-messages", str(count), "--timeout-ms", "20000", *more)
        done = run(command)
        check(done.returncode == 0, f"console-consumer ended with {done.returncode}: {done.stderr[-500:]}")
        return done.stdout.decode().splitlines()

    def groups(self, suite):
        """Everything about groups, while one of them has two members."""
        groups.prepare(self)
        about = ("--topic", groups.TOPIC, "--group", groups.BUSY, "--from-beginning",
                 "--command-property", "heartbeat.interval.ms=300", "--command-property", "auto.commit.interval.ms=100")
        with Reader(self, *about) as first, Reader(self, *about) as second:
            wait_until(lambda: self.is_settled(groups.BUSY, 2, 30), SECONDS_MAX, "the members have read all and said so")
            for case in groups.GROUPS:
                suite.step(case.title, self.compare, case)
            first.stop(signal.SIGTERM)
            second.stop(signal.SIGTERM)

    def is_settled(self, group, members, records):
        """Whether a group has so many members and has committed so many records."""
        done = self.json("consumer-groups", "--describe", "--group", group)
        about = json.loads(done.stdout) if done.returncode == 0 else []
        readers = {row["consumerId"] for row in about if row["consumerId"]}
        return len(readers) == members and sum(row["currentOffset"] or 0 for row in about) == records

    def json(self, tool, *words):
        """Our tool, asked for JSON."""
        return run(self.ours(tool, "--bootstrap-server", self.broker.bootstrap, *words, "--output", "json"))

    def lag_in_time(self):
        """How old the next record to read is: that of a group that stopped in the middle, none of one that has read all."""
        done = self.json("consumer-groups", "--describe", "--group", groups.GROUP, "--lag-time")
        rows = json.loads(done.stdout)
        check(any(row["lag"] for row in rows) and any(row["lag"] == 0 for row in rows), f"it told {rows}")
        for row in rows:
            check((row["lagMs"] is not None and row["lagMs"] >= 0) == (row["lag"] > 0), f"it told {row}")

    def watched(self):
        """A group that is watched: the pace of each partition, again and again, until a signal comes."""
        command = self.ours("consumer-groups", "--bootstrap-server", self.broker.bootstrap, "--describe", "--group", groups.GROUP,
                            "--watch", "1", "--output", "json")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        looks = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        check(process.wait(SECONDS_MAX) == 130, f"it ended with {process.returncode}: {process.stderr.read()[-500:]}")
        for row in [row for look in looks for row in look]:
            never = row["lag"] > 0
            check((row["caughtUpInSeconds"] is None) == never and row["consumedPerSecond"] == 0, f"it told {row}")

    def formatted_alike(self, name):
        """What Kafka's tool tells of the files that both tools have made."""
        files = ("bootstrap.checkpoint", "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint")
        found = [file for file in files if (self.home / "kafka" / name / file).exists()]
        check(found, f"Kafka's tool has left nothing in {name}")
        for file in found:
            told = []
            for me in ("kafka", "yeoul"):
                words = ["--cluster-metadata-decoder", "--files", str(self.home / me / name / file)]
                code, out, error = self.kafka.call("dump-log", words, "")
                check(code == 0, f"of {me}'s {file}: {error[:500]}")
                told.append(re.sub(r"(CreateTime|crc|imestamp\\?\"?): ?\d+", r"\1: N", out.replace(str(self.home / me), "")))
            check(told[0] == told[1], f"{file}: Kafka's {told[0]}, ours {told[1]}")

    def random_uuid(self):
        done = run(self.ours("storage", "random-uuid"))
        check(re.fullmatch(rb"[\w][\w-]{21}\n", done.stdout), f"it printed {done.stdout}")

    def codecs(self):
        """Every codec and every kind of acknowledgement brings the lines there."""
        topic, sent = "codecs", []
        self.create(topic, 1)
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            lines = [f"{codec} {number}" for number in range(50)]
            self.produce(topic, lines, "--compression-codec", codec)
            sent += lines
        for acks in ("0", "1", "all"):
            lines = [f"acks {acks} {number}" for number in range(50)]
            self.produce(topic, lines, "--request-required-acks", acks)
            sent += lines
        came = self.consume(topic, len(sent))
        check(came == sent, f"{len(came)} lines came of {len(sent)}, or in another order")

    def many(self):
        """A hundred thousand lines over six partitions, each once."""
        self.create("many", 6)
        lines = [str(number) for number in range(100_000)]
        self.produce("many", lines)
        came = sorted(self.consume("many", len(lines)), key=int)
        check(came == lines, f"{len(came)} lines came")

    def formats(self):
        """What lines stand for on the way in is what they stand for on the way out; a line that is nothing of it is named."""
        self.create("formats", 1)
        keyed = (*KEYED_LINES, "--key-format", "integer", "--value-format", "hex")
        self.produce("formats", ["7:00ff", "-1:0a"], *keyed)
        as_sent = self.consume("formats", 2, "--formatter-property", "print.key=true", "--key-format", "integer",
                               "--value-format", "hex")
        check(as_sent == ["7\t00ff", "-1\t0a"], f"it printed {as_sent}")
        records = [json.loads(line) for line in self.consume("formats", 2, "--output", "json", "--key-format", "integer",
                                                              "--value-format", "base64")]
        told = [(record["offset"], record["key"], record["value"]) for record in records]
        check(told == [(0, 7, "AP8="), (1, -1, "Cg==")], f"it printed {records}")
        command = self.ours("console-producer", "--bootstrap-server", self.broker.bootstrap, "--topic", "formats", *keyed)
        done = run(command, "8:00\nx:00\n")
        check(done.returncode == 1 and b"The key of line number 2" in done.stderr, f"it ended with {done.returncode}: {done.stderr}")

    def partitioners(self):
        """Each partitioner sends keys where it should; librdkafka itself says where that is for its own."""
        keys = [f"key-{number}" for number in range(40)]
        lines = [f"{key}:{key}" for key in keys]
        for name in ("crc32", "round-robin", "2"):
            self.create(f"partitioned-{name}", 4)
            self.produce(f"partitioned-{name}", lines, *KEYED_LINES, "--partitioner", name)
        self.create("partitioned-librdkafka", 4)
        run(["kcat", "-P", "-b", self.broker.bootstrap, "-t", "partitioned-librdkafka", "-K", ":", "-X", "partitioner=consistent"],
            "".join(f"{line}\n" for line in lines))
        placed = {name: self.placed(f"partitioned-{name}", len(keys)) for name in ("crc32", "round-robin", "2", "librdkafka")}
        check(placed["crc32"] == placed["librdkafka"], f"crc32 gave {placed['crc32']}, librdkafka {placed['librdkafka']}")
        counts = [list(placed["round-robin"].values()).count(partition) for partition in range(4)]
        check(counts == [10] * 4, f"round-robin gave the partitions {counts}")
        check(set(placed["2"].values()) == {2}, f"one partition was {placed['2']}")

    def placed(self, topic, count):
        """The partition of each value."""
        lines = self.consume(topic, count, "--formatter-property", "print.partition=true")
        return {value: int(place.removeprefix("Partition:")) for place, value in (line.split("\t") for line in lines)}

    def full_memory(self):
        """Lines that have no room yet wait for batches to be sent, not for them to linger."""
        self.create("full", 1)
        lines = [f"{number:0100}" for number in range(2_000)]
        begin = time.monotonic()
        self.produce("full", lines, "--timeout", "30000", "--batch-size", "1000000", "--max-memory-bytes", "30000")
        took = time.monotonic() - begin
        check(self.consume("full", len(lines)) == lines and took < 20, f"it took {took:.0f} s, or other lines came")

    def closed_pipe(self):
        """Nobody reads on: it ends, and does not complain."""
        command = self.ours("console-consumer", "--bootstrap-server", self.broker.bootstrap, "--topic", "many", "--from-beginning")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check(process.stdout.readline(), "no line came")
        process.stdout.close()
        error = process.stderr.read().decode()
        check(process.wait(SECONDS_MAX) == 0 and "panicked" not in error, f"it ended with {process.returncode}: {error[-500:]}")

    def two_members(self):
        """Two members share a topic; one that gets SIGINT leaves, and the other has all of it at once."""
        self.create("shared", 2)
        group = ("--topic", "shared", "--group", "sharers", "--formatter-property", "print.partition=true",
                 "--command-property", "heartbeat.interval.ms=300")
        with Reader(self, *group) as first, Reader(self, *group) as second:
            self.send_until("shared", lambda: first.partitions() and second.partitions() and first.is_apart_from(second))
            first.stop(signal.SIGINT)
            second.forget()
            begin = time.monotonic()
            self.send_until("shared", lambda: second.partitions() == {0, 1})
            took = time.monotonic() - begin
            second.stop(signal.SIGTERM)
        check(took < 20, f"the other member had both partitions only after {took:.0f} s")

    def assigned(self, name):
        """Two members share a topic by an assignor, and a member that is Kafka's own joins them: each has its part, together all."""
        topic, assignor = f"assigned-{name.lower()}", f"partition.assignment.strategy=org.apache.kafka.clients.consumer.{name}Assignor"
        self.create(topic, 7)
        more = ("--topic", topic, "--group", topic, "--command-property", "heartbeat.interval.ms=300", "--command-property", assignor)
        theirs = java(["org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", self.broker.bootstrap, *more])
        with Reader(self, *more) as first, Reader(self, *more) as second:
            wait_until(lambda: self.sizes(topic) == [3, 4], SECONDS_MAX, "two members share the topic")
            other = subprocess.Popen(theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_until(lambda: self.sizes(topic) == [2, 2, 3], SECONDS_MAX, "three members share the topic")
            other.kill()
            other.wait()
            first.stop(signal.SIGTERM)
            second.stop(signal.SIGTERM)

    def sizes(self, group):
        """How many partitions each member has, once all have some."""
        done = self.json("consumer-groups", "--describe", "--group", group, "--members")
        return sorted(len(member["currentAssignment"]) for member in json.loads(done.stdout)) if done.returncode == 0 else []

    def send_until(self, topic, condition):
        """Sends lines to all partitions until they do what they should."""
        def once():
            self.produce(topic, [f"{key}:{key}" for key in range(20)], "--timeout", "0", *KEYED_LINES)
            return condition()
        wait_until(once, SECONDS_MAX, "the members have the partitions that they should", pause=0.2)

    def interrupted_producer(self):
        """A line that waits for others is sent when a signal comes."""
        self.create("interrupted", 1)
        command = self.ours("console-producer", "--bootstrap-server", self.broker.bootstrap, "--topic", "interrupted",
                            "--timeout", "600000")
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(b"waits\n")
        process.stdin.flush()
        # The reader has the line once it waits for the next.
        wait_until(lambda: is_read(process.stdin), SECONDS_MAX, "the line is read")
        process.send_signal(signal.SIGINT)
        check(process.wait(SECONDS_MAX) == 130, f"it ended with {process.returncode}: {process.stderr.read()[-500:]}")
        check(self.consume("interrupted", 1) == ["waits"], "the line is not there")

    def too_large(self):
        """A record that has no room in a request is told of, the others are sent."""
        self.create("large", 1)
        command = self.ours("console-producer", "--bootstrap-server", self.broker.bootstrap, "--topic", "large")
        done = run(command, "before\n" + "x" * 1_100_000 + "\nafter\n")
        error = done.stderr.decode()
        check(done.returncode == 1 and "1 of 3 records were not delivered" in error, f"it ended with {done.returncode}: {error}")
        check(self.consume("large", 2) == ["before", "after"], "the others are not there")

    def scripts(self):
        """Called by the name of a script of Kafka's, the program is that tool."""
        place = self.home / "bin"
        done = run([yeoul_binary(), "install-tools", place])
        check(done.returncode == 0, f"install-tools ended with {done.returncode}: {done.stderr}")
        for script in ("kafka-topics.sh", "kafka-topics"):
            done = run([place / script, "--bootstrap-server", self.broker.bootstrap, "--list"])
            check(b"large" in done.stdout.splitlines(), f"{script} ended with {done.returncode}: {done.stdout} {done.stderr}")
        check(run([place / "kafka-topics.sh", "--nonsense"]).returncode == 1, "a bad line does not end it with 1")
        check(run([yeoul_binary(), "install-tools", place]).returncode == 0, "it cannot be done again")


def is_read(pipe):
    """Whether nothing that was written into a pipe waits in it."""
    waiting = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, waiting)
    return waiting[0] == 0


class Reader:
    """A console-consumer that runs beside the test, and what it has printed."""

    def __init__(self, commands, *more):
        self.command = commands.ours("console-consumer", "--bootstrap-server", commands.broker.bootstrap, *more)
        self.lines = []

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        return self

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def forget(self):
        """Only what comes from now on counts."""
        self.lines.clear()

    def partitions(self):
        """The partitions that lines came from."""
        return {int(line.split("\t")[0].removeprefix("Partition:")) for line in list(self.lines)}

    def is_apart_from(self, other):
        """Whether both have their own partition now; where not, what was printed during a rebalance is forgotten."""
        apart = not self.partitions() & other.partitions()
        if not apart:
            self.forget()
            other.forget()
        return apart

    def stop(self, with_signal):
        """Ends it, which must take the exit code of the signal."""
        self.process.send_signal(with_signal)
        code = self.process.wait(SECONDS_MAX)
        self.thread.join(SECONDS_MAX)
        error = self.process.stderr.read()
        check(code == 128 + with_signal, f"the consumer ended with {code}: {error[-500:]}")
        check("Processed a total of" in error, f"it said {error[-500:]}")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def main(words):
    suite = Suite("commands")
    with tempfile.TemporaryDirectory(prefix="commands-") as home:
        with Kafka() as kafka, Broker(Path(home) / "broker") as broker:
            commands = Commands(broker, home, kafka)
            commands.write_storage_properties()
            for case in TOPICS:
                suite.step(case.title, commands.compare, case)
            commands.create("lines-kafka", 1)
            commands.create("lines-yeoul", 1)
            for case in [*PRODUCER, *CONSUMER, *STORAGE, *administration.ALL]:
                suite.step(case.title, commands.compare, case)
            readers.prepare(commands)
            for case in readers.READ:
                suite.step(case.title, commands.compare, case)
            commands.groups(suite)
            suite.step("lag in time", commands.lag_in_time)
            suite.step("a group that is watched", commands.watched)
            logs.prepare(commands)
            for case in logs.LOGS:
                suite.step(case.title, commands.compare, case)
            internal_topics.prepare(commands)
            deserializers.prepare(commands)
            for case in [*INTERNAL, *internal_topics.CONSUMED, *deserializers.ALL]:
                suite.step(case.title, commands.compare, case)
            suite.step("console-consumer: no value, whatever reads it", deserializers.null, commands)
            suite.step("every type of key and value", deserializers.types, commands)
            events.run(commands, suite)
            memberships.run(commands, suite, events.compare)
            perf.run(commands, suite)
            transactions.run(commands, suite)
            reassignments.run(suite, Path(home), kafka)
            for name in ("static", "scram", "voter", "observer"):
                suite.step(f"storage: what was formatted as {name}", commands.formatted_alike, name)
            suite.step("storage: a random uuid", commands.random_uuid)
            suite.step("every codec, every kind of acknowledgement", commands.codecs)
            suite.step("a hundred thousand lines", commands.many)
            suite.step("what lines stand for", commands.formats)
            suite.step("every partitioner", commands.partitioners)
            suite.step("a producer whose memory is full", commands.full_memory)
            suite.step("a closed pipe", commands.closed_pipe)
            suite.step("two members of a group", commands.two_members)
            for name in ("RoundRobin", "Sticky", "CooperativeSticky"):
                suite.step(f"members that share by {name}Assignor", commands.assigned, name)
            suite.step("a producer that is interrupted", commands.interrupted_producer)
            suite.step("a record that is too large", commands.too_large)
            suite.step("the names of Kafka's scripts", commands.scripts)
            house.run_all(commands, suite)
            flags.run(commands, suite)
            operators.run(commands, suite)
            strangers.run(commands, suite)
            endings.run(commands, suite)
            deaths.run(commands, suite)
            fetches.run(commands, suite, home)
            kafkas_topics.run(commands, suite, Path(home))
            suite.step("the broker stops", broker.stop)
            for case in [*dumps.cases(broker.data), *internal_topics.dumped(broker.data)]:
                suite.step(case.title, commands.compare, case)
            called = list(kafka.called)
            with apache.ApacheKafka(Path(home) / "apache") as other:
                apache.run(Commands(other, home, kafka), suite)
                with apache.Observer(Path(home) / "observer", other) as observer:
                    apache.run_with_observer(Commands(other, home, kafka), observer, suite)
            tools_page.finish(suite, "commands", called, words)
            suite.last_words_of(broker)
    return suite.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
