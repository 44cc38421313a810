"""A broker on a directory of its own: Yeoul, or Apache Kafka, from the same properties.

Every suite starts its brokers here. `BROKER=apache-kafka` runs a suite against Apache Kafka, which is how a check is proved right.
`YEOUL` names the binary (default: the debug build in the cargo target directory).
"""

import os
import re
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
APACHE_KAFKA = REPOSITORY / "tests" / "apache-kafka"
KAFKA_VERSION = re.search("<kafka>(.*)</kafka>", (APACHE_KAFKA / "pom.xml").read_text())[1]
CLUSTER_ID = "WW91bC10ZXN0LWNsdXN0ZQ"
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30
TEST_JVM = ["-Xmx512M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]


class Failure(Exception):
    """A check that did not hold, in a sentence."""


def check(condition, sentence):
    """Fails with the sentence unless the condition holds."""
    if not condition:
        raise Failure(sentence)


def wait_until(condition, seconds, sentence, pause=0.02):
    """The first true value of condition(); fails with the sentence when the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"not within {seconds} s: {sentence}")
        time.sleep(pause)


def free_ports(count):
    """Ports of the loopback that nobody listens on, below the range from which outgoing connections take theirs."""
    found = []
    start = 15000 + (os.getpid() * 37) % 15000
    for port in range(start, 32000):
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
                found.append(port)
            except OSError:
                continue
        if len(found) == count:
            return found
    raise Failure("no free ports")


def yeoul_binary():
    """The program under test."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    return os.environ.get("YEOUL", str(target / "debug" / "yeoul"))


def java(arguments, jvm=TEST_JVM, log_level="WARN"):
    """The command line of a class of Apache Kafka's jars."""
    libs = subprocess.run([APACHE_KAFKA / "fetch"], check=True, capture_output=True, text=True).stdout.strip()
    log4j = [f"-Dlog4j2.configurationFile=file:{APACHE_KAFKA}/log4j2.properties", f"-Dyeoul.log={log_level}"]
    return ["java", *jvm, *log4j, "-cp", f"{libs}/*", *arguments]


def default_kind():
    """Which broker the suites run against."""
    return os.environ.get("BROKER", "yeoul")


class Broker:
    """One combined node (broker and controller). The log directory is `home/data`, its output `home/broker.log`."""

    def __init__(self, home, kind=None, properties=None, jvm=TEST_JVM):
        self.kind = kind or default_kind()
        self.home = Path(home)
        self.data = self.home / "data"
        self.log = self.home / "broker.log"
        self.port, self.controller_port = free_ports(2)
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.extra = properties or {}
        self.jvm = jvm
        self.process = None

    def properties(self):
        """Both brokers' settings, in Kafka's keys."""
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.data),
            "num.partitions": "3",
            "default.replication.factor": "1",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "5",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            **self.extra,
        }

    def write_properties(self):
        """`home/server.properties`, as both programs read it."""
        self.data.mkdir(parents=True, exist_ok=True)
        path = self.home / "server.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in self.properties().items()))
        return str(path)

    def commands(self):
        """(format, serve) command lines without the properties file."""
        if self.kind == "apache-kafka":
            return java(["kafka.tools.StorageTool"]), java(["kafka.Kafka"], self.jvm)
        return [yeoul_binary(), "storage"], [yeoul_binary(), "server"]

    def format(self):
        """Formats the directory unless it is."""
        path = self.write_properties()
        if (self.data / "meta.properties").exists():
            return
        done = subprocess.run(
            [*self.commands()[0], "format", "-t", CLUSTER_ID, "-c", path],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START_SECONDS_MAX)
        check(done.returncode == 0, f"format ended with {done.returncode}: {done.stdout}{done.stderr}")

    def spawn(self):
        """Starts the process and does not wait for it."""
        path = self.write_properties()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.commands()[1], path], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self):
        """Formats where needed, starts, and returns once a client is answered."""
        self.format()
        self.spawn()
        wait_until(self.answers, START_SECONDS_MAX, f"{self.kind} answers on {self.bootstrap}; see {self.log}")
        return self

    def answers(self):
        """Whether the broker lists itself in its metadata; fails when the process has ended."""
        code = self.process.poll()
        check(code is None, f"{self.kind} ended with {code}: {self.last_words()}")
        return lists_a_broker(self.port)

    def last_words(self):
        """The end of the log."""
        return self.log.read_text(errors="replace")[-2000:]

    def pid(self):
        """The process id."""
        return self.process.pid

    def stop(self):
        """SIGTERM, and the exit code must be a clean one: 0, or 143 as a JVM ends."""
        self.process.send_signal(signal.SIGTERM)
        code = self.ended("SIGTERM")
        clean = (0, 143, -signal.SIGTERM) if self.kind == "apache-kafka" else (0,)
        check(code in clean, f"{self.kind} ended with {code} after SIGTERM: {self.last_words()}")

    def ended(self, cause):
        """The exit code, waited for."""
        try:
            code = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f"{self.kind} still ran {STOP_SECONDS_MAX} s after {cause}") from None
        self.process = None
        return code

    def kill(self):
        """kill -9, where it still runs."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self):
        """Starts again on the same directory."""
        return self.start()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()


class TwoDirectories(Broker):
    """A broker whose log directories are `home/data` and `home/other`, and that keeps records however old they say they are."""

    def properties(self):
        """The second directory behind the first."""
        return {"log.retention.ms": "-1", **super().properties(), "log.dirs": f"{self.data},{self.home / 'other'}"}

    def format(self):
        """Both directories."""
        path = self.write_properties()
        (self.home / "other").mkdir(exist_ok=True)
        done = subprocess.run(
            [*self.commands()[0], "format", "-t", CLUSTER_ID, "-c", path, "--ignore-formatted"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START_SECONDS_MAX)
        check(done.returncode == 0, f"format ended with {done.returncode}: {done.stdout}{done.stderr}")


def frame(api_key, version, body, correlation=1):
    """A request with header version 1 and a null client id."""
    content = struct.pack(">hhih", api_key, version, correlation, -1) + body
    return struct.pack(">i", len(content)) + content


def receive(connection, count):
    """Exactly count bytes, or an OSError."""
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise ConnectionResetError("closed")
        data += part
    return data


def ask(port, request, seconds=5):
    """The body of the answer to one request on a connection of its own, without size and correlation id."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(request)
        (size,) = struct.unpack(">i", receive(connection, 4))
        return receive(connection, size)[4:]


def lists_a_broker(port, count=1):
    """Whether Metadata v1 (no topics) names at least so many brokers."""
    try:
        body = ask(port, frame(3, 1, struct.pack(">i", 0)))
    except (OSError, struct.error):
        return False
    return struct.unpack_from(">i", body)[0] >= count


class Runner:
    """What runs a `process`, which does not outlive the block."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def shortened(text, length_max=20_000):
    """The begin and the end of a text that nobody would read whole."""
    half = length_max // 2
    return text if len(text) <= length_max else f"{text[:half]}\n[{len(text) - length_max:,} characters]\n{text[-half:]}"


class Suite:
    """Runs named checks, prints a line each, and remembers whether any failed."""

    def __init__(self, name):
        self.name = name
        self.failed = []
        self.passed = 0

    def step(self, title, action, *arguments):
        """Runs one check; its result is printed with the time that it took."""
        begin = time.monotonic()
        try:
            said = action(*arguments)
        except Exception as error:  # a client may raise anything: each is a failed check
            self.failed.append(title)
            print(f"FAIL  {title}: {type(error).__name__}: {shortened(str(error))}", flush=True)
            return False
        self.passed += 1
        note = f" ({said})" if isinstance(said, str) else ""
        print(f"ok    {title}{note}  {time.monotonic() - begin:.1f} s", flush=True)
        return True

    def last_words_of(self, broker):
        """Prints the end of the broker's log if a check failed: the directory is about to go."""
        if self.failed:
            print(f"-- the end of the broker's log:\n{broker.last_words()}", flush=True)

    def end(self):
        """The exit code, after a summary."""
        verdict = "failed: " + ", ".join(self.failed) if self.failed else "passed"
        print(f"{self.name} against {default_kind()}: {self.passed} checks ok, {verdict}", flush=True)
        return 1 if self.failed else 0
