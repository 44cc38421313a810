"""How commands end whose surroundings fail them: nobody reads on, the disk is full, there is no input, a signal comes."""

import os
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from broker import check, wait_until
from strangers import Stranger, by_id

SECONDS_MAX = 30
TOPIC = "ended"
# A topic for the one command that must find there what it has sent itself, and nothing else.
ALONE = "ended-alone"

# Commands that print something.
PRINTING = [
    ("broker-api-versions",),
    ("client-metrics", "--list"),
    ("cluster", "cluster-id"),
    ("cluster", "list-endpoints"),
    ("configs", "--describe", "--topic", TOPIC, "--all"),
    ("console-consumer", "--topic", TOPIC, "--from-beginning", "--max-messages", "3"),
    ("consumer-groups", "--list", "--state"),
    ("consumer-groups", "--describe", "--all-groups"),
    ("consumer-perf-test", "--topic", TOPIC, "--num-records", "3"),
    ("e2e-latency", "--topic", ALONE, "--num-records", "3", "--producer-acks", "1", "--record-size", "1"),
    ("features", "describe"),
    ("features", "version-mapping"),
    ("get-offsets", "--topic", TOPIC),
    ("groups", "--list"),
    ("leader-election", "--election-type", "preferred", "--topic", TOPIC, "--partition", "0"),
    ("log-dirs", "--describe"),
    ("metadata-quorum", "describe", "--status"),
    ("producer-perf-test", "--topic", TOPIC, "--num-records", "3", "--throughput", "-1", "--record-size", "1"),
    ("topics", "--list"),
    ("topics", "--describe"),
    ("verifiable-consumer", "--topic", TOPIC, "--group-id", "ended", "--max-messages", "3"),
    ("verifiable-producer", "--topic", TOPIC, "--max-messages", "3"),
]
WITHOUT_BROKER = [("storage", "random-uuid"), ("storage", "version-mapping"), ("completion", "bash"), ("topics", "--help"), ("--version",)]
# Commands that wait for a broker, for input or for records until a signal comes.
WAITING = [
    ("console-consumer", "--topic", TOPIC),
    ("console-consumer", "--topic", TOPIC, "--group", "waiting"),
    ("console-producer", "--topic", TOPIC),
    ("consumer-groups", "--describe", "--all-groups", "--watch", "1"),
    ("consumer-perf-test", "--topic", TOPIC, "--num-records", "999999", "--timeout", "60000"),
    ("e2e-latency", "--topic", ALONE, "--num-records", "999999", "--producer-acks", "1", "--record-size", "1"),
    ("producer-perf-test", "--topic", TOPIC, "--num-records", "9", "--throughput", "1", "--record-size", "1"),
    ("verifiable-consumer", "--topic", TOPIC, "--group-id", "waiting"),
    ("verifiable-producer", "--topic", TOPIC, "--throughput", "1"),
]
# Commands that wait only for a broker that says nothing.
ASKING = [("broker-api-versions",), ("topics", "--list"), ("groups", "--list"), ("configs", "--describe", "--topic", TOPIC)]


def line(commands, words, address=None):
    """The command line of one of the above."""
    if words in WITHOUT_BROKER:
        return commands.ours(*words)
    return commands.ours(*words, "--bootstrap-server", address or commands.broker.bootstrap)


def all_of(action, cases):
    """Does it for every case, some of them beside each other; the first failure counts."""
    with ThreadPoolExecutor(4) as pool:
        for one in [pool.submit(action, words) for words in cases]:
            one.result()


def into_closed_pipe(commands, words):
    """Nobody reads: that is no failure, and nothing to complain of."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(line(commands, words), stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.PIPE, timeout=SECONDS_MAX)
    os.close(writer)
    error = done.stderr.decode()
    check(done.returncode == 0 and "panicked" not in error and "Broken pipe" not in error, f"{words} ended with {done.returncode}: {error}")


def into_full_disk(commands, words):
    """What cannot be written is told, and it is a failure."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(line(commands, words), stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, timeout=SECONDS_MAX)
    error = done.stderr.decode()
    check(done.returncode == 1 and "No space left on device" in error, f"{words} ended with {done.returncode}: {error}")
    check("panicked" not in error, f"{words} said {error}")


def without_streams(commands, words):
    """Neither input nor output nor a place for errors: it ends as it would with them."""
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *line(commands, words)]
    code = subprocess.run(shell, timeout=SECONDS_MAX).returncode
    check(code == 0, f"{words} ended with {code}")


def told_to_stop(commands, words, with_signal, address):
    """A signal ends it soon, with the code of that signal, whatever it waits for."""
    with tempfile.TemporaryFile("w+") as error:
        process = subprocess.Popen(line(commands, words, address), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=error)
        wait_until(lambda: is_connected(process.pid), SECONDS_MAX, f"{words} has come to the broker")
        begin = time.monotonic()
        process.send_signal(with_signal)
        code = process.wait(SECONDS_MAX)
        error.seek(0)
        said = error.read()
    # One that has nothing to put in order lets the signal end it.
    check(code in (128 + with_signal, -with_signal), f"{words} ended with {code}: {said[-500:]}")
    check(time.monotonic() - begin < 20 and "panicked" not in said, f"{words} took {time.monotonic() - begin:.1f} s: {said[-500:]}")


def is_connected(pid):
    """Whether a process has a socket that is connected to somebody."""
    try:
        sockets = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        with open(f"/proc/{pid}/net/tcp") as table:
            rows = [row.split() for row in table.readlines()[1:]]
    except OSError:
        return False
    return any(row[3] == "01" and f"socket:[{row[9]}]" in sockets for row in rows)


def stopped(commands, with_signal):
    all_of(lambda words: told_to_stop(commands, words, with_signal, None), WAITING)


def stopped_before_an_answer(commands, with_signal):
    """The same while the broker says nothing."""
    with Stranger(by_id(lambda it: b"")) as silent:
        all_of(lambda words: told_to_stop(commands, words, with_signal, silent.address), [*WAITING, *ASKING])


def run(commands, suite):
    """All of it."""
    # Who is run in the background has this signal ignored, and so would have the commands.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    commands.create(TOPIC, 1)
    commands.create(ALONE, 1)
    commands.produce(TOPIC, [str(number) for number in range(10)])
    commands.consume(TOPIC, 10, "--group", "there")
    every = [*PRINTING, *WITHOUT_BROKER]
    suite.step("every command into a closed pipe", all_of, lambda words: into_closed_pipe(commands, words), every)
    suite.step("every command onto a full disk", all_of, lambda words: into_full_disk(commands, words), every)
    suite.step("every command without input and output", all_of, lambda words: without_streams(commands, words), every)
    for with_signal in (signal.SIGINT, signal.SIGTERM):
        suite.step(f"{with_signal.name}, whatever is waited for", stopped, commands, with_signal)
        suite.step(f"{with_signal.name} before an answer", stopped_before_an_answer, commands, with_signal)
