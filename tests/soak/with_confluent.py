"""confluent-kafka: python with_confluent.py write BOOTSTRAP WRITER RATE, or read BOOTSTRAP."""

import sys

from confluent_kafka import Consumer, KafkaException, Producer

from load import DELIVERY_MS_MAX, GROUP, TOPICS, Pace, UntilTerminated, name_of, place_of, say, value_of


def delivered(number):
    """Says where a record is; one that was not taken ends the writer."""
    def said(error, message):
        if error is not None:
            sys.exit(f"record {number} was not taken: {error}")
        say(message.topic(), message.partition(), message.offset(), number)

    return said


def write(bootstrap, writer, rate):
    producer = Producer({
        "bootstrap.servers": bootstrap, "enable.idempotence": True, "compression.type": "zstd", "linger.ms": 5,
        "message.timeout.ms": DELIVERY_MS_MAX, "reconnect.backoff.max.ms": 1_000})
    pace = Pace(int(rate))
    for _ in UntilTerminated():
        for number in pace.due():
            topic, partition = place_of(number)
            producer.produce(topic, value_of(writer, number), str(number), partition, on_delivery=delivered(number))
        producer.poll(0.05)
        sys.stdout.flush()
    return producer.flush(DELIVERY_MS_MAX / 1_000)


def read(bootstrap):
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": GROUP, "auto.offset.reset": "earliest", "enable.auto.commit": False,
        "session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_000, "reconnect.backoff.max.ms": 1_000, "check.crcs": True})
    consumer.subscribe(list(TOPICS))
    for _ in UntilTerminated():
        messages = [message for message in consumer.consume(1_000, 0.2) if message.error() is None]
        for message in messages:
            say(message.topic(), message.partition(), message.offset(), *name_of(message.value()))
        sys.stdout.flush()
        if messages:
            commit(consumer)
    consumer.close()
    return 0


def commit(consumer):
    """A commit that fails (the broker is away, the group moved on) is made good by the next one."""
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as error:
        print(f"not committed: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit({"write": write, "read": read}[sys.argv[1]](*sys.argv[2:]))
