"""Apache Kafka's command lines against the broker: what operators have in their fingers."""

import json
import re

from broker import check

TOPIC = "by-tools"
ALONE = {"VerifiableProducer", "VerifiableConsumer"}
LINES = [f"key{number % 7}\tline {number}" for number in range(200)]


def events(said):
    """The JSON lines that the verifiable tools print."""
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


class Tools:
    """Runs a tool; its output is text."""

    def __init__(self, bootstrap, jvm):
        self.bootstrap = bootstrap
        self.jvm = jvm

    def call(self, name, arguments, stdin=""):
        """Exit code, standard output and standard error of a tool."""
        call = self.jvm.call_alone if name in ALONE else self.jvm.call
        return call(f"org.apache.kafka.tools.{name}", ["--bootstrap-server", self.bootstrap, *arguments], stdin)

    def run(self, name, *arguments, stdin=""):
        """Standard output of a tool that must succeed."""
        code, out, error = self.call(name, arguments, stdin)
        check(code == 0, f"{name} ended with {code}: {out[-300:]}{error[-600:]}")
        return out

    def refused(self, name, *arguments):
        """What a tool says that must fail."""
        code, out, _ = self.call(name, arguments)
        check(code == 1, f"{name} {arguments} ended with {code}: {out[-300:]}")
        return out

    def topics(self):
        """Create, refuse to create again, list, describe."""
        created = self.run("TopicCommand", "--create", "--topic", TOPIC, "--partitions", "4", "--config", "retention.ms=86400000")
        check(created.strip() == f"Created topic {TOPIC}.", f"create said {created!r}")
        self.run("TopicCommand", "--create", "--if-not-exists", "--topic", TOPIC)
        check(TOPIC in self.run("TopicCommand", "--list").split(), "the topic is not listed")
        described = self.run("TopicCommand", "--describe", "--topic", TOPIC)
        check("PartitionCount: 4" in described and "retention.ms=86400000" in described, f"describe said {described!r}")
        check(described.count("Leader: 1\tReplicas: 1\tIsr: 1") == 4, f"describe said {described!r}")

    def console(self):
        """Lines in, the same lines out, in order per key."""
        self.run(
            "ConsoleProducer", "--topic", TOPIC, "--reader-property", "parse.key=true", "--compression-codec", "zstd",
            stdin="\n".join(LINES) + "\n")
        out = self.run(
            "consumer.ConsoleConsumer", "--topic", TOPIC, "--from-beginning", "--max-messages", str(len(LINES)), "--timeout-ms", "30000",
            "--formatter-property", "print.key=true")
        came = out.splitlines()
        check(sorted(came) == sorted(LINES), f"{len(came)} lines came back")
        for key in {line.split("\t")[0] for line in LINES}:
            sent = [line for line in LINES if line.startswith(key + "\t")]
            check([line for line in came if line.startswith(key + "\t")] == sent, f"{key} is out of order")

    def group(self):
        """A group of the console consumer goes on where it stopped."""
        arguments = ["--topic", TOPIC, "--group", "console", "--command-property", "auto.offset.reset=earliest"]
        first = self.run("consumer.ConsoleConsumer", *arguments, "--max-messages", "120", "--timeout-ms", "30000").splitlines()
        rest = self.run("consumer.ConsoleConsumer", *arguments, "--max-messages", "80", "--timeout-ms", "30000").splitlines()
        values = sorted(line.split("\t")[1] for line in LINES)
        check(sorted([*first, *rest]) == values, f"{len(first)} and {len(rest)} lines")

    def offsets(self):
        """The ends of the partitions add up."""
        out = self.run("GetOffsetShell", "--topic", TOPIC)
        ends = re.findall(rf"^{TOPIC}:\d+:(\d+)$", out, re.MULTILINE)
        check(len(ends) == 4 and sum(map(int, ends)) == len(LINES), f"offsets are {out!r}")

    def verifiable(self):
        """What the verifiable producer says it sent, the verifiable consumer reads."""
        out = self.run("VerifiableProducer", "--topic", TOPIC, "--max-messages", "500", "--acks", "-1")
        acked = [event["acked"] for event in events(out) if event["name"] == "tool_data"]
        check(acked == [500], f"the producer said {out[-300:]}")
        total = len(LINES) + 500
        arguments = ["--group-id", "verify", "--reset-policy", "earliest", "--max-messages", str(total)]
        read = events(self.run("VerifiableConsumer", "--topic", TOPIC, *arguments))
        consumed = sum(event["count"] for event in read if event["name"] == "records_consumed")
        check(consumed >= total, f"the consumer read {consumed} of {total}")

    def performance(self):
        """The load tool, as a smoke test."""
        out = self.run(
            "ProducerPerformance", "--topic", TOPIC, "--num-records", "20000", "--record-size", "200", "--throughput", "-1")
        check("20000 records sent" in out, f"it said {out[-300:]}")

    def versions(self):
        """Every API is listed with its versions; nothing is advertised that this tool cannot name."""
        out = self.run("BrokerApiVersionsCommand")
        check("Produce(0)" in out and "UNKNOWN" not in out, f"it said {out[:400]}")
        return f"{out.count('usable')} APIs usable"

    def delete(self):
        """The topic goes."""
        self.run("TopicCommand", "--delete", "--topic", TOPIC)
        check(TOPIC not in self.run("TopicCommand", "--list").split(), "the topic is still listed")

    def checks(self):
        """(title, action)"""
        return [
            ("topics", self.topics), ("console producer and consumer", self.console), ("console consumer in a group", self.group),
            ("get offsets", self.offsets), ("verifiable producer and consumer", self.verifiable),
            ("producer performance", self.performance), ("broker api versions", self.versions), ("delete", self.delete)]
