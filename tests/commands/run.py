"""Our commands and Apache Kafka's, called alike on one broker: what they print on standard output, and how they end.

What differs by nature is masked: ids, times and the name of whose turn it is. Then what only ours is asked: two members of a
group, signals, closed pipes, brokers that are away.
"""

import array
import base64
import fcntl
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

from broker import Broker, Suite, check, free_ports, java, wait_until, yeoul_binary  # noqa: E402
from cases import CLASSES, CONSUMER, PRODUCER, STORAGE, TOPICS  # noqa: E402

SECONDS_MAX = 60
MASKS = [
    (re.compile(r"CreateTime:\d+"), "CreateTime:N"),
    (re.compile(r"TopicId: \S+"), "TopicId: ID"),
    (re.compile(r"directory\.id=[^,]+"), "directory.id=ID"),
    (re.compile(r"^[\w.]+\.[\w.]+(Exception|Error): "), ""),
]


def masked(text, case, me):
    """The text without what differs between two runs."""
    for pattern, instead in MASKS:
        text = pattern.sub(instead, text)
    return text.replace(me, "ME") if "{me}" in case.arguments else text


class Kafka:
    """Apache Kafka's tools, all in one JVM."""

    def __init__(self):
        command = java(["Calls.java"])
        command[-1] = str(Path(__file__).parent / "Calls.java")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def call(self, tool, words, stdin):
        """Exit code, standard output and standard error."""
        texts = [CLASSES[tool], *words, stdin]
        self.process.stdin.write(" ".join(base64.b64encode(text.encode()).decode() for text in texts) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().rstrip("\n").split(" ")
        check(len(answer) == 3, f"no answer from Kafka's tools: {answer}")
        return int(answer[0]), *(base64.b64decode(text).decode() for text in answer[1:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


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
        for me, call in (("kafka", self.kafka.call), ("yeoul", ours)):
            code, out, error = call(case.tool, case.words(me, self.broker.bootstrap, self.home), case.stdin)
            first = error.splitlines()[0] if case.says and error else ""
            told.append((code, masked(out, case, me), masked(first, case, me)))
        check(told[0] == told[1], f"Kafka's {told[0]}, ours {told[1]}")

    def write_storage_properties(self):
        """Settings of nodes that are only formatted."""
        for me in ("kafka", "yeoul"):
            place = self.home / me
            place.mkdir()
            for name, quorum in (("static", "voters=1@127.0.0.1:9093"), ("dynamic", "bootstrap.servers=127.0.0.1:9093")):
                (place / f"{name}.properties").write_text(
                    "process.roles=broker,controller\nnode.id=1\n"
                    "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n"
                    "controller.listener.names=CONTROLLER\n"
                    "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
                    f"controller.quorum.{quorum}\nlog.dirs={place}/{name}\n")

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

    def send_until(self, topic, condition):
        """Sends lines to all partitions until they do what they should."""
        def once():
            self.produce(topic, [f"{key}:{key}" for key in range(20)], "--timeout", "0",
                         "--reader-property", "parse.key=true", "--reader-property", "key.separator=:")
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

    def nobody_there(self):
        """No broker: a sentence, exit code 1, in the time that it was given."""
        short = self.home / "short.properties"
        short.write_text("default.api.timeout.ms=1000\n")
        nowhere = f"127.0.0.1:{free_ports(1)[0]}"
        for tool, more in (("topics", ["--list", "--command-config", short]),
                           ("console-producer", ["--topic", "t", "--max-block-ms", "1000"]),
                           ("console-consumer", ["--topic", "t", "--command-config", short])):
            done = run(self.ours(tool, "--bootstrap-server", nowhere, *map(str, more)), "line\n", seconds=10)
            error = done.stderr.decode()
            check(done.returncode == 1 and "cannot connect" in error, f"{tool} ended with {done.returncode}: {error}")

    def broker_dies(self):
        """The broker is killed and comes back: the producer brings every line there, the consumer goes on."""
        self.create("survivors", 1)
        with Reader(self, "--topic", "survivors", "--from-beginning") as reader:
            command = self.ours("console-producer", "--bootstrap-server", self.broker.bootstrap, "--topic", "survivors",
                                "--timeout", "0", "--message-send-max-retries", "1000")
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
            process.stdin.write(b"before\n")
            process.stdin.flush()
            wait_until(lambda: reader.lines == ["before"], SECONDS_MAX, "the first line is there")
            self.broker.kill()
            process.stdin.write(b"meanwhile\n")
            process.stdin.flush()
            self.broker.restart()
            process.stdin.write(b"after\n")
            process.stdin.close()
            code = process.wait(SECONDS_MAX)
            check(code == 0, f"the producer ended with {code}: {process.stderr.read()[-500:]}")
            wait_until(lambda: len(reader.lines) >= 3, SECONDS_MAX, "the other lines are there")
            reader.stop(signal.SIGINT)
        check(reader.lines == ["before", "meanwhile", "after"], f"it printed {reader.lines}")


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


def main():
    suite = Suite("commands")
    with tempfile.TemporaryDirectory(prefix="commands-") as home:
        with Kafka() as kafka, Broker(Path(home) / "broker") as broker:
            commands = Commands(broker, home, kafka)
            commands.write_storage_properties()
            for case in TOPICS:
                suite.step(case.title, commands.compare, case)
            commands.create("lines-kafka", 1)
            commands.create("lines-yeoul", 1)
            for case in [*PRODUCER, *CONSUMER, *STORAGE]:
                suite.step(case.title, commands.compare, case)
            suite.step("storage: a random uuid", commands.random_uuid)
            suite.step("every codec, every kind of acknowledgement", commands.codecs)
            suite.step("a hundred thousand lines", commands.many)
            suite.step("a closed pipe", commands.closed_pipe)
            suite.step("two members of a group", commands.two_members)
            suite.step("a producer that is interrupted", commands.interrupted_producer)
            suite.step("a record that is too large", commands.too_large)
            suite.step("no broker", commands.nobody_there)
            suite.step("a broker that dies", commands.broker_dies)
            suite.last_words_of(broker)
    return suite.end()


if __name__ == "__main__":
    sys.exit(main())
