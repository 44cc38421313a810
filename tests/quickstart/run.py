"""The README's quickstart: `yeoul server` without a file, a topic, lines in, lines out, and kcat beside it.

What the server prints is what a user goes by: the address is taken from there.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]

from broker import START_SECONDS_MAX, STOP_SECONDS_MAX, Suite, check, default_kind, lists_a_broker, wait_until, yeoul_binary  # noqa: E402

TOPIC = "quickstart"
LINES = ["first line", "second line", "여울"]
ADDRESS = re.compile(r"127\.0\.0\.1:(\d+)")


class Quickstart:
    """A home without any file, and the server that is started in it."""

    def __init__(self, home):
        self.home = Path(home)
        self.environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(self.home / "share"), "NO_COLOR": "1"}
        self.process = None
        self.address = None

    def said(self):
        """What the server has printed."""
        return (self.home / "said").read_text(errors="replace")

    def start(self):
        with open(self.home / "said", "wb") as said:
            self.process = subprocess.Popen(
                [yeoul_binary(), "server"], cwd=self.home, env=self.environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        wait_until(self.answers, START_SECONDS_MAX, "the server prints an address and answers there")
        self.address = f"127.0.0.1:{self.port()}"
        return self.address

    def port(self):
        """The first address that was printed."""
        found = ADDRESS.search(self.said())
        return int(found.group(1)) if found else None

    def answers(self):
        check(self.process.poll() is None, f"the server ended with {self.process.poll()}: {self.said()[-500:]}")
        return self.port() and lists_a_broker(self.port())

    def stop(self, with_signal):
        self.process.send_signal(with_signal)
        code = self.process.wait(STOP_SECONDS_MAX)
        check(code == 0, f"the server ended with {code}: {self.said()[-500:]}")

    def only_loopback(self):
        """Nothing that it listens on can be reached from elsewhere."""
        inodes = {os.readlink(entry) for entry in Path(f"/proc/{self.process.pid}/fd").iterdir() if entry.is_symlink()}
        for table, loopback in (("tcp", "0100007F"), ("tcp6", "0" * 24 + "01000000")):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == "0A" and f"socket:[{words[9]}]" in inodes:
                    check(words[1].startswith(loopback), f"it listens on {words[1]}")

    def yeoul(self, *arguments, stdin=""):
        """Standard output of one of our tools, which must succeed."""
        command = [yeoul_binary(), *arguments, "--bootstrap-server", self.address]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, cwd=self.home, env=self.environment)
        check(done.returncode == 0, f"{' '.join(arguments)} ended with {done.returncode}: {done.stdout[-300:]}{done.stderr[-500:]}")
        return done.stdout

    def create(self):
        said = self.yeoul("topics", "--create", "--topic", TOPIC, "--partitions", "1")
        check(said.strip().endswith(f"Created topic {TOPIC}."), f"it said {said!r}")
        check(TOPIC in self.yeoul("topics", "--list").split(), "the topic is not listed")
        described = self.yeoul("topics", "--describe", "--topic", TOPIC)
        check("PartitionCount: 1" in described, f"describe said {described!r}")

    def produce(self):
        self.yeoul("console-producer", "--topic", TOPIC, stdin="".join(line + "\n" for line in LINES))

    def consume(self):
        came = self.yeoul("console-consumer", "--topic", TOPIC, "--from-beginning", "--max-messages", str(len(LINES)))
        check(came.splitlines() == LINES, f"it printed {came!r}")

    def kcat(self):
        command = ["kcat", "-b", self.address, "-C", "-t", TOPIC, "-o", "beginning", "-e", "-q"]
        came = subprocess.run(command, capture_output=True, text=True, timeout=60)
        check(came.stdout.splitlines() == LINES, f"kcat printed {came.stdout!r} {came.stderr!r}")


def main():
    suite = Suite("quickstart")
    if default_kind() != "yeoul":
        print("-     the quickstart is Yeoul's own", flush=True)
        return suite.end()
    with tempfile.TemporaryDirectory(prefix="yeoul-quickstart-") as home:
        run = Quickstart(home)
        if suite.step("`yeoul server` in an empty home", run.start):
            suite.step("it listens on the loopback only", run.only_loopback)
            suite.step("create, list and describe a topic", run.create)
            suite.step("console-producer", run.produce)
            suite.step("console-consumer", run.consume)
            suite.step("kcat reads the same", run.kcat)
            suite.step("it stops cleanly on SIGTERM", run.stop, signal.SIGTERM)
            if suite.step("it starts again", run.start):
                suite.step("the lines are still there", run.consume)
                suite.step("it stops cleanly on SIGINT", run.stop, signal.SIGINT)
        if run.process and run.process.poll() is None:
            run.process.kill()
    return suite.end()


if __name__ == "__main__":
    sys.exit(main())
