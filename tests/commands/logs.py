"""What the tools about logs are called with: where they begin and end, and what is deleted from their front."""

from cases import Case, KEYED_LINES

TOPIC = "measured"


def offsets(title, arguments, **more):
    return Case(f"get-offsets: {title}", "get-offsets", "--bootstrap-server {broker} " + arguments, **more)


def delete(title, arguments, **more):
    # The order of the partitions is another one in each run of Kafka's tool.
    return Case(f"delete-records: {title}", "delete-records", "--bootstrap-server {broker} " + arguments, shuffled=True, **more)


OFFSETS = [
    offsets("of a topic", f"--topic {TOPIC}"),
    offsets("of all", "--exclude-internal-topics"),
    offsets("of a pattern", f"--topic {TOPIC}|nothing"),
    *[offsets(f"at {time}", f"--topic {TOPIC} --time {time}")
      for time in ("latest", "earliest", "max-timestamp", "earliest-local", "latest-tiered", "earliest-pending-upload",
                   "-1", "-2", "-3", "-4", "-5", "-6", "0", "1700000000000", "99999999999999")],
    offsets("at no time", f"--topic {TOPIC} --time foo", says=True),
    offsets("of partitions", f"--topic {TOPIC} --partitions 0,2,9"),
    offsets("of partitions of all topics", "--partitions 2 --exclude-internal-topics"),
    offsets("of no partition", f"--topic {TOPIC} --partitions x", says=True),
    offsets("of no topic", "--topic nothing", says=True),
    *[offsets(f"of {rule}", f"--exclude-internal-topics --topic-partitions {rule}")
      for rule in (TOPIC, f"{TOPIC}:1", f"{TOPIC}:0-2", f"{TOPIC}:1-", f"{TOPIC}:-1", ":2", f"{TOPIC}:0,counted.*:0")],
    offsets("of nothing", "--topic-partitions nothing:0", says=True),
    offsets("both ways", f"--topic-partitions {TOPIC} --topic t", says=True),
    Case("get-offsets: no broker named", "get-offsets", f"--topic {TOPIC}", says=True),
]

FILES = {
    "three": '{"partitions": [{"topic": "measured", "partition": 0, "offset": 3}], "version": 1}',
    "all": '{"partitions": [{"topic": "measured", "partition": 0, "offset": -1}, {"topic": "measured", "partition": 1, "offset": 0}]}',
    "beyond": '{"partitions": [{"topic": "measured", "partition": 1, "offset": 99999}]}',
    "none": '{"partitions": []}',
    "twice": '{"partitions": [{"topic": "t", "partition": 0, "offset": 1}, {"topic": "t", "partition": 0, "offset": 2}]}',
    "empty": "{}",
    "nonsense": "nonsense",
    "lacking": '{"partitions": [{"topic": "t", "partition": 0}]}',
    "of-words": '{"partitions": [{"topic": "t", "partition": "x", "offset": 1}]}',
    "of-tomorrow": '{"partitions": [], "version": 2}',
}

DELETIONS = [
    *[delete(name, f"--offset-json-file {{home}}/{name}.json") for name in ("three", "all", "beyond", "none")],
    *[delete(name, f"--offset-json-file {{home}}/{name}.json", says=True)
      for name in ("twice", "empty", "nonsense", "lacking", "of-words", "of-tomorrow")],
    delete("no file", "", says=True),
    Case("delete-records: no broker named", "delete-records", "--offset-json-file x", says=True),
    offsets("after that", f"--topic {TOPIC} --time earliest"),
]

LOGS = [*OFFSETS, *DELETIONS]


def prepare(commands):
    """A topic with some lines, and the files of the deletions."""
    commands.create(TOPIC, 3)
    commands.produce(TOPIC, [f"{number}:{number}" for number in range(30)], "--timeout", "0", *KEYED_LINES)
    for name, text in FILES.items():
        (commands.home / f"{name}.json").write_text(text)
