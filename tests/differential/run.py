"""The same requests to Apache Kafka 4.3.1 and to us, answer by answer: python tests/differential/run.py [PATTERN]

PATTERN, a regular expression, chooses cases by `API: title`; `fuzz` chooses the random requests alone, FUZZ_SECONDS says for how long,
FUZZ_SEED which. `--page` writes docs/apis.md anew.
"""

import os
import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

from broker import Broker, Suite, check, default_kind  # noqa: E402
import fuzz  # noqa: E402
import page  # noqa: E402
from cases import CASES  # noqa: E402
from compare import Reader, differences  # noqa: E402
from meant import MEANT, MISSING  # noqa: E402
from player import AWAKE, Player, unknown_fields  # noqa: E402
from schema import apis  # noqa: E402
from script import ONCE, Answer, Ask, Raw  # noqa: E402
from wire import Connection  # noqa: E402

# The same for both: one partition for groups, times that pass quickly, and records of 2023 are kept.
PROPERTIES = {
    "offsets.topic.num.partitions": "1",
    "group.min.session.timeout.ms": "100",
    "log.retention.ms": "-1",
    "num.partitions": "2",
}
LINES_MAX = 12
FUZZ_SECONDS = int(os.environ.get("FUZZ_SECONDS", "30"))


def advertised(broker):
    """The versions that a broker says it has, by the API's key."""
    connection = Connection(broker.port)
    answer = connection.ask("ApiVersions", 3, {"client_software_name": "differential", "client_software_version": "1"})
    connection.close()
    return {one["api_key"]: (one["min_version"], one["max_version"]) for one in answer["api_keys"]}


def shared(kafka, ours):
    """The versions that both have, by key."""
    both = {key: (max(kafka[key][0], ours[key][0]), min(kafka[key][1], ours[key][1])) for key in kafka if key in ours}
    # Produce is advertised from 0 on although there is nothing below 3.
    both[0] = (3, both[0][1])
    both |= dict.fromkeys(page.WITH_A_RECEIVER, (0, 0))
    return {key: (first, last) for key, (first, last) in both.items() if first <= last}


class Judge:
    """Plays cases to both brokers and compares."""

    def __init__(self, kafka, ours):
        self.advertised = [advertised(broker) for broker in (kafka, ours)]
        self.common = shared(*self.advertised)
        self.ranges = {apis()[key]: range(first, last + 1) for key, (first, last) in self.common.items()}
        newest = {api: versions[-1] for api, versions in self.ranges.items()}
        self.players = [Player(broker, newest) for broker in (kafka, ours)]
        self.readers = [Reader(broker, self.common) for broker in (kafka, ours)]
        self.pool = ThreadPoolExecutor(2)
        for player in self.players:
            player.play(AWAKE, {}, "")

    def turns(self, case):
        """The versions of each API under test, turn by turn, from the newest down; an API that has fewer stays at its oldest."""
        if case.versions == ONCE:
            return [{}]
        ranges = {api: self.chosen(case, self.ranges[api]) for api in case.apis}
        count = max(len(versions) for versions in ranges.values())
        return [{api: versions[max(0, len(versions) - 1 - turn)] for api, versions in ranges.items()} for turn in range(count)]

    def chosen(self, case, versions):
        return [version for version in versions if case.versions is None or version in case.versions]

    def play(self, number, case):
        """Every turn of a case; fails with what differs."""
        told = {}
        turns = self.turns(case)
        for turn, versions in enumerate(turns):
            futures = [self.pool.submit(player.play, case, versions, f"-{number}-{turn}") for player in self.players]
            for line in self.compared(case, [future.result() for future in futures]):
                told.setdefault(line.replace(f"-{number}-{turn}", "@"), []).append(named(versions))
        lines = [f"\n      {line} ({', '.join(where)})" for line, where in told.items()]
        check(not told, "".join(lines[:LINES_MAX]) + (f"\n      and {len(lines) - LINES_MAX} more" if len(lines) > LINES_MAX else ""))
        return f"{len(turns)} versions" if len(turns) > 1 else None

    def compared(self, case, played):
        """A line for each difference that is not meant."""
        read = [[reader.outcome(outcome, variables) for outcome in outcomes] for reader, (outcomes, variables) in zip(self.readers, played)]
        steps = [step for step in case.steps if gives_an_outcome(step)]
        for at, (kafka, ours) in enumerate(zip(*read)):
            api = getattr(steps[at], "api", case.apis[0])
            for found in differences(kafka, ours):
                if not any(meant.covers(api, case.title, found) for meant in [*MEANT, *MISSING]):
                    yield f"step {at + 1} {found}"


def gives_an_outcome(step):
    """Whether a step's outcome is compared; what closes or refuses shows itself in every one."""
    return isinstance(step, (Answer, Raw)) or (isinstance(step, Ask) and not step.later and step.compared)


def named(versions):
    """The versions under test in a word."""
    return ", ".join(f"v{version}" if len(versions) == 1 else f"{api} v{version}" for api, version in versions.items())


def compare_all(suite, judge, pattern):
    """A check for each case that is chosen."""
    for number, case in enumerate(CASES):
        title = f"{' '.join(case.apis)}: {case.title}"
        if re.search(pattern, title):
            check(not unknown_fields(case), f"{title}: {unknown_fields(case)}")
            check(all(api in judge.ranges for api in case.apis), f"{title}: not all of it is served")
            suite.step(title, judge.play, number, case)


def nothing_is_stale(judge):
    """Every difference that is allowed is one, and docs/apis.md says what is."""
    unused = [f"{meant.api}: {meant.title}" for meant in [*MEANT, *MISSING] if not meant.used]
    check(not unused, f"allowed, but not there: {unused}")
    check(page.is_fresh(*judge.advertised), "docs/apis.md is stale: tests/run differential --page")


def main(words):
    pattern = next((word for word in words if not word.startswith("--")), "")
    suite = Suite("differential")
    with (
        tempfile.TemporaryDirectory(prefix="yeoul-differential-") as home,
        Broker(f"{home}/kafka", "apache-kafka", PROPERTIES) as kafka,
        Broker(f"{home}/ours", default_kind(), PROPERTIES) as ours,
    ):
        judge = Judge(kafka, ours)
        if "--page" in words:
            page.PAGE.write_text(page.page(*judge.advertised))
            return 0
        compare_all(suite, judge, pattern)
        if ours.kind == "yeoul" and not pattern:
            suite.step("nothing that is written about the differences is stale", nothing_is_stale, judge)
        if ours.kind == "yeoul" and re.search(pattern, "fuzz"):
            suite.step(f"{FUZZ_SECONDS} s of random requests", fuzz.run, ours, judge.advertised[1], FUZZ_SECONDS)
        suite.step("the broker stops cleanly", ours.stop)
        suite.last_words_of(ours)
    return suite.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
