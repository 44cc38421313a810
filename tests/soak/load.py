"""What the writers write and where: record NUMBER of a writer goes to the place that its number says, with a value that names it.

A writer's lines on standard output: TOPIC PARTITION OFFSET NUMBER of every record that was acknowledged. A member's: TOPIC PARTITION
OFFSET WRITER NUMBER of every record that it has handled, before its commit.
"""

import signal
import sys
import time

KEPT, SHORT = "soak-kept", "soak-short"
TOPICS = (KEPT, SHORT)
PARTITIONS = 3
GROUP = "soak"
BYTES = [10, 300, 900, 40, 1_500, 100, 5_000]
DELIVERY_MS_MAX = 300_000


def place_of(number):
    """(topic, partition)"""
    at = number % (len(TOPICS) * PARTITIONS)
    return TOPICS[at // PARTITIONS], at % PARTITIONS


def value_of(writer, number):
    return f"{writer} {number} ".encode() + b"%07d" % number * (BYTES[number % len(BYTES)] // 7)


def name_of(value):
    """(writer, number)"""
    writer, number, _ = value.split(b" ", 2)
    return writer.decode(), int(number)


class UntilTerminated:
    """Iterates until SIGTERM."""

    def __init__(self):
        self.running = True
        signal.signal(signal.SIGTERM, self.stop)

    def stop(self, *_):
        self.running = False

    def __iter__(self):
        while self.running:
            yield


class Pace:
    """So many a second, however long each took."""

    def __init__(self, rate):
        self.rate, self.begin, self.number = rate, time.monotonic(), 0

    def due(self):
        """The numbers whose time has come."""
        first, self.number = self.number, int((time.monotonic() - self.begin) * self.rate)
        return range(first, self.number)


def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")
