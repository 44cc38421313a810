"""What Yeoul does not serve yet, asked of Apache Kafka by both tools: quotas, credentials, voters that come and go."""

import json
import subprocess

from broker import CLUSTER_ID, Broker, check, free_ports, wait_until, yeoul_binary
from cases import DIRECTORY, Case

PASSWORD = "a=b,c"
# What it is formatted with may have no comma.
FIRST_PASSWORD = "a=b"


SECONDS_MAX = 60


class Formatted(Broker):
    """A node of Apache Kafka's that our tool has formatted."""

    def properties(self):
        properties = super().properties()
        del properties["controller.quorum.voters"]
        return properties

    def format(self):
        words = ["-t", CLUSTER_ID, "-c", self.write_properties(), *self.format_words()]
        done = subprocess.run([yeoul_binary(), "storage", "format", *words], capture_output=True, text=True, timeout=SECONDS_MAX)
        check(done.returncode == 0, f"format ended with {done.returncode}: {done.stdout}{done.stderr}")


class ApacheKafka(Formatted):
    """A combined node whose voters are in the log, with a listener more where users come in by SCRAM.

    Our tool has formatted it, with the voters and a user to begin with.
    """

    def __init__(self, home):
        super().__init__(home, "apache-kafka")
        self.scram_port = free_ports(3)[2]

    def properties(self):
        properties = super().properties()
        login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        scram = f"SCRAM://127.0.0.1:{self.scram_port}"
        return {
            **properties,
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self.controller_port}",
            "listeners": f"{properties['listeners']},{scram}",
            "advertised.listeners": f"{properties['advertised.listeners']},{scram}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SCRAM:SASL_PLAINTEXT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512",
            "listener.name.scram.scram-sha-256.sasl.jaas.config": login,
            "listener.name.scram.scram-sha-512.sasl.jaas.config": login,
        }

    def format_words(self):
        """One voter, which is this node, and a user."""
        return ["--initial-controllers", f"1@127.0.0.1:{self.controller_port}:{DIRECTORY}",
                "--add-scram", f"SCRAM-SHA-512=[name=first,iterations=8192,password={FIRST_PASSWORD}]"]


class Observer(Formatted):
    """A second node, which does not vote until somebody has it."""

    def __init__(self, home, first):
        super().__init__(home, "apache-kafka")
        self.first = first

    def properties(self):
        return {**super().properties(), "node.id": "2",
                "controller.quorum.bootstrap.servers": f"127.0.0.1:{self.first.controller_port}"}

    def format_words(self):
        """The voters are in the log of the first node."""
        return ["--no-initial-controllers"]


def configs(title, arguments, **more):
    return Case(f"configs: {title}", "configs", "--bootstrap-server {broker} " + arguments, **more)


QUOTAS = [
    configs("quotas of nobody", "--describe --entity-type users"),
    configs("quotas of a user", "--alter --user u-{me} --add-config producer_byte_rate=1000,request_percentage=0.0001"),
    configs("quotas of a user are told", "--describe --user u-{me}"),
    configs("three of them at once", "--alter --user u-{me} --add-config consumer_byte_rate=12345678,controller_mutation_rate=2.5 "
            "--delete-config request_percentage"),
    configs("the three are told", "--describe --user u-{me}"),
    configs("quotas of a user's client", "--alter --user u-{me} --client c --add-config producer_byte_rate=1"),
    configs("quotas of a user's other clients", "--alter --user u-{me} --client-defaults --add-config producer_byte_rate=2"),
    configs("quotas of other users' client", "--alter --user-defaults --client c --add-config producer_byte_rate=3"),
    configs("quotas of all users' clients", "--alter --user-defaults --client-defaults --add-config request_percentage=12345678901"),
    configs("quotas of users, in words",
            "--alter --entity-type users --entity-default --add-config request_percentage=200"),
    configs("quotas of clients, in words",
            "--alter --entity-type clients --entity-default --add-config controller_mutation_rate=10"),
    configs("quotas of a user's client, in words", "--alter --entity-type users --entity-default --entity-type clients "
            "--entity-name d --add-config request_percentage=NaN"),
    configs("quotas of an address", "--alter --ip 127.0.0.1 --add-config connection_creation_rate=10"),
    configs("quotas of all addresses", "--alter --ip-defaults --add-config connection_creation_rate=20"),
    *[configs(f"all quotas of {what}", f"--describe {words}") for what, words in (
        ("users", "--entity-type users"), ("clients", "--entity-type clients"), ("addresses", "--entity-type ips"),
        ("users' clients", "--entity-type users --entity-type clients"), ("what users start from", "--user-defaults"),
        ("what clients of users start from", "--user-defaults --client-defaults"), ("an address", "--ip 127.0.0.1"),
        ("one client of any user", "--entity-type clients --entity-name c --entity-type users"))],
    configs("a quota that is not there", "--alter --user u-{me} --delete-config request_percentage", says=True),
    configs("a quota that is no number", "--alter --user u-{me} --add-config producer_byte_rate=x", says=True),
    configs("a quota that cannot be", "--alter --user u-{me} --add-config producer_byte_rate=-1", says=True),
    configs("no quota of a user", "--alter --user u-{me} --add-config nope=1,b=2", says=True),
    configs("no quota of a client", "--alter --client c --delete-config aa,SCRAM-SHA-256,zz", says=True),
    configs("no quota of an address", "--alter --ip ::1 --add-config a=1,b=2,connection_creation_rate=1 --delete-config c", says=True),
    configs("no address", "--describe --ip nowhere.invalid", says=True),
    configs("more names than kinds", "--describe --entity-type users --entity-name a --entity-default", says=True),
    configs("more names than kinds to change", "--alter --entity-type users --entity-name a --entity-name b --add-config a=b", says=True),
    configs("a name and a default", "--describe --ip 127.0.0.1 --ip-defaults", says=True),
    configs("an address and a user", "--describe --ip 127.0.0.1 --user u", says=True),
    Case("configs: quotas, by a controller", "configs", "--bootstrap-controller {controller} --describe --entity-type users", says=True),
]

CREDENTIALS = [
    configs("a credential", f"--alter --user s-{{me}} --add-config SCRAM-SHA-256=[iterations=8192,password={PASSWORD}]"),
    configs("another credential", f"--alter --user s-{{me}} --add-config SCRAM-SHA-512=[password={PASSWORD}]"),
    configs("credentials of a user", "--describe --user s-{me}"),
    configs("credentials and quotas of all users", "--describe --entity-type users"),
    configs("credentials of nobody", "--describe --user nobody"),
    configs("two credentials at once", "--alter --user s-{me} --add-config SCRAM-SHA-256=[password=a],SCRAM-SHA-512=[password=b]", says=True),
    configs("a credential that is not there", "--alter --user nobody --delete-config SCRAM-SHA-256", says=True),
    configs("a credential of no password", "--alter --user s-{me} --add-config SCRAM-SHA-256=[password=]", says=True),
    configs("a credential that is none", "--alter --user s-{me} --add-config SCRAM-SHA-256=secret", says=True),
    configs("too few iterations", "--alter --user s-{me} --add-config SCRAM-SHA-256=[iterations=12,password=a]", says=True),
    configs("too many iterations", "--alter --user s-{me} --add-config SCRAM-SHA-256=[iterations=99999,password=a]", says=True),
    configs("iterations that are no number", "--alter --user s-{me} --add-config SCRAM-SHA-256=[iterations=,password=a]", says=True),
    configs("a credential of all users", "--alter --user-defaults --add-config SCRAM-SHA-256=[password=a]", says=True),
    configs("a credential and a quota", "--alter --user s-{me} --add-config SCRAM-SHA-256=[password=a],producer_byte_rate=1", says=True),
]

REMOVED = [
    configs("remove a credential", "--alter --user s-{me} --delete-config SCRAM-SHA-256"),
    configs("the other credential is left", "--describe --user s-{me}"),
]


def quorum(title, arguments, **more):
    return Case(f"metadata-quorum: {title}", "metadata-quorum", "--bootstrap-controller {controller} " + arguments, **more)


ADD = "--command-config {home}/observer/server.properties add-controller"
VOTERS = [
    quorum("two nodes, one of which votes", "describe --status"),
    quorum("add one, a trial, on Apache Kafka", f"{ADD} --dry-run"),
    quorum("take out one that is not there", f"remove-controller -i 3 -d {DIRECTORY}", says=True),
    Case("cluster: forget a broker that is not there", "cluster", "unregister --bootstrap-controller {controller} --id 7"),
]

def run(commands, suite):
    """All of it, on a broker of its own."""
    suite.step("a user that our tool formatted a cluster with comes in", comes_in, commands, "first", "SCRAM-SHA-512", FIRST_PASSWORD)
    for case in [*QUOTAS, *CREDENTIALS]:
        suite.step(case.title, commands.compare, case)
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
        suite.step(f"a user whose credential our tool made comes in by {mechanism}", comes_in, commands, "s-yeoul", mechanism, PASSWORD)
    for case in REMOVED:
        suite.step(case.title, commands.compare, case)


def run_with_observer(commands, observer, suite):
    """What takes a second node."""
    for case in VOTERS:
        suite.step(case.title, commands.compare, case)
    suite.step("metadata-quorum: one is added and taken out, by each of both", voters_come_and_go, commands)
    suite.step("cluster: a broker is forgotten, by each of both", forgotten, commands)


def voters_come_and_go(commands):
    """The second node votes and votes no more, and both tools say so."""
    directory = next(node["directoryId"] for node in nodes(commands) if node["nodeId"] == 2)
    remove = f"remove-controller --controller-id 2 --controller-directory-id {directory}"
    told = {}
    for me in ("kafka", "yeoul"):
        told[me] = []
        for words, status in ((ADD, {"Leader", "Follower"}), (remove, {"Leader", "Observer"})):
            told[me].append(answer(commands, me, "metadata-quorum", "--bootstrap-controller {controller} " + words))
            wait_until(lambda: {node["status"] for node in nodes(commands)} == status, SECONDS_MAX, f"the nodes are {status}")
    check(told["kafka"] == told["yeoul"] and all(code == 0 for code, _ in told["kafka"]), f"they told {told}")


def forgotten(commands):
    """Each tool has another broker forgotten."""
    told = {}
    for me, broker in (("kafka", 2), ("yeoul", 1)):
        code, out = answer(commands, me, "cluster", f"unregister --bootstrap-controller {{controller}} --id {broker}")
        told[me] = code, out.replace(str(broker), "N")
    check(told["kafka"] == told["yeoul"] == (0, "Broker N is no longer registered.\n"), f"they told {told}")


def answer(commands, me, tool, arguments):
    """Exit code and standard output of one of the tools."""
    return dict(commands.answers(Case("", tool, arguments), [me]))[me][:2]


def nodes(commands):
    """The nodes that have the metadata log."""
    words = ["--bootstrap-controller", f"127.0.0.1:{commands.broker.controller_port}", "describe", "--replication", "--output", "json"]
    done = subprocess.run(commands.ours("metadata-quorum", *words), capture_output=True, text=True, timeout=SECONDS_MAX)
    return json.loads(done.stdout) if done.returncode == 0 else []


def comes_in(commands, user, mechanism, password):
    """Kafka's own client proves the password to Kafka's broker."""
    settings = commands.home / "scram.properties"
    login = f'org.apache.kafka.common.security.scram.ScramLoginModule required username="{user}" password="{password}";'
    settings.write_text(f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism={mechanism}\nsasl.jaas.config={login}\n")
    words = ["--bootstrap-server", f"127.0.0.1:{commands.broker.scram_port}", "--command-config", str(settings), "--list"]
    code, _, error = commands.kafka.call("topics", words, "")
    check(code == 0, f"it is kept out: {error[:500]}")
