"""What the tools about groups are called with, and the groups that there are for it.

Most calls only look, so that both tools are asked for the same: the order of rows that Kafka keeps in a hash map follows from their
names. What changes something has a group of `{me}`.
"""

from cases import Case, KEYED_LINES

TOPIC, OTHER, GROUP, LATE, BUSY = "counted", "counted-too", "readers", "latecomers-of-more-topics", "busy"


def groups(title, arguments, **more):
    return Case(f"consumer-groups: {title}", "consumer-groups", "--bootstrap-server {broker} " + arguments, **more)


def reset(title, arguments, **more):
    return groups(f"reset {title}", f"--reset-offsets --group {GROUP} {arguments} --dry-run", **more)


def kinds(title, arguments, **more):
    return Case(f"groups: {title}", "groups", "--bootstrap-server {broker} " + arguments, **more)


def regex(title, expression):
    return Case(f"consumer-groups: {title}", "consumer-groups", f"--validate-regex {expression}")


LOOKING = [
    groups("list", "--list"),
    groups("list with states", "--list --state"),
    groups("list with types", "--list --type"),
    groups("list both of some", "--list --state empty,stable --type classic"),
    groups("list those of a state", "--list --state stable"),
    groups("a state that is none", "--list --state foo"),
    groups("describe", f"--describe --group {GROUP}"),
    groups("describe more of it", f"--describe --group {GROUP} --verbose"),
    groups("describe one with members", f"--describe --group {BUSY}"),
    groups("describe all", "--describe --all-groups"),
    groups("describe two", f"--describe --group {LATE} --group {GROUP} --offsets"),
    groups("members", f"--describe --group {BUSY} --members"),
    groups("members and what they have", f"--describe --group {BUSY} --members --verbose"),
    groups("no members", f"--describe --group {GROUP} --members", says=True),
    groups("state", f"--describe --group {BUSY} --state"),
    groups("state of all, and more of it", "--describe --all-groups --state --verbose"),
    groups("describe what is not there", "--describe --group nobody"),
    groups("a group and all groups", f"--describe --group {GROUP} --all-groups", says=True),
    groups("two views", f"--describe --group {GROUP} --state --offsets", says=True),
    groups("two actions", f"--list --delete-offsets --topic t --group {GROUP}", says=True),
    groups("no action", "", says=True),
    Case("consumer-groups: no broker named", "consumer-groups", "--list", says=True),
]

RESETS = [
    reset("to the oldest", f"--topic {TOPIC} --to-earliest"),
    reset("to the end, all topics", "--all-topics --to-latest"),
    reset("to an offset, some partitions", f"--topic {TOPIC}:0,2 --to-offset 3"),
    reset("beyond the end", f"--topic {TOPIC} --to-offset 3000"),
    reset("before the beginning", f"--topic {TOPIC} --to-offset -5"),
    reset("where it is", f"--topic {TOPIC} --topic {OTHER} --to-current"),
    reset("back", f"--topic {TOPIC} --shift-by -2"),
    reset("to a time", f"--topic {TOPIC} --to-datetime 2020-01-01T00:00:00.000"),
    reset("to a time of a zone", f"--topic {TOPIC} --to-datetime 2020-01-01T00:00:00.000+02:00"),
    reset("to a time that is to come", f"--topic {TOPIC} --to-datetime 2099-01-01T00:00:00.000"),
    reset("by a duration", f"--topic {TOPIC} --by-duration P1DT2H"),
    reset("to no time", f"--topic {TOPIC} --to-datetime foo"),
    reset("by no duration", f"--topic {TOPIC} --by-duration foo"),
    reset("from a file", "--from-file {home}/offsets.csv"),
    reset("from a file of groups", f"--group {LATE} --from-file {{home}}/groups.csv"),
    reset("from a file of other groups", "--from-file {home}/others.csv"),
    reset("from a file that is not there", "--from-file {home}/nothing.csv"),
    reset("for a file", f"--topic {TOPIC} --to-earliest --export"),
    reset("two groups for a file", f"--group {LATE} --all-topics --to-earliest --export"),
    reset("a topic that is not there", "--topic nothing --to-earliest"),
    reset("a partition that is not there", f"--topic {TOPIC}:9 --to-earliest"),
    reset("no partition", f"--topic {TOPIC}:x --to-earliest", says=True),
    reset("two ways", f"--topic {TOPIC} --to-earliest --to-latest", says=True),
    groups("reset a group that is not there", f"--reset-offsets --group nobody --topic {TOPIC} --to-earliest --dry-run"),
    groups("reset nothing", "--reset-offsets --group nobody --all-topics --to-earliest --dry-run"),
    groups("reset from nowhere", f"--reset-offsets --group nobody --topic {TOPIC} --shift-by 1 --dry-run", says=True),
    groups("reset where it is not", f"--reset-offsets --group {LATE} --topic {TOPIC} --to-current --dry-run"),
    groups("reset a busy group", f"--reset-offsets --group {BUSY} --topic {TOPIC} --to-earliest --execute"),
    groups("reset all", "--reset-offsets --all-groups --all-topics --to-earliest --dry-run"),
    groups("reset without a word of doing it", f"--reset-offsets --group {GROUP} --topic {TOPIC} --to-earliest", says=True),
    groups("reset and do not", f"--reset-offsets --group {GROUP} --topic {TOPIC} --to-earliest --dry-run --execute", says=True),
]

CHANGING = [
    groups("reset and do", f"--reset-offsets --group moved-{{me}} --topic {TOPIC} --to-offset 3 --execute"),
    groups("where that led", "--describe --group moved-{me}"),
    groups("delete offsets", f"--delete-offsets --group moved-{{me}} --topic {TOPIC}:0,9 --topic nothing"),
    groups("delete all offsets of a topic", f"--delete-offsets --group moved-{{me}} --topic {TOPIC}"),
    groups("delete offsets of nobody", f"--delete-offsets --group nobody --topic {TOPIC}"),
    groups("delete offsets of a busy group", f"--delete-offsets --group {BUSY} --topic {TOPIC}"),
    groups("move another", f"--reset-offsets --group left-{{me}} --topic {TOPIC} --to-latest --execute"),
    groups("delete one, and one that is busy", f"--delete --group left-{{me}} --group {BUSY}"),
    groups("delete what is not there", "--delete --group nobody"),
    groups("delete the offsets of one topic", "--delete --group left-{me} --topic t", says=True),
    groups("move it again", f"--reset-offsets --group left-{{me}} --topic {TOPIC} --to-latest --execute"),
    groups("delete", "--delete --group left-{me}"),
]

REGEXES = [
    regex("an expression", "t.*|u"),
    regex("a group that is not closed", "("),
    regex("a class that is not closed", "a["),
    regex("nothing to repeat", "*a"),
    regex("what RE2 cannot do", "a(?=b)"),
]

KINDS = [
    kinds("list", "--list"),
    kinds("list those of consumers", "--list --consumer"),
    kinds("list share groups", "--list --share"),
    kinds("list those of a type and protocol", "--list --group-type classic --protocol consumer"),
    kinds("a type that is none", "--list --group-type foo", says=True),
    kinds("two kinds", "--list --consumer --share", says=True),
    kinds("a kind and a type", "--list --consumer --group-type classic", says=True),
    kinds("no action", "", says=True),
]

GROUPS = [*LOOKING, *RESETS, *KINDS, *CHANGING, *REGEXES]


def prepare(commands):
    """Topics with some lines, and groups that are somewhere in them."""
    for topic, partitions in ((TOPIC, 3), (OTHER, 1)):
        commands.create(topic, partitions)
        commands.produce(topic, [f"{number}:{number}" for number in range(30)], "--timeout", "0", *KEYED_LINES)
    for group, topic, count in ((GROUP, TOPIC, 17), (GROUP, OTHER, 5), (LATE, OTHER, 7)):
        commands.consume(topic, count, "--group", group)
    files = {
        "offsets.csv": f"{TOPIC},0,2\n{TOPIC},1,1\n",
        "groups.csv": f"{GROUP},{TOPIC},0,2\n{LATE},{OTHER},0,1\n",
        "others.csv": f"others,{TOPIC},0,2\n",
    }
    for name, text in files.items():
        (commands.home / name).write_text(text)
