"""One member of the group: python consumer.py BOOTSTRAP FILE. It appends a row to the file for every flight that it handles, then commits.

A row is partition, offset, number of the flight. What is written but not committed when a member dies is handled again by the next
one, which can tell by the offset: that is what `at least once` leaves to the consumer. SIGTERM ends it in order.
"""

import signal
import struct
import sys

from confluent_kafka import Consumer, KafkaException

from flights import GROUP, TOPIC, number_of

ROW = struct.Struct(">BQI")


class Member:
    """Polls, writes, commits."""

    def __init__(self, bootstrap, path):
        self.rows = open(path, "ab")
        self.running = True
        self.consumer = Consumer({
            "bootstrap.servers": bootstrap, "group.id": GROUP, "auto.offset.reset": "earliest", "enable.auto.commit": False,
            "session.timeout.ms": 6000, "heartbeat.interval.ms": 500, "reconnect.backoff.max.ms": 500,
            "topic.metadata.refresh.interval.ms": 1000, "check.crcs": True})
        self.consumer.subscribe([TOPIC])

    def stop(self, *_):
        """Ends the loop after the round that runs."""
        self.running = False

    def run(self):
        """Until it is stopped."""
        while self.running:
            messages = [message for message in self.consumer.consume(2_000, 0.2) if message.error() is None]
            self.handle(messages)
        self.consumer.close()

    def handle(self, messages):
        """The rows are in the file before their offsets are committed."""
        if not messages:
            return
        for message in messages:
            self.rows.write(ROW.pack(message.partition(), message.offset(), number_of(message.value())))
        self.rows.flush()
        self.commit()

    def commit(self):
        """A commit that fails (the broker is away, the group moved on) is made good by the next one."""
        try:
            self.consumer.commit(asynchronous=False)
        except KafkaException as error:
            print(f"not committed: {error}", flush=True)


if __name__ == "__main__":
    member = Member(sys.argv[1], sys.argv[2])
    signal.signal(signal.SIGTERM, member.stop)
    member.run()
