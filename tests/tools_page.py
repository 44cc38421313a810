"""docs/tools.md: which of Apache Kafka's command lines the suites call, and with which words.

Each suite has its section, made of the calls that it has made. What the page says must have been called; what it does not say yet is told.
"""

from pathlib import Path

from broker import check

PAGE = Path(__file__).resolve().parent.parent / "docs" / "tools.md"
HEAD = """# Apache Kafka's command lines

What the suites call of Apache Kafka 4.3.1's own tools, as its scripts name them, and with which words; values are left out, and where
the broker is. A call may be one that must be refused. Each section is made by a suite from the calls that it has made, after all of its
checks have passed: `tests/run SUITE --page`; the suite fails when the section tells of a call that it does not make.
"""
ABOUT = {
    "clients": "Against Yeoul: what they print and change is what it must be.",
    "settings": "Against Yeoul: each prints the lines that it must, and ends as it must.",
    "commands": "Against Yeoul, beside the command of ours with the same words: both print the same and end the same.",
}
SCRIPTS = {
    "BrokerApiVersionsCommand": "broker-api-versions", "ClientMetricsCommand": "client-metrics", "ClusterTool": "cluster",
    "ConfigCommand": "configs", "ConsoleConsumer": "console-consumer", "ConsoleProducer": "console-producer",
    "ConsumerGroupCommand": "consumer-groups", "ConsumerPerformance": "consumer-perf-test", "DeleteRecordsCommand": "delete-records",
    "DumpLogSegments": "dump-log", "EndToEndLatency": "e2e-latency", "FeatureCommand": "features", "GetOffsetShell": "get-offsets",
    "GroupsCommand": "groups", "LeaderElectionCommand": "leader-election", "LogDirsCommand": "log-dirs",
    "MetadataQuorumCommand": "metadata-quorum", "ProducerPerformance": "producer-perf-test",
    "ReassignPartitionsCommand": "reassign-partitions", "StorageTool": "storage", "TopicCommand": "topics",
    "TransactionsCommand": "transactions", "VerifiableConsumer": "verifiable-consumer", "VerifiableProducer": "verifiable-producer",
}
PLACES = {"--bootstrap-server", "--bootstrap-controller"}


def row(call):
    """The script and the words of a call, of which only flags and what stands before them are kept."""
    name, words = call[0].rsplit(".", 1)[-1], without_places(call[1])
    first = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
    kept = [*words[:first], *[word for word in words[first:] if word.startswith("-") and not word[1:].isdigit()]]
    script = f"kafka-{SCRIPTS[name]}" if name in SCRIPTS else name
    return f"| {script} | `{' '.join(dict.fromkeys(kept)) or '(nothing)'}` |\n"


def without_places(words):
    """The words but for where the broker is."""
    return [word for before, word in zip(["", *words], words) if word not in PLACES and before not in PLACES]


def rows(calls):
    """A line for each way to call a tool, in the order of the alphabet."""
    return sorted({row(call) for call in calls})


def title(suite):
    """Where the suite's section begins."""
    return f"\n## tests/run {suite}\n\n"


def section(suite, calls):
    """What one suite calls."""
    return f"{title(suite)}{ABOUT[suite]}\n\n| tool | words |\n|---|---|\n{''.join(rows(calls))}"


def told(suite):
    """The section of a suite as it stands on the page, or nothing."""
    _, _, after = (PAGE.read_text() if PAGE.exists() else "").partition(title(suite))
    return after.partition("\n## ")[0]


def write(suite, calls):
    """Puts the suite's section in its place; the others stay."""
    sections = [section(one, calls) if one == suite else title(one) + told(one) for one in ABOUT if one == suite or told(one)]
    PAGE.write_text(HEAD + "".join(one.rstrip("\n") + "\n" for one in sections))


def stale(suite, calls):
    """The lines of the page that the suite has not called."""
    return [line for line in told(suite).splitlines(keepends=True) if line.startswith("| kafka") and line not in rows(calls)]


def finish(run, suite, calls, words):
    """The last check of a suite: nothing on the page is untrue; with `--page` it is written anew."""
    if run.failed:
        return
    if "--page" in words:
        write(suite, calls)
    run.step("docs/tools.md says what is called", compare, suite, calls)


def compare(suite, calls):
    """Fails with what is not called; says how much is not on the page yet."""
    untrue = stale(suite, calls)
    check(told(suite) and not untrue, f"docs/tools.md is stale, write it with tests/run {suite} --page: {untrue[:3]}")
    new = [line for line in rows(calls) if line not in told(suite)]
    return f"{len(rows(calls))} ways" + (f", {len(new)} of them not told yet" if new else "")
