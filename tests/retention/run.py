"""The log's life: what expires, what is deleted on request, whose timestamps count, and how batches are compressed again.

Settings are short, so that a look at what has expired comes every 200 ms; every wait is for a condition. Apache Kafka's command lines,
its dump tool and confluent-kafka look at the same broker. At the end the broker is stopped, or killed with -9, and started again.
"""

import re
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent.parent / "clients")]

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition  # noqa: E402
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec  # noqa: E402

from broker import Broker, Suite, ask, check, frame, java, wait_until  # noqa: E402
from kafka_tools import KafkaTools  # noqa: E402
from tools import Tools  # noqa: E402

SETTINGS = {
    "log.retention.check.interval.ms": "200",
    "log.initial.task.delay.ms": "0",
    "log.segment.delete.delay.ms": "1000",
    "log.cleaner.backoff.ms": "200",
}
DELETE_RECORDS = 21  # key of the API
SEGMENT_BYTES = 1 << 20
HOUR_MS = 3_600_000
PATIENCE = 30
CODECS = ["gzip", "lz4", "zstd", "snappy", "uncompressed"]
LEVELS = {"gzip": ("compression.gzip.level", "9"), "lz4": ("compression.lz4.level", "12"), "zstd": ("compression.zstd.level", "-5")}
TROUBLE = re.compile(r"mismatch|corrupt|Exception|Found timestamp|invalid|unable|isvalid: false", re.IGNORECASE)


def now_ms():
    """The time, as Kafka has it."""
    return int(time.time() * 1000)


class Life:
    """One broker, and what the checks have in common."""

    def __init__(self, broker, jvm):
        self.broker = broker
        self.tools = Tools(broker.bootstrap, jvm)
        self.connect()

    def connect(self):
        """A client that knows nothing of a broker before."""
        self.admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})

    def restart(self):
        """Starts the broker again, and waits until it leads what it led."""
        self.broker.restart()
        self.connect()
        wait_until(lambda: self.is_led("old"), PATIENCE, "the partitions are led again", 0.1)

    def is_led(self, topic):
        """Whether offsets are answered: right after a start some are not."""
        try:
            return self.bounds(topic) is not None
        except KafkaException:
            return False

    def create(self, topic, **config):
        """A topic of one partition."""
        settings = {name.replace("_", "."): str(value) for name, value in config.items()}
        self.admin.create_topics([NewTopic(topic, 1, 1, config=settings)])[topic].result(PATIENCE)

    def produce(self, topic, values, timestamp=0, key=b"key", **settings):
        """Appends records one batch each, and fails as the broker does."""
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "linger.ms": 0, "batch.num.messages": 1, **settings})
        errors = []
        for value in values:
            producer.produce(topic, value, key, 0, timestamp=timestamp, on_delivery=lambda error, _: errors.append(error))
        check(producer.flush(PATIENCE) == 0, "records were left")
        return [error for error in errors if error]

    def fill(self, topic, segments, timestamp):
        """So many segments of batches of 100 kB, and a little more."""
        errors = self.produce(topic, [bytes(100_000)] * (segments * 10 + segments // 2 + 1), timestamp)
        check(not errors, f"refused: {errors[:1]}")

    def offset(self, topic, spec):
        """What ListOffsets says."""
        partition = TopicPartition(topic, 0)
        return self.admin.list_offsets({partition: spec})[partition].result(PATIENCE).offset

    def bounds(self, topic):
        """Where the log starts and ends."""
        return self.offset(topic, OffsetSpec.earliest()), self.offset(topic, OffsetSpec.latest())

    def files(self, topic, ending):
        """Names of the partition's files."""
        return sorted(path.name for path in (self.broker.data / f"{topic}-0").glob(f"*{ending}"))

    def starts(self, topic, offset):
        """Waits until the log starts there."""
        wait_until(lambda: self.bounds(topic)[0] == offset, PATIENCE, f"{topic} starts at {offset}: {self.bounds(topic)}", 0.1)

    def delete(self, topic, offset):
        """DeleteRecords: the low watermark, or the error's code."""
        place = TopicPartition(topic, 0, offset)
        try:
            return self.admin.delete_records([place])[place].result(PATIENCE).low_watermark
        except KafkaException as error:
            return error.args[0].code()

    def read(self, topic):
        """Every message of a partition."""
        reader = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "unused", "enable.partition.eof": True, "check.crcs": True})
        reader.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        messages = []
        while True:
            message = reader.poll(PATIENCE)
            check(message is not None, f"nothing of {topic} came for {PATIENCE} s")
            if message.error():
                check(message.error().code() == KafkaError._PARTITION_EOF, str(message.error()))
                reader.close()
                return messages
            messages.append(message)


def old_records_go(life):
    """retention.ms: everything is old, so the active segment goes too, and offsets go on."""
    life.create("old", retention_ms=24 * HOUR_MS, segment_bytes=SEGMENT_BYTES)
    life.fill("old", 2, now_ms() - 48 * HOUR_MS)
    end = life.bounds("old")[1]
    life.starts("old", end)
    wait_until(lambda: life.files("old", ".log") == [f"{end:020}.log"], PATIENCE, "one empty segment is left")
    wait_until(lambda: not life.files("old", ".deleted"), PATIENCE, "the files are removed")
    check(not life.produce("old", [b"young"]), "the log takes no more")
    check(life.bounds("old") == (end, end + 1), f"the log has {life.bounds('old')}, not {(end, end + 1)}")
    said = life.tools.run("GetOffsetShell", "--topic", "old", "--time", "earliest").strip()
    check(said == f"old:0:{end}", f"kafka-get-offsets says {said!r}")
    return f"{end} records went"


def files_wait_for_their_time(life):
    """file.delete.delay.ms: they have another name for a while."""
    life.create("slow", retention_ms=24 * HOUR_MS, segment_bytes=SEGMENT_BYTES, file_delete_delay_ms=HOUR_MS)
    life.fill("slow", 1, now_ms() - 48 * HOUR_MS)
    life.starts("slow", life.bounds("slow")[1])
    wait_until(lambda: f"{0:020}.log.deleted" in life.files("slow", ".deleted"), PATIENCE, "the log file has its other name")
    check(f"{0:020}.log" not in life.files("slow", ".log"), "the log file has its name still")


def young_and_future_records_stay(life):
    """Records of the future keep their segment, while the same broker deletes others; its log says so."""
    life.create("future", retention_ms=1, segment_bytes=SEGMENT_BYTES)
    life.fill("future", 1, now_ms() + HOUR_MS // 2)
    life.create("past", retention_ms=1, segment_bytes=SEGMENT_BYTES)
    life.fill("past", 1, now_ms() - HOUR_MS)
    life.starts("past", life.bounds("past")[1])
    check(life.bounds("future")[0] == 0, f"the log starts at {life.bounds('future')}")
    said = re.compile("records of the future|contains future timestamp")
    wait_until(lambda: said.search(life.broker.log.read_text(errors="replace")), PATIENCE, "the broker says what it keeps")


def too_much_goes(life):
    """retention.bytes: as many segments go as leave the limit. There are 53 batches, ten a segment."""
    life.create("large", retention_bytes=5 * SEGMENT_BYTES // 2, retention_ms=-1, segment_bytes=SEGMENT_BYTES)
    life.fill("large", 5, 0)
    life.starts("large", 20)
    check(len(life.read("large")) == 33, "records are missing that should be there")


def clients_delete_records(life):
    """DeleteRecords by Kafka's command line and by confluent-kafka, and what it refuses."""
    life.create("asked", segment_bytes=SEGMENT_BYTES)
    life.fill("asked", 2, 0)
    offsets = Path(life.broker.home) / "offsets.json"
    offsets.write_text('{"partitions": [{"topic": "asked", "partition": 0, "offset": 13}], "version": 1}')
    said = life.tools.run("DeleteRecordsCommand", "--offset-json-file", str(offsets))
    check("partition: asked-0\tlow_watermark: 13" in said, f"kafka-delete-records says {said!r}")
    check(life.bounds("asked") == (13, 22), f"the log has {life.bounds('asked')}")
    check(life.delete("asked", 5) == 13, "a deletion below the start moves it")
    check([message.offset() for message in life.read("asked")] == list(range(13, 22)), "other records are read")
    wait_until(lambda: life.files("asked", ".log") == [f"{base:020}.log" for base in (10, 20)], PATIENCE, "the first segment goes")
    life.create("compacted", cleanup_policy="compact")
    life.create("both", cleanup_policy="compact,delete")
    check(not life.produce("compacted", [b"x"]) and not life.produce("both", [b"x"]), "records were refused")
    check(life.delete("both", OFFSET_END) == 1, "records of a topic that is compacted and deleted stay")
    refusals = [("asked", 0, 23), ("asked", 0, -3), ("asked", 1, 0), ("none", 0, 0), ("compacted", 0, 0)]
    answers = [answer(life.broker.port, *refusal) for refusal in refusals]
    unknown = KafkaError.UNKNOWN_TOPIC_OR_PART
    codes = [KafkaError.OFFSET_OUT_OF_RANGE, KafkaError.OFFSET_OUT_OF_RANGE, unknown, unknown, KafkaError.POLICY_VIOLATION]
    check(answers == [(-1, code) for code in codes], f"refused with {answers}")
    check(life.delete("asked", OFFSET_END) == 22, "not all is deleted")


def answer(port, topic, partition, offset):
    """Low watermark and error code of DeleteRecords version 0, asked without a client that knows better."""
    name = struct.pack(">h", len(topic)) + topic.encode()
    body = struct.pack(">i", 1) + name + struct.pack(">iiqi", 1, partition, offset, 30_000)
    return struct.unpack_from(">qh", ask(port, frame(DELETE_RECORDS, 0, body)), 4 + 4 + len(name) + 4 + 4)


def below_the_start(life):
    """A reader whose place was deleted is told so, or starts where its settings say."""
    def first(reset):
        settings = {"bootstrap.servers": life.broker.bootstrap, "group.id": "lost", "auto.offset.reset": reset}
        reader = Consumer(settings)
        reader.assign([TopicPartition("large", 0, 3)])
        message = reader.poll(PATIENCE)
        reader.close()
        return message
    check(first("earliest").offset() == 20, "the reader does not start at the log's start")
    check(first("error").error().code() == KafkaError._AUTO_OFFSET_RESET, "the reader is not told")


def internal_topics_are_refused(life):
    """Nobody deletes a group's offsets."""
    reader = Consumer({"bootstrap.servers": life.broker.bootstrap, "group.id": "committed"})
    reader.commit(offsets=[TopicPartition("large", 0, 20)], asynchronous=False)
    reader.close()
    code = life.delete("__consumer_offsets", 0)
    check(code == KafkaError.TOPIC_EXCEPTION, f"answered {code}")


def segments_end_by_time(life):
    """segment.ms, by the records' own time."""
    life.create("timed", segment_ms=HOUR_MS)
    start = now_ms() - 12 * HOUR_MS
    for hours in (0, 1, 1.1, 2, 2.2):
        check(not life.produce("timed", [b"x"], start + int(hours * HOUR_MS)), "a record was refused")
    wait_until(lambda: life.files("timed", ".log") == [f"{base:020}.log" for base in (0, 2, 4)], PATIENCE, f"{life.files('timed', '.log')}")


def timestamps_are_checked(life):
    """message.timestamp.type, and how far a producer's clock may be away."""
    life.create("bounded", message_timestamp_before_max_ms=HOUR_MS, message_timestamp_after_max_ms=HOUR_MS)
    for timestamp, wanted in [(-2, True), (-0.5, False), (0.5, False), (2, True)]:
        errors = life.produce("bounded", [b"x"], now_ms() + int(timestamp * HOUR_MS))
        refused = bool(errors) and errors[0].code() == KafkaError.INVALID_TIMESTAMP
        check(refused == wanted, f"a record {timestamp} hours from now: {errors}")
    life.create("append-time", message_timestamp_type="LogAppendTime", message_timestamp_before_max_ms=HOUR_MS)
    begin = now_ms()
    check(not life.produce("append-time", [b"x"], begin - 48 * HOUR_MS), "the producer's time matters")
    kind, timestamp = life.read("append-time")[0].timestamp()
    check(kind == TIMESTAMP_LOG_APPEND_TIME and begin <= timestamp <= now_ms(), f"the record has {kind}, {timestamp}")
    kind, timestamp = life.read("bounded")[0].timestamp()
    check(kind == TIMESTAMP_CREATE_TIME and timestamp < begin, f"the record has {kind}, {timestamp}")


def records_are_checked(life):
    """No key on a compacted topic, and max.message.bytes."""
    errors = life.produce("compacted", [b"x"], key=None)
    check(errors and errors[0].code() == KafkaError.INVALID_RECORD, f"without a key: {errors}")
    life.create("short", max_message_bytes=1000)
    check(not life.produce("short", [bytes(800)]), "a small batch is refused")
    errors = life.produce("short", [bytes(1100)])
    check(errors and errors[0].code() == KafkaError.MSG_SIZE_TOO_LARGE, f"a large batch: {errors}")
    life.create("short-gzip", max_message_bytes=1000, compression_type="gzip")
    errors = life.produce("short-gzip", [bytes(1100)])
    check(errors and errors[0].code() == KafkaError.MSG_SIZE_TOO_LARGE, f"a large batch that compresses well: {errors}")


def batches_are_compressed_again(life):
    """compression.type of the topic, with levels, whatever the producer does."""
    values = [b"%d " % number * 300 for number in range(200)]
    for codec in CODECS:
        level = dict([LEVELS[codec]]) if codec in LEVELS else {}
        life.create(f"as-{codec}", compression_type=codec, message_timestamp_type="LogAppendTime", **level)
        for sent in ("none", "snappy", "zstd", "gzip"):
            errors = life.produce(
                f"as-{codec}", values, **{"compression.type": sent, "enable.idempotence": True, "batch.num.messages": 50, "linger.ms": 50})
            check(not errors, f"{sent} to {codec}: {errors[:1]}")
        read = life.read(f"as-{codec}")
        check([message.value() for message in read] == values * 4, f"{codec}: {len(read)} records are read")


def dump(life):
    """Kafka's dump tool reads every segment, and names the codecs and the append time."""
    for codec in CODECS:
        said = dump_of(life, f"as-{codec}")
        name = "none" if codec == "uncompressed" else codec
        codecs = set(re.findall(r"compresscodec: (\w+)", said))
        check(codecs == {name}, f"{codec}: the batches have {codecs}")
        check(len(re.findall(r"\| offset: \d+ LogAppendTime: \d+", said)) == 800, f"{codec}: not every record has the append time")
    for topic in ("asked", "large", "old", "timed", "bounded", "append-time"):
        dump_of(life, topic)


def dump_of(life, topic):
    """What the tool says of a partition, which must be no complaint."""
    logs = sorted((life.broker.data / f"{topic}-0").glob("*.log"))
    command = java(["org.apache.kafka.tools.DumpLogSegments", "--deep-iteration", "--files", ",".join(map(str, logs))])
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    # The tool says this of the first record of a segment that does not begin at 0, whoever wrote it.
    said = [line for line in (done.stdout + done.stderr).splitlines() if "-1 is followed by" not in line]
    trouble = [line for line in said if TROUBLE.search(line)]
    check(done.returncode == 0 and not trouble, f"{topic}: {trouble[:3]} {done.stderr[-300:]}")
    return done.stdout


def all_bounds(life):
    """Where all logs start and end whose age plays no part."""
    return {topic: life.bounds(topic) for topic in ("old", "large", "asked", "timed", "append-time", "both")}


def comes_back(life, end):
    """The same starts and ends after a restart."""
    before = all_bounds(life)
    end()
    life.restart()
    after = all_bounds(life)
    check(after == before, f"logs had {before}, have {after}")


def killed_right_after_the_answer(life):
    """Records that were deleted stay so, whenever the broker is killed."""
    life.create("killed")
    check(not life.produce("killed", [b"x"] * 40), "records were refused")
    for offset in (1, 7, 20, 33, 40):
        check(life.delete("killed", offset) == offset, f"not deleted below {offset}")
        life.broker.kill()
        life.restart()
        check(life.bounds("killed") == (offset, 40), f"after a kill the log has {life.bounds('killed')}, not {(offset, 40)}")


def main():
    suite = Suite("retention")
    with tempfile.TemporaryDirectory(prefix="yeoul-retention-") as home, Broker(home, properties=SETTINGS) as broker, KafkaTools() as jvm:
        life = Life(broker, jvm)
        suite.step("records that are old go, the active segment's too", old_records_go, life)
        suite.step("files have another name until their time has come", files_wait_for_their_time, life)
        suite.step("records of the future stay", young_and_future_records_stay, life)
        suite.step("what is too much goes", too_much_goes, life)
        suite.step("clients delete records", clients_delete_records, life)
        suite.step("a reader of deleted records is told", below_the_start, life)
        suite.step("internal topics are refused", internal_topics_are_refused, life)
        suite.step("segments end by the records' time", segments_end_by_time, life)
        suite.step("timestamps are checked", timestamps_are_checked, life)
        suite.step("records are checked", records_are_checked, life)
        suite.step("batches are compressed again", batches_are_compressed_again, life)
        suite.step("a clean stop changes nothing", comes_back, life, broker.stop)
        if broker.kind == "yeoul":
            # Apache Kafka writes the starts down once a minute: there they come back.
            suite.step("kill -9 changes nothing", comes_back, life, broker.kill)
            suite.step("what was deleted right before kill -9 stays deleted", killed_right_after_the_answer, life)
        suite.step("the broker stops cleanly", broker.stop)
        suite.step("Kafka's dump tool reads all segments", dump, life)
        suite.last_words_of(broker)
    return suite.end()


if __name__ == "__main__":
    sys.exit(main())
