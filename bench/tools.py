"""The tools that measure, on one broker and in turn: ours, librdkafka's rdkafka_performance, and Kafka's own."""

import os
import random
import re
import statistics
import string
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from broker import java, yeoul_binary

PARTITIONS = 16
ROUNDS = 3
LIST_CALLS = 5
# What each of them is told: librdkafka has Kafka's names for it.
PRODUCER = {"acks": "all", "enable.idempotence": "true", "linger.ms": "5", "batch.size": "131072"}
# As Kafka's scripts start the JVM of a tool.
TOOL_JVM = ["-Xmx512M", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35"]
TOOLS = ("yeoul", "librdkafka", "kafka")


@dataclass(frozen=True)
class Load:
    """So many records, each of the same letters."""

    name: str
    records: int
    value_bytes: int
    compression: str


LOADS = (
    Load("1k", 1_000_000, 1024, "none"),
    Load("100", 5_000_000, 100, "none"),
    Load("lz4", 5_000_000, 100, "lz4"),
)


@dataclass(frozen=True)
class Use:
    """What a process took."""

    seconds: float
    cpu_seconds: float
    resident_bytes: int


def use_of(command):
    """Runs it to its end, which must be a good one; what it took, and what it printed."""
    with tempfile.TemporaryFile("w+") as said:
        begin = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
        resident_bytes, usage = watched(process)
        seconds = time.monotonic() - begin
        said.seek(0)
        text = said.read()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command[:2]))} ended with {process.returncode}: {text[-500:]}")
    return Use(seconds, usage.ru_utime + usage.ru_stime, resident_bytes), text


def watched(process):
    """Waits for the end of a process: the most memory that it was seen with, and its usage. What the system tells of its memory counts
    that of the process that it was forked from."""
    most = 0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return most, usage
        most = max(most, peak_bytes(process.pid))
        time.sleep(0.005)


def peak_bytes(pid):
    """The most memory that a process has held so far; nothing of one that has ended."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


class Side:
    """The tools on a broker, with values of one load."""

    def __init__(self, bootstrap, home, load, records):
        self.bootstrap = bootstrap
        self.load = load
        self.records = records
        self.letters = "".join(random.Random(0).choices(string.ascii_uppercase, k=load.value_bytes))
        self.payload = Path(home) / f"payload-{load.name}"
        self.payload.write_text(f"{self.letters}\n")

    def administer(self, *words):
        use_of([yeoul_binary(), "topics", "--bootstrap-server", self.bootstrap, *words])

    def producer(self, tool, topic):
        """The command line that sends the records."""
        settings = [f"{key}={value}" for key, value in {**PRODUCER, "compression.type": self.load.compression}.items()]
        if tool == "librdkafka":
            more = [word for setting in settings for word in ("-X", setting)]
            return [os.environ["RDKAFKA_PERFORMANCE"], "-P", "-q", "-b", self.bootstrap, "-t", topic, "-c", str(self.records),
                    "-s", str(self.load.value_bytes), "-m", self.letters, *more]
        words = ["--bootstrap-server", self.bootstrap, "--topic", topic, "--num-records", str(self.records), "--throughput", "-1",
                 "--payload-file", str(self.payload), "--command-property", *settings]
        if tool == "kafka":
            return java(["org.apache.kafka.tools.ProducerPerformance", *words], TOOL_JVM)
        return [yeoul_binary(), "producer-perf-test", *words]

    def consumer(self, tool, topic):
        """The command line that reads them, as the one member of a group. Checksums are checked by all of them."""
        if tool == "librdkafka":
            return [os.environ["RDKAFKA_PERFORMANCE"], "-G", f"librdkafka-{time.time_ns()}", "-q", "-b", self.bootstrap, "-t", topic,
                    "-c", str(self.records), "-X", "check.crcs=true"]
        words = ["--bootstrap-server", self.bootstrap, "--topic", topic, "--num-records", str(self.records)]
        if tool == "kafka":
            return java(["org.apache.kafka.tools.ConsumerPerformance", *words], TOOL_JVM)
        return [yeoul_binary(), "consumer-perf-test", *words]

    def round(self, order):
        """Each tool writes a topic of its own, then each reads the one that ours wrote: {(what, tool): use}."""
        uses = {}
        topics = {tool: f"{self.load.name}-{tool}-{time.time_ns()}" for tool in order}
        for tool in order:
            self.administer("--create", "--topic", topics[tool], "--partitions", str(PARTITIONS))
            uses["produce", tool], said = use_of(self.producer(tool, topics[tool]))
            uses["produce", tool] = told(uses["produce", tool], tool, said, r"([\d.]+) records/sec", self.records)
        for tool in order:
            uses["consume", tool], said = use_of(self.consumer(tool, topics["yeoul"]))
            uses["consume", tool] = told(uses["consume", tool], tool, said, r"(?:[^,\n]*, ){5}([\d.]+), ", self.records)
        for topic in topics.values():
            self.administer("--delete", "--topic", topic)
        return uses


def told(use, tool, said, rate, records):
    """The use, where the seconds of Kafka's tool are those that it tells: its JVM takes one to start."""
    rates = re.findall(rate, said) if tool == "kafka" else []
    return Use(records / float(rates[-1]), use.cpu_seconds, use.resident_bytes) if rates else use


def compare(bootstrap, home, load, scale):
    """Figures of a load: rates, CPU a record and memory of each tool, and ours over librdkafka's."""
    side = Side(bootstrap, home, load, max(1_000, int(load.records * scale)))
    side.round(TOOLS)
    # A run that only proves that it works needs no median.
    rounds = [side.round(TOOLS if count % 2 == 0 else TOOLS[::-1]) for count in range(ROUNDS if scale >= 0.1 else 1)]
    figures = {}
    for what in ("produce", "consume"):
        for tool in TOOLS:
            name = f"tools_{load.name}_{what}_{tool}"
            figures[f"{name}_per_s"] = side.records / statistics.median(uses[what, tool].seconds for uses in rounds)
            cpu = statistics.median(uses[what, tool].cpu_seconds for uses in rounds)
            figures[f"{name}_cpu_us"] = cpu / side.records * 1e6
            figures[f"{name}_mb"] = statistics.median(uses[what, tool].resident_bytes for uses in rounds) / 1e6
        ours, theirs = (f"tools_{load.name}_{what}_{tool}" for tool in ("yeoul", "librdkafka"))
        figures[f"tools_{load.name}_{what}_times"] = figures[f"{ours}_per_s"] / figures[f"{theirs}_per_s"]
        figures[f"tools_{load.name}_{what}_cpu_times"] = figures[f"{ours}_cpu_us"] / figures[f"{theirs}_cpu_us"]
    return figures


def listed(bootstrap):
    """How long a list of topics takes from the call to the end, by our command and by Kafka's, in turn; the first of each is warm-up."""
    words = ["--bootstrap-server", bootstrap, "--list"]
    commands = {
        "kafka": java(["org.apache.kafka.tools.TopicCommand", *words], ["-Xmx256M", *TOOL_JVM[1:]]),
        "yeoul": [yeoul_binary(), "topics", *words]}
    seconds = {"kafka": [], "yeoul": []}
    for _ in range(1 + LIST_CALLS):
        for tool, command in commands.items():
            begin = time.monotonic()
            subprocess.run(command, check=True, capture_output=True)
            seconds[tool].append(time.monotonic() - begin)
    ours, theirs = (statistics.median(seconds[tool][1:]) for tool in ("yeoul", "kafka"))
    return {"tools_list_yeoul_ms": ours * 1e3, "tools_list_kafka_ms": theirs * 1e3, "tools_list_times": ours / theirs}


def tools(make, scale):
    """Every load, and the list of topics."""
    with tempfile.TemporaryDirectory(prefix="yeoul-bench-") as home, make() as broker:
        figures = {}
        for load in LOADS:
            figures |= compare(broker.bootstrap, home, load, scale)
        figures |= listed(broker.bootstrap)
        broker.stop()
    return figures
