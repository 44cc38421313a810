"""What a reader asks the broker for, as it goes over the wire: in a session only what has changed (KIP-227)."""

import signal
import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

from broker import Broker, check, receive, wait_until
from deaths import Running

SECONDS_MAX = 60
TOPIC, PARTITIONS = "few", 3
FETCH = 1


class Wire:
    """A port that hands everything on to the broker's, and keeps what is asked in fetches: (session, number, topics)."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.broker_port = None
        self.fetches = []

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(("127.0.0.1", self.broker_port))
            except OSError:
                client.close()
                continue
            for way in ((self.ask, client, broker), (self.answer, broker, client)):
                threading.Thread(target=self.hand_on, args=way, daemon=True).start()

    def hand_on(self, how, source, target):
        """Until one of them goes, and then neither stays."""
        with suppress(OSError):
            while how(source, target):
                pass
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def ask(self, client, broker):
        (size,) = struct.unpack(">i", receive(client, 4))
        body = receive(client, size)
        self.note(body)
        broker.sendall(struct.pack(">i", size) + body)
        return True

    def answer(self, broker, client):
        data = broker.recv(65536)
        client.sendall(data)
        return data

    def note(self, body):
        """Keeps what matters of a Fetch of version 12, the newest that names topics."""
        api, version, _, client_id = struct.unpack_from(">hhih", body)
        if api == FETCH:
            check(version == 12, f"Fetch in version {version}")
            # The header ends with its tagged fields; then replica, wait, least, most and isolation.
            begin = 10 + max(client_id, 0) + 1 + 4 + 4 + 4 + 4 + 1
            session, number, topics = struct.unpack_from(">iiB", body, begin)
            self.fetches.append((session, number, topics - 1))


def sessions_told(commands, home, wire):
    """A reader tells all once, then only what changes; begins anew at a broker that has forgotten it; and says goodbye."""
    with Broker(home, properties={"advertised.listeners": f"PLAINTEXT://127.0.0.1:{wire.port}"}) as broker:
        wire.broker_port = broker.port
        beside = type(commands)(broker, home, commands.kafka)
        beside.create(TOPIC, PARTITIONS)
        beside.produce(TOPIC, ["one", "two", "three"], "--partitioner", "round-robin")
        through = SimpleNamespace(ours=commands.ours, broker=SimpleNamespace(bootstrap=f"127.0.0.1:{wire.port}"))
        with Running(through, "console-consumer", "--topic", TOPIC, "--from-beginning") as reader:
            wait_until(lambda: len(reader.lines) == 3, SECONDS_MAX, "three lines are read")
            wait_until(lambda: wire.fetches[-1][2] == 0, SECONDS_MAX, "nothing has changed")
            session = wire.fetches[-1][0]
            # What comes before a session is there has none, and tells all.
            before = [fetch for fetch in wire.fetches if fetch[0] == 0]
            check(before == [(0, 0, 1)] and session != 0, f"asked for {wire.fetches}")
            numbers = [number for of, number, _ in wire.fetches if of == session]
            check(numbers == list(range(1, len(numbers) + 1)), f"asked for {wire.fetches}")
            broker.kill()
            broker.start()
            known = len(wire.fetches)
            beside.produce(TOPIC, ["four"])
            wait_until(lambda: len(reader.lines) == 4, SECONDS_MAX, "the fourth line is read")
            anew = [fetch for fetch in wire.fetches[known:] if fetch[1] == 0]
            check(anew and anew[0][2] == 1, f"asked for {wire.fetches[known:]}")
            reader.end(signal.SIGINT)
        session = wire.fetches[-1][0]
        check(wire.fetches[-1][1:] == (-1, 0) and session != 0, f"asked last for {wire.fetches[-3:]}")
        check(sorted(reader.lines) == ["four", "one", "three", "two"], f"read {reader.lines}")
        broker.stop()
    return f"{len(wire.fetches)} fetches"


def run(commands, suite, home):
    """All of it."""
    with Wire() as wire:
        suite.step("a reader tells a broker only what changes", sessions_told, commands, Path(home) / "fetches", wire)
