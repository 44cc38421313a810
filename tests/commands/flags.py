"""Flags as fingers and scripts give them: wrongly, twice, by old names. Kafka's tool and ours end the same and print the same.

What Kafka's tools say of a flag that is wrong they say by two parsers and with a page of help; ours says it in a sentence that names
the flag.
"""

from broker import check
from cases import Case

TOPIC = "flagged"
READ = f"--topic {TOPIC} --from-beginning --max-messages 1"
# What each tool is called with that works, and a flag of it that takes a number; none where no flag does.
TOOLS = {
    "broker-api-versions": ("", None),
    "client-metrics": ("--list", None),
    "configs": (f"--describe --topic {TOPIC}", None),
    "console-consumer": (READ, "--max-messages"),
    "console-producer": (f"--topic {TOPIC}", "--batch-size"),
    "consumer-groups": ("--list", None),
    "consumer-perf-test": (f"--topic {TOPIC} --num-records 1", None),
    "delete-records": ("--offset-json-file {home}/flagged.json", None),
    "get-offsets": (f"--topic {TOPIC}", None),
    "groups": ("--list", None),
    "leader-election": ("--election-type preferred --all-topic-partitions", "--partition"),
    "log-dirs": ("--describe", None),
    "topics": ("--list", "--partitions"),
}
NUMBERS = ("nonsense", "99999999999999999999", "1.5")

# A flag is given by the name that Kafka gives up, or by both.
OLD_NAMES = [
    Case("console-producer: settings by an old name", "console-producer", f"--topic {TOPIC} --producer-property linger.ms=1", "a\n"),
    Case("console-producer: a file by an old name", "console-producer", f"--topic {TOPIC} --producer.config {{home}}/flagged", "a\n"),
    Case("console-producer: all old names", "console-producer",
         f"--topic {TOPIC} --property parse.key=false --producer-property linger.ms=1 --max-partition-memory-bytes 100", "a\n"),
    Case("console-producer: both names", "console-producer", f"--topic {TOPIC} --property a=b --reader-property a=b", "a\n", says=True),
    Case("console-producer: settings by both names", "console-producer",
         f"--topic {TOPIC} --producer-property linger.ms=1 --command-property linger.ms=1", "a\n", says=True),
    Case("console-consumer: settings by an old name", "console-consumer", f"{READ} --consumer-property client.id=x"),
    Case("console-consumer: a file by an old name", "console-consumer", f"{READ} --consumer.config {{home}}/flagged"),
    Case("console-consumer: all old names", "console-consumer", f"{READ} --property print.key=true --consumer-property client.id=x"),
    Case("console-consumer: both names", "console-consumer", f"{READ} --property a=b --formatter-property a=b", says=True),
    Case("leader-election: a file by an old name", "leader-election",
         "--election-type preferred --all-topic-partitions --admin.config {home}/flagged"),
    Case("topics: a setting to be taken away", "topics", "--list --delete-config retention.ms", says=True),
]
# A flag of another action, an empty list, a value that begins with a hyphen.
OTHERS = [
    *[Case(f"client-metrics: a list, and {flag}", "client-metrics", f"--list {flag}", says=True)
      for flag in ("--name a", "--generate-name", "--interval 5", "--match a=b", "--metrics a")],
    Case("leader-election: a partition of no topic", "leader-election",
         "--election-type preferred --all-topic-partitions --partition 0", says=True),
    Case("log-dirs: an empty list of topics", "log-dirs", "--describe --topic-list="),
    Case("get-offsets: an empty list of partitions", "get-offsets", f"--topic {TOPIC} --partitions="),
    Case("topics: a name that begins with a hyphen", "topics", "--create --topic -begins-{me} --partitions 1"),
    Case("topics: it is there", "topics", "--describe --topic -begins-{me}"),
    Case("topics: a value that looks like a flag", "topics", "--describe --topic --list-{me}"),
    Case("topics: a flag twice", "topics", f"--describe --describe --topic {TOPIC}"),
]


def at(case):
    """The case at the broker of the suite."""
    return Case(case.title, case.tool, f"--bootstrap-server {{broker}} {case.arguments}", case.stdin, says=case.says)


def refused(commands, tool, flag, more):
    """Both refuse the line: with 1 and nothing on standard output, and ours says in a sentence which flag it was."""
    words, _ = TOOLS[tool]
    case = Case("", tool, f"--bootstrap-server {{broker}} {words} {more}", "a\n")
    (_, theirs), (_, ours) = commands.answers(case)
    # Some of Kafka's tools say it on standard output too.
    check(theirs[0] == ours[0] == 1 and not ours[1], f"Kafka's {theirs[:2]}, ours {ours}")
    first = ours[2].splitlines()[0]
    check(flag in first and "panicked" not in ours[2] and len(ours[2]) < 500, f"it said {ours[2]}")


def unknown(commands, tool):
    refused(commands, tool, "--nonsense", "--nonsense")


def without_value(commands, tool):
    refused(commands, tool, "--bootstrap-server", "--command-config {home}/flagged --bootstrap-server")


def no_number(commands, tool, flag):
    words, _ = TOOLS[tool]
    rest = " ".join(words.split(f" {flag} 1"))
    for number in NUMBERS:
        case = Case("", tool, f"--bootstrap-server {{broker}} {rest} {flag} {number}", "a\n")
        (_, theirs), (_, ours) = commands.answers(case)
        check(theirs[0] == ours[0] == 1 and flag in ours[2].splitlines()[0], f"{number}: Kafka's {theirs}, ours {ours}")


def run(commands, suite):
    """All of it."""
    commands.create(TOPIC, 1)
    commands.produce(TOPIC, ["a"])
    (commands.home / "flagged").write_text("client.id=x\n")
    (commands.home / "flagged.json").write_text('{"partitions": []}')
    for tool, (_, number) in TOOLS.items():
        suite.step(f"{tool}: an unknown flag", unknown, commands, tool)
        suite.step(f"{tool}: a flag without its value", without_value, commands, tool)
        if number:
            suite.step(f"{tool}: {number} is no number", no_number, commands, tool, number)
    for case in [*OLD_NAMES, *OTHERS]:
        suite.step(case.title, commands.compare, at(case))
