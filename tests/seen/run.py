"""What an operator sees and bounds: metrics by their official parser, health, the caches, slow requests, and connections in numbers.

Everything here is Yeoul's own; there is nothing to compare it with in Apache Kafka but the meaning of names.
"""

import base64
import http.server
import json
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]

from broker import Broker, Suite, check, free_ports, frame, lists_a_broker, receive, wait_until, yeoul_binary  # noqa: E402
from confluent_kafka import Consumer, Producer, TopicPartition  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402
from google.protobuf import json_format  # noqa: E402
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest  # noqa: E402
from prometheus_client.openmetrics.parser import text_string_to_metric_families  # noqa: E402

TOPIC, GROUP, CLIENT = "seen", "watchers", "reader-of-seen"
RECORDS = 500
IDLE_CONNECTIONS = 10_000
IDLE_BYTES_MAX = 12_000
RATE_MAX = 10
ANSWER_SECONDS = 20
# What adds up to the total.
PHASES = ("requestqueue", "local", "remote", "responsequeue", "responsesend")


def get(broker, path, seconds=ANSWER_SECONDS):
    """(status, text)"""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{broker.http_port}{path}", timeout=seconds) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def samples(broker):
    """{(name, labels as a sorted tuple): value}, by the parser of OpenMetrics, which is strict."""
    status, text = get(broker, "/metrics")
    check(status == 200, f"answered with {status}")
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            check(key not in found, f"{key} is there twice")
            found[key] = sample.value
    return found


def value(found, name, **labels):
    """The value of one sample."""
    key = (name, tuple(sorted(labels.items())))
    check(key in found, f"there is no {key}")
    return found[key]


def create_topic(broker):
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([NewTopic(TOPIC, 2, 1)])[TOPIC].result(ANSWER_SECONDS)


def produce(broker, count=RECORDS):
    producer = Producer({"bootstrap.servers": broker.bootstrap, "client.id": "writer-of-seen", "linger.ms": 0})
    for number in range(count):
        producer.produce(TOPIC, partition=0, value=b"v%d" % number)
    check(producer.flush(ANSWER_SECONDS) == 0, "not all records were acknowledged")


def metrics_count(broker):
    """Counters say what a client did, and totals are the sums of topics."""
    before = samples(broker)
    produce(broker)
    after = samples(broker)
    name = "kafka_server_brokertopicmetrics_messagesin_total"
    grown = value(after, name, topic=TOPIC) - value(before, name, topic=TOPIC)
    check(grown == RECORDS, f"{grown} records came in")
    requests = sum(count for (name, labels), count in after.items()
                   if name == "kafka_network_requestmetrics_requests_total" and ("request", "Produce") in labels)
    for phase in (*PHASES, "throttle", "total"):
        count = value(after, f"kafka_network_requestmetrics_{phase}timems_count", request="Produce")
        check(count == requests, f"{count} of {requests} requests have a {phase} time")
    spent = {phase: value(after, f"kafka_network_requestmetrics_{phase}timems_sum", request="Produce")
             for phase in (*PHASES, "throttle", "total")}
    check(abs(sum(spent[phase] for phase in PHASES) - spent["total"]) < 0.001 * requests, f"phases do not add up: {spent}")
    check(spent["throttle"] == 0, f"{spent['throttle']} ms were throttled without a quota")
    check(value(after, "kafka_log_log_logendoffset", topic=TOPIC, partition="0") == RECORDS, "the log ends elsewhere")
    check(value(after, "kafka_network_requestmetrics_errors_total", request="Produce", error="NONE") >= 1, "no success")
    for (name, labels), count in before.items():
        if name.endswith(("_total", "_count", "_bucket")):
            check(after[name, labels] >= count, f"{name}{labels} went back")
    return f"{len(after)} samples"


def consumer_of(broker):
    return Consumer({
        "bootstrap.servers": broker.bootstrap, "group.id": GROUP, "client.id": CLIENT,
        "auto.offset.reset": "earliest", "enable.auto.commit": False})


def lag(broker):
    """A group's lag in records and in time: what was committed, and how old the next record is."""
    consumer = consumer_of(broker)
    consumer.commit(offsets=[TopicPartition(TOPIC, 0, 100), TopicPartition(TOPIC, 1, 0)], asynchronous=False)
    labels = {"consumergroup": GROUP, "topic": TOPIC}
    found = samples(broker)
    check(value(found, "kafka_consumergroup_lag", partition="0", **labels) == RECORDS - 100, "another lag")
    check(value(found, "kafka_consumergroup_lag", partition="1", **labels) == 0, "an empty partition has a lag")
    age = value(found, "yeoul_consumergroup_lag_seconds", partition="0", **labels)
    check(0 < age < 600, f"the next record is {age} s old")
    check(value(found, "yeoul_consumergroup_lag_seconds", partition="1", **labels) == 0, "nothing has an age")
    wait_until(lambda: value(samples(broker), "yeoul_consumergroup_lag_seconds", partition="0", **labels) > age, 10, "it gets older")
    consumer.close()


def caches(broker):
    """The command shows a reader, his group, and where his bytes came from; all bytes of a partition are somewhere."""
    consumer = consumer_of(broker)
    consumer.subscribe([TOPIC])
    wait_until(lambda: consumer.poll(1.0) is not None, ANSWER_SECONDS, "a record is read")
    told = json.loads(yeoul_cache(broker, "--topic", TOPIC, "--output", "json"))
    partition = next(found for found in told["partitions"] if found["partition"] == 0)
    check(partition["bytes"] == partition["segment_bytes"] + partition["unwritten_bytes"], f"bytes do not add up: {partition}")
    check(partition["tail_bytes"] > 0 and partition["page_cache_bytes"] is not None, f"{partition}")
    reader = next(found for found in told["readers"] if found["client_id"] == CLIENT)
    check(reader["groups"] == [GROUP] and reader["recent"]["tail_bytes"] > 0, f"{reader}")
    read = {(found["topic"], found["partition"]): found["recent"] for found in reader["partitions"]}
    check(list(read) == [(TOPIC, 0)] and read[TOPIC, 0]["tail_bytes"] == reader["recent"]["tail_bytes"], f"{reader}")
    table = yeoul_cache(broker)
    check(CLIENT in table and "DISK-WAIT" in table, table)
    consumer.close()


def yeoul_cache(broker, *arguments):
    command = [yeoul_binary(), "cache", "--http", f"127.0.0.1:{broker.http_port}", *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ANSWER_SECONDS)
    check(done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def curl(broker):
    """curl gets what it asks for, and the type that Prometheus expects."""
    url = f"http://127.0.0.1:{broker.http_port}/metrics"
    done = subprocess.run(["curl", "-sS", "-D", "-", url], capture_output=True, text=True, timeout=ANSWER_SECONDS)
    check(done.returncode == 0, done.stderr)
    check("content-type: application/openmetrics-text; version=1.0.0" in done.stdout, done.stdout[:300])
    check(done.stdout.endswith("# EOF\n"), "it has no end")


def health(broker):
    check(get(broker, "/health/live")[0] == 200, "not live")
    check(get(broker, "/health/ready") == (200, '{"status":"ready"}\n'), "not ready")
    check(get(broker, "/nothing")[0] == 404, "a path that is not there")


def slow_requests(broker):
    """With 0 ms every request is slow: at most ten lines are said, all are counted."""
    before = value(samples(broker), "yeoul_slow_requests_total")
    produce(broker, 200)
    after = value(samples(broker), "yeoul_slow_requests_total")
    check(after - before >= 1, "no request was slow")
    lines = [line for line in broker.log.read_text(errors="replace").splitlines() if "slow request" in line]
    check(1 <= len(lines) <= 40, f"{len(lines)} lines")
    produced = [line for line in lines if "Produce" in line or "ApiVersions" in line or "Metadata" in line]
    check(produced and "mostly" in produced[0], f"it is not said where: {lines[0]}")


class Collector(http.server.ThreadingHTTPServer):
    """Takes spans as an OpenTelemetry collector does, and reads them with its own messages."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Taker)
        self.spans = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Taker(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for span in told["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            # Ids are hexadecimal in OTLP's JSON, and base64 in that of protobuf.
            for name in ("traceId", "spanId", "parentSpanId"):
                if name in span:
                    span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
        request = json_format.ParseDict(told, ExportTraceServiceRequest())
        self.server.spans.extend(request.resource_spans[0].scope_spans[0].spans)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def traces(broker, collector):
    """A collector gets a span for a request, and within its time those of its phases."""
    produce(broker, 1)
    (root,) = wait_until(lambda: [span for span in collector.spans if span.name == "Produce"][:1], ANSWER_SECONDS, "a span arrives")
    check(len(root.trace_id) == 16 and len(root.span_id) == 8, "ids of another length")
    inside = [span for span in collector.spans if span.parent_span_id == root.span_id]
    check({"local", "remote"} <= {span.name for span in inside}, f"{[span.name for span in inside]}")
    for span in inside:
        check(span.trace_id == root.trace_id, "another trace")
        check(root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano <= root.end_time_unix_nano, f"{span}")
    attributes = {attribute.key: attribute.value.string_value for attribute in root.attributes}
    check(attributes["messaging.destination.name"] == TOPIC and attributes["messaging.client.id"] == "writer-of-seen", f"{attributes}")
    counted = lambda: value(samples(broker), "yeoul_spans_total", fate="sent") >= 1  # noqa: E731 (after the collector's answer)
    wait_until(counted, ANSWER_SECONDS, "they are counted")


def connect(broker):
    return socket.create_connection(("127.0.0.1", broker.port), timeout=ANSWER_SECONDS)


def refused(broker):
    """Whether a new connection is closed without an answer."""
    with connect(broker) as connection:
        try:
            connection.sendall(frame(3, 1, struct.pack(">i", 0)))
            return not connection.recv(1)
        except OSError:
            return True


def per_address(broker):
    """The one above max.connections.per.ip is closed, and counted; when one goes, another may come."""
    kept = [connect(broker) for _ in range(20)]
    wait_until(lambda: refused(broker), ANSWER_SECONDS, "one too many is closed")
    hindered = value(samples(broker), "yeoul_connections_hindered_total", reason="max.connections.per.ip")
    check(hindered >= 1, "it is not counted")
    check("max.connections.per.ip" in broker.log.read_text(errors="replace"), "it is not said")
    for connection in kept:
        connection.close()
    wait_until(lambda: lists_a_broker(broker.port), ANSWER_SECONDS, "others may come again")


def too_fast(broker):
    """More in a second than may come are all served in the end; that they had to wait is counted and said."""
    for _ in range(RATE_MAX * 2):
        check(lists_a_broker(broker.port), "not served")
    hindered = value(samples(broker), "yeoul_connections_hindered_total", reason="max.connection.creation.rate")
    check(hindered >= 1, "it is not counted")
    check("max.connection.creation.rate" in broker.log.read_text(errors="replace"), "it is not said")


def resident(pid):
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no Rss")


def idle_connections(broker):
    """Ten thousand that say nothing cost little, and others are served among them."""
    before = resident(broker.pid())
    idle = []
    try:
        for _ in range(IDLE_CONNECTIONS):
            idle.append(connect(broker))
        wait_until(lambda: connections(broker) >= IDLE_CONNECTIONS, ANSWER_SECONDS, "all are accepted")
        check(lists_a_broker(broker.port), "another is not served")
        each = (resident(broker.pid()) - before) / IDLE_CONNECTIONS
        check(each < IDLE_BYTES_MAX, f"each takes {each:.0f} bytes")
    finally:
        for connection in idle:
            connection.close()
    wait_until(lambda: connections(broker) < 100, 60, "all are gone")
    return f"{each:.0f} bytes each"


def connections(broker):
    return value(samples(broker), "kafka_server_socket_server_metrics_connection_count", listener="PLAINTEXT")


def never_reads(broker):
    """Who asks without end and never reads is not answered into memory without end."""
    before = resident(broker.pid())
    request = frame(3, 1, struct.pack(">i", -1))
    with connect(broker) as connection:
        connection.settimeout(1)
        try:
            while True:
                connection.sendall(request * 1000)
        except TimeoutError:
            pass
        check(lists_a_broker(broker.port), "another is not served")
        grown = resident(broker.pid()) - before
    check(grown < 50_000_000, f"it grew by {grown / 1e6:.0f} MB")
    return f"{grown / 1e6:.1f} MB more"


def byte_by_byte(broker):
    """A request that comes byte by byte is answered when it is whole; others do not wait for it."""
    request = frame(3, 1, struct.pack(">i", 0))
    with connect(broker) as connection:
        for place in range(len(request)):
            connection.sendall(request[place:place + 1])
            check(lists_a_broker(broker.port), "another is not served")
        (size,) = struct.unpack(">i", receive(connection, 4))
        receive(connection, size)


def open_and_close(broker):
    """Two thousand that come and go, some by a reset, leave nothing behind."""
    before = resident(broker.pid())
    begin = time.monotonic()
    count = 2_000
    for number in range(count):
        connection = connect(broker)
        if number % 2:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    rate = count / (time.monotonic() - begin)
    check(lists_a_broker(broker.port), "nobody is served afterwards")
    wait_until(lambda: connections(broker) < 100, ANSWER_SECONDS, "all are gone")
    grown = resident(broker.pid()) - before
    check(grown < 50_000_000, f"it grew by {grown / 1e6:.0f} MB")
    return f"{rate:.0f} a second, {grown / 1e6:.1f} MB more"


def slow_scrapers(broker):
    """Those who send half a head over HTTP are many, and a scrape is served before their time is up."""
    half = [socket.create_connection(("127.0.0.1", broker.http_port), timeout=ANSWER_SECONDS) for _ in range(200)]
    for connection in half:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
    check(get(broker, "/metrics")[0] == 200, "not served")
    half[-1].setblocking(False)
    try:
        check(False, f"the last of them has got {half[-1].recv(1)!r}")
    except BlockingIOError:
        pass
    check(lists_a_broker(broker.port), "clients are not served")
    for connection in half:
        connection.close()


class SeenBroker(Broker):
    """A broker with an HTTP listener."""

    def __init__(self, home, properties=None):
        super().__init__(home, "yeoul")
        (self.http_port,) = free_ports(3)[2:]
        self.extra = {"yeoul.http.listener": f"127.0.0.1:{self.http_port}", **(properties or {})}


def main():
    suite = Suite("seen")
    with tempfile.TemporaryDirectory(prefix="yeoul-seen-") as home:
        # With Kafka's 50, a client that connects faster than it is taken in waits a second for each 50: the system drops the rest.
        with SeenBroker(Path(home) / "one", {"socket.listen.backlog.size": "4096"}) as broker:
            if suite.step("create the topic", create_topic, broker):
                for title, action in [
                    ("metrics count what clients do", metrics_count), ("a group's lag in records and in time", lag),
                    ("where bytes are, and who reads from where", caches), ("curl gets the metrics", curl),
                    ("health", health), ("half heads over HTTP", slow_scrapers), ("10,000 idle connections", idle_connections),
                    ("a client that never reads", never_reads), ("a request byte by byte", byte_by_byte),
                    ("two thousand connections that come and go", open_and_close),
                ]:
                    suite.step(title, action, broker)
            suite.step("the broker stops cleanly", broker.stop)
            suite.last_words_of(broker)
        collector = Collector()
        properties = {
            "max.connections.per.ip": "20", "yeoul.slow.request.ms": "0",
            "yeoul.traces.endpoint": f"http://127.0.0.1:{collector.server_port}"}
        with SeenBroker(Path(home) / "two", properties) as broker:
            if suite.step("create the topic of the bounded broker", create_topic, broker):
                suite.step("slow requests are said and counted", slow_requests, broker)
                suite.step("spans arrive at a collector", traces, broker, collector)
                suite.step("so many connections of one address", per_address, broker)
            suite.step("the bounded broker stops cleanly", broker.stop)
            suite.last_words_of(broker)
        with SeenBroker(Path(home) / "three", {"max.connection.creation.rate": str(RATE_MAX)}) as broker:
            suite.step("more connections in a second than may come", too_fast, broker)
            suite.last_words_of(broker)
    return suite.end()


if __name__ == "__main__":
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    sys.exit(main())
