"""Sends the flights that are not in the topic yet: python producer.py BOOTSTRAP. Prints how many are acknowledged, as it goes."""

import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition

from flights import PARTITIONS, TOPIC, flights, number_of, value_of

REPORT_EVERY = 1_000


class Progress:
    """Counts acknowledgements; any failure is fatal."""

    def __init__(self, already):
        self.acknowledged = already

    def delivered(self, error, _):
        """Called once for every flight."""
        if error is not None:
            sys.exit(f"a flight was not taken: {error}")
        self.acknowledged += 1
        if self.acknowledged % REPORT_EVERY == 0:
            print(self.acknowledged, flush=True)


def sent_before(bootstrap):
    """The numbers of the flights in the topic: a producer that died has no other memory."""
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "enable.partition.eof": True})
    reader.assign([TopicPartition(TOPIC, partition, OFFSET_BEGINNING) for partition in range(PARTITIONS)])
    numbers, ended = set(), 0
    while ended < PARTITIONS:
        for message in reader.consume(10_000, 1):
            if message.error() is None:
                numbers.add(number_of(message.value()))
            elif message.error().code() == KafkaError._PARTITION_EOF:
                ended += 1
    reader.close()
    return numbers


def send(producer, progress, number, carrier, line):
    """Hands one flight to the client, waiting for room in its queue."""
    while True:
        try:
            producer.produce(TOPIC, value_of(number, line), carrier, on_delivery=progress.delivered)
            producer.poll(0)
            return
        except BufferError:
            producer.poll(0.1)


def main(bootstrap):
    before = sent_before(bootstrap)
    progress = Progress(len(before))
    producer = Producer({
        "bootstrap.servers": bootstrap, "enable.idempotence": True, "partitioner": "murmur2_random", "linger.ms": 5,
        "queue.buffering.max.messages": 20_000, "reconnect.backoff.max.ms": 500, "message.timeout.ms": 300_000})
    for number, (carrier, line) in enumerate(flights()):
        if number not in before:
            send(producer, progress, number, carrier, line)
    left = producer.flush(120)
    print(progress.acknowledged, flush=True)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
