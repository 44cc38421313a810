"""A program of Kafka's jars that runs for long: started, killed and stopped, its output kept."""

import signal
import subprocess
from pathlib import Path

from broker import check, java

STOP_SECONDS_MAX = 60
# As a JVM ends after SIGTERM, and as a program that ends by itself on it.
CLEAN_ENDS = (0, 128 + signal.SIGTERM)


def write_properties(path, properties):
    """A file of Kafka's kind; its path."""
    Path(path).write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
    return str(path)


class Program:
    """A class with its arguments. As a context it is killed at the block's end."""

    def __init__(self, home, name, arguments):
        self.name, self.arguments = name, arguments
        self.log = Path(home) / f"{name}.log"
        self.process = None

    def start(self):
        """Starts it and does not wait for it."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(java(self.arguments), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def check_running(self):
        """Fails with what it said last when it has ended."""
        code = self.process.poll()
        check(code is None, f"{self.name} ended with {code}: {self.last_words()}")
        return True

    def stop(self):
        """SIGTERM, and a clean end."""
        self.check_running()
        self.process.terminate()
        code = self.process.wait(STOP_SECONDS_MAX)
        check(code in CLEAN_ENDS, f"{self.name} ended with {code} after SIGTERM: {self.last_words()}")

    def kill(self):
        """kill -9, where it still runs."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def last_words(self):
        """The end of its output."""
        return self.log.read_text(errors="replace")[-2000:]

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()
