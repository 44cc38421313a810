"""Transactions, against Apache Kafka, which has them, and against Yeoul, which refuses them: our commands beside Kafka's.

There is a transaction in every state, one of them hanging: a partition has it open and no coordinator knows of it. Then ours sends
in transactions, and readers of what is committed must see exactly what it has committed.
"""

import json
import os
import re
import signal
import struct
import subprocess
import time
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from kafka.record.default_records import DefaultRecordBatchBuilder

from broker import REPOSITORY, Broker, ask, check, default_kind, frame, wait_until, yeoul_binary
from cases import Case
import house
import perf

SECONDS_MAX = 60
PRODUCE, PRODUCE_VERSION = 0, 7
# That a copy has to go on with.
RECORDS = 800
# Durations go on while both tools look; where the cluster refuses, each says why in its own words.
PASSING = ("TransactionDurationMs", "Duration(min)")
WHY = re.compile(r": (?!DescribeTr|WriteTxn|ListTr|The node does not).*(\. Enable debug)")


def transactions(title, arguments, **more):
    return Case(f"transactions: {title}", "transactions", f"--bootstrap-server {{broker}} {arguments}", **more)


LOOKING = [
    transactions("list", "list"),
    transactions("list those of some duration", "list --duration-filter 1"),
    transactions("list all by a duration", "list --duration-filter -1"),
    transactions("list those of a long duration", "list --duration-filter 100000000"),
    transactions("list by a pattern", "list --transactional-id-pattern op.*"),
    transactions("list none by a pattern", "list --transactional-id-pattern nope"),
    transactions("list by what is no pattern", "list --transactional-id-pattern (", says=True),
    transactions("list by what is no duration", "list --duration-filter x"),
    transactions("describe one that is open", "describe --transactional-id open"),
    transactions("describe one that is committed", "describe --transactional-id committed"),
    transactions("describe one that never began", "describe --transactional-id idle"),
    transactions("describe what is not there", "describe --transactional-id nope", says=True),
    transactions("describe nothing", "describe"),
    transactions("producers of a partition", "describe-producers --topic spread --partition 0"),
    transactions("producers of a partition that nobody has written to", "describe-producers --topic quiet --partition 0"),
    transactions("producers that a broker knows", "describe-producers --topic spread --partition 0 --broker-id 1"),
    transactions("producers of no partition", "describe-producers --topic spread"),
    transactions("hanging in a topic", "find-hanging --topic hanging-{me}"),
    transactions("hanging in a partition", "find-hanging --topic hanging-{me} --partition 1"),
    transactions("hanging on a broker", "find-hanging --broker-id 1"),
    transactions("hanging on a broker that is not there", "find-hanging --broker-id 7"),
    transactions("hanging by another longest time", "find-hanging --broker-id 1 --max-transaction-timeout 1000"),
    transactions("hanging in a topic that is not there", "find-hanging --topic nope", says=True),
    transactions("hanging anywhere", "find-hanging", says=True),
    transactions("hanging in a partition of no topic", "find-hanging --partition 0 --broker-id 1", says=True),
    transactions("abort nothing", "abort --topic hanging-{me} --partition 1", says=True),
    transactions("abort without an epoch", "abort --topic hanging-{me} --partition 1 --producer-id 1", says=True),
    transactions("abort without the coordinator's epoch",
                 "abort --topic hanging-{me} --partition 1 --producer-id 1 --producer-epoch 1", says=True),
    transactions("abort what does not begin there", "abort --topic hanging-{me} --partition 1 --start-offset 77", says=True),
    transactions("no command", ""),
    transactions("no such command", "nope"),
    Case("transactions: no broker named", "transactions", "list"),
]

ENDING = [
    transactions("abort with an old epoch",
                 "abort --topic hanging-{me} --partition 1 --producer-id 5001 --producer-epoch 1 --coordinator-epoch 0", says=True),
    transactions("abort one that hangs", "abort --topic hanging-{me} --partition 1 --start-offset 0"),
    transactions("it hangs no more", "find-hanging --topic hanging-{me}"),
    transactions("abort one by its producer",
                 "abort --topic hanging-{me} --partition 0 --producer-id 5002 --producer-epoch 0 --coordinator-epoch -1"),
    transactions("it is not open any more", "describe-producers --topic hanging-{me} --partition 0"),
    transactions("terminate one that is open", "forceTerminateTransaction --transactionalId ends-{me}"),
    transactions("it is empty", "describe --transactional-id ends-{me}"),
    transactions("terminate what is not there", "forceTerminateTransaction --transactionalId made-{me}"),
    transactions("it is there now", "describe --transactional-id made-{me}"),
    transactions("terminate nothing", "forceTerminateTransaction"),
]

REFUSED = [
    transactions("refused: list", "list", says=True),
    transactions("refused: list by a duration", "list --duration-filter 1", says=True),
    transactions("producers where there are no transactions", "describe-producers --topic lines-kafka --partition 0"),
    transactions("hanging where there are no transactions", "find-hanging --topic lines-kafka"),
    transactions("refused: abort by offset", "abort --topic lines-kafka --partition 0 --start-offset 77", says=True),
    transactions("refused: abort",
                 "abort --topic lines-kafka --partition 0 --producer-id 1 --producer-epoch 0 --coordinator-epoch 0", says=True),
]

# Yeoul has no coordinator of transactions, and says so when it is asked for one.
UNANSWERED = [
    transactions("refused: describe", "describe --transactional-id t", says=True),
    transactions("refused: terminate", "forceTerminateTransaction --transactionalId t", says=True),
]

SENDERS = [
    perf.sender("in transactions", "--num-records 30 --record-size 10 --throughput 200 --transactional-id perf-{me} "
                                   "--transaction-duration-ms 50"),
    perf.sender("in transactions of a name of their own", "--num-records 20 --record-size 10 --throughput -1 --transaction-duration-ms 50"),
    perf.sender("in transactions by a name", "--num-records 20 --record-size 10 --throughput -1 --transactional-id perf-{me}"),
    perf.sender("in transactions by a setting",
                "--num-records 20 --record-size 10 --throughput -1 --warmup-records 5 --command-property transactional.id=set-{me}"),
    perf.sender("in transactions, one of them too long",
                "--num-records 2 --record-size 2000000 --throughput -1 --transactional-id perf-{me}"),
    perf.sender("in transactions without idempotence",
                "--num-records 2 --record-size 2 --throughput -1 --transactional-id perf-{me} --command-property acks=1"),
    perf.sender("in transactions that may last too long",
                "--num-records 2 --record-size 2 --throughput -1 --transactional-id perf-{me} --command-property transaction.timeout.ms=99999999"),
    perf.sender("in transactions of no time", "--num-records 2 --record-size 2 --throughput -1 --transaction-duration-ms 0"),
]


def run(commands, suite):
    """All of it: what Apache Kafka has, and what Yeoul says of it."""
    short = commands.home / "short.properties"
    short.write_text("default.api.timeout.ms=1000\nrequest.timeout.ms=1000\n")
    for case in REFUSED:
        suite.step(case.title, compare, commands, case)
    for case in UNANSWERED:
        suite.step(case.title, compare, commands, case, short)
    if default_kind() == "yeoul":
        suite.step("producer-perf-test: no coordinator of transactions", unanswered, commands)
    # Partitions that no coordinator was told of are what a transaction hangs by.
    settings = {"transaction.partition.verification.enable": "false", "num.partitions": "1"}
    with Broker(commands.home / "transactions", "apache-kafka", settings) as kafka:
        there = Transactions(commands, kafka)
        for case in LOOKING:
            suite.step(case.title, compare, there.commands, case)
        suite.step("transactions as JSON", there.as_json)
        for case in ENDING:
            suite.step(case.title, compare, there.commands, case)
        for case in SENDERS:
            suite.step(case.title, perf.compare, there.commands, case)
        for version in (2, 1):
            suite.step(f"what is committed, with transaction.version {version}", there.committed, version)
            suite.step(f"a producer that is killed in a transaction, with transaction.version {version}", there.killed, version)
            suite.step(f"two producers of a name, with transaction.version {version}", there.fenced, version)
            suite.step(f"a copy that is killed, with transaction.version {version}", there.copied, version)
        suite.step("lines outside of a transaction", there.outside)


def compare(commands, case, settings=None):
    """Both tools print the same and end the same."""
    told = []
    for me, call in (("kafka", lambda words: commands.kafka.call("transactions", words, "")), ("yeoul", ours)):
        words = case.words(me, commands.broker, commands.home)
        code, out, error = call([*(["--command-config", str(settings)] if settings else []), *words])
        first = error.splitlines()[0] if case.says and error else ""
        own = me if "{me}" in case.arguments else "\0"
        told.append((code, masked(out).replace(own, "ME"), WHY.sub(r": WHY\1", first).replace(own, "ME")))
    check(told[0] == told[1], f"Kafka's {told[0]}, ours {told[1]}")


def unanswered(commands):
    """A producer that nobody gives an id says so in the words of Kafka's."""
    words = ["--bootstrap-server", commands.broker.bootstrap, "--topic", "lines-kafka", "--num-records", "1", "--record-size", "1",
             "--throughput", "-1", "--transactional-id", "t", "--command-property", "max.block.ms=1000"]
    code, out, error = commands.kafka.call("producer-perf-test", words, "")
    done = run_tool("producer-perf-test", *words)
    check((code, out) == (done.returncode, done.stdout) == (1, ""), f"Kafka's {code} {out}, ours {done}")
    check(done.stderr.strip() in error, f"Kafka's {error}, ours {done.stderr}")


def ours(words):
    """Exit code, standard output and standard error of ours."""
    done = subprocess.run([yeoul_binary(), "transactions", *words], capture_output=True, text=True, timeout=SECONDS_MAX)
    return done.returncode, done.stdout, done.stderr


def masked(table):
    """A table without what passes and without ids that each call makes anew."""
    rows = [line.split("\t") for line in table.splitlines()]
    titles = [title.strip() for title in rows[0]] if rows else []
    for row in rows[1:]:
        for column, title in enumerate(titles):
            if title in PASSING or "Time" in title and "Timeout" not in title or title == "ProducerId":
                row[column] = re.sub(r"\d", "N", row[column].strip())
                row[column] = re.sub("N+", "N", row[column])
    return "\n".join("\t".join(row) for row in rows)


class Transactions:
    """Apache Kafka with a transaction in every state, and readers of it."""

    def __init__(self, commands, kafka):
        self.broker = kafka
        self.commands = type(commands)(kafka, commands.home, commands.kafka)
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
        topics = [NewTopic("spread", 3, 1), NewTopic("quiet", 1, 1), *(NewTopic(f"paced-{me}", 1, 1) for me in ("kafka", "yeoul")),
                  *(NewTopic(f"hanging-{me}", 2, 1) for me in ("kafka", "yeoul"))]
        for future in admin.create_topics(topics).values():
            future.result(SECONDS_MAX)
        self.producers = [self.transaction(name) for name in ("committed", "aborted", "open", "ends-kafka", "ends-yeoul")]
        self.producers[0].commit_transaction(SECONDS_MAX)
        self.producers[1].abort_transaction(SECONDS_MAX)
        self.producers.append(self.producer("idle"))
        hours_ago = int(time.time() * 1000) - 7_200_000
        for me in ("kafka", "yeoul"):
            self.hang(f"hanging-{me}", 1, 5001, 3, hours_ago)
            self.hang(f"hanging-{me}", 0, 5002, 0, hours_ago)

    def producer(self, name):
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "transactional.id": name, "linger.ms": 1, "log_level": 0,
                             "transaction.timeout.ms": 900_000})
        producer.init_transactions(SECONDS_MAX)
        return producer

    def transaction(self, name):
        """A producer with a transaction that is in all partitions of a topic."""
        producer = self.producer(name)
        producer.begin_transaction()
        for partition in range(3):
            producer.produce("spread", name.encode(), partition=partition)
        check(producer.flush(SECONDS_MAX) == 0, "a record was left")
        return producer

    def hang(self, topic, partition, producer_id, epoch, timestamp):
        """A record of a transaction that no coordinator knows of."""
        builder = DefaultRecordBatchBuilder(magic=2, compression_type=0, is_transactional=1, producer_id=producer_id, producer_epoch=epoch,
                                            base_sequence=0, batch_size=10_000)
        builder.append(0, timestamp, None, b"hangs", [])
        batch = bytes(builder.build())
        text = lambda name: struct.pack(">h", len(name)) + name.encode()
        body = (text("nobody") + struct.pack(">hii", -1, 5_000, 1) + text(topic)
                + struct.pack(">iii", 1, partition, len(batch)) + batch)
        answer = ask(self.broker.port, frame(PRODUCE, PRODUCE_VERSION, body))
        (code,) = struct.unpack_from(">h", answer, 4 + 2 + len(topic) + 4 + 4)
        check(code == 0, f"{topic} takes no record: {code}")

    def as_json(self):
        """Every table as an object for each row, with the fields of the page."""
        told = house.rows()
        def rows(command, *words):
            code, out, error = ours(["--bootstrap-server", self.broker.bootstrap, command, *words, "--output", "json"])
            check(code == 0, f"{command} ended with {code}: {error}")
            found, wanted = house.names(json.loads(out)), house.fields(f"transactions {command}", told)
            check(found == wanted, f"of {command} on the page or in the JSON alone: {found ^ wanted}")
            return json.loads(out)
        [listed] = rows("list", "--transactional-id-pattern", "open")
        check((listed["transactionalId"], listed["coordinator"], listed["transactionState"]) == ("open", 1, "Ongoing"), f"it told {listed}")
        [described] = rows("describe", "--transactional-id", "open")
        check(sorted(described["topicPartitions"]) == [f"spread-{number}" for number in range(3)], f"it told {described}")
        [idle] = rows("describe", "--transactional-id", "idle")
        check(idle["topicPartitions"] == [] and idle["transactionState"] == "Empty", f"it told {idle}")
        begins = {row["currentTransactionStartOffset"] for row in rows("describe-producers", "--topic", "spread", "--partition", "0")}
        check(None in begins and len(begins) > 1, f"transactions begin at {begins}")
        hanging = rows("find-hanging", "--topic", "hanging-yeoul", "--max-transaction-timeout", "100")
        check([(row["partition"], row["producerId"]) for row in hanging] == [(1, 5001), (0, 5002)], f"it told {hanging}")

    def committed(self, version):
        """Who reads what is committed sees every record of ours once, and none of a transaction that lost one."""
        self.set_version(version)
        topic = self.topic("committed", version)
        done = self.send(topic, f"sends-{version}", 100, "--throughput", "400", "--transaction-duration-ms", "50")
        check(done.returncode == 0, f"it ended with {done.returncode}: {done.stderr}")
        check(self.read(topic) == sorted(map(str, range(100))), f"{len(self.read(topic))} records are committed")
        (self.commands.home / "one-too-long").write_text("a\n" * 20 + "x" * 2_000_000)
        done = run_tool("producer-perf-test", "--bootstrap-server", self.broker.bootstrap, "--topic", topic, "--num-records", "200",
                        "--throughput", "-1", "--payload-file", str(self.commands.home / "one-too-long"),
                        "--transactional-id", f"sends-{version}")
        check(done.returncode == 1 and "error state" in done.stderr, f"it ended with {done.returncode}: {done.stderr[-500:]}")
        check(self.read(topic) == sorted(map(str, range(100))), "records of an aborted transaction are read")
        check(self.state(f"sends-{version}") in ("Empty", "CompleteAbort", "PrepareAbort"), f"it is {self.state(f'sends-{version}')}")

    def killed(self, version):
        """Killed in the middle of a transaction it leaves nothing committed, and who starts under its name ends that."""
        topic, name = self.topic("killed", version), f"killed-{version}"
        with self.sending(topic, name) as process:
            process.kill()
        check(self.state(name) == "Ongoing", f"it is {self.state(name)}")
        done = self.send(topic, name, 3, "--throughput", "-1")
        check(done.returncode == 0, f"the next one ended with {done.returncode}: {done.stderr}")
        check(self.read(topic) == ["0", "1", "2"], f"read was {self.read(topic)}")

    def fenced(self, version):
        """Of two producers of a name the first one hears that it is fenced, and nothing of it is committed."""
        topic, name = self.topic("fenced", version), f"fenced-{version}"
        with self.sending(topic, name, 100) as process:
            # It waits for the second one, however long that takes to begin.
            process.send_signal(signal.SIGSTOP)
            done = self.send(topic, name, 2, "--throughput", "-1")
            process.send_signal(signal.SIGCONT)
            check(done.returncode == 0, f"the second one ended with {done.returncode}: {done.stderr}")
            out, error = process.communicate(timeout=SECONDS_MAX)
        words = "attempted to produce with an old epoch|There is a newer producer with the same transactionalId which fences the current one."
        check(process.returncode == 1 and not out and re.search(words, error.splitlines()[-1]), f"it ended with {process.returncode}: {error}")
        check(self.read(topic) == ["0", "1"], f"read was {self.read(topic)}")

    def copied(self, version):
        """What is read and what is written are committed together: a copy that is killed and goes on has each record once, in order."""
        source, target, name = self.topic("source", version, 1), self.topic("target", version, 1), f"copies-{version}"
        numbers = [str(number) for number in range(RECORDS)]
        self.commands.produce(source, numbers)
        command = [str(built_example("copy")), self.broker.bootstrap, source, target, name]
        # One by one, so that there is time to kill it.
        with subprocess.Popen([*command, "1"], stderr=subprocess.DEVNULL) as process:
            wait_until(lambda: self.end(target) > 10, SECONDS_MAX, "some records are copied")
            check(process.poll() is None, "it has ended before it was killed")
            process.kill()
        done = subprocess.run([*command, "100"], capture_output=True, text=True, timeout=SECONDS_MAX)
        check(done.returncode == 0, f"it ended with {done.returncode}: {done.stderr}")
        check(self.read(target, sort=False) == numbers, "the copy is another")
        groups = json.loads(run_tool("consumer-groups", "--bootstrap-server", self.broker.bootstrap, "--describe", "--group", name,
                                     "--output", "json").stdout)
        check([group["currentOffset"] for group in groups] == [RECORDS], f"its offsets are {groups}")

    def outside(self):
        """Nobody begins a transaction for the lines of console-producer, so that none can be sent; without any it has nothing to say."""
        words = ("console-producer", "--bootstrap-server", self.broker.bootstrap, "--topic", "quiet", "--command-property", "transactional.id=x")
        done = run_tool(*words, stdin="line\n")
        check(done.returncode == 1 and "before completing a call to initTransactions" in done.stderr, f"it ended with {done.returncode}: {done}")
        check(self.end("quiet") == 0, "the line is there")
        theirs = self.commands.kafka.call("console-producer", words[1:], "")
        done = run_tool(*words)
        check((done.returncode, done.stdout) == theirs[:2] == (0, ""), f"Kafka's {theirs}, ours {done}")

    def sending(self, topic, name, records=100_000):
        """A producer of ours that is in the middle of a transaction."""
        words = ("--topic", topic, "--num-records", str(records), "--payload-monotonic", "--throughput", "20",
                 "--transactional-id", name, "--transaction-duration-ms", "600000")
        process = subprocess.Popen([yeoul_binary(), "producer-perf-test", "--bootstrap-server", self.broker.bootstrap, *words],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: self.end(topic) > 2, SECONDS_MAX, "records of an open transaction are there")
        return process

    def set_version(self, version):
        """Makes transactions go as they did up to Kafka 3.9, or as they do since."""
        direction = "upgrade" if version == 2 else "downgrade"
        run_tool("features", "--bootstrap-server", self.broker.bootstrap, direction, "--feature", f"transaction.version={version}")
        features = json.loads(run_tool("features", "--bootstrap-server", self.broker.bootstrap, "describe", "--output", "json").stdout)
        levels = {row["feature"]: row["finalizedVersionLevel"] for row in features}
        check(levels["transaction.version"] == str(version), f"the levels are {levels}")

    def topic(self, name, version, partitions=2):
        self.commands.create(f"{name}-{version}", partitions)
        return f"{name}-{version}"

    def send(self, topic, name, records, *more):
        """The numbers from 0 on, sent by ours in transactions."""
        return run_tool("producer-perf-test", "--bootstrap-server", self.broker.bootstrap, "--topic", topic, "--num-records", str(records),
                        "--payload-monotonic", "--transactional-id", name, *more)

    def state(self, name):
        _, out, _ = ours(["--bootstrap-server", self.broker.bootstrap, "describe", "--transactional-id", name, "--output", "json"])
        return json.loads(out)[0]["transactionState"]

    def end(self, topic):
        """How many records there are, committed or not."""
        done = run_tool("get-offsets", "--bootstrap-server", self.broker.bootstrap, "--topic", topic)
        return sum(int(line.rsplit(":", 1)[1]) for line in done.stdout.splitlines())

    def read(self, topic, sort=True):
        """What is committed, as librdkafka reads it."""
        done = subprocess.run(["kcat", "-C", "-e", "-q", "-b", self.broker.bootstrap, "-t", topic, "-o", "beginning",
                               "-X", "isolation.level=read_committed"], capture_output=True, text=True, timeout=SECONDS_MAX)
        check(done.returncode == 0, f"kcat ended with {done.returncode}: {done.stderr}")
        return sorted(done.stdout.split()) if sort else done.stdout.split()


def run_tool(tool, *words, stdin=""):
    """The finished command of ours."""
    return subprocess.run([yeoul_binary(), tool, *words], input=stdin, capture_output=True, text=True, timeout=SECONDS_MAX)


def built_example(name):
    """A program that uses our client, where it is built."""
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--workspace", "--example", name], cwd=REPOSITORY, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "debug" / "examples" / name
