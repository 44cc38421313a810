"""Partitions that move: both tools do the same with topics of their own, and tell the same.

Between log directories on the broker under test; between brokers on two of Apache Kafka, since Yeoul has but one.
"""

import json
import re
import subprocess

from broker import Broker, TwoDirectories, check, lists_a_broker, wait_until, yeoul_binary

TOOL = "reassign-partitions"
TOOLS = ("kafka", "yeoul")
SECONDS_MAX = 60
# What is copied at one byte a second is on its way as long as the checks take: so many bytes are more than is copied at once.
LINE_BYTES, LINES = 100_000, 60


class Moves:
    """Brokers, and the two tools that are compared on them. `{plan}` in the words of a case is a file."""

    def __init__(self, broker, home, kafka):
        self.broker = broker
        self.home = home
        self.kafka = kafka
        home.mkdir()

    def call(self, me, words):
        """Exit code, standard output and standard error."""
        if me == "kafka":
            return self.kafka.call(TOOL, words, "")
        done = subprocess.run([yeoul_binary(), TOOL, *words], capture_output=True, text=True, timeout=SECONDS_MAX)
        return done.returncode, done.stdout, done.stderr

    def compare(self, arguments, file=None, says=False):
        """Both tools print the same and end the same; with `says` the first line of standard error counts too. `file` is the
        content of the file, in which `ME` stands for the tool's own topic."""
        told = []
        for me in TOOLS:
            path = self.home / f"{me}.json"
            path.write_text((file if isinstance(file, str) else json.dumps(file)).replace("ME", me))
            code, out, error = self.call(me, arguments.format(broker=self.broker.bootstrap, plan=path,
                                                              controller=f"127.0.0.1:{self.broker.controller_port}").split())
            first = error.splitlines()[0] if says and error else ""
            told.append((code, *(own if "--list" in arguments else own.replace(f"moved-{me}", "moved")
                                 for own in (without_trace(out), first))))
        check(told[0] == told[1], f"Kafka's {told[0]}, ours {told[1]}")

    def ours(self, tool, *words):
        """What our tool prints, which must succeed."""
        done = subprocess.run([yeoul_binary(), tool, "--bootstrap-server", self.broker.bootstrap, *words],
                              capture_output=True, text=True, timeout=SECONDS_MAX)
        check(done.returncode == 0, f"{tool} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def create(self, *words):
        """A topic for each tool, whose partitions have something to copy."""
        lines = "".join("x" * LINE_BYTES + "\n" for _ in range(LINES))
        for me in TOOLS:
            self.ours("topics", "--create", "--topic", f"moved-{me}", *words)
            done = subprocess.run([yeoul_binary(), "console-producer", "--bootstrap-server", self.broker.bootstrap,
                                   "--topic", f"moved-{me}", "--partitioner", "round-robin"], input=lines, text=True, timeout=SECONDS_MAX)
            check(done.returncode == 0, f"console-producer ended with {done.returncode}")

    def settle(self, plan):
        """Waits until the plan is carried out for both, and clears nothing."""
        def is_done(me):
            path = self.home / "settle.json"
            path.write_text(json.dumps(plan).replace("ME", me))
            told = self.ours(TOOL, "--verify", "--preserve-throttles", "--reassignment-json-file", str(path))
            return re.fullmatch(r"Status.*(\nReassignment .*(completed|successfully)\.)+\n*", told)

        for me in TOOLS:
            wait_until(lambda topic=me: is_done(topic), SECONDS_MAX, f"the plan for {me} is carried out", pause=0.2)

    def settings(self, *words):
        """The settings of the topics, which are the same, and some of a broker's."""
        of_topics = [self.ours("configs", "--describe", "--topic", f"moved-{me}").replace(f"moved-{me}", "moved") for me in TOOLS]
        check(of_topics[0] == of_topics[1], f"Kafka's {of_topics[0]}, ours {of_topics[1]}")
        for word in words:
            check(word in of_topics[0], f"{word} is not in {of_topics[0]}")


def without_trace(out):
    """The text up to an error, which Kafka's tool tells once more with where it happened."""
    lines = out.splitlines()
    ends = next((at for at, line in enumerate(lines) if line.startswith("Error: ")), len(lines))
    return "\n".join(lines[: ends + 1])


def plan(*entries):
    """A plan of (partition, brokers) or (partition, brokers, directories)."""
    keys = ("partition", "replicas", "log_dirs")
    return {"version": 1, "partitions": [{"topic": "moved-ME", **dict(zip(keys, entry))} for entry in entries]}


PLAIN = plan((0, [1]))
WITH_PLAN = "--bootstrap-server {broker} --reassignment-json-file {plan} "
FOR_TOPICS = "--bootstrap-server {broker} --topics-to-move-json-file {plan} "
MOVED = {"topics": [{"topic": "moved-ME"}], "version": 1}

WRONG = [
    ("no action", "--bootstrap-server {broker}", PLAIN),
    ("two actions", "--bootstrap-server {broker} --list --verify", PLAIN),
    ("nowhere", "--list", PLAIN),
    ("two places", "--list --bootstrap-server {broker} --bootstrap-controller {controller}", PLAIN),
    ("no plan", "--execute --bootstrap-server {broker}", PLAIN),
    ("no brokers", "--generate " + FOR_TOPICS, MOVED),
    ("a flag of another action", "--verify --throttle 5 " + WITH_PLAN, PLAIN),
    ("a plan by a controller", "--execute --bootstrap-controller {controller} --reassignment-json-file {plan}", PLAIN),
    ("a plan of nothing", "--execute " + WITH_PLAN, plan()),
    ("no replicas", "--execute " + WITH_PLAN, plan((0, []))),
    ("a partition twice", "--execute " + WITH_PLAN, plan((0, [1]), (0, [1]))),
    ("a replica twice", "--execute " + WITH_PLAN, plan((0, [1, 1]))),
    ("fewer directories than replicas", "--execute " + WITH_PLAN, plan((0, [1], []))),
    ("another version", "--execute " + WITH_PLAN, {"version": 2}),
    ("no partition", "--execute " + WITH_PLAN, {"partitions": [{"topic": "t"}]}),
    ("a partition that is no number", "--execute " + WITH_PLAN, plan(("0", [1]))),
    ("an unknown broker", "--execute " + WITH_PLAN, plan((0, [9]))),
    ("an unknown partition", "--execute " + WITH_PLAN, plan((0, [1]), (77, [1]), (78, [1]))),
    ("an unknown topic", "--execute " + WITH_PLAN, {"partitions": [{"topic": "nope", "partition": 0, "replicas": [1]}]}),
    ("how far an unknown topic is", "--verify " + WITH_PLAN, {"partitions": [{"topic": "nope", "partition": 0, "replicas": [1]}]}),
    ("no JSON", "--generate --broker-list 1 " + FOR_TOPICS, "nonsense"),
    ("a topic twice", "--generate --broker-list 1 " + FOR_TOPICS, {"topics": [{"topic": "t"}, {"topic": "t"}]}),
    ("a broker twice", "--generate --broker-list 1,1 " + FOR_TOPICS, MOVED),
    ("a broker that is no number", "--generate --broker-list 1,x " + FOR_TOPICS, MOVED),
    ("no broker that is there", "--generate --broker-list 9 " + FOR_TOPICS, MOVED),
    ("a proposal for an unknown topic", "--generate --broker-list 1 " + FOR_TOPICS, {"topics": [{"topic": "nope"}]}),
]


def between_directories(suite, moves):
    """All that one broker can be asked."""
    data, other = (str(moves.broker.home / name) for name in ("data", "other"))
    here, there = plan((0, [1], [data]), (1, [1], [data])), plan((0, [1], [other]), (1, [1], ["any"]))

    def step(title, arguments, file=PLAIN):
        suite.step(f"{TOOL}: {title}", moves.compare, arguments, file)

    moves.create("--partitions", "2")
    for me in TOOLS:
        (moves.home / "here.json").write_text(json.dumps(here).replace("ME", me))
        moves.ours(TOOL, "--execute", "--reassignment-json-file", str(moves.home / "here.json"))
    moves.settle(here)
    for title, arguments, file in WRONG:
        suite.step(f"{TOOL}: {title}", moves.compare, arguments, file, True)
    step("nothing is under way", "--list --bootstrap-server {broker}")
    step("nothing is under way, by a controller", "--list --bootstrap-controller {controller}")
    step("a proposal", "--generate --broker-list 1 " + FOR_TOPICS, MOVED)
    step("a proposal without racks", "--generate --disable-rack-aware --broker-list 1,2 " + FOR_TOPICS, MOVED)
    step("to where it is, slowly", "--execute --throttle 1000 " + WITH_PLAN)
    suite.step(f"{TOOL}: what is slowed down", moves.settings, "leader.replication.throttled.replicas=0:1")
    step("it is there", "--verify --preserve-throttles " + WITH_PLAN)
    step("it is there, and not slowed down", "--verify " + WITH_PLAN)
    suite.step(f"{TOOL}: nothing is slowed down", moves.settings)
    step("with as many replicas", "--execute --disallow-replication-factor-change " + WITH_PLAN)
    step("an unknown directory", "--execute --timeout 1000 " + WITH_PLAN, plan((0, [1], ["/nowhere"])))
    step("a move begins", "--execute --replica-alter-log-dirs-throttle 1 " + WITH_PLAN, there)
    step("it is under way", "--verify " + WITH_PLAN, there)
    step("it goes elsewhere", "--verify " + WITH_PLAN, here)
    step("it is given up", "--cancel --preserve-throttles " + WITH_PLAN, there)
    step("it was given up", "--verify " + WITH_PLAN, there)
    step("there is nothing to give up", "--cancel " + WITH_PLAN, there)
    step("a move at full speed", "--execute --additional " + WITH_PLAN, there)
    suite.step(f"{TOOL}: the moves end", moves.settle, there)
    step("it has moved", "--verify " + WITH_PLAN, there)


def between_brokers(suite, moves):
    """What it takes two brokers for."""
    apart, slowly = plan((0, [2]), (1, [2, 1])), "--throttle 1 --additional " + WITH_PLAN

    def step(title, arguments, file=PLAIN):
        suite.step(f"{TOOL}, two brokers: {title}", moves.compare, arguments, file)

    moves.create("--replica-assignment", "1,1")
    step("a proposal", "--generate --broker-list 2 " + FOR_TOPICS, MOVED)
    step("partitions begin to move", "--execute " + slowly, apart)
    step("what is under way", "--list --bootstrap-server {broker}")
    step("what is under way, by a controller", "--list --bootstrap-controller {controller}")
    suite.step(f"{TOOL}, two brokers: what is slowed down", moves.settings,
               "leader.replication.throttled.replicas=0:1,1:1", "follower.replication.throttled.replicas=0:2,1:2")
    step("no other plan meanwhile", "--execute " + WITH_PLAN)
    step("the same once more", "--execute " + slowly, apart)
    step("how far it is", "--verify " + WITH_PLAN, apart)
    step("it is given up", "--cancel --preserve-throttles " + WITH_PLAN, plan((0, [2])))
    step("it was given up", "--verify " + WITH_PLAN, plan((0, [2])))
    step("the rest is given up by a controller",
         "--cancel --preserve-throttles --bootstrap-controller {controller} --reassignment-json-file {plan}", plan((1, [2, 1])))
    step("nothing is under way", "--verify " + WITH_PLAN, apart)
    suite.step(f"{TOOL}, two brokers: nothing is slowed down", moves.settings)
    step("another number of replicas", "--execute --disallow-replication-factor-change " + WITH_PLAN, plan((0, [2, 1])))
    step("at full speed", "--execute --additional " + WITH_PLAN, apart)
    suite.step(f"{TOOL}, two brokers: the moves end", moves.settle, apart)
    step("it has moved", "--verify " + WITH_PLAN, apart)
    step("into a directory", "--execute --additional " + WITH_PLAN, plan((0, [1], [str(moves.broker.data)])))


def second(first, home):
    """A broker that joins another."""
    more = {"process.roles": "broker", "node.id": "2", "broker.rack": "b",
            "controller.quorum.voters": f"1@127.0.0.1:{first.controller_port}"}
    broker = Broker(home, "apache-kafka", more)
    broker.extra["listeners"] = f"PLAINTEXT://127.0.0.1:{broker.port}"
    return broker


def run(suite, home, kafka):
    """All of it, with brokers of their own."""
    with TwoDirectories(home / "two-directories") as broker:
        between_directories(suite, Moves(broker, home / "directories", kafka))
        suite.last_words_of(broker)
    with Broker(home / "first", "apache-kafka", {"broker.rack": "a"}) as first, second(first, home / "second") as joined:
        wait_until(lambda: lists_a_broker(first.port, 2), SECONDS_MAX, "both brokers are there")
        between_brokers(suite, Moves(first, home / "brokers", kafka))
        suite.last_words_of(joined)
