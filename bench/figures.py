"""The figures of the table: what they are called, which way is better, and what is to be reached."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """`reach` is a limit of Yeoul's figure over Kafka's, or of Yeoul's own where `absolute`; None where nothing is asked."""

    key: str
    title: str
    unit: str
    more: bool = False
    reach: float | None = None
    absolute: bool = False
    variant: str = "yeoul"


MEMORY = "yeoul from memory"

FIGURES = [
    Figure("produce_mb_s", "produce, 1 KiB, 16 partitions, acks=all, idempotent", "MB/s", True, 1.5),
    Figure("produce_cpu_s_gb", "… broker CPU", "s/GB", reach=1 / 3),
    Figure("produce_machine_cpu_s_gb", "… CPU of the machine without the client, written back", "s/GB"),
    Figure("produce_mb_s", "… answered from memory", "MB/s", True, variant=MEMORY),
    Figure("produce_cpu_s_gb", "… answered from memory, broker CPU", "s/GB", variant=MEMORY),
    Figure("consume_mb_s", "catch-up read of the same", "MB/s", True, 1.2),
    Figure("consume_cpu_s_gb", "… broker CPU", "s/GB", reach=0.5),
    Figure("loaded_resident_mb", "resident memory after that", "MB"),
    Figure("single_per_s", "one record a request, acks=1, 64 connections: flushed", "1/s", True, 1),
    Figure("single_per_s", "… answered from memory", "1/s", True, 3, variant=MEMORY),
    Figure("single_p99_ms", "… flushed, p99", "ms"),
    Figure("single_cpu_us", "… flushed, broker CPU a record", "µs"),
    Figure("single_cpu_us", "… answered from memory, broker CPU a record", "µs", variant=MEMORY),
    Figure("paced_p50_ms", "20,000 records/s, linger 5 ms, end to end: p50", "ms"),
    Figure("paced_p99_ms", "… p99", "ms", reach=15, absolute=True),
    Figure("paced_p999_ms", "… p99.9", "ms"),
    Figure("paced_max_ms", "… max", "ms"),
    Figure("paced_cpu_us", "… broker CPU a record", "µs"),
    Figure("paced_p99_ms", "… answered from memory, p99", "ms", variant=MEMORY),
    Figure("start_s", "format, start, first acknowledged record", "s", reach=0.1, absolute=True),
    Figure("restart_clean_s", "restart with 3 GB, clean", "s", reach=0.15, absolute=True),
    Figure("restart_killed_s", "restart with 3 GB, after kill -9", "s", reach=1, absolute=True),
    Figure("idle_mb", "resident memory, idle", "MB", reach=24, absolute=True),
    Figure("partition_kb", "… a partition (of 2,000)", "kB", reach=10, absolute=True),
    Figure("connection_kb", "… an idle connection (of 2,000)", "kB", reach=12, absolute=True),
    Figure("create_s", "create 2,000 partitions, until all serve", "s", reach=1 / 3),
    Figure("create_answered_s", "… until the answer", "s"),
    Figure("join_ms", "100 members join a classic group, after the initial delay", "ms", reach=0.5),
    Figure("rejoin_ms", "… all of them again, median", "ms", reach=0.5),
    Figure("partitions_create_s", "create 10,000 partitions, until all serve", "s", reach=1 / 3),
    Figure("partitions_kb", "… resident memory a partition", "kB", reach=6, absolute=True),
    Figure("behind_quiet_p99_ms", "5,000 records/s, end to end: p99", "ms"),
    Figure("behind_p99_ms", "… while another reads 4 GB from the disk, again and again: p99", "ms"),
    Figure("behind_times", "… by so much longer", "×", reach=1.5, absolute=True),
    Figure("behind_read_mb_s", "… and that one reads", "MB/s", True),
    Figure("partitions_restart_s", "… restart after kill -9, first acknowledged record", "s", reach=0.1),
    Figure("cleaner_mb_s", "compaction of 1 GB, of which nine tenths go", "MB/s", True, 1),
    Figure("cleaner_cpu_s_gb", "… broker CPU", "s/GB", reach=0.5),
    Figure("cleaner_from_start_s", "… from the broker's start until it is done", "s"),
    Figure("tools_list_times", "topics --list over kafka-topics --list, seconds", "×", reach=1 / 50, absolute=True),
]

TOOLS = {"yeoul": "Yeoul's", "librdkafka": "librdkafka's", "kafka": "Kafka's"}
TOOL_LOADS = {"1k": "1 KiB", "100": "100 bytes", "lz4": "100 bytes, lz4"}
TOOL_COMMANDS = {"produce": "producer-perf-test", "consume": "consumer-perf-test"}
for load, load_title in TOOL_LOADS.items():
    for what, command in TOOL_COMMANDS.items():
        title = f"{command} over rdkafka_performance, {load_title}"
        FIGURES += [
            Figure(f"tools_{load}_{what}_times", f"{title}: records/s", "×", True, 1, absolute=True),
            Figure(f"tools_{load}_{what}_cpu_times", "… CPU a record", "×", reach=1, absolute=True)]


def shown(value):
    """Three significant digits."""
    if value is None:
        return "–"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def reached(figure, ours, ratio):
    """`yes`, `no`, or nothing when nothing is asked or known."""
    measured = ours if figure.absolute else ratio
    if figure.reach is None or measured is None:
        return ""
    good = measured >= figure.reach if figure.more else measured <= figure.reach
    return "yes" if good else "**no**"


def asked(figure):
    """The limit in words."""
    if figure.reach is None:
        return ""
    sign = "≥" if figure.more else "≤"
    return f"{sign} {shown(figure.reach)} {figure.unit}" if figure.absolute else f"{sign} {shown(figure.reach)}×"


def table(medians):
    """A Markdown table of {variant: {key: value}}."""
    lines = ["| figure | unit | Apache Kafka 4.3.1 | Yeoul | Yeoul / Kafka | to reach | reached |", "|---|---|--:|--:|--:|--:|---|"]
    for figure in FIGURES:
        theirs, ours = medians.get("apache-kafka", {}).get(figure.key), medians.get(figure.variant, {}).get(figure.key)
        if theirs is None and ours is None:
            continue
        ratio = ours / theirs if ours is not None and theirs else None
        times = "" if ratio is None else f"{shown(ratio)}×"
        cells = [figure.title, figure.unit, shown(theirs), shown(ours), times, asked(figure), reached(figure, ours, ratio)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def tools_table(medians):
    """A Markdown table of what the tools did, each on each broker; nothing where they were not measured."""
    asked = [(variant, load, what) for variant, found in medians.items() for load in TOOL_LOADS for what in TOOL_COMMANDS
             if f"tools_{load}_{what}_yeoul_per_s" in found]
    lines = ["| broker | load | command |", "|---|---|---|"]
    for title in TOOLS.values():
        lines[0] += f" {title}: records/s | CPU µs | MB |"
        lines[1] += "--:|--:|--:|"
    for variant, load, what in asked:
        cells = [variant, TOOL_LOADS[load], TOOL_COMMANDS[what]]
        for tool in TOOLS:
            name = f"tools_{load}_{what}_{tool}"
            cells += [shown(medians[variant][f"{name}_{figure}"]) for figure in ("per_s", "cpu_us", "mb")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) if asked else ""
