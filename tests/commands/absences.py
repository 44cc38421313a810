"""Members of a group whose caller is busy: nobody reads what they print, so that they stand in the middle of a line."""

import array
import fcntl
import json
import signal
import subprocess
import termios
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from broker import Runner, check, wait_until

SECONDS_MAX = 60
TOPIC = "absent"
PARTITIONS = 2
# What one poll gives has more bytes than a pipe holds.
LINES = [f"{number:05}-{'x' * 200}" for number in range(2_000)]
PIPE_BYTES_MIN = 60_000
SESSION_SECONDS = 6
AWAY_SECONDS_MAX = 7
AWAY = f"max.poll.interval.ms={AWAY_SECONDS_MAX * 1000}"
OUT = "between two polls were more than max.poll.interval.ms"
# The coordinator says how long a session by the consumer protocol is.
QUICK = {"group.consumer.min.session.timeout.ms": "6000", "group.consumer.session.timeout.ms": str(SESSION_SECONDS * 1000)}
SESSION = {"classic": [f"session.timeout.ms={SESSION_SECONDS * 1000}", "heartbeat.interval.ms=300"], "consumer": []}
# Kafka's tools answer one after the other.
ONE_AT_A_TIME = threading.Lock()


class Busy(Runner):
    """A console-consumer that nobody reads from until it is drained."""

    def __init__(self, commands, group, protocol, *settings):
        properties = [word for one in (f"group.protocol={protocol}", *settings) for word in ("--command-property", one)]
        command = commands.ours("console-consumer", "--bootstrap-server", commands.broker.bootstrap, "--topic", TOPIC, "--group", group,
                                "--from-beginning", *properties)
        self.begin = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines, self.said, self.threads = [], [], []
        self.read(self.process.stderr, self.said)

    def read(self, pipe, lines):
        def all_of_it():
            for line in pipe:
                lines.append(line.rstrip("\n"))
        self.threads.append(threading.Thread(target=all_of_it, daemon=True))
        self.threads[-1].start()

    def drain(self):
        """Reads what it prints from now on."""
        self.read(self.process.stdout, self.lines)

    def is_blocked(self):
        """Whether its pipe is full."""
        waiting = array.array("i", [0])
        fcntl.ioctl(self.process.stdout, termios.FIONREAD, waiting)
        return waiting[0] >= PIPE_BYTES_MIN

    def is_out(self):
        """Whether it has said that it was away for too long."""
        return any(OUT in line for line in list(self.said))

    def stop(self):
        """SIGINT, which it must obey in order."""
        self.process.send_signal(signal.SIGINT)
        self.end()

    def end(self):
        """It must end in the order of one that was interrupted."""
        code = self.process.wait(SECONDS_MAX)
        for thread in self.threads:
            thread.join(SECONDS_MAX)
        said = [line for line in self.said if "panicked" in line or "not left in order" in line]
        check(code == 128 + signal.SIGINT and not said, f"it ended with {code}: {self.said[-3:]}")


def run(commands, suite, kind, protocols):
    """All of it, by each of the protocols that the broker has."""
    commands.create(TOPIC, PARTITIONS)
    commands.produce(TOPIC, LINES)
    for protocol in protocols:
        suite.step(f"{kind}: members whose output nobody reads, {protocol}", busy, commands, protocol)


def busy(commands, protocol):
    """All that may come of it, at the same time: most of it is waiting."""
    with ThreadPoolExecutor(4) as pool:
        for one in [pool.submit(case, commands, protocol) for case in (stays, goes, falls_silent, interrupted)]:
            one.result()


def blocked(commands, group, protocol, *settings):
    """A member that stands in the middle of a line."""
    member = Busy(commands, group, protocol, *settings)
    wait_until(member.is_blocked, SECONDS_MAX, f"the pipe is full: {member.said[-3:]}")
    return member


def ids(commands, group):
    """Who the members are, as our tool tells."""
    return sorted(member["consumerId"] for member in commands.members(group))


def outlives(commands, group, before):
    """The only member is the same until its session would be over."""
    begin = time.monotonic()

    def is_session_over():
        check(ids(commands, group) == before and len(before) == 1, f"the members are {ids(commands, group)}, not {before}")
        return time.monotonic() > begin + 1.5 * SESSION_SECONDS
    wait_until(is_session_over, SECONDS_MAX, "the session would be over")


def stays(commands, protocol):
    """It outlives its session; a rebalance that begins meanwhile waits for it, and is not forgotten."""
    group = f"stays-{protocol}"
    with blocked(commands, group, protocol, *SESSION[protocol]) as first:
        before = ids(commands, group)
        outlives(commands, group, before)
        with ONE_AT_A_TIME:
            words = ["--bootstrap-server", commands.broker.bootstrap, "--describe", "--members", "--group", group]
            _, theirs, error = commands.kafka.call("consumer-groups", words, "")
        check(before[0] in theirs, f"Kafka's tool told {theirs} {error}")
        with Busy(commands, group, protocol, *SESSION[protocol]) as second:
            second.drain()
            wait_until(lambda: len(ids(commands, group)) == 2, SECONDS_MAX, "there are two members")
            check(before[0] in ids(commands, group), "the first is one of them")
            first.drain()
            wait_until(lambda: commands.sizes(group) == [1, 1], SECONDS_MAX, "both have their part")
            wait_until(lambda: sorted(first.lines + second.lines) == LINES, SECONDS_MAX, "each line is there once")
            check(not first.is_out() and not second.is_out(), f"it said {first.said} {second.said}")
            second.stop()
            first.stop()


def goes(commands, protocol):
    """It leaves by itself when it was busy for too long, and is back once somebody reads."""
    group = f"goes-{protocol}"
    with blocked(commands, group, protocol, AWAY) as member:
        before = ids(commands, group)
        wait_until(lambda: not commands.members(group), SECONDS_MAX, "it has left")
        took = time.monotonic() - member.begin
        check(len(before) == 1 and AWAY_SECONDS_MAX <= took < 30, f"{before} left after {took:.1f} s")
        wait_until(member.is_out, SECONDS_MAX, "it says so")
        member.drain()
        wait_until(lambda: set(member.lines) == set(LINES), SECONDS_MAX, "all lines are there")
        wait_until(lambda: len(ids(commands, group)) == 1, SECONDS_MAX, "it is a member again")
        member.stop()
        check(sorted(set(member.lines)) == LINES, f"{len(set(member.lines))} lines are there")
        check(not commands.members(group), "it has left in order")
        rows = json.loads(commands.json("consumer-groups", "--describe", "--group", group).stdout)
        committed = sum(row["currentOffset"] or 0 for row in rows)
        check(committed == len(LINES), f"{committed} of {len(LINES)} records are committed")


def falls_silent(commands, protocol):
    """One with a name of its own does not leave: it keeps its place until its session is over."""
    group = f"silent-{protocol}"
    with blocked(commands, group, protocol, AWAY, f"group.instance.id={group}") as member:
        wait_until(member.is_out, SECONDS_MAX, "it was busy for too long")
        check(len(commands.members(group)) == 1, "it has kept its place")
        member.drain()
        wait_until(lambda: set(member.lines) == set(LINES), SECONDS_MAX, "all lines are there")
        wait_until(lambda: commands.sizes(group) == [PARTITIONS], SECONDS_MAX, "it has its partitions again")
        member.stop()


def interrupted(commands, protocol):
    """SIGINT in the middle of a line: what was written whole is committed, and who comes next writes the rest."""
    group = f"cut-{protocol}"
    with blocked(commands, group, protocol) as first:
        first.process.send_signal(signal.SIGINT)
        first.drain()
        first.end()
    check(not commands.members(group), "it has left in order")
    with Busy(commands, group, protocol) as second:
        second.drain()
        wait_until(lambda: commands.members(group), SECONDS_MAX, "the next is a member")
        wait_until(lambda: sorted(first.lines + second.lines) == LINES, SECONDS_MAX, "each line is there once")
        second.stop()


def survives(commands):
    """The broker is killed and comes back under a member that is busy: it finds it, and is a member still."""
    group = "survives"
    with blocked(commands, group, "classic", *SESSION["classic"]) as member:
        before = ids(commands, group)
        commands.broker.kill()
        commands.broker.restart()
        describe = ("consumer-groups", "--describe", "--group", group, "--members")
        wait_until(lambda: commands.json(*describe).returncode == 0, SECONDS_MAX, "the group is there again")
        outlives(commands, group, before)
        member.drain()
        wait_until(lambda: sorted(member.lines) == LINES, SECONDS_MAX, "each line is there once")
        member.stop()
