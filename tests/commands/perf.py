"""The tools that measure, called alike: their lines have the same form, with figures of their own."""

import re

from broker import check
from cases import Case

RECORDS = 20
TOPIC = "--bootstrap-server {broker} --topic paced-{me}"
# Figures are masked, with their digits after the point; how many records there were is not.
FIGURE = re.compile(r"(?<![\w.])-?\d+(?:\.(\d+))?(?!\w|\.\d)")
ALL_SENT = re.compile(r"^(\d+)( .*50th.*)$")


def sender(title, arguments, **more):
    return Case(f"producer-perf-test: {title}", "producer-perf-test", f"{TOPIC} {arguments}", **more)


def reader(title, arguments, **more):
    return Case(f"consumer-perf-test: {title}", "consumer-perf-test", f"--bootstrap-server {{broker}} {arguments}", **more)


def traveller(title, arguments, **more):
    return Case(f"e2e-latency: {title}", "e2e-latency", f"{TOPIC} {arguments}", **more)


SENDERS = [
    sender("letters", f"--num-records {RECORDS} --record-size 10 --throughput -1"),
    sender("at a pace, told meanwhile", "--num-records 100 --record-size 10 --throughput 500 --reporting-interval 50"),
    # Long enough that both tell of a window before they are warm, even where the first record takes a JVM its time.
    sender("warmed up and told meanwhile",
           "--num-records 200 --record-size 10 --throughput 200 --reporting-interval 50 --warmup-records 120"),
    sender("warmed up", f"--num-records {RECORDS} --record-size 10 --throughput -1 --warmup-records 5"),
    sender("too long to warm up", f"--num-records {RECORDS} --record-size 10 --throughput -1 --warmup-records {RECORDS}"),
    sender("lines of a file", f"--num-records {RECORDS} --throughput -1 --payload-file {{home}}/payloads"),
    sender("pieces of a file", f"--num-records {RECORDS} --throughput -1 --payload-file {{home}}/payloads --payload-delimiter a"),
    sender("an empty file", f"--num-records {RECORDS} --throughput -1 --payload-file /dev/null"),
    sender("numbers", f"--num-records {RECORDS} --throughput -1 --payload-monotonic"),
    sender("settings", f"--num-records {RECORDS} --record-size 1 --throughput -1 --command-property acks=1 linger.ms=3"),
    sender("settings by their old name", f"--num-records {RECORDS} --record-size 1 --throughput -1 --producer-props acks=1 linger.ms=3"),
    sender("a file of settings by its old name",
           f"--num-records {RECORDS} --record-size 1 --throughput -1 --producer.config {{home}}/paced.properties"),
    sender("a record that is too large", "--num-records 2 --record-size 2000000 --throughput -1"),
    sender("nothing to send", f"--num-records {RECORDS} --throughput -1"),
    sender("two kinds", f"--num-records {RECORDS} --throughput -1 --payload-monotonic --record-size 1"),
    sender("no records", "--num-records 0 --throughput -1 --record-size 1"),
    sender("no pace", f"--num-records {RECORDS} --record-size 1"),
    sender("no size", f"--num-records {RECORDS} --throughput -1 --record-size 0"),
    sender("no interval", f"--num-records {RECORDS} --throughput -1 --record-size 1 --reporting-interval 0"),
    Case("producer-perf-test: no broker named", "producer-perf-test", "--topic t --num-records 1 --throughput -1 --record-size 1"),
]

READERS = [
    reader("all", f"--topic paced-{{me}} --num-records {RECORDS}"),
    reader("by the old name", f"--topic paced-{{me}} --messages {RECORDS}", says=True),
    reader("a file of settings by its old name",
           f"--topic paced-{{me}} --num-records {RECORDS} --consumer.config {{home}}/paced.properties"),
    reader("without the header", f"--topic paced-{{me}} --num-records {RECORDS} --hide-header"),
    reader("by a pattern", f"--include paced-{{me}}|nothing --num-records {RECORDS}"),
    reader("told meanwhile", f"--topic paced-{{me}} --num-records {RECORDS} --show-detailed-stats --reporting-interval 1"),
    reader("told meanwhile without the header",
           f"--topic paced-{{me}} --num-records {RECORDS} --show-detailed-stats --reporting-interval 1 --hide-header"),
    reader("in a group, with dates of another form",
           f"--topic paced-{{me}} --num-records {RECORDS} --group pacers-{{me}} --date-format yyyy/M/d~HH.mm --fetch-size 1000000"),
    *[reader(f"dates as {pattern}", f"--topic paced-{{me}} --num-records {RECORDS} --date-format {pattern}")
      for pattern in ("EEE~d~MMM~yy", "EEEE~G~LLLL~D~F~u", "h~''a''~K~k", "Z~X~XX~XXX~z", "h~'o''clock'", "q", "'open", "XXXX")],
    reader("more than there are", "--topic paced-{me} --num-records 100000 --timeout 1000"),
    reader("what comes", "--topic paced-{me} --num-records 5 --from-latest --timeout 1000"),
    reader("both names", "--topic paced-{me} --num-records 5 --messages 5", says=True),
    reader("a topic and a pattern", "--topic paced-{me} --include x --num-records 5", says=True),
    reader("no number", "--topic paced-{me}", says=True),
]

TRAVELLERS = [
    traveller("by the leader", "--num-records 5 --producer-acks 1 --record-size 10"),
    traveller("by all", "--num-records 1001 --producer-acks all --record-size 10"),
    traveller("keys and headers", "--num-records 5 --producer-acks 1 --record-size 10 --record-key-size 4 "
                                  "--num-headers 2 --record-header-key-size 3 --record-header-size 5"),
    Case("e2e-latency: a new topic", "e2e-latency",
         "--bootstrap-server {broker} --topic travelled-{me} --num-records 5 --producer-acks 1 --record-size 10"),
    traveller("by nobody", "--num-records 5 --producer-acks 0 --record-size 10", says=True),
    traveller("no records", "--num-records 0 --producer-acks 1 --record-size 10", says=True),
]


# In a topic of their own: Kafka's consumer counts a fetch when all of it was taken.
METRICS = [
    Case("producer-perf-test: metrics", "producer-perf-test",
         f"--bootstrap-server {{broker}} --topic metered-{{me}} --num-records {RECORDS} --record-size 10 --throughput -1 --warmup-records 5 "
         "--print-metrics"),
    reader("metrics", f"--topic metered-{{me}} --num-records {RECORDS} --print-metrics"),
]
COUNTED = re.compile(r"(\S+-metrics:(?:record-\w+-total|records-\w+-total|buffer-total-bytes):\{[^}]*\}) +: (\S+)")


def run(commands, suite):
    """All of it, each tool with topics of its own; what was sent is what is read, in one answer: Kafka's have 500 records at most."""
    for me in ("kafka", "yeoul"):
        commands.create(f"paced-{me}", 1)
        commands.create(f"metered-{me}", 1)
    (commands.home / "payloads").write_text("a\nbb\nccc\n")
    (commands.home / "paced.properties").write_text("acks=1\n")
    for case in [*SENDERS, *READERS, *TRAVELLERS]:
        suite.step(case.title, compare, commands, case)
    for case in METRICS:
        suite.step(case.title, counted, commands, case)


def counted(commands, case):
    """What ours counts Kafka's counts too, by the same names and to the same number; the table stands behind the figures."""
    theirs, ours = (answer[1].replace(me, "ME") for me, answer in commands.answers(case))
    told = {"kafka": dict(COUNTED.findall(theirs)), "yeoul": dict(COUNTED.findall(ours))}
    check(told["yeoul"] and told["yeoul"].items() <= told["kafka"].items(), f"Kafka's {told['kafka']}, ours {told['yeoul']}")
    figures = [[line_form(line) for line in text.partition("\n\nMetric Name  ")[0].splitlines()] for text in (theirs, ours)]
    check(figures[0] == figures[1], f"before the metrics Kafka's {figures[0]}, ours {figures[1]}")


def compare(commands, case):
    """Both tools print lines of the same form and end the same."""
    told = [form(answer, case, me) for me, answer in commands.answers(case)]
    check(told[0] == told[1], f"Kafka's {told[0]}, ours {told[1]}")


def form(answer, case, me):
    """What a tool answered, without the figures."""
    code, out, error = answer
    first = error.splitlines()[0] if case.says and error else ""
    lines = [line_form(line.replace(me, "ME")) for line in out.splitlines()]
    # How often it tells meanwhile is another number each time.
    return code, [line for before, line in zip([None, *lines], lines) if line != before], first


def line_form(line):
    """A line without its figures; the number of all records stays, where it is the first figure or the fifth column of the end."""
    sent, columns = ALL_SENT.match(line), line.split(", ")
    if sent:
        return sent[1] + masked(sent[2])
    if len(columns) == 10 and columns[1] != "0" and columns[4].isdigit():
        return ", ".join([*map(masked, columns[:4]), columns[4], *map(masked, columns[5:])])
    return masked(re.sub(r"\t\d+\.\d+$", "\tMS", line))


def masked(text):
    """Each figure by its digits after the point."""
    return FIGURE.sub(lambda figure: "N" + ("." + "n" * len(figure[1]) if figure[1] else ""), text)
