"""docs/apis.md: which APIs and versions there are, here and at Apache Kafka, and which cases prove them."""

from pathlib import Path

from cases import AREAS
from meant import MEANT, MISSING
from schema import apis, broker_apis, request

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "apis.md"
CLIENTS = PAGE.parent / "clients.md"
# What Yeoul and the tables know, and Apache Kafka's released version may not yet.
NEWEST = "4.4"
# Suites other than this one and `clients` in which programs that others wrote use an API.
SUITES = {
    "Produce": "commands, flights, crash, hostile, systems", "Fetch": "commands, flights, crash, files, systems",
    "ListOffsets": "commands, systems", "Metadata": "commands, flights, systems", "OffsetCommit": "commands, flights, systems",
    "OffsetFetch": "commands, flights, systems", "FindCoordinator": "flights, systems", "JoinGroup": "commands, flights, systems",
    "Heartbeat": "commands, flights, systems", "LeaveGroup": "commands", "SyncGroup": "commands, flights, systems",
    "CreateTopics": "commands, flights, systems", "DeleteTopics": "commands", "DeleteRecords": "retention, files",
    "InitProducerId": "crash", "DescribeConfigs": "commands, settings", "AlterConfigs": "settings",
    "IncrementalAlterConfigs": "settings", "DescribeQuorum": "settings", "UpdateFeatures": "settings",
    "ListConfigResources": "settings", "CreatePartitions": "commands", "DescribeLogDirs": "commands, directories",
    "AlterReplicaLogDirs": "commands, directories", "AlterPartitionReassignments": "commands, directories",
    "ListPartitionReassignments": "commands", "GetTelemetrySubscriptions": "settings",
}
# What brings those that are not served yet.
COMES_WITH = {
    "security": {17, 36, 38, 39, 40, 41, 50, 51}, "transactions": {24, 25, 26, 27, 28, 65, 66}, "quotas": {48, 49},
    "replication": {64, 80, 81, 94}, "the newer consumer groups": {68, 69},
    "share groups": {76, 77, 78, 79, 83, 84, 85, 86, 87, 90, 91, 92}, "streams groups": {88, 89, 93},
}
# Served, and advertised by neither broker: nobody receives the metrics that clients would push.
WITH_A_RECEIVER = {71, 72}
HEAD = """# The APIs

Every API that brokers of Apache Kafka serve to clients, {count} of them, with its versions in Apache Kafka 4.3.1, in Kafka {newest} and
here, and what proves it.

- *Cases* are those of `tests/run differential`, in these files of [tests/differential/cases](../tests/differential/cases): each sends the
  same requests to Apache Kafka and to Yeoul, in every version that both have, and compares the answers field by field. Besides, the
  suite sends random requests to every version that is served.
- *Clients* is how many of those that we did not write use the API, and whether Kafka's command lines do; which ones, in which
  versions, is in [clients.md](clients.md).
- *Suites* are others in which programs that we did not write use it (see [tests/README.md](../tests/README.md)). For what is not served
  yet this column says what it comes with.

A dash is an API that is not advertised. GetTelemetrySubscriptions and PushTelemetry are answered and, as by Apache Kafka, not
advertised while nobody receives the metrics.

This page is made by `tests/run differential --page` from what both brokers advertise, from the tables of cases and from what the clients
were seen to use; the suite fails when it is stale.

| key | API | Kafka 4.3.1 | Kafka {newest} | Yeoul | cases | clients | suites |
|---|---|---|---|---|---|---|---|
"""


def versions(pair):
    """`4–18`, or a dash for none."""
    if not pair or pair[0] > pair[1]:
        return "–"
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}–{pair[1]}"


def in_tables(key):
    """The versions of the schemas."""
    found = request(apis()[key]).versions if key in apis() else range(0)
    return (found[0], found[-1]) if found else None


def row(key, kafka, ours):
    """One API."""
    name = broker_apis()[key]
    is_served = key in ours or key in WITH_A_RECEIVER
    proofs = [proving(name), users(name), SUITES.get(name, "")] if is_served else ["", "", f"*with {comes_with(key)}*"]
    cells = [key, name, versions(kafka.get(key)), versions(in_tables(key)), versions(ours.get(key)), *proofs]
    return "| " + " | ".join(map(str, cells)) + " |\n"


def proving(name):
    """How many cases, and where they stand."""
    counts = {area: sum(name in case.apis for case in found) for area, found in AREAS.items()}
    files = ", ".join(f"[{area}](../tests/differential/cases/{area}.py)" for area, count in counts.items() if count)
    return f"{sum(counts.values())}: {files}" if files else ""


def users(name):
    """How many clients use an API, as docs/clients.md has it; its last column is Kafka's command lines."""
    cells = next((line.split(" | ")[1:] for line in CLIENTS.read_text().splitlines() if line.startswith(f"| {name} | ")), [])
    used = [bool(cell.strip(" |")) for cell in cells]
    return " + ".join([f"{sum(used[:-1])}"] * any(used[:-1]) + ["command lines"] * any(used[-1:]))


def comes_with(key):
    """What an API that is not served waits for."""
    return next(what for what, keys in COMES_WITH.items() if key in keys)


def listed(title, said, rows):
    """Differences, one a line."""
    if not rows:
        return ""
    lines = "".join(f"- {names(row.api)}{where(row.title)}: {row.reason}.\n" for row in rows)
    return f"\n## {title}\n\n{said}\n\n{lines}"


def names(pattern):
    """The APIs of a pattern, to be read."""
    return "Any API" if pattern == ".*" else pattern.replace("|", ", ")


def where(pattern):
    """The cases of a pattern, to be read."""
    return "" if pattern == ".*" else ", " + "; ".join(one.replace(".*", "…") for one in pattern.split("|"))


def page(kafka, ours):
    """The whole page from what both advertise."""
    rows = "".join(row(key, kafka, ours) for key in sorted(broker_apis()))
    kept = listed("Where Yeoul answers otherwise, and why", "The suite allows these differences and no others.", MEANT)
    missing = listed("What is missing", "Known, and to go.", MISSING) if MISSING else ""
    return HEAD.format(newest=NEWEST, count=len(broker_apis())) + rows + kept + missing


def is_fresh(kafka, ours):
    """Whether docs/apis.md says what is."""
    return PAGE.exists() and PAGE.read_text() == page(kafka, ours)
