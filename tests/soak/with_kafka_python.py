"""kafka-python: python with_kafka_python.py write BOOTSTRAP WRITER RATE, or read BOOTSTRAP."""

import sys
import time

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from load import DELIVERY_MS_MAX, GROUP, TOPICS, Pace, UntilTerminated, name_of, place_of, say, value_of


class Writer:
    """Sends at a pace; a record that is not taken ends it."""

    def __init__(self, bootstrap, writer):
        self.writer = writer
        self.refused = []
        self.producer = KafkaProducer(
            bootstrap_servers=bootstrap, enable_idempotence=True, compression_type="gzip", linger_ms=5,
            delivery_timeout_ms=DELIVERY_MS_MAX, reconnect_backoff_max_ms=1_000)

    def send(self, number):
        topic, partition = place_of(number)
        future = self.producer.send(topic, value_of(self.writer, number), str(number).encode(), partition=partition)
        future.add_callback(lambda place: say(place.topic, place.partition, place.offset, number))
        future.add_errback(lambda error: self.refused.append((number, error)))

    def run(self, rate):
        pace = Pace(int(rate))
        for _ in UntilTerminated():
            for number in pace.due():
                self.send(number)
            if self.refused:
                sys.exit(f"records were not taken: {self.refused[:3]}")
            sys.stdout.flush()
            time.sleep(0.05)  # the pace
        self.producer.flush(DELIVERY_MS_MAX / 1_000)
        return len(self.refused)


def write(bootstrap, writer, rate):
    return Writer(bootstrap, writer).run(rate)


def read(bootstrap):
    consumer = KafkaConsumer(
        *TOPICS, bootstrap_servers=bootstrap, group_id=GROUP, auto_offset_reset="earliest", enable_auto_commit=False,
        session_timeout_ms=6_000, heartbeat_interval_ms=1_000, reconnect_backoff_max_ms=1_000)
    for _ in UntilTerminated():
        polled = consumer.poll(timeout_ms=200, max_records=1_000)
        for records in polled.values():
            for record in records:
                say(record.topic, record.partition, record.offset, *name_of(record.value))
        sys.stdout.flush()
        if polled:
            commit(consumer)
    consumer.close(autocommit=False)
    return 0


def commit(consumer):
    """A commit that fails (the broker is away, the group moved on) is made good by the next one."""
    try:
        consumer.commit()
    except KafkaError as error:
        print(f"not committed: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit({"write": write, "read": read}[sys.argv[1]](*sys.argv[2:]))
