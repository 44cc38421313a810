"""Groups whose members are ours and Kafka's, by both protocols: who has what, who gives up what, and how they leave."""

import json
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from broker import Broker, Runner, check, default_kind, java, wait_until
import absences
from cases import CLASSES, Case

SECONDS_MAX = 60
PARTITIONS = 7
RECORDS = 20
TOPIC = "members"
BY_CONSUMER = "--group-protocol consumer --group-remote-assignor uniform"
# How often the coordinator hears of members by the consumer protocol, which it says itself.
QUICK = {"group.consumer.min.heartbeat.interval.ms": "300", "group.consumer.heartbeat.interval.ms": "300", **absences.QUICK}
NEVER = "auto.commit.interval.ms=600000"
CLASS = "org.apache.kafka.clients.consumer.{}Assignor"
VERIFIABLE = "--bootstrap-server {broker} --topic members --group-id "
CONSOLE = "--bootstrap-server {broker} --topic members --timeout-ms 10000 "

# What both tools tell alike wherever they are asked.
EVENTS = [
    ("no reset policy", VERIFIABLE + "lost-{me} --reset-policy none"),
    ("cooperative", VERIFIABLE + f"co-{{me}} --max-messages {RECORDS} --assignment-strategy {CLASS.format('CooperativeSticky')}"),
    ("the consumer protocol", VERIFIABLE + f"by-{{me}} --max-messages {RECORDS} {BY_CONSUMER}"),
]
# The same of a broker that has the consumer protocol.
EVENTS_OF_CONSUMERS = [
    ("an assignor that is none", VERIFIABLE + "nope-{me} --group-protocol consumer --group-remote-assignor nope"),
]
SETTINGS = [
    ("no reset policy", "auto.offset.reset=none"),
    ("since a day ago", f"auto.offset.reset=by_duration:P1D --max-messages {RECORDS}"),
    ("since no time", "auto.offset.reset=by_duration:foo"),
    ("from the beginning and not", "auto.offset.reset=none --from-beginning"),
    ("no such protocol", "group.protocol=nope --group g"),
    ("a setting of the other protocol", "group.protocol=consumer --command-property heartbeat.interval.ms=300"),
    ("the consumer protocol", f"group.protocol=consumer --group console-{{me}} --from-beginning --max-messages {RECORDS}"),
]


def run(commands, suite, compare):
    """All of it against the suite's broker, and what only Apache Kafka has against that."""
    on_broker(commands, suite, compare, default_kind())
    if default_kind() == "apache-kafka":
        return
    with tempfile.TemporaryDirectory(prefix="memberships-") as home, Broker(Path(home), "apache-kafka", QUICK) as broker:
        ours, commands.broker = commands.broker, broker
        try:
            on_broker(commands, suite, compare, "apache-kafka")
        finally:
            commands.broker = ours


def on_broker(commands, suite, compare, kind):
    """All that a broker of this kind has."""
    commands.create(TOPIC, PARTITIONS)
    commands.produce(TOPIC, [str(number) for number in range(RECORDS)])
    has_both = kind == "apache-kafka"
    for title, arguments in EVENTS + (EVENTS_OF_CONSUMERS if has_both else []):
        suite.step(f"{kind}, verifiable-consumer: {title}", compare, commands, Case("", "verifiable-consumer", arguments))
    for title, more in SETTINGS:
        case = Case("", "console-consumer", f"{CONSOLE}--command-property {more}", shuffled=True)
        suite.step(f"{kind}, console-consumer: {title}", commands.compare, case)
    if not has_both:
        suite.step(f"{kind}: the consumer protocol is refused in Kafka's words", refused, commands)
    quick = commands.home / "quick.properties"
    quick.write_text("heartbeat.interval.ms=300\n")
    classic = ["--command-config", str(quick), "--assignment-strategy"]
    protocols = {name: [*classic, CLASS.format(assignor)] for name, assignor in (("eager", "Range"), ("cooperative", "CooperativeSticky"))}
    if has_both:
        protocols["consumer"] = BY_CONSUMER.split()
    for name, more in protocols.items():
        suite.step(f"{kind}: ours and Kafka's members of one group, {name}", mixed, commands, f"mixed-{name}", more, name != "eager")
    for name in ["classic"] + (["consumer"] if has_both else []):
        suite.step(f"{kind}: a console-consumer that is interrupted, {name}", interrupted, commands, name)
    absences.run(commands, suite, kind, ["classic", "consumer"] if has_both else ["classic"])
    if has_both:
        suite.step(f"{kind}: a member that comes back under its name", comes_back, commands)
        suite.step(f"{kind}: topics by an expression that the broker applies", by_expression, commands)


class Member(Runner):
    """A verifiable-consumer of ours, or Kafka's, that runs beside the test."""

    def __init__(self, commands, me, group, *more):
        words = ["--bootstrap-server", commands.broker.bootstrap, "--topic", TOPIC, "--group-id", group, *more]
        tool = "verifiable-consumer"
        command = commands.ours(tool, *words) if me == "yeoul" else java([CLASSES[tool], *words])
        self.events = []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                self.events.append(json.loads(line))

    def history(self):
        """What it had after each change, as sets of partitions."""
        has, history = set(), [set()]
        for event in list(self.events):
            partitions = {it["partition"] for it in event.get("partitions", []) if "count" not in it}
            if event["name"] == "partitions_assigned":
                has = has | partitions
            elif event["name"] == "partitions_revoked":
                has = has - partitions
            history.append(set(has))
        return history

    def has(self):
        """What it has now."""
        return self.history()[-1]

    def stop(self):
        """SIGTERM; returns once the process has ended."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(SECONDS_MAX)
        self.thread.join(SECONDS_MAX)
        check(code == 128 + signal.SIGTERM, f"it ended with {code}: {self.process.stderr.read()[-500:]}")


def refused(commands):
    """A broker without the consumer protocol: what to do is said on standard error."""
    words = ["--bootstrap-server", commands.broker.bootstrap, "--topic", TOPIC, "--group", "g"]
    command = commands.ours("console-consumer", *words, "--command-property", "group.protocol=consumer")
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX)
    _, _, theirs = commands.kafka.call_alone(CLASSES["console-consumer"], [*words, "--command-property", "group.protocol=consumer"], "")
    sentence = ("The cluster does not support the new CONSUMER group protocol. Set group.protocol=classic on the consumer "
                "configs to revert to the CLASSIC protocol until the cluster is upgraded.")
    check(done.returncode == 0 and sentence in done.stderr and sentence in theirs, f"ours {done}, Kafka's {theirs[-500:]}")


def mixed(commands, group, more, is_incremental):
    """Two of ours share a topic, Kafka's member joins and leaves, one of ours leaves: always each partition has one reader, and
    where the protocol is incremental who stays gives up no more than others get."""
    with Member(commands, "yeoul", group, *more) as first, Member(commands, "yeoul", group, *more) as second:
        shared([first, second])
        before = len(first.events), len(second.events)
        with Member(commands, "kafka", group, *more) as theirs:
            shared([first, second, theirs])
            check(commands.sizes(group) == [2, 2, 3], f"the coordinator has {commands.sizes(group)}")
            if is_incremental:
                for member, begin in zip((first, second), before):
                    sizes = [len(has) for has in member.history()[begin:]]
                    check(min(sizes) >= 2, f"it had {sizes} partitions one after the other")
            theirs.stop()
        shared([first, second])
        second.stop()
        check(len(commands.members(group)) == 1, f"right after one has left the members are {commands.members(group)}")
        wait_until(lambda: first.has() == set(range(PARTITIONS)), SECONDS_MAX, "who stays has all of them")
        first.stop()
        check(not commands.members(group), f"right after the last has left the members are {commands.members(group)}")


def shared(members):
    """Waits until all partitions have a reader each, in even shares."""
    def is_even():
        shares = [member.has() for member in members]
        sizes = [len(share) for share in shares]
        return sum(sizes) == PARTITIONS == len(set().union(*shares)) and max(sizes) - min(sizes) <= 1
    wait_until(is_even, SECONDS_MAX, f"{len(members)} members share {PARTITIONS} partitions")


def interrupted(commands, protocol):
    """SIGINT: what was read is committed and the group has no members once the process has ended."""
    group = f"interrupted-{protocol}"
    command = commands.ours("console-consumer", "--bootstrap-server", commands.broker.bootstrap, "--topic", TOPIC, "--group", group,
                            "--from-beginning", "--command-property", f"group.protocol={protocol}", "--command-property", NEVER)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(RECORDS):
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    code = process.wait(SECONDS_MAX)
    check(code == 130, f"it ended with {code}: {process.stderr.read()[-500:]}")
    check(not commands.members(group), f"the members are {commands.members(group)}")
    rows = json.loads(commands.json("consumer-groups", "--describe", "--group", group).stdout)
    committed = sum(row["currentOffset"] or 0 for row in rows)
    check(committed == RECORDS, f"{committed} of {RECORDS} records are committed")


def comes_back(commands):
    """A member with a name of its own leaves for now, and comes back to what it had."""
    more = [*BY_CONSUMER.split(), "--group-instance-id", "me"]
    for _ in range(2):
        with Member(commands, "yeoul", "static", *more) as member:
            shared([member])
            member.stop()
        check(len(commands.members("static")) == 1, f"the members are {commands.members('static')}")


def by_expression(commands):
    """All topics that match are read, and the one that comes later too."""
    command = commands.ours("console-consumer", "--bootstrap-server", commands.broker.bootstrap, "--include", "expressed-.*",
                            "--group", "expressed", "--from-beginning", "--max-messages", "2",
                            "--command-property", "group.protocol=consumer")
    for name in ("expressed-a", "expressed-b"):
        commands.create(name, 1)
        commands.produce(name, [name])
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX)
    check(sorted(done.stdout.split()) == ["expressed-a", "expressed-b"], f"it read {done}")
