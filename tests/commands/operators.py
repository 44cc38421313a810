"""Lines as operators type them: values that a variable left empty, flags with one hyphen, what tutorials and answers show.

What the cluster refused counts to the letter here: scripts look for the exception of Kafka's client.
"""

import dataclasses

from broker import check
from cases import Case

TOPIC, KEYED, WIDE = "operated", "operated-keyed", "operated-wide"
LONG = "a-group-whose-name-is-long"
ADVERT = "The consumer rebalance protocol (KIP-848) is production-ready!"


def of(tool):
    """What makes cases of a tool."""
    def case(title, arguments, stdin="", **more):
        return Case(f"{tool}: {title}", tool, "--bootstrap-server {broker} " + arguments, stdin, **more)
    return case


topics, consumer, producer, groups, configs = (
    of(tool) for tool in ("topics", "console-consumer", "console-producer", "consumer-groups", "configs"))
ONE = f"--topic {TOPIC} --from-beginning --max-messages 1"

FLAGS = [
    Case("topics: flags with one hyphen", "topics", f"-bootstrap-server {{broker}} -list -topic={TOPIC}"),
    consumer("flags with one hyphen", f"-topic {TOPIC} -from-beginning -max-messages 1"),
    producer("an old name with one hyphen", f"--topic {KEYED} -property parse.key=true", "k\tv\n"),
    topics("words of no flag", f"list --list now --topic {TOPIC} please"),
    groups("words of no flag", "--describe --group nobody nobody-else"),
    topics("words after the end of flags", f"--list --topic {TOPIC} -- --nonsense"),
    Case("topics: a protocol before the broker", "topics", f"--bootstrap-server PLAINTEXT://{{broker}} --list --topic {TOPIC}"),
    Case("cluster: a file by an old name", "cluster", "cluster-id --bootstrap-server {broker} --config {home}/flagged"),
    Case("cluster: the begin of a flag", "cluster", "list-endpoints --bootstrap-s {broker} --include"),
    Case("cluster: flags of one letter", "cluster", "cluster-id -b {broker} -c {home}/flagged"),
    Case("cluster: a controller by one letter", "cluster", "list-endpoints -C {controller}"),
    Case("metadata-quorum: the begin of a flag", "metadata-quorum", "--bootstrap-s {broker} describe --stat"),
    topics("a topic of a tool's name", "--create --topic cluster --config retention.ms=5000 --if-not-exists"),
]

TOPICS = [
    topics("two settings in one", "--create --topic o-{me} --config retention.ms=1000,max.message.bytes=2000"),
    topics("a setting without its value", "--create --topic o-{me} --config retention.ms="),
    topics("blanks around a setting", "--create --topic o-{me} --config retention.ms~=~5000"),
    topics("the setting is there", "--describe --topic o-{me}"),
    topics("replicas that are no numbers", "--create --topic p-{me} --replica-assignment 1,x"),
    topics("more replicas of one partition", "--create --topic p-{me} --replica-assignment 1,1:2"),
    topics("no name", "--create --topic="),
    topics("settings, of what is there", "--alter --topic o-{me} --config retention.ms=1"),
    topics("an id for what is new", "--create --topic q-{me} --topic-id a9JcJZJcTIWW7Nbwa4Bo1A"),
    topics("an id of what is listed", f"--list --topic {TOPIC} --topic-id a9JcJZJcTIWW7Nbwa4Bo1A"),
    *[topics(f"those with settings, and {flag}", f"--describe --topics-with-overrides --{flag}", says=True) for flag in (
        "under-replicated-partitions", "under-min-isr-partitions", "at-min-isr-partitions", "unavailable-partitions")],
    configs("nothing to add", f"--alter --topic {TOPIC} --add-config=", says=True),
    Case("log-dirs: an empty list of brokers", "log-dirs",
         f"--bootstrap-server {{broker}} --describe --broker-list= --topic-list {TOPIC}"),
    Case("features: one twice", "features",
         "--bootstrap-server {broker} upgrade --feature group.version=1 --feature group.version=1", says=True),
]

CONSUMED = [
    consumer("fewer records than none", f"--topic {TOPIC} --from-beginning --max-messages -5"),
    consumer("no name", "--topic="),
    consumer("no name of a group", f"--topic {TOPIC} --group="),
    consumer("a partition, and a group of the settings", f"--topic {TOPIC} --partition 0 --command-property group.id=g", says=True),
    consumer("a comma in a pattern", f"--include {TOPIC},none --from-beginning --timeout-ms 1000"),
    consumer("the newer protocol is advertised", ONE, says=True),
    consumer("it is not of a partition", f"{ONE} --partition 0", says=True),
    consumer("it is to a member", f"{ONE} --group advertised --command-property enable.auto.commit=false", says=True),
    consumer("it is where the older is asked for", f"{ONE} --command-property group.protocol=CLASSIC", says=True),
]

# To the letter: there is nothing in them that differs.
REFUSED = [
    groups("describe one that is not there", "--describe --group nobody"),
    groups("describe members of one that is not there", "--describe --group nobody --members"),
    groups("describe the state of two, one of which is not there", f"--describe --group {TOPIC} --group nobody --state"),
    groups("delete one that is not there", "--delete --group nobody"),
    groups("delete offsets of a group that is not there", f"--delete-offsets --group nobody --topic {TOPIC}"),
    groups("delete offsets of a topic that is not there", f"--delete-offsets --group {TOPIC} --topic nothing"),
    groups("delete offsets of a partition that is not there", f"--delete-offsets --group {TOPIC} --topic {TOPIC}:7"),
    groups("reset to the begin of a topic that is not there", f"--reset-offsets --group {TOPIC} --topic nothing --to-earliest --dry-run"),
    groups("reset to the begin of a topic that cannot be", f"--reset-offsets --group {TOPIC} --topic a,b --to-earliest --dry-run"),
    *[groups(f"reset to the begin of {what}", f"--reset-offsets --group {TOPIC} --topic {chosen} --to-earliest --dry-run")
      for what, chosen in (("two topics, whose names share a bucket", "crews --topic flights"), ("three", f"{WIDE} --topic {TOPIC} --topic {KEYED}"),
                           ("a partition and a topic", f"{TOPIC} --topic {WIDE}:3,1"))],
    groups("reset to the begin of a topic that is named twice",
           f"--reset-offsets --group {TOPIC} --topic {TOPIC} --topic {TOPIC} --to-earliest --dry-run"),
    groups("delete offsets of two", f"--delete-offsets --group {TOPIC} --group {LONG} --topic {TOPIC}"),
    groups("the offsets are still there", f"--describe --group {TOPIC}"),
    topics("settings that cannot be, and a name that may collide", "--create --topic o.p --config cleanup.policy=nope"),
    topics("a name that may collide, too often replicated", "--create --topic o.p --replication-factor 9"),
    topics("how much an answer may tell of, in a list", f"--list --topic {TOPIC} --partition-size-limit-per-response 5"),
    groups("members of one that has a long name and none", f"--describe --group {LONG} --members"),
    groups("the same, all of them", f"--describe --group {LONG} --members --verbose"),
    Case("get-offsets: more than ten partitions", "get-offsets", f"--bootstrap-server {{broker}} --topic {WIDE}|{TOPIC}"),
    groups("reset by a file with blanks", f"--reset-offsets --group {TOPIC} --from-file {{home}}/operated.csv --dry-run"),
    Case("delete-records: more than there are", "delete-records",
         "--bootstrap-server {broker} --offset-json-file {home}/operated.json"),
]


ALL_TOPICS = configs("describe all topics", "--describe --entity-type topics")
COMPACTED = [
    configs("a topic that is only compacted", "--alter --topic crews --add-config cleanup.policy=compact"),
    Case("delete-records: of a topic that is only compacted", "delete-records",
         "--bootstrap-server {broker} --offset-json-file {home}/compacted.json"),
]


def run(commands, suite):
    """All of it."""
    commands.create(TOPIC, 1)
    commands.create(KEYED, 1)
    commands.create(WIDE, 12)
    for topic in ("cluster", "crews", "flights"):
        commands.create(topic, 1)
    commands.produce(TOPIC, ["a", "b"])
    for group in (TOPIC, LONG):
        commands.consume(TOPIC, 2, "--group", group)
    (commands.home / "operated.csv").write_text(f"{TOPIC}, 0, 1\n")
    (commands.home / "operated.json").write_text(f'{{"partitions": [{{"topic": "{TOPIC}", "partition": 0, "offset": 99}}]}}')
    for case in [*FLAGS, *TOPICS, *CONSUMED]:
        suite.step(case.title, commands.compare, case)
    (commands.home / "compacted.json").write_text('{"partitions": [{"topic": "crews", "partition": 0, "offset": 0}]}')
    for case in [*REFUSED, *COMPACTED, ALL_TOPICS]:
        suite.step(case.title, commands.compare, dataclasses.replace(case, exact=True))
    suite.step("e2e-latency: words by their places", by_position, commands)
    suite.step("console-consumer: no advert for a member by the newer protocol", unadvertised, commands)
    suite.step("consumer-groups: a file that makes no sense", senseless, commands)


def by_position(commands):
    """Both tools measure, and say which flags there are now."""
    told = []
    for words in (f"{{broker}} {TOPIC} 2 1 8", f"{{broker}} {TOPIC} 2 all 8 {{home}}/flagged", f"{{broker}} {TOPIC} 2 7 8"):
        for me, (code, out, _) in commands.answers(Case("", "e2e-latency", words)):
            warning, *figures = out.splitlines() or [""]
            told.append((words, code, warning, [line.split()[0] for line in figures[1:]]))
    check(told[::2] == told[1::2] and "Positional argument usage" in told[0][2], f"they told {told}")


def unadvertised(commands):
    """Neither tool advertises what is used already."""
    case = consumer("", f"{ONE} --timeout-ms 500 --command-property group.protocol=consumer")
    for me, (_, _, error) in commands.answers(case):
        check(ADVERT not in error, f"{me} says {error}")


def senseless(commands):
    """A file with a title: both say so on standard output, and end with 0."""
    (commands.home / "titled.csv").write_text(f"topic,partition,offset\n{TOPIC},0,1\n")
    case = groups("", f"--reset-offsets --group {TOPIC} --from-file {{home}}/titled.csv --dry-run")
    for me, (code, out, _) in commands.answers(case):
        check(code == 0 and out.startswith("\nError: Executing consumer group command failed due to"), f"{me} ended with {code}: {out}")
