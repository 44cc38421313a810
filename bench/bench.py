"""Yeoul and Apache Kafka side by side, in one run: python bench/bench.py [ROW ...]; see README.md."""

import json
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent / "tests")]

import figures  # noqa: E402
import rows  # noqa: E402
from broker import Broker  # noqa: E402

# A heap of 1 GB, G1 as a production broker is told to run it; the log's level is WARN.
JVM = ["-Xmx1G", "-Xms1G", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35"]
VARIANTS = {
    "apache-kafka": ("apache-kafka", {}),
    "yeoul": ("yeoul", {}),
    figures.MEMORY: ("yeoul", {"yeoul.acks.flush": "false"}),
}


def variants_of(row):
    """Who takes part in a row; VARIANTS narrows it."""
    wanted = os.environ.get("VARIANTS", ",".join(VARIANTS)).split(",")
    return [name for name in VARIANTS if name in wanted and (name != figures.MEMORY or row in rows.FROM_MEMORY)]


def run_variant(row, variant, scale):
    """The figures of one row of one broker, on directories that are gone afterwards."""
    kind, properties = VARIANTS[variant]
    with tempfile.TemporaryDirectory(prefix="yeoul-bench-", dir=os.environ.get("BENCH_DIR")) as home:
        brokers = []

        def make():
            brokers.append(Broker(Path(home) / str(len(brokers)), kind, properties, JVM))
            return brokers[-1]

        try:
            return rows.ROWS[row](make, scale)
        finally:
            for broker in brokers:
                broker.kill()


def run_row(row, rounds, scale):
    """{variant: [figures of each round]}; every other round goes in the opposite order."""
    found = {variant: [] for variant in variants_of(row)}
    for count in range(rounds):
        order = list(found) if count % 2 == 0 else list(reversed(found))
        for variant in order:
            begin = time.monotonic()
            result = run_variant(row, variant, scale)
            found[variant].append(result)
            said = ", ".join(f"{key} {figures.shown(value)}" for key, value in result.items())
            print(f"{row} · {variant} · {time.monotonic() - begin:.0f} s: {said}", file=sys.stderr, flush=True)
    return found


def medians_of(results):
    """{variant: {key: median of the rounds}}"""
    medians = {variant: {} for variant in VARIANTS}
    for found in results.values():
        for variant, rounds in found.items():
            for key in rounds[0] if rounds else ():
                medians[variant][key] = statistics.median(result[key] for result in rounds)
    return medians


def machine():
    """What it ran on."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "cpus": os.cpu_count(), "model": model[0].split(":", 1)[1].strip() if model else platform.machine(),
        "memory_gb": round(memory, 1), "kernel": platform.release(), "load_before": os.getloadavg()[0]}


def main(names):
    scale, rounds = float(os.environ.get("SCALE", "1")), int(os.environ.get("ROUNDS", "1"))
    unknown = set(names) - set(rows.ROWS)
    if unknown:
        sys.exit(f"no row {', '.join(unknown)}: there are {', '.join(rows.ROWS)}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    report = {"date": time.strftime("%Y-%m-%d %H:%M"), "scale": scale, "rounds": rounds, "machine": machine()}
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as directory:
        report["limits"] = rows.limits(directory, min(1, scale))
    report["rows"] = {row: run_row(row, rounds, scale) for row in names or rows.ROWS}
    report["medians"] = medians_of(report["rows"])
    print(words(report))
    if "JSON" in os.environ:
        Path(os.environ["JSON"]).write_text(json.dumps(report, indent=1) + "\n")


def words(report):
    """The report in Markdown."""
    on, disk = report["machine"], report["limits"]
    head = (
        f"{report['date']}, {on['cpus']} × {on['model']}, {on['memory_gb']} GB, Linux {on['kernel']}; scale {report['scale']}, "
        f"rounds {report['rounds']}; the disk takes {disk['disk_4k_writes_s']:,.0f} synchronous writes of 4 KiB a second, "
        f"{disk['disk_1m_mb_s']:,.0f} MB/s in writes of 1 MiB.")
    tables = [figures.table(report["medians"]), figures.tools_table(report["medians"])]
    return "\n\n".join(["\n" + head, *filter(None, tables)])


if __name__ == "__main__":
    main(sys.argv[1:])
