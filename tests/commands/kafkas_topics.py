"""Apache Kafka's own topics after transactions and groups of every kind: both tools read them over the network and in its files.

One broker of Apache Kafka writes them; Kafka's tools, a client in C and an application of Kafka Streams make it do so.
"""

import subprocess

from confluent_kafka import Producer

import damage
from broker import REPOSITORY, Broker, check, java
from cases import CLASSES
from kafka_tools import KafkaTools
from internal_topics import PACKAGE

TOPIC, LINES = "told", 20
ONE_PARTITION = {
    "num.partitions": "1", "offsets.topic.num.partitions": "1", "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.num.partitions": "1", "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
}
STREAMS = REPOSITORY / "tests" / "systems" / "WordCount.java"
SHARE_CONSUMER = "org.apache.kafka.tools.consumer.ConsoleShareConsumer"
SECONDS_MAX = 60

FORMATTERS = [
    *[("__consumer_offsets", f"{PACKAGE}.{name}MessageFormatter") for name in ("Offsets", "GroupMetadata", "ShareGroup")],
    ("__transaction_state", f"{PACKAGE}.TransactionLogMessageFormatter"),
    ("__share_group_state", f"{PACKAGE}.group.share.ShareGroupStateMessageFormatter"),
]
DECODERS = {
    "__consumer_offsets": "--offsets-decoder", "__transaction_state": "--transaction-log-decoder",
    "__share_group_state": "--share-group-state-decoder", "__cluster_metadata": "--cluster-metadata-decoder", TOPIC: "--print-data-log",
}


def run(commands, suite, home):
    """All of it, on a broker of its own."""
    with Broker(home / "apache-kafka", "apache-kafka", ONE_PARTITION) as broker:
        called = len(commands.kafka.called)
        if not suite.step("Apache Kafka writes its own topics", write, commands, broker, home):
            return
        # Only what is called beside ours counts.
        del commands.kafka.called[called:]
        for topic, name in FORMATTERS:
            suite.step(f"console-consumer: Apache Kafka's {topic} as {name}", read, commands, broker, topic, name)
        for level in ("read_committed", "read_uncommitted"):
            suite.step(f"console-consumer: Apache Kafka's transactions, {level}", compare, commands, "console-consumer", [
                "--bootstrap-server", broker.bootstrap, "--topic", TOPIC, "--partition", "0", "--offset", "earliest",
                "--timeout-ms", "1500", "--isolation-level", level])
        suite.step("Apache Kafka stops", broker.stop)
        for file, words in dumped(broker.data):
            title = f"dump-log: Apache Kafka's {file.relative_to(broker.data)}"
            suite.step(title, compare, commands, "dump-log", ["--files", str(file), *words])
        offsets = broker.data / "__consumer_offsets-0" / f"{0:020}.log"
        damage.run(commands, suite, offsets, next(offsets.parent.glob("*.snapshot")), home)


def read(commands, broker, topic, name):
    """All records of the one partition: a group would write into what is read."""
    words = ["--bootstrap-server", broker.bootstrap, "--topic", topic]
    end = commands.kafka.call("get-offsets", words, "")[1].strip().rpartition(":")[2]
    compare(commands, "console-consumer",
            [*words, "--partition", "0", "--offset", "earliest", "--max-messages", end, "--formatter", name])


def compare(commands, tool, words):
    """Both tools print the same, which is something, and end the same."""
    theirs, ours = commands.kafka.call(tool, words, "")[:2], commands.call(tool, words)[:2]
    check(theirs == ours and theirs[1], f"Kafka's {theirs}, ours {ours}")


def write(commands, broker, home):
    """Records of every kind that a broker writes."""
    def kafka(tool, words, stdin=""):
        code, out, error = KafkaTools.call(commands.kafka, tool, ["--bootstrap-server", broker.bootstrap, *words.split()], stdin)
        check(code == 0, f"{tool} ended with {code}: {out[-500:]}{error[-500:]}")
        return out
    kafka(CLASSES["topics"], f"--create --topic {TOPIC}")
    kafka(CLASSES["topics"], "--create --topic counts")
    kafka(CLASSES["console-producer"], f"--topic {TOPIC}", "".join(f"line {number}\n" for number in range(LINES)))
    streams = Streams(broker, home)
    transactions(broker)
    for protocol in ("classic", "consumer"):
        kafka(CLASSES["console-consumer"], f"--topic {TOPIC} --group {protocol} --from-beginning --max-messages {LINES} "
                                           f"--command-property group.protocol={protocol}")
    kafka("kafka.admin.ConfigCommand", "--alter --entity-type groups --entity-name sharers --add-config share.auto.offset.reset=earliest")
    kafka(SHARE_CONSUMER, f"--topic {TOPIC} --group sharers --max-messages {LINES}")
    streams.run_and_stop()


def transactions(broker):
    """One that is committed, one that is aborted."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": "teller"})
    producer.init_transactions(SECONDS_MAX)
    for end in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        producer.produce(TOPIC, "in a transaction")
        end(SECONDS_MAX)


class Streams:
    """An application of Kafka Streams in a group of the streams protocol."""

    def __init__(self, broker, home):
        command = java([str(STREAMS), broker.bootstrap, str(home / "streams"), TOPIC, "counts", "group.protocol=streams", "session.timeout.ms="])
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def run_and_stop(self):
        """Waits until it runs, and has it end."""
        try:
            check(any(line == "state RUNNING\n" for line in self.process.stdout), "the application never ran")
            self.process.terminate()
            self.process.wait(SECONDS_MAX)
        finally:
            self.process.kill()


def dumped(data):
    """Each file, and the words for it."""
    for file in sorted(data.glob("*-*/*.*")):
        decoder = DECODERS.get(file.parent.name.rpartition("-")[0])
        if decoder and file.stat().st_size and file.suffix in (".log", ".checkpoint", ".snapshot", ".txnindex", ".index", ".timeindex"):
            yield file, [decoder] if file.suffix in (".log", ".checkpoint") else []
