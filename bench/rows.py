"""The rows: each takes a way to make a broker and how large to be, and gives figures by name."""

import concurrent.futures
import mmap
import os
import statistics
import threading
import time
from pathlib import Path

import measure
import tools
from broker import wait_until

GB = 1_000_000_000
PARTITIONS = 16
RECORD_BYTES = 1024


def whole(number):
    """At least one."""
    return max(1, int(number))


def produce(make, scale):
    """Throughput of producing, then of reading the same from the beginning; the first half of each is warm-up."""
    records = whole(2 * GB / RECORD_BYTES * scale)
    with make() as broker:
        measure.drive("create", broker.bootstrap, topic="warm", partitions=PARTITIONS)
        measure.drive("create", broker.bootstrap, topic="load", partitions=PARTITIONS)
        load = {"partitions": PARTITIONS, "records": records}
        measure.drive("produce", broker.bootstrap, topic="warm", bytes=RECORD_BYTES, **load)
        written = measure.driven_with_cpu(broker, "produce", topic="load", bytes=RECORD_BYTES, **load)
        measure.drive("consume", broker.bootstrap, topic="warm", **load)
        read = measure.driven_with_cpu(broker, "consume", topic="load", **load)
        resident = measure.resident_bytes(broker.pid())
        broker.stop()
    return {**throughput("produce", written), **throughput("consume", read), "loaded_resident_mb": resident / 1e6}


def throughput(name, result):
    """Rates and CPU for a GB of values."""
    gigabytes = result["bytes"] / GB
    return {
        f"{name}_mb_s": result["bytes"] / 1e6 / result["seconds"],
        f"{name}_cpu_s_gb": result["broker_cpu_seconds"] / gigabytes,
        f"{name}_machine_cpu_s_gb": result["machine_cpu_seconds"] / gigabytes,
    }


def single(make, scale):
    """One record a request, 64 connections with one request each under way."""
    options = {
        "topic": "single", "partitions": PARTITIONS, "connections": 64, "bytes": RECORD_BYTES, "acks": 1,
        "seconds": 15 * scale}
    with make() as broker:
        measure.drive("create", broker.bootstrap, topic="single", partitions=PARTITIONS)
        measure.drive("single", broker.bootstrap, **options)
        result = measure.driven_with_cpu(broker, "single", **options)
        broker.stop()
    return {
        "single_per_s": result["records"] / result["seconds"],
        "single_p50_ms": result["p50_ms"],
        "single_p99_ms": result["p99_ms"],
        "single_cpu_us": result["broker_cpu_seconds"] / result["records"] * 1e6,
    }


def paced(make, scale):
    """20,000 records a second, from their due time to a consumer's hands."""
    options = {
        "topic": "paced", "partitions": PARTITIONS, "rate": 20_000, "bytes": RECORD_BYTES, "linger": 5,
        "seconds": whole(60 * scale)}
    with make() as broker:
        measure.drive("create", broker.bootstrap, topic="paced", partitions=PARTITIONS)
        measure.drive("paced", broker.bootstrap, **options)
        result = measure.driven_with_cpu(broker, "paced", **options)
        broker.stop()
    figures = {f"paced_{name}_ms": result[f"{name}_ms"] for name in ("p50", "p90", "p99", "p999", "max")}
    return {**figures, "paced_cpu_us": result["broker_cpu_seconds"] / result["records"] * 1e6}


def first_record_seconds(broker, topic, action):
    """From the action that starts a broker to the first acknowledged record; the driver waits for it already."""
    driver = measure.begin("first", broker.bootstrap, topic=topic)
    begin = time.monotonic()
    action()
    driver.stdout.readline()
    seconds = time.monotonic() - begin
    measure.finish(driver)
    return seconds


def start(make, scale):
    """An empty directory: format, start, first acknowledged record. The first of several is warm-up."""
    times = []
    for _ in range(1 + whole(3 * scale)):
        broker = make()

        def format_and_spawn(broker=broker):
            broker.format()
            broker.spawn()

        times.append(first_record_seconds(broker, "first", format_and_spawn))
        broker.stop()
    return {"start_s": statistics.median(times[1:])}


def restart(make, scale):
    """3 GB in active segments: after kill -9, and after a clean stop."""
    records = whole(3 * GB / RECORD_BYTES * scale)
    with make() as broker:
        measure.drive("create", broker.bootstrap, topic="load", partitions=PARTITIONS)
        measure.drive("produce", broker.bootstrap, topic="load", partitions=PARTITIONS, records=records, bytes=RECORD_BYTES)
        broker.kill()
        crashed = first_record_seconds(broker, "load", broker.spawn)
        broker.stop()
        clean = first_record_seconds(broker, "load", broker.spawn)
        broker.stop()
    return {"restart_clean_s": clean, "restart_killed_s": crashed}


def memory(make, scale):
    """Idle, with idle connections, and with many partitions."""
    connections, partitions = whole(2000 * scale), whole(2000 * scale)
    with make() as broker:
        settle = max(1, 10 * scale)
        idle = measure.settled_resident_bytes(broker.pid(), settle)
        driver = measure.begin("idle", broker.bootstrap, connections=connections)
        connected = measure.settled_resident_bytes(broker.pid(), settle)
        measure.finish(driver)
        wait_until(lambda: open_files(broker.pid()) < connections / 2 + 500, 60, "the connections are closed")
        before = measure.settled_resident_bytes(broker.pid(), settle)
        created = measure.drive("create", broker.bootstrap, topic="many", partitions=partitions)
        after = measure.settled_resident_bytes(broker.pid(), settle)
        broker.stop()
    return {
        "idle_mb": idle / 1e6,
        "connection_kb": (connected - idle) / connections / 1e3,
        "partition_kb": (after - before) / partitions / 1e3,
        "create_answered_s": created["answered_seconds"],
        "create_s": created["served_seconds"],
    }


def join(make, scale):
    """A hundred members of a classic group, after the initial delay, which is the same for both; then all of them again."""
    delay_ms = 1000
    broker = make()
    broker.extra = {**broker.extra, "group.initial.rebalance.delay.ms": str(delay_ms)}
    with broker:
        options = {"members": whole(100 * scale), "rounds": whole(200 * scale), "delay": delay_ms}
        result = measure.drive("join", broker.bootstrap, **options)
        broker.stop()
    return {"join_ms": result["joined_seconds"] * 1e3, "rejoin_ms": result["rejoined_seconds"] * 1e3}


def partitions(make, scale):
    """10,000 partitions of four topics: made, held in memory, and there again after kill -9."""
    topics, each = 4, whole(2500 * scale)
    with make() as broker:
        settle = max(1, 10 * scale)
        measure.drive("create", broker.bootstrap, topic="first", partitions=1)
        before = measure.settled_resident_bytes(broker.pid(), settle)
        made = [measure.drive("create", broker.bootstrap, topic=f"many-{number}", partitions=each) for number in range(topics)]
        after = measure.settled_resident_bytes(broker.pid(), settle)
        broker.kill()
        restarted = first_record_seconds(broker, "first", broker.spawn)
        broker.stop()
    return {
        "partitions_create_s": sum(created["served_seconds"] for created in made),
        "partitions_kb": (after - before) / (topics * each) / 1e3,
        "partitions_restart_s": restarted,
    }


def behind(make, scale):
    """What a consumer that reads old data from the disk costs those who produce and keep up: a paced stream without and with it."""
    old = {"topic": "old", "partitions": PARTITIONS, "records": whole(4 * GB / RECORD_BYTES * scale)}
    stream = {
        "topic": "paced", "partitions": PARTITIONS, "rate": 5_000, "bytes": RECORD_BYTES, "linger": 5,
        "seconds": whole(30 * scale)}
    with make() as broker:
        for topic in ("old", "paced"):
            measure.drive("create", broker.bootstrap, topic=topic, partitions=PARTITIONS)
        measure.drive("produce", broker.bootstrap, bytes=RECORD_BYTES, **old)
        # Nothing of it is in the broker's memory after that.
        broker.stop()
        broker.start()
        measure.drive("paced", broker.bootstrap, **stream)
        quiet = measure.drive("paced", broker.bootstrap, **stream)
        reader = threading.Event()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            rates = pool.submit(read_again_and_again, broker, old, reader)
            disturbed = measure.drive("paced", broker.bootstrap, **stream)
            reader.set()
        broker.stop()
    return {
        "behind_quiet_p99_ms": quiet["p99_ms"],
        "behind_p99_ms": disturbed["p99_ms"],
        "behind_times": disturbed["p99_ms"] / quiet["p99_ms"],
        "behind_read_mb_s": statistics.mean(rates.result()),
    }


def read_again_and_again(broker, old, enough):
    """Reads a topic from its beginning until it is enough, each time with nothing of it in the page cache; MB/s of each time."""
    rates = []
    while not enough.is_set():
        forget(broker.data)
        read = measure.drive("consume", broker.bootstrap, **old)
        rates.append(read["bytes"] / 1e6 / read["seconds"])
    return rates


def forget(directory):
    """Has the page cache let go of all segments."""
    os.sync()
    for path in Path(directory).glob("old-*/*.log"):
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def open_files(pid):
    """How many descriptors a process holds."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def cleaner(make, scale):
    """A compacted log of 1 GB, of which nine tenths are superseded: cleaned after a start, less what a start alone takes."""
    records = whole(GB / 272 * scale)
    broker = make()
    eager = {
        **broker.extra, "log.cleanup.policy": "compact", "log.segment.bytes": str(whole(max(1, 64 * scale)) << 20),
        "log.cleaner.backoff.ms": "100", "log.cleaner.min.cleanable.ratio": "0.01"}
    broker.extra = {**eager, "log.cleaner.enable": "false"}
    with broker:
        measure.drive("create", broker.bootstrap, topic="keyed", partitions=1)
        measure.drive("keyed", broker.bootstrap, topic="keyed", records=records, bytes=256, keys=whole(records / 10))
        broker.stop()
    logs = sorted((broker.data / "keyed-0").glob("*.log"))
    dirty = sum(path.stat().st_size for path in logs[:-1])
    broker.extra = eager
    spawned = time.monotonic()
    with broker:
        answered = time.monotonic()
        wait_until(lambda: cleaned_offset(broker, "keyed") >= int(logs[-1].stem), 600, "the log is cleaned")
        cleaned = time.monotonic()
        cpu_seconds = measure.process_cpu_seconds(broker.pid())
        broker.stop()
    broker.extra = {**eager, "log.cleaner.enable": "false"}
    with broker:
        time.sleep(cleaned - answered)
        cpu_seconds -= measure.process_cpu_seconds(broker.pid())
        broker.stop()
    return {
        "cleaner_mb_s": dirty / 1e6 / (cleaned - answered),
        "cleaner_cpu_s_gb": cpu_seconds / (dirty / GB),
        "cleaner_from_start_s": cleaned - spawned,
    }


def cleaned_offset(broker, topic):
    """Up to where partition 0 of a topic was cleaned."""
    path = broker.data / "cleaner-offset-checkpoint"
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(line.split()[2]) for line in lines if line.startswith(f"{topic} 0 ")), 0)


def limits(directory, scale):
    """What the disk does when every write must be on it: one writer, direct and synchronous, into a file that is there already."""
    path = Path(directory) / "limits"
    small = synchronous_writes(path, 4096, whole(2000 * scale))
    large = synchronous_writes(path, 1 << 20, whole(500 * scale))
    path.unlink()
    return {"disk_4k_writes_s": 1 / small, "disk_1m_mb_s": (1 << 20) / 1e6 / large}


def synchronous_writes(path, size, count):
    """Mean seconds a write."""
    block = mmap.mmap(-1, size)
    path.write_bytes(bytes(size * min(count, 64)))
    os.sync()
    descriptor = os.open(path, os.O_WRONLY | os.O_DIRECT | os.O_DSYNC)
    begin = time.monotonic()
    for index in range(count):
        os.pwrite(descriptor, block, index % 64 * size if count >= 64 else index * size)
    os.close(descriptor)
    return (time.monotonic() - begin) / count


ROWS = {
    "produce": produce, "single": single, "paced": paced, "start": start, "restart": restart, "memory": memory, "join": join,
    "partitions": partitions, "behind": behind, "cleaner": cleaner, "tools": tools.tools}
# Rows that are also run with answers before the flush, which is how Apache Kafka answers.
FROM_MEMORY = ["produce", "single", "paced"]
