"""What a process and the machine have used, and a run of the load driver."""

import json
import os
import subprocess
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
DRIVER = os.environ.get("BENCH_DRIVER", "bench-driver")


def process_cpu_seconds(pid):
    """User and system time of all threads of a process, those that have ended too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def machine_cpu_seconds():
    """Time that the whole machine has spent on anything but idling and waiting for disks."""
    user, nice, system, _, _, irq, softirq = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8])
    return (user + nice + system + irq + softirq) / TICKS


def resident_bytes(pid):
    """Memory of a process that is in RAM, mapped files too."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no Rss")


def settled_resident_bytes(pid, seconds):
    """The least that a process holds within a while: after a load, or a start, some of it is given back."""
    deadline = time.monotonic() + seconds
    least = resident_bytes(pid)
    while time.monotonic() < deadline:
        time.sleep(0.25)
        least = min(least, resident_bytes(pid))
    return least


def arguments(command, bootstrap, options):
    """The driver's command line."""
    words = [DRIVER, command, "--bootstrap", bootstrap]
    for name, value in options.items():
        words += [f"--{name}", str(value)]
    return words


def drive(command, bootstrap, **options):
    """Runs the driver; its result, with the CPU time that it took as `driver_cpu_seconds`."""
    process = subprocess.Popen(arguments(command, bootstrap, options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"bench-driver {command} ended with {process.returncode}")
    return {**json.loads(said), "driver_cpu_seconds": usage.ru_utime + usage.ru_stime}


def begin(command, bootstrap, **options):
    """Starts a driver that says a line when it is ready; returns after that line."""
    process = subprocess.Popen(
        arguments(command, bootstrap, options), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if not process.stdout.readline():
        raise RuntimeError(f"bench-driver {command} ended with {process.wait()}")
    return process


def finish(process):
    """Waits for what begin() started, and fails if that failed."""
    process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"bench-driver ended with {process.returncode}")


def driven_with_cpu(broker, command, **options):
    """A run with the broker's CPU time, and that of the machine without the driver until all is written back."""
    os.sync()
    machine, process = machine_cpu_seconds(), process_cpu_seconds(broker.pid())
    result = drive(command, broker.bootstrap, **options)
    result["broker_cpu_seconds"] = process_cpu_seconds(broker.pid()) - process
    os.sync()
    result["machine_cpu_seconds"] = machine_cpu_seconds() - machine - result["driver_cpu_seconds"]
    return result
