"""The tools that tests drive tell what they do as lines of JSON: Kafka's and ours tell the same of the same."""

import json
import signal
import subprocess

from broker import check, java, wait_until
from cases import CLASSES, Case

SECONDS_MAX = 60
RECORDS = 20
TIMES = {"timestamp", "avg_throughput"}

PRODUCER = [
    ("numbers", f"--max-messages {RECORDS}"),
    ("numbers with a prefix and keys", f"--max-messages {RECORDS} --value-prefix 7 --repeating-keys 3 --throughput 1000"),
    ("acknowledged by the leader", "--max-messages 3 --acks 1 --message-create-time 1000"),
]
CONSUMER = [
    ("all of them", f"--max-messages {2 * RECORDS + 3} --verbose"),
]


def run(commands, suite):
    """All of it, each tool with a topic and a group of its own."""
    for me in ("kafka", "yeoul"):
        commands.create(f"verified-{me}", 1)
    for title, more in PRODUCER:
        case = Case("", "verifiable-producer", f"--bootstrap-server {{broker}} --topic verified-{{me}} {more}")
        suite.step(f"verifiable-producer: {title}", compare, commands, case)
    for title, more in CONSUMER:
        case = Case("", "verifiable-consumer",
                    f"--bootstrap-server {{broker}} --topic verified-{{me}} --group-id verifiers-{{me}} {more}")
        suite.step(f"verifiable-consumer: {title}", compare, commands, case)
    suite.step("verifiable-producer: told to stop", stopped_producer, commands)
    suite.step("verifiable-consumer: told to stop", stopped_consumer, commands)


def compare(commands, case):
    """Both tools tell the same events with the same fields."""
    words = {me: case.words(me, commands.broker, commands.home) for me in ("kafka", "yeoul")}
    # Kafka's tools end in hooks of their JVM, so that each has one of its own.
    kafka = told("kafka", java([CLASSES[case.tool], *words["kafka"]]))
    yeoul = told("yeoul", commands.ours(case.tool, *words["yeoul"]))
    differing = [(theirs, ours) for theirs, ours in zip(kafka, yeoul) if theirs != ours]
    check(kafka == yeoul, f"{len(kafka)} events of Kafka's, {len(yeoul)} of ours, first {differing[:1]}, last {kafka[-3:]} and {yeoul[-3:]}")


def told(me, command):
    """The events of a tool, which must end well."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS_MAX)
    check(done.returncode == 0, f"{me}'s tool ended with {done.returncode}: {done.stderr[-500:]}")
    return [tidy(event, me) for event in events(done.stdout)]


def events(output):
    """The events, of which each begins with its time and its name."""
    found = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    for event in found:
        check(list(event)[:2] == ["timestamp", "name"], f"{event} does not begin with its time and name")
    return found


def tidy(event, me):
    """An event without what differs between two runs."""
    return json.dumps({key: value for key, value in event.items() if key not in TIMES}, sort_keys=True).replace(me, "ME")


class Running:
    """A tool of ours that runs beside the test."""

    def __init__(self, commands, tool, *more):
        command = commands.ours(tool, "--bootstrap-server", commands.broker.bootstrap, "--topic", "verified-yeoul", *more)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.events = []

    def read_until(self, name):
        """Reads events until there is one of this name."""
        for line in self.process.stdout:
            self.events += events(line)
            if self.events[-1]["name"] == name:
                return
        check(False, f"no {name}, but {self.events[-3:]} and {self.process.stderr.read()[-500:]}")

    def stop(self):
        """SIGTERM, and the names of all events."""
        self.process.send_signal(signal.SIGTERM)
        self.events += events(self.process.stdout.read())
        code = self.process.wait(SECONDS_MAX)
        check(code == 128 + signal.SIGTERM, f"it ended with {code}: {self.process.stderr.read()[-500:]}")
        return [event["name"] for event in self.events]


def stopped_producer(commands):
    """What was sent before a signal is acknowledged after it."""
    running = Running(commands, "verifiable-producer", "--throughput", "500")
    running.read_until("producer_send_success")
    names = running.stop()
    totals = running.events[-1]
    check(names[0] == "startup_complete" and names[-2:] == ["shutdown_complete", "tool_data"], f"it told {names[-3:]}")
    check(totals["sent"] == totals["acked"] == names.count("producer_send_success"), f"it told {totals}")


def stopped_consumer(commands):
    """A consumer leaves its group when it is told to stop."""
    running = Running(commands, "verifiable-consumer", "--group-id", "leavers")
    running.read_until("offsets_committed")
    names = running.stop()
    check(names[:2] == ["startup_complete", "partitions_assigned"], f"it told {names[:3]}")
    check(names[-1] == "shutdown_complete" and "shutdown_requested" in names, f"it told {names[-3:]}")
    wait_until(lambda: not commands.members("leavers"), SECONDS_MAX, "the group has no members")
