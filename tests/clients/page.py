"""docs/clients.md: what became of every check of every client, and which APIs each client used for it."""

from dataclasses import dataclass
from pathlib import Path

from broker import KAFKA_VERSION
from schema import apis

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "clients.md"
PASSED, FAILED = "passed", "failed"
SIGNS = {PASSED: "✓", FAILED: "**✗**"}
TITLES = {"yeoul": "Yeoul", "apache-kafka": f"Apache Kafka {KAFKA_VERSION}"}
# Those that are no client of the list: what stays is Kafka's tools, each of which has a name of its own.
NO_TOOLS = {"operators"}
TOOLS = "kafka-tools"
# It is Debian's; the others have their version from us.
NOT_PINNED = "kcat"
# Whether they are sent is a matter of time.
BY_CHANCE = {"Heartbeat", "OffsetForLeaderEpoch"}
HEAD = """# Clients

Clients that we did not write, run against Yeoul by `tests/run clients`: one list of checks for all of them, `tests/clients/scenario.py`.
✓ is a check that passed, **✗** one that failed; a letter is one that the client itself does not offer, with the reason below the table.
Each client reads what all others wrote, as far as it has their codecs. How the suite calls Kafka's command lines is in
[tools.md](tools.md).

This page is made by `tests/run clients --page` from what became of the checks against both brokers; the suite fails when it is stale.
"""
APIS = """
## The APIs that they use

The newest version in which each client sent a request while it went through the checks, as seen between it and the broker. What all of
the APIs are and which cases prove each of them is in [apis.md](apis.md). Left out are {by_chance}, which are
sent when it takes long.

"""


@dataclass
class Results:
    """Of one broker: the clients in words, outcomes by client and check, API keys with their newest version by client, and the calls
    of Kafka's command lines."""

    told: dict
    outcomes: dict
    used: dict
    called: list


def table(head, rows):
    """A table of Markdown whose first column is wide."""
    lines = [head, ["---", *[":-:"] * (len(head) - 1)], *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def checks(results):
    """The clients, the checks, and why some are not made."""
    clients = list(results.told)
    titles = list(next(iter(results.outcomes.values())))
    reasons = reasons_of(results)
    rows = [[title, *[sign(results.outcomes[client][title], reasons) for client in clients]] for title in titles]
    told = "".join(f"- {letter}: {reason}\n" for reason, letter in reasons.items())
    return table(["check", *clients], rows) + "\n" + told


def reasons_of(results):
    """A letter for each reason, in the order of the table."""
    reasons = {}
    for outcomes in results.outcomes.values():
        for outcome in outcomes.values():
            if outcome not in SIGNS:
                reasons.setdefault(outcome, chr(ord("a") + len(reasons)))
    return reasons


def sign(outcome, reasons):
    """How an outcome stands in the table."""
    return SIGNS.get(outcome) or reasons[outcome]


def used(results):
    """The APIs, and the version that each client uses."""
    columns = {client: results.used[client] for client in results.told} | {TOOLS: by_tools(results)}
    keys = sorted({key for versions in columns.values() for key in versions})
    chosen = [key for key in keys if apis()[key] not in BY_CHANCE]
    rows = [[apis()[key], *[versions.get(key, "") for versions in columns.values()]] for key in chosen]
    return table(["API", *columns], rows)


def by_tools(results):
    """What Kafka's tools use together."""
    together = {}
    for client, versions in results.used.items():
        if client not in results.told and client not in NO_TOOLS:
            together |= {key: max(version, together.get(key, 0)) for key, version in versions.items()}
    return together


def lines_of(results):
    """A line for each client: what it is, in which version."""
    return {client: f"- {client}: {told}\n" for client, told in results.told.items()}


def section(kind, results):
    """What one broker is told of."""
    return f"\n## Against {TITLES[kind]}\n\n{checks(results)}"


def page(ours, kafka):
    """The whole page."""
    alike = f"\n## Against {TITLES['apache-kafka']}\n\nThe same checks end the same, one by one.\n"
    theirs = alike if ours.outcomes == kafka.outcomes else section("apache-kafka", kafka)
    apis_used = APIS.format(by_chance=" and ".join(sorted(BY_CHANCE))) + used(ours)
    return HEAD + "\n" + "".join(lines_of(ours).values()) + section("yeoul", ours) + theirs + apis_used


def write(ours, kafka):
    """The page anew."""
    PAGE.write_text(page(ours, kafka))


def is_fresh(kind, results):
    """Whether the page says what is of one broker; the APIs that clients use with another one are its own matter."""
    said = PAGE.read_text() if PAGE.exists() else ""
    if kind == "yeoul":
        pinned = [line for client, line in lines_of(results).items() if client != NOT_PINNED]
        return all(part in said for part in (*pinned, section(kind, results), used(results)))
    return section(kind, results) in said or checks(results) in said and "end the same, one by one" in said
