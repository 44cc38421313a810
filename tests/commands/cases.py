"""What both tools are called with. A case is a few lines: which tool, its arguments, its standard input.

`{me}` is `kafka` or `yeoul`, so that each has topics, groups and directories of its own; `{broker}` and `{controller}` are addresses.
"""

from dataclasses import dataclass

CLASSES = {
    "topics": "org.apache.kafka.tools.TopicCommand",
    "console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "e2e-latency": "org.apache.kafka.tools.EndToEndLatency",
    "get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "groups": "org.apache.kafka.tools.GroupsCommand",
    "producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "storage": "kafka.tools.StorageTool",
    "verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
    "verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
}


@dataclass(frozen=True)
class Case:
    """One call. With `says` the first line of standard error counts too; with `shuffled` the order of the lines does not;
    with `exact` nothing is masked."""

    title: str
    tool: str
    arguments: str
    stdin: str = ""
    says: bool = False
    shuffled: bool = False
    exact: bool = False

    def words(self, me, broker, home):
        """The arguments of one of the tools."""
        controller = f"127.0.0.1:{broker.controller_port}"
        words = self.arguments.format(me=me, broker=broker.bootstrap, controller=controller, home=home).split(" ")
        return [word.replace("~", " ") for word in words if word]


def topics(title, arguments, **more):
    return Case(f"topics: {title}", "topics", "--bootstrap-server {broker} " + arguments, **more)


def consumer(title, arguments, **more):
    return Case(f"console-consumer: {title}", "console-consumer", "--bootstrap-server {broker} " + arguments, **more)


def producer(title, arguments, stdin, **more):
    return Case(f"console-producer: {title}", "console-producer", "--bootstrap-server {broker} " + arguments, stdin, **more)


def storage(title, arguments, **more):
    return Case(f"storage: {title}", "storage", arguments, **more)


ALL_FIELDS = " ".join(
    f"--formatter-property print.{field}=true"
    for field in ("timestamp", "partition", "offset", "delivery", "epoch", "headers", "key"))

TOPICS = [
    topics("create", "--create --topic t-{me} --partitions 3 --config retention.ms=9000 --config cleanup.policy=compact,delete"),
    topics("create what is there", "--create --topic t-{me}"),
    topics("create what is there, if it is not", "--create --topic t-{me} --if-not-exists"),
    topics("a name that may collide", "--create --topic t.1_{me} --partitions 1 --config segment.bytes=1048576"),
    topics("a name that cannot be", "--create --topic t!{me}"),
    topics("a setting that is none", "--create --topic u-{me} --config nope=1"),
    topics("too many replicas", "--create --topic u-{me} --replication-factor 9"),
    topics("no partitions", "--create --topic u-{me} --partitions 0"),
    topics("list", "--list"),
    topics("list nothing", "--list --topic nothing --exclude-internal"),
    topics("describe all", "--describe"),
    topics("describe those with settings", "--describe --topic t.*kafka,nothing --topics-with-overrides"),
    topics("describe nothing", "--describe --topic nothing"),
    topics("more partitions", "--alter --topic t-{me} --partitions 5"),
    topics("fewer partitions", "--alter --topic t-{me} --partitions 2"),
    topics("describe one", "--describe --topic t-{me}"),
    topics("delete by a pattern", "--delete --topic t.*{me}"),
    topics("delete what is not there", "--delete --topic nothing.*{me}"),
    topics("two actions", "--list --create --topic t", says=True),
    topics("a flag of another action", "--list --partitions 3", says=True),
    topics("no topic", "--create", says=True),
]

KEYS_AND_HEADERS = (
    "--topic lines-{me} --reader-property parse.key=true --reader-property key.separator=: "
    "--reader-property parse.headers=true --reader-property null.marker=NULL")

PRODUCER = [
    producer("lines", "--topic lines-{me}", "plain\n\ntwo\r\n\t tabs \t\n여울\nlast without an end"),
    producer("keys and headers", KEYS_AND_HEADERS, "h:1,i:2\tk:v\nNULL\tNULL:NULL\nh:NULL\t여울:\n"),
    producer("a line without a key", "--topic lines-{me} --reader-property parse.key=true", "a\tb\nno key\n"),
    producer("the same, ignored", "--topic lines-{me} --reader-property parse.key=true --reader-property ignore.error=true", "c\n"),
    producer("no topic", "", "", says=True),
]

KEYED_LINES = ("--reader-property", "parse.key=true", "--reader-property", "key.separator=:")

# What the cases above come to, all in one partition.
LINES = 6 + 3 + 1 + 1

CONSUMER = [
    consumer("all there is of a record", f"--topic lines-{{me}} --from-beginning --max-messages {LINES} {ALL_FIELDS}"),
    consumer(
        "from an offset of a partition, in other words",
        "--topic lines-{me} --partition 0 --offset 6 --max-messages 2 --formatter-property print.key=true "
        "--formatter-property key.separator==> --formatter-property line.separator=| --formatter-property null.literal=NIL"),
    consumer("no value", "--topic lines-{me} --from-beginning --max-messages 3 --formatter-property print.value=false"),
    consumer("a group begins", "--topic lines-{me} --from-beginning --group g-{me} --max-messages 4"),
    consumer("a group goes on", f"--topic lines-{{me}} --group g-{{me}} --max-messages {LINES - 4}"),
    consumer("a formatter that also logs",
             "--topic lines-{me} --from-beginning --max-messages 3 --formatter org.apache.kafka.tools.consumer.LoggingMessageFormatter"),
    consumer("a formatter that writes nothing",
             "--topic lines-{me} --from-beginning --max-messages 3 --formatter org.apache.kafka.tools.consumer.NoOpMessageFormatter"),
    consumer("an offset without a partition", "--topic t --offset 2", says=True),
    consumer("a group and a partition", "--topic t --partition 0 --group g", says=True),
    consumer("a topic and a pattern", "--topic t --include t", says=True),
    consumer("no such offset", "--topic t --partition 0 --offset -3", says=True),
]

INTERNAL = [
    consumer(f"offsets of partition {partition} as {formatter}",
             f"--topic __consumer_offsets --partition {partition} --offset earliest --timeout-ms 500 "
             f"--formatter org.apache.kafka.tools.consumer.{formatter}MessageFormatter")
    for formatter in ("Offsets", "GroupMetadata") for partition in range(2)
]

STATIC, DYNAMIC = "-c {home}/{me}/static.properties", "-c {home}/{me}/dynamic.properties"

SCRAM = "-c {home}/{me}/scram.properties -S SCRAM-SHA-256=[name=alice,"
SALTED = "salt=MWx2NHBkbnc0ZndxN25vdGN4bTB5Y2pqMA==,saltedpassword=mT0yyUUxnlJaC99HXgRTSYlbuqa4FSGtJCJfTMvjYCE="
VOTER, OBSERVER = ("-c {home}/{me}/" + name + ".properties -I " for name in ("voter", "observer"))
DIRECTORY, OTHER_DIRECTORY = "AAAAAAAAAAAAAAAAAAAAZQ", "AAAAAAAAAAAAAAAAAAAAZg"

STORAGE = [
    storage("info before", f"info {STATIC}"),
    storage("format", f"format -t first {STATIC}"),
    storage("format again", f"format -t first {STATIC}", says=True),
    storage("format again, ignored", f"format -t first {STATIC} --ignore-formatted"),
    storage("info", f"info {STATIC}"),
    storage("standalone with voters in the settings", f"format -t first {STATIC} --standalone", says=True),
    storage("no voters anywhere", f"format -t first {DYNAMIC}", says=True),
    storage("an unknown feature", f"format -t first {DYNAMIC} -s -f nope=1", says=True),
    storage("an unknown release", f"format -t first {DYNAMIC} -s -r 9.9", says=True),
    storage("standalone, of an older release", f"format -t first {DYNAMIC} -s -r 3.9"),
    *[storage(f"a credential of {what}", f"format -t first {SCRAM}{words}]", says=True) for what, words in (
        ("no secret", "iterations=5000"), ("too few iterations", "password=x,iterations=12"),
        ("too many iterations", "password=x,iterations=99999"), ("no number", "password=x,iterations=x"),
        ("a salted password without salt", "saltedpassword=abc"), ("a salt that is none", "password=x,salt=!!"),
        ("more than is known", "password=x,more=1"))],
    storage("a credential of no mechanism", "format -t first -c {home}/{me}/scram.properties -S SCRAM-SHA-1=[name=a]", says=True),
    storage("a credential before there were any", f"format -t first {SCRAM}password=x] -r 3.4", says=True),
    storage("two credentials",
            f"format -t first {SCRAM}password=a=b,salt=abc] -S SCRAM-SHA-512=[name=bob,iterations=8192,{SALTED}]"),
    *[storage(f"a first voter {what}", f"format -t first {VOTER}{words}", says=True) for what, words in (
        ("of nothing", ","), ("without a place", "1"), ("that is no number", "x@h:1:d"), ("without a port", "1@h"),
        ("without a directory", "1@h:1"), ("of no port", "1@h:x:d"), ("of too high a port", "1@h:70000:d"),
        ("of no directory", "1@h:1:!"), ("with half a bracket", "1@[::1:1:d"), ("with no colon", "1@[::1]1:d"),
        ("that is there twice", f"1@h:1:{DIRECTORY},1@i:1:{DIRECTORY}"))],
    storage("first voters and voters in the settings", f"format -t first {STATIC} -g -I 1@h:1:{DIRECTORY}", says=True),
    storage("first voters of an old kind", f"format -t first {VOTER}1@h:1:{DIRECTORY} -f kraft.version=0", says=True),
    storage("first voters", f"format -t first {VOTER}1@h:9093:{DIRECTORY},2@two.example:9094:{OTHER_DIRECTORY}"),
    storage("first voters, info", "info -c {home}/{me}/voter.properties"),
    storage("first voters that are others", f"format -t first {OBSERVER}2@h:9093:{OTHER_DIRECTORY}"),
]
