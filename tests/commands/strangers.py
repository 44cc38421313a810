"""What listens where a broker should is none, or is an old one, or nobody: a sentence that says so, in the time that was given."""

import os
import random
import socket
import struct
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from broker import check, free_ports, receive
from cases import Case

SECONDS_MAX = 20
# Settings under which a client gives up soon, and how soon.
SETTINGS = "default.api.timeout.ms=1200\nmax.block.ms=1200\nrequest.timeout.ms=600\n"
GIVES_UP_IN = 15
# What a client may take beyond what it takes to begin with: answers that only claim to be large cost nothing.
MEMORY_MIB_MAX = 100
UNSUPPORTED_VERSION = 35
API_VERSIONS, METADATA = 18, 3


def frame(body):
    """An answer with its length."""
    return struct.pack(">i", len(body)) + body


def api_versions(correlation, count=1):
    """An answer to ApiVersions v3: one API, or a claim to so many."""
    varint = b""
    claimed = count + 1
    while claimed > 127:
        varint, claimed = varint + bytes([claimed & 127 | 128]), claimed >> 7
    varint += bytes([claimed])
    return struct.pack(">ih", correlation, 0) + varint + struct.pack(">hhhB", API_VERSIONS, 0, 3, 0) + struct.pack(">iB", 0, 0)


# What a stranger says to a question with this correlation id. What is said to nothing is silence; None hangs up.
SAYS = {
    "HTTP": (lambda it: b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "does not speak Kafka's protocol: it answers with HTTP"),
    "TLS": (lambda it: b"\x15\x03\x03\x00\x02\x02\x46", "does not speak Kafka's protocol: it answers with TLS"),
    "random bytes": (lambda it: b"\xff" + random.Random(it).randbytes(99), "does not speak Kafka's protocol: its answer begins with"),
    "a length of 2 GiB": (lambda it: struct.pack(">i", 2**31 - 1) + bytes(99), "its answer begins with the bytes [7f, ff, ff, ff]"),
    "the answer to another": (lambda it: frame(api_versions(it + 7)), "it answers what nobody has asked"),
    "an array that is not there": (lambda it: frame(api_versions(it, 2**31 - 2)), "the broker's answer cannot be read"),
    "an answer without an end": (lambda it: frame(api_versions(it)[:-5]), "the broker's answer cannot be read"),
    "silence": (lambda it: b"", "no answer to ApiVersions within 600 ms"),
    "100 MiB that never come": (lambda it: struct.pack(">i", 100 << 20), "no answer to ApiVersions within 600 ms"),
    "an answer cut short": (lambda it: frame(api_versions(it))[:9] + b"HANG UP", "was lost"),
    "no answer": (lambda it: b"HANG UP", "was lost"),
}


class Stranger:
    """A port that answers every request as it likes; as a context it ends with the block."""

    def __init__(self, says, pause=0):
        self.says, self.pause = says, pause
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            try:
                while self.answer(connection):
                    pass
            except OSError:
                pass

    def answer(self, connection):
        """Reads a request and answers it; false where the conversation is over."""
        (size,) = struct.unpack(">i", receive(connection, 4))
        request = receive(connection, size)
        said, hangs_up, _ = self.says(request).partition(b"HANG UP")
        if not self.pause:
            connection.sendall(said)
        for at in range(len(said) if self.pause else 0):
            connection.sendall(said[at:at + 1])
            time.sleep(self.pause)
        return not hangs_up

    def __exit__(self, *_):
        self.listener.close()


def by_id(says):
    """Who answers whatever is asked, knowing only the correlation id."""
    return lambda request: says(*struct.unpack_from(">i", request, 4))


def old_broker(request):
    """A broker that knows ApiVersions and Metadata in their first versions only, and two topics."""
    key, version, correlation = struct.unpack_from(">hhi", request)
    if key == API_VERSIONS:
        ranges = struct.pack(">hhhhhh", API_VERSIONS, 0, 0, METADATA, 0, 4)
        return frame(struct.pack(">ihi", correlation, UNSUPPORTED_VERSION if version else 0, 2) + ranges)
    check((key, version) == (METADATA, 4), f"API {key} was asked in version {version}")
    topics = b"".join(struct.pack(">hh", 0, len(name)) + name + struct.pack(">bi", 0, 0) for name in (b"old", b"older"))
    return frame(struct.pack(">iiihii", correlation, 0, 0, -1, -1, 2) + topics)


def ended(commands, tool, address, *words):
    """How our tool ended: exit code, output, what it said, seconds, and the MiB that it has taken."""
    settings = commands.home / "gives-up.properties"
    command = commands.ours(tool, *words, "--bootstrap-server", address, "--command-config", str(settings))
    begin = time.monotonic()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as error:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=error)
        killer = threading.Timer(SECONDS_MAX, process.kill)
        killer.start()
        _, status, usage = os.wait4(process.pid, 0)
        killer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        error.seek(0)
        return process.returncode, out.read(), error.read(), time.monotonic() - begin, usage.ru_maxrss / 1024


def told(commands, sentence, tool, address, *words):
    """It ends with 1 and a sentence, soon, and without much memory."""
    code, out, error, seconds, mib = ended(commands, tool, address, *words)
    check(code == 1 and sentence in error, f"{tool} ended with {code}: {error[-500:]} {out[-500:]}")
    check("panicked" not in error and seconds < GIVES_UP_IN, f"{tool} took {seconds:.1f} s: {error[-500:]}")
    check(mib < MEMORY_MIB_MAX, f"{tool} took {mib:.0f} MiB")


def stranger(commands, says, sentence, pause=0):
    with Stranger(by_id(says), pause) as it:
        told(commands, sentence, "topics", it.address, "--list")


TOOLS = [
    ("broker-api-versions",),
    ("client-metrics", "--list"),
    ("cluster", "cluster-id"),
    ("configs", "--describe", "--topic", "t"),
    ("console-consumer", "--topic", "t"),
    ("console-producer", "--topic", "t"),
    ("consumer-perf-test", "--topic", "t", "--num-records", "1"),
    ("e2e-latency", "--topic", "t", "--num-records", "1", "--producer-acks", "1", "--record-size", "1"),
    ("features", "describe"),
    ("get-offsets", "--topic", "t"),
    ("groups", "--list"),
    ("leader-election", "--election-type", "preferred", "--all-topic-partitions"),
    ("log-dirs", "--describe"),
    ("metadata-quorum", "describe", "--status"),
    ("producer-perf-test", "--topic", "t", "--num-records", "1", "--throughput", "-1", "--record-size", "1"),
    ("topics", "--describe"),
    ("transactions", "list"),
    ("verifiable-consumer", "--topic", "t", "--group-id", "g", "--max-messages", "1"),
]


def of_all(commands, sentence, address, tools):
    """Each of these tools ends with 1 and the sentence; they wait beside each other."""
    with ThreadPoolExecutor(len(tools)) as pool:
        for one in [pool.submit(told, commands, sentence, tool, address, *words) for tool, *words in tools]:
            one.result()


def no_broker(commands):
    """Every tool says that it is no broker. Readers too, which wait for one that is away."""
    with Stranger(by_id(SAYS["HTTP"][0])) as it:
        of_all(commands, "it answers with HTTP", it.address, TOOLS)


def nobody(commands):
    """Nobody listens: who changes or asks gives up in the time that it has."""
    patient = ("console-consumer", "consumer-perf-test", "verifiable-consumer", "verifiable-producer")
    of_all(commands, "cannot connect", f"127.0.0.1:{free_ports(1)[0]}", [tool for tool in TOOLS if tool[0] not in patient])


def nobody_to_read_from(commands):
    """Nobody listens: who reads waits, and ends well when it was told how long, as Kafka's does."""
    nowhere = f"127.0.0.1:{free_ports(1)[0]}"
    code, out, error, seconds, _ = ended(commands, "console-consumer", nowhere, "--topic", "t", "--timeout-ms", "1500")
    check(code == 0 and "Processed a total of 0 messages" in error, f"it ended with {code}: {error[-500:]}")
    check("cannot connect" in error and 1.4 < seconds < GIVES_UP_IN, f"it ended after {seconds:.1f} s: {error[-500:]}")


def older(commands):
    """A broker that knows only the oldest versions is asked in those; what it cannot do is told."""
    with Stranger(old_broker) as it:
        code, out, error, *_ = ended(commands, "topics", it.address, "--list")
        check((code, out) == (0, "old\nolder\n"), f"it ended with {code}: {out} {error[-500:]}")
        told(commands, "The node does not support DESCRIBE_CONFIGS", "configs", it.address, "--describe", "--topic", "old")


def one_of_the_list(commands):
    """A server of the list that is away, is no broker or has no name does not matter while another answers."""
    with Stranger(by_id(SAYS["HTTP"][0])) as it:
        for other in (f"127.0.0.1:{free_ports(1)[0]}", it.address, "nobody.invalid:9092"):
            for servers in (f"{other},{commands.broker.bootstrap}", f"{commands.broker.bootstrap},{other}"):
                code, out, error, seconds, _ = ended(commands, "topics", servers, "--list")
                check(code == 0 and out and seconds < GIVES_UP_IN, f"{servers} ended with {code} in {seconds:.1f} s: {error}")


# Addresses that are none: told at once, since time does not cure them. Kafka's tools try to reach the last two for a minute.
ADDRESSES = ["nobody.invalid:9092", "nowhere", "127.0.0.1:99999", " ", ":9092", "127.0.0.1:0"]


def no_address(commands, address):
    """Ours says what is wrong; Kafka's ends with the same code."""
    sentence = "No resolvable bootstrap urls" if address in (" ", ADDRESSES[0]) else f"`{address}` is not of the form host:port"
    told(commands, sentence, "topics", address, "--list")
    if address not in ADDRESSES[-2:]:
        case = Case("", "cluster", "cluster-id --bootstrap-server " + address.replace(" ", "~"))
        (_, theirs), (_, ours) = commands.answers(case)
        check(theirs[:2] == ours[:2] == (1, ""), f"Kafka's {theirs}, ours {ours}")


def run(commands, suite):
    """All of it."""
    (commands.home / "gives-up.properties").write_text(SETTINGS)
    for title, (says, sentence) in SAYS.items():
        suite.step(f"instead of a broker: {title}", stranger, commands, says, sentence)
    suite.step("instead of a broker: a byte a second", stranger, commands, lambda it: frame(api_versions(it)),
               "no answer to ApiVersions within 600 ms", 1)
    suite.step("every tool, and no broker", no_broker, commands)
    suite.step("every tool, and nobody", nobody, commands)
    suite.step("a reader, and nobody", nobody_to_read_from, commands)
    suite.step("a broker that is old", older, commands)
    suite.step("a list of servers of which one is not there", one_of_the_list, commands)
    for address in ADDRESSES:
        suite.step(f"an address that is none: {address}", no_address, commands, address)
