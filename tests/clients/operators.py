"""What operators do to groups, partitions and leaders with Apache Kafka's command lines, and what these print."""

import tempfile
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from broker import check, wait_until

TOPIC, OTHER, GROUP = "aged", "aged-other", "operated"
PARTITIONS = 3
RECORDS = 30
FIRST_TIMESTAMP = 1_700_000_000_000
GROUPS = "consumer.group.ConsumerGroupCommand"


def rows(said):
    """Lines of words."""
    return [line.split() for line in said.splitlines() if line.strip()]


def new_offsets(said):
    """{partition: offset} of what a reset prints."""
    return {int(row[2]): int(row[3]) for row in rows(said) if row[:2] == [GROUP, TOPIC]}


class Operators:
    """The checks, over a way to run a tool."""

    def __init__(self, tools):
        self.tools = tools
        self.member = None

    def groups(self, *arguments):
        return self.tools.run(GROUPS, *arguments)

    def prepare(self):
        """Records a second apart in compressed batches, and a member that has read some."""
        for topic, partitions in ((TOPIC, PARTITIONS), (OTHER, 1)):
            self.tools.run(
                "TopicCommand", "--create", "--topic", topic, "--partitions", str(partitions), "--config", "retention.ms=-1")
        who = {"bootstrap.servers": self.tools.bootstrap, "client.id": "operators"}
        producer = Producer({
            **who, "enable.idempotence": True, "compression.type": "gzip", "linger.ms": 200})
        for number in range(RECORDS):
            producer.produce(TOPIC, f"{number}", partition=number % PARTITIONS, timestamp=FIRST_TIMESTAMP + number * 1000)
        check(producer.flush(30) == 0, "records were left")
        self.member = Consumer({**who, "group.id": GROUP, "enable.auto.commit": False})
        self.member.subscribe([TOPIC])
        wait_until(self.has_joined, 30, "the member has its partitions", pause=0)
        places = [TopicPartition(TOPIC, partition, 4 + partition) for partition in range(PARTITIONS)]
        self.member.commit(offsets=places, asynchronous=False)

    def has_joined(self):
        self.member.poll(0.1)
        return len(self.member.assignment()) == PARTITIONS

    def described(self):
        """A group with a member is listed by state and type, and described in all its aspects."""
        check([GROUP, "Stable"] in rows(self.groups("--list", "--state", "stable")), "the group is not listed as stable")
        check([GROUP, "Classic"] in rows(self.groups("--list", "--type", "classic")), "the group is not listed as classic")
        check([GROUP, "Empty"] not in rows(self.groups("--list", "--state", "Empty")), "the group is listed as empty")
        described = [row[:6] for row in rows(self.groups("--describe", "--group", GROUP))[1:]]
        wanted = [[GROUP, TOPIC, str(p), str(4 + p), "10", str(6 - p)] for p in range(PARTITIONS)]
        check(described == wanted, f"the offsets are {described}")
        members = rows(self.groups("--describe", "--group", GROUP, "--members", "--verbose"))[1:]
        check([row[4] for row in members] == ["3"] and f"{TOPIC}:0,1,2" in members[0], f"the members are {members}")
        state = rows(self.groups("--describe", "--group", GROUP, "--state"))[1]
        check(state[-3:] == ["range", "Stable", "1"], f"the state is {state}")
        check("Group nope not found." in self.groups("--describe", "--group", "nope"), "a group that is not there is described")

    def protected(self):
        """Nothing of a group with a member can be deleted or reset."""
        check("The group is not empty." in self.groups("--delete", "--group", GROUP), "a group with a member was deleted")
        said = self.groups("--reset-offsets", "--group", GROUP, "--topic", TOPIC, "--to-earliest", "--execute")
        check("the current state is Stable" in said, f"a reset said {said!r}")
        said = self.groups("--delete-offsets", "--group", GROUP, "--topic", TOPIC)
        check(said.count("GroupSubscribedToTopicException") == PARTITIONS, f"deleting offsets said {said!r}")
        self.member.close()

    def reset(self):
        """Every way to reset offsets."""
        with tempfile.TemporaryDirectory() as home:
            plan = Path(home) / "plan.csv"
            plan.write_text(f'"{TOPIC}",0,1\n"{TOPIC}",2,2\n')
            ways = [
                (["--topic", TOPIC, "--to-earliest"], {0: 0, 1: 0, 2: 0}),
                (["--topic", f"{TOPIC}:0,1", "--to-offset", "7"], {0: 7, 1: 7}),
                (["--topic", TOPIC, "--shift-by", "2"], {0: 9, 1: 9, 2: 2}),
                (["--topic", TOPIC, "--shift-by", "-100"], {0: 0, 1: 0, 2: 0}),
                (["--topic", TOPIC, "--to-datetime", "2023-11-14T22:13:30.000"], {0: 4, 1: 3, 2: 3}),
                (["--all-topics", "--to-current"], {0: 4, 1: 3, 2: 3}),
                (["--topic", TOPIC, "--by-duration", "PT1M"], {0: 10, 1: 10, 2: 10}),
                (["--topic", TOPIC, "--to-latest"], {0: 10, 1: 10, 2: 10}),
                (["--from-file", str(plan)], {0: 1, 2: 2}),
            ]
            for arguments, wanted in ways:
                said = self.groups("--reset-offsets", "--group", GROUP, *arguments, "--execute")
                check(new_offsets(said) == wanted, f"{arguments} said {said!r}")
        described = {int(row[2]): row[3] for row in rows(self.groups("--describe", "--group", GROUP))[1:] if row[1] == TOPIC}
        check(described == {0: "1", 1: "10", 2: "2"}, f"the offsets are {described}")
        return f"{len(ways)} ways"

    def forgotten(self):
        """Offsets of a partition, then the group."""
        said = self.groups("--delete-offsets", "--group", GROUP, "--topic", f"{TOPIC}:0")
        check(rows(said)[-1] == [TOPIC, "0", "Successful"], f"deleting offsets said {said!r}")
        left = [row[2] for row in rows(self.groups("--describe", "--group", GROUP))[1:] if row[1] == TOPIC]
        check(left == ["1", "2"], f"offsets are left of {left}")
        check("was successful" in self.groups("--delete", "--group", GROUP), "the group was not deleted")
        check("The group id does not exist." in self.groups("--delete", "--group", GROUP), "it was deleted twice")

    def partitions(self):
        """Partitions are added, and what is described can be chosen."""
        alter = ["TopicCommand", "--alter", "--topic", OTHER, "--partitions"]
        self.tools.run(*alter, "3")
        check("Topic already has 3 partition(s)." in self.tools.refused(*alter, "3"), "as many partitions were taken")
        check("2 would not be an increase." in self.tools.refused(*alter, "2"), "fewer partitions were taken")
        self.tools.run(*alter, "5", "--replica-assignment", "1,1,1,1,1")
        said = self.tools.refused(*alter, "6", "--replica-assignment", "1,1,1,1,1,7")
        check("broker 7, but no such broker is registered" in said, f"an unknown broker: {said!r}")
        pages = self.tools.run("TopicCommand", "--describe", "--topic", OTHER, "--partition-size-limit-per-response", "2")
        check(pages.count("Leader: 1\tReplicas: 1\tIsr: 1\tElr: \tLastKnownElr: ") == 5, f"describe said {pages!r}")
        for which in ("--under-replicated-partitions", "--unavailable-partitions", "--under-min-isr-partitions"):
            check(not self.tools.run("TopicCommand", "--describe", which).strip(), f"{which} lists something")
        at_min = self.tools.run("TopicCommand", "--describe", "--at-min-isr-partitions")
        check(at_min.count(f"Topic: {OTHER}\t") == 5, f"--at-min-isr-partitions said {at_min!r}")
        overrides = self.tools.run("TopicCommand", "--describe", "--topics-with-overrides", "--exclude-internal")
        check("retention.ms=-1" in overrides and "__consumer_offsets" not in overrides, f"overrides said {overrides!r}")

    def times(self):
        """Offsets at every time that has a name, and by timestamp inside compressed batches."""
        wanted = {
            "earliest": [0, 0, 0], "latest": [10, 10, 10], "max-timestamp": [9, 9, 9], "earliest-local": [0, 0, 0],
            "latest-tiered": [], "earliest-pending-upload": [], str(FIRST_TIMESTAMP + 10_000): [4, 3, 3],
            str(FIRST_TIMESTAMP + RECORDS * 1000): []}
        for when, offsets in wanted.items():
            said = self.tools.run("GetOffsetShell", "--topic", TOPIC, "--time", when).split()
            check(said == [f"{TOPIC}:{p}:{offset}" for p, offset in enumerate(offsets)], f"{when} said {said}")
        some = sorted(self.tools.run("GetOffsetShell", "--topic-partitions", f"{TOPIC}:1-2,{OTHER}:0").split())
        check(some == [f"{OTHER}:0:0", f"{TOPIC}:1:10"], f"partitions said {some}")
        return f"{len(wanted)} times"

    def leaders(self):
        """The preferred leader leads already; nobody leads what is not there."""
        elect = ["LeaderElectionCommand", "--election-type"]
        check(not self.tools.run(*elect, "preferred", "--all-topic-partitions").strip(), "an election was needed")
        for kind in ("preferred", "unclean"):
            said = self.tools.run(*elect, kind, "--topic", TOPIC, "--partition", "0")
            check(f"Valid replica already elected for partitions {TOPIC}-0" in said, f"{kind} said {said!r}")
        said = self.tools.refused(*elect, "preferred", "--topic", "nope", "--partition", "0")
        check("No such topic as nope" in said, f"an unknown topic: {said!r}")

    def producers(self):
        """The idempotent producer of a partition is described."""
        said = rows(self.tools.run("TransactionsCommand", "describe-producers", "--topic", TOPIC, "--partition", "0"))
        last = str(FIRST_TIMESTAMP + 27_000)
        check(len(said) == 2 and said[1][1:] == ["0", "-1", "9", last, "None"], f"it said {said}")

    def checks(self):
        """(title, action)"""
        return [
            ("records and a member", self.prepare), ("describe a group", self.described), ("a group with members is protected", self.protected),
            ("reset offsets", self.reset), ("delete offsets and groups", self.forgotten), ("add and describe partitions", self.partitions),
            ("offsets by time", self.times), ("elect leaders", self.leaders), ("describe producers", self.producers)]
