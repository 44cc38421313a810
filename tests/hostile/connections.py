"""Connections that are too many, and those that begin and never go on: whom a broker refuses, makes wait, closes, and serves meanwhile."""

import socket
import struct

from batch import batch, produce_body, record
from broker import Broker, ask, check, frame, free_ports, lists_a_broker, receive, wait_until

PRODUCE, METADATA = 0, 3
EACH = 1_000
IDLE_MS = 10_000
CLOSE_SECONDS_MAX = 60
ANSWER_SECONDS = 20
# Long enough for an answer that should not come.
SILENCE_SECONDS = 1.0
PING = frame(METADATA, 1, struct.pack(">i", 0))
# As many as come in one go, so that none waits a second for its turn.
BACKLOG = {"socket.listen.backlog.size": "4096"}


def connect(port, host="127.0.0.1"):
    """From the address `host`, which is one of the loopback's."""
    return socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS, source_address=(host, 0))


def ping(connection):
    """Asks something and is answered."""
    connection.sendall(PING)
    (size,) = struct.unpack(">i", receive(connection, 4))
    receive(connection, size)


def is_closed(connection):
    """Whether the other side has ended it; nothing else is expected from it."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(ANSWER_SECONDS)


def is_served(port, host):
    """Whether one more connection of an address is answered; it is kept open if so."""
    connection = connect(port, host)
    try:
        ping(connection)
    except OSError:
        connection.close()
        return None
    return connection


def half_open(broker, resident, growth_bytes_max):
    """Thousands that send nothing, half of a length and half of a frame: others are served, and they are closed in the end."""
    whole = frame(PRODUCE, 7, produce_body("hostile", batch(record(b"hello"))))
    before, held = resident(broker.pid()), []
    try:
        for begun in (b"", whole[:2], whole[:10], whole[:40]):
            for _ in range(EACH):
                held.append(connect(broker.port))
                held[-1].sendall(begun)
            check(lists_a_broker(broker.port), f"nobody is served beside {len(held)}")
        grown = resident(broker.pid()) - before
        check(grown < growth_bytes_max, f"it grew by {grown / 1e6:.0f} MB")
        # Apache Kafka closes one at a time, a few in a second.
        enough = all if broker.kind == "yeoul" else any
        wait_until(lambda: enough(map(is_closed, held)), CLOSE_SECONDS_MAX, "they are closed", pause=0.5)
        check(lists_a_broker(broker.port), "nobody is served afterwards")
        return f"{grown / 1e6:.1f} MB more"
    finally:
        for connection in held:
            connection.close()


def for_brokers(broker):
    """With as many connections as may be a client waits, and for a broker the client goes that was silent for the longest time."""
    clients = [connect(broker.port) for _ in range(3)]
    for client in (clients[1], clients[2], clients[0]):
        ping(client)
    waiting = connect(broker.port)
    waiting.sendall(PING)
    waiting.settimeout(SILENCE_SECONDS)
    try:
        check(False, f"one too many is answered with {waiting.recv(1)!r}")
    except TimeoutError:
        waiting.settimeout(ANSWER_SECONDS)
    broker_connection = connect(broker.inner_port)
    ping(broker_connection)
    wait_until(lambda: is_closed(clients[1]), ANSWER_SECONDS, "the one that was silent is closed")
    ping(clients[0])
    ping(clients[2])
    broker_connection.close()
    receive(waiting, 4)
    for connection in (*clients, waiting):
        connection.close()


def of_addresses(broker):
    """Each address has so many connections, and one has a number of its own: one more is closed."""
    for host, count in (("127.0.0.2", 3), ("127.0.0.3", 5)):
        kept = [is_served(broker.port, host) for _ in range(count)]
        check(all(kept), f"{host} is not served {count} times")
        check(is_served(broker.port, host) is None, f"{host} is served {count + 1} times")
        check(lists_a_broker(broker.port), "another address is not served")
        kept.pop().close()
        kept.append(wait_until(lambda: is_served(broker.port, host), ANSWER_SECONDS, f"{host} is served again"))
        for connection in kept:
            connection.close()


def of_requests(broker):
    """One request at work at a time is enough for many clients, of whom most wait for records."""
    fetch = frame(1, 4, struct.pack(">iiiibi", -1, 60_000, 1, 1_000_000, 0, 1) + struct.pack(">h7sii", 7, b"hostile", 1, 0)
                  + struct.pack(">qi", 0, 1_000_000))
    clients = [connect(broker.port) for _ in range(100)]
    for client in clients:
        client.sendall(fetch)
    for number in range(20):
        ask(broker.port, frame(19, 2, new_topic(f"made-{number}")), ANSWER_SECONDS)
    ask(broker.port, frame(PRODUCE, 7, produce_body("hostile", batch(record(b"hello")))), ANSWER_SECONDS)
    for client in clients:
        receive(client, 4)
        client.close()


def new_topic(name):
    """The body of CreateTopics version 2 with one partition."""
    return struct.pack(">ih", 1, len(name)) + name.encode() + struct.pack(">ihiiib", 1, 1, 0, 0, 30_000, 0)


class Crowded(Broker):
    """A broker that closes silent connections soon."""

    def __init__(self, home):
        super().__init__(home, properties={"connections.max.idle.ms": str(IDLE_MS), **BACKLOG})


class Bounded(Broker):
    """A broker with a listener for other brokers, and room for three connections. Of one thread: each closes one in Apache Kafka."""

    def __init__(self, home):
        super().__init__(home)
        (self.inner_port,) = free_ports(3)[2:]
        self.extra = {
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},INNER://127.0.0.1:{self.inner_port},"
                         f"CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port},INNER://127.0.0.1:{self.inner_port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "INNER", "max.connections": "3", "num.network.threads": "1"}


class OfAddresses(Broker):
    """A broker that counts the connections of addresses, and takes one request at a time."""

    def __init__(self, home):
        super().__init__(home, properties={
            "max.connections.per.ip": "3", "max.connections.per.ip.overrides": "127.0.0.3:5,127.0.0.1:200", "queued.max.requests": "1"})
