"""Kafka Connect: lines of a file go through a topic into another file, while its workers and the broker are killed.

Connect promises each line at least once. So what was under way when something was killed may come twice, but what was committed does
not, none is lost, and lines that come for the first time are in order. The source makes the topic itself, with one partition.
"""

import json
import urllib.error
import urllib.request
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource

from broker import check, free_ports, wait_until
from program import Program, write_properties

LINES_A_STEP = 500
START_SECONDS_MAX = 90
ARRIVAL_SECONDS_MAX = 90
COMMIT_SECONDS_MAX = 30
INTERNAL_TOPICS = {"configs": 1, "offsets": 3, "status": 2}


class Pipe:
    """The two files, and the connectors between them."""

    def __init__(self, home, topic, broker):
        self.topic = topic
        self.reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "unused"})
        self.source, self.sink = Path(home) / f"{topic}.in", Path(home) / f"{topic}.out"
        self.source.touch()
        self.written = 0
        self.committed_lines, self.committed_arrivals = 0, 0

    def connectors(self):
        """Name and properties of both."""
        package = "org.apache.kafka.connect.file.FileStream"
        return {
            f"{self.topic}-source": {
                "connector.class": f"{package}SourceConnector", "file": str(self.source), "topic": self.topic, "tasks.max": "1",
                "topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1"},
            f"{self.topic}-sink": {
                "connector.class": f"{package}SinkConnector", "file": str(self.sink), "topics": self.topic, "tasks.max": "1"},
        }

    def write(self):
        """More lines for the source."""
        with self.source.open("a") as lines:
            lines.writelines(f"line {number} of {self.topic}\n" for number in range(self.written, self.written + LINES_A_STEP))
        self.written += LINES_A_STEP

    def arrived(self):
        """The sink's lines; one that is being written is left out."""
        return self.sink.read_text().split("\n")[:-1] if self.sink.exists() else []

    def write_around(self, kill):
        """Lines that are under way when something is killed, and lines behind them."""
        self.write()
        kill()
        self.write()

    def check_arrival(self, worker):
        """Every line comes, in order, and nothing else; some of what was not committed again."""
        def all_there():
            worker.check_running()
            return len(set(self.arrived())) >= self.written

        wait_until(all_there, ARRIVAL_SECONDS_MAX, f"{self.written} lines of {self.topic} in the sink's file", pause=0.1)
        self.wait_for_commits(worker)
        lines, sent = self.arrived(), self.source.read_text().splitlines()
        check(list(dict.fromkeys(lines)) == sent, f"the sink's file is not the source's: {lines[:3]}")
        came_again = set(lines[self.committed_arrivals :]) & set(sent[: self.committed_lines])
        check(not came_again, f"{len(came_again)} lines that were committed came again")
        self.committed_lines, self.committed_arrivals = len(sent), len(lines)
        return f"{len(sent):,} lines, {len(lines) - len(sent)} of them twice"

    def wait_for_commits(self, worker):
        """Until the source has noted the end of its file, and the sink's group has committed the end of the topic."""
        def committed():
            worker.check_running()
            topic_end = self.reader.get_watermark_offsets(TopicPartition(self.topic, 0), 10)[1]
            positions = [worker.offset_of(name) for name in self.connectors()]
            return positions == [{"position": self.source.stat().st_size}, {"kafka_offset": topic_end}]

        wait_until(committed, COMMIT_SECONDS_MAX, "source and sink commit the ends of the file and of the topic", pause=0.1)


class Worker(Program):
    """A worker, and its REST interface."""

    def __init__(self, home, name, mode, properties, files=()):
        (port,) = free_ports(1)
        self.address = f"127.0.0.1:{port}"
        path = write_properties(Path(home) / f"{name}.properties", {**properties, "listeners": f"http://{self.address}"})
        super().__init__(home, name, [f"org.apache.kafka.connect.cli.Connect{mode}", path, *files])

    def ask(self, path, method="GET", body=None):
        """The answer to a request, parsed; None for an empty one."""
        request = urllib.request.Request(
            f"http://{self.address}{path}", method=method, data=body and json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or "null")

    def offset_of(self, connector):
        """Where a connector with one partition stands, in its own words; None while it has not said so."""
        offsets = self.ask(f"/connectors/{connector}/offsets")["offsets"]
        return offsets[0]["offset"] if offsets else None

    def states(self):
        """(state, worker) of each connector and task that it knows of; nothing while it does not answer."""
        try:
            known = self.ask("/connectors?expand=status").values()
        except (OSError, urllib.error.HTTPError):
            return []
        parts = [part for one in known for part in (one["status"]["connector"], *one["status"]["tasks"])]
        return [(part["state"], part["worker_id"]) for part in parts]

    def wait_for_running(self, workers):
        """Two connectors and their two tasks run, on exactly these workers."""
        addresses = {worker.address for worker in workers}

        def running():
            self.check_running()
            states = self.states()
            return len(states) == 4 and {state for state, _ in states} == {"RUNNING"} and {at for _, at in states} == addresses

        wait_until(running, START_SECONDS_MAX, f"source and sink run on {len(addresses)} workers; they are {self.states()}", pause=0.2)

    def wait_for_answer(self):
        """Until it lists its connectors."""
        def answers():
            self.check_running()
            try:
                return self.ask("/connectors") is not None
            except (OSError, urllib.error.HTTPError):
                return False

        wait_until(answers, START_SECONDS_MAX, f"the worker {self.name} answers", pause=0.2)


def common_properties(broker):
    """What workers of both kinds are told. A dead worker's sink is missed after the shortest time that brokers allow."""
    return {
        "bootstrap.servers": broker.bootstrap, "plugin.discovery": "service_load", "offset.flush.interval.ms": "500",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.storage.StringConverter",
        "consumer.session.timeout.ms": "6000", "consumer.heartbeat.interval.ms": "1000"}


def standalone(suite, home, broker):
    """A worker with its offsets in a file."""
    pipe = Pipe(home, "standalone", broker)
    properties = {**common_properties(broker), "offset.storage.file.filename": Path(home) / "standalone.offsets"}
    files = [
        write_properties(Path(home) / f"{name}.properties", {"name": name, **connector})
        for name, connector in pipe.connectors().items()]

    def start():
        pipe.write()
        worker.start().wait_for_running([worker])
        return pipe.check_arrival(worker)

    def restart():
        pipe.write_around(worker.kill)
        return start()

    worker = Worker(home, "standalone", "Standalone", properties, files)
    try:
        if suite.step("connect, standalone: lines of a file arrive in another", start):
            suite.step("connect, standalone: goes on when the broker was killed with -9", through_broker_kill, pipe, worker, broker)
            suite.step("connect, standalone: goes on when the worker was killed with -9", restart)
            suite.step("connect, standalone: ends in order", worker.stop)
    finally:
        worker.kill()


def through_broker_kill(pipe, worker, broker):
    """Lines that are written before and while no broker is there arrive when it is."""
    pipe.write_around(broker.kill)
    broker.restart()
    return pipe.check_arrival(worker)


class Cluster:
    """Workers with all that they know in three topics."""

    def __init__(self, home, broker):
        self.home, self.broker = home, broker
        self.pipe = Pipe(home, "distributed", broker)
        self.workers = {}

    def properties(self):
        return {
            **common_properties(self.broker), "group.id": "connect-cluster",
            "config.storage.topic": "connect-configs", "config.storage.replication.factor": "1",
            "offset.storage.topic": "connect-offsets", "offset.storage.replication.factor": "1",
            "offset.storage.partitions": INTERNAL_TOPICS["offsets"],
            "status.storage.topic": "connect-status", "status.storage.replication.factor": "1",
            "status.storage.partitions": INTERNAL_TOPICS["status"],
            "session.timeout.ms": "6000", "heartbeat.interval.ms": "1000", "scheduled.rebalance.max.delay.ms": "0"}

    def start(self, name):
        """A worker of the cluster, which answers."""
        worker = self.workers[name] = Worker(self.home, name, "Distributed", self.properties())
        worker.start().wait_for_answer()
        return worker

    def create(self):
        """The first worker makes the topics and takes both connectors."""
        worker = self.start("first")
        self.pipe.write()
        for name, connector in self.pipe.connectors().items():
            worker.ask(f"/connectors/{name}/config", "PUT", connector)
        worker.wait_for_running([worker])
        return self.pipe.check_arrival(worker)

    def check_internal_topics(self):
        """They are compacted, and have the partitions that were asked for."""
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        found = admin.list_topics(timeout=30).topics
        for kind, partitions in INTERNAL_TOPICS.items():
            name = f"connect-{kind}"
            check(len(found[name].partitions) == partitions, f"{name} has {len(found[name].partitions)} partitions")
            (configs,) = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, name)]).values()
            policy = configs.result(30)["cleanup.policy"].value
            check(policy == "compact", f"the cleanup policy of {name} is {policy}")

    def share(self):
        """A second worker takes part of the work."""
        second = self.start("second")
        second.wait_for_running(self.workers.values())

    def lose_the_first(self):
        """The second takes all."""
        self.pipe.write_around(self.workers.pop("first").kill)
        second = self.workers["second"]
        second.wait_for_running([second])
        return self.pipe.check_arrival(second)

    def lose_the_broker(self):
        return through_broker_kill(self.pipe, self.workers["second"], self.broker)

    def lose_all(self):
        """A new worker finds everything in the topics."""
        self.pipe.write_around(self.workers.pop("second").kill)
        third = self.start("third")
        third.wait_for_running([third])
        for name, connector in self.pipe.connectors().items():
            found = third.ask(f"/connectors/{name}/config")
            check(found == {"name": name, **connector}, f"{name} became {found}")
        return self.pipe.check_arrival(third)

    def delete(self):
        """Connectors that are deleted are gone, and the worker ends in order."""
        worker = self.workers["third"]
        for name in self.pipe.connectors():
            worker.ask(f"/connectors/{name}", "DELETE")
        wait_until(lambda: worker.ask("/connectors") == [], 30, "the connectors are gone")
        worker.stop()

    def kill(self):
        for worker in self.workers.values():
            worker.kill()


def distributed(suite, home, broker):
    cluster = Cluster(home, broker)
    try:
        if not suite.step("connect, distributed: lines of a file arrive in another", cluster.create):
            return
        suite.step("connect, distributed: configs, offsets and status are in compacted topics", cluster.check_internal_topics)
        suite.step("connect, distributed: a second worker takes its share", cluster.share)
        suite.step("connect, distributed: the second goes on when the first was killed with -9", cluster.lose_the_first)
        suite.step("connect, distributed: goes on when the broker was killed with -9", cluster.lose_the_broker)
        suite.step("connect, distributed: a new worker goes on from the topics", cluster.lose_all)
        suite.step("connect, distributed: connectors are deleted", cluster.delete)
    finally:
        cluster.kill()
