"""Our directory under Apache Kafka's eyes, and Apache Kafka's under ours.

One broker writes all that a directory can hold without transactions: records of all codecs, many segments, deleted and compacted
records, commits, configs, an idempotent producer's place. Then, after a clean stop and again after kill -9 (and, where it was ours,
`yeoul storage recover`): Apache Kafka's dump tool reads every file, and the other broker starts on a copy of the directory and serves
the same. Then the same the other way round, and with what transactions leave.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "clients")]

from broker import Broker, Suite, check, default_kind, yeoul_binary  # noqa: E402
from dump import Dumper, check_names, kept  # noqa: E402
from kafka_tools import KafkaTools  # noqa: E402
from transactions import Transactions  # noqa: E402
from written import MORE_RECORDS, PROPERTIES, ROLLED, Written  # noqa: E402


def dump_written(dumper, written):
    """Every file; all records that can be read are in what the dump tool prints."""
    text = dumper.dump_all(written.broker.data)
    found = len(re.findall(r"\| offset: \d+", text))
    wanted = len(written.seen["records"])
    check(found >= wanted, f"the dump tool found {found} of {wanted} records")
    check(f"producerId: {written.numbered.producer_id}" in text, "the numbered records are not there")
    return f"{found:,} records"


def check_plain(data):
    """Nothing but Kafka's files, and the mark of a clean stop."""
    check((data / ".kafka_cleanshutdown").exists(), "no .kafka_cleanshutdown")
    check_names(data)
    segments = len(list((data / f"{ROLLED}-0").glob("*.log")))
    check(segments >= 5, f"{segments} segments of {ROLLED}")


def check_recovered(data):
    """The clean mark may be missing after a recovery; all else is as after a clean stop."""
    (data / ".kafka_cleanshutdown").touch()
    check_plain(data)
    (data / ".kafka_cleanshutdown").unlink()


def recover(home):
    """`yeoul storage recover` makes the directory Kafka's after a crash."""
    done = subprocess.run(
        [yeoul_binary(), "storage", "recover", "-c", home / "server.properties"], capture_output=True, text=True, timeout=60)
    check(done.returncode == 0, f"recover ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "silent"


def on_a_copy(suite, title, written, kind, then=None):
    """The other broker on a copy of the directory serves the same, takes more, and stops cleanly."""
    with tempfile.TemporaryDirectory(prefix="yeoul-files-copy-") as home:
        shutil.copytree(written.broker.data, Path(home) / "data")
        other = Broker(home, kind, PROPERTIES)
        failed = len(suite.failed)
        if suite.step(f"{title}: {kind} starts", other.start):
            suite.step(f"{title}: {kind} serves the same", written.check_same, other)
            suite.step(f"{title}: {kind} takes more", Written(other).produce, "zstd", MORE_RECORDS)
            suite.step(f"{title}: {kind} stops cleanly", other.stop)
            if then:
                then(other)
        if len(suite.failed) > failed:
            suite.last_words_of(other)
        other.kill()


def ours(suite, dumper):
    """What we write, after a clean stop and after a crash."""
    with tempfile.TemporaryDirectory(prefix="yeoul-files-") as home, Broker(home, properties=PROPERTIES) as broker:
        written = Written(broker)
        if not suite.step("ours: write", written.write):
            suite.last_words_of(broker)
            return
        suite.step("ours, stopped: stops cleanly", broker.stop)
        suite.step("ours, stopped: the files are Kafka's alone", check_plain, broker.data)
        suite.step("ours, stopped: the dump tool reads all", dump_written, dumper, written)
        on_a_copy(suite, "ours, stopped", written, "apache-kafka", lambda other: back(suite, written, other))
        if suite.step("ours, killed: starts again and takes more", start_and_kill, broker, written):
            if broker.kind == "yeoul":
                suite.step("ours, killed: recover", recover, broker.home)
                suite.step("ours, killed: the files are Kafka's alone", check_recovered, broker.data)
                suite.step("ours, killed: the dump tool reads all", dump_written, dumper, written)
            on_a_copy(suite, "ours, killed", written, "apache-kafka")
            suite.step("ours, killed: starts again", broker.restart)
            suite.step("ours, killed: serves the same", written.check_same, broker)


def start_and_kill(broker, written):
    """More records, then kill -9 as soon as they are acknowledged."""
    broker.restart()
    written.produce("gzip", 90)
    written.numbered.send_next(broker)
    written.look()
    broker.kill()


def back(suite, written, other):
    """A directory that went to Apache Kafka and came back."""
    us = Broker(other.home, properties=PROPERTIES)
    if suite.step("ours, back from apache-kafka: starts", us.start):
        if suite.step("ours, back from apache-kafka: serves both brokers' records", written.check_more, us):
            suite.step("ours, back from apache-kafka: stops cleanly", us.stop)
    us.kill()


def theirs(suite, dumper):
    """What Apache Kafka writes, under us."""
    with tempfile.TemporaryDirectory(prefix="yeoul-files-") as home, Broker(home, "apache-kafka", PROPERTIES) as broker:
        written = Written(broker)
        if not suite.step("theirs: write", written.write):
            suite.last_words_of(broker)
            return
        suite.step("theirs, stopped: stops cleanly", broker.stop)
        suite.step("theirs, stopped: the dump tool reads all", dump_written, dumper, written)
        on_a_copy(suite, "theirs, stopped", written, default_kind(), lambda other: dumped(suite, dumper, other))
        suite.step("theirs, killed: starts again and takes more", start_and_kill, broker, written)
        on_a_copy(suite, "theirs, killed", written, default_kind())


def dumped(suite, dumper, other):
    """What Apache Kafka began and we went on with, under its dump tool."""
    suite.step("theirs, gone on by us: the files are Kafka's alone", check_plain, other.data)
    suite.step("theirs, gone on by us: the dump tool reads all", lambda: dumper.dump_all(other.data) and None)


def transactions(suite, dumper):
    """Transactions that Apache Kafka's coordinator has ended, and one that it has not, under us."""
    with tempfile.TemporaryDirectory(prefix="yeoul-files-") as home, Broker(home, "apache-kafka", PROPERTIES) as broker:
        written = Transactions()
        if suite.step("transactions: write", written.write, broker):
            suite.step("transactions: apache-kafka serves them", written.check_served, broker)
            suite.step("transactions: stops cleanly", broker.stop)
            transactions_on_a_copy(suite, dumper, "transactions, stopped", written, broker)
            suite.step("transactions: starts again", broker.restart)
            broker.kill()
            transactions_on_a_copy(suite, dumper, "transactions, killed", written, broker)


def transactions_on_a_copy(suite, dumper, title, written, broker):
    """We serve the same, take more, and serve all of that after kill -9, and after a clean stop; Apache Kafka serves it in turn."""
    seen = written.copy()
    with tempfile.TemporaryDirectory(prefix="yeoul-files-copy-") as home:
        shutil.copytree(broker.data, Path(home) / "data")
        us = Broker(home, properties=PROPERTIES)
        failed = len(suite.failed)
        if suite.step(f"{title}: we start", us.start):
            suite.step(f"{title}: we serve the same", seen.check_served, us)
            suite.step(f"{title}: we take more", seen.take_more, us)
            us.kill()
            transactions_back(suite, dumper, f"{title}, then we killed", seen, us)
            suite.step(f"{title}: we start after kill -9", us.start)
            suite.step(f"{title}: we serve the same after it", seen.check_served, us)
            suite.step(f"{title}: we stop cleanly", us.stop)
            transactions_back(suite, dumper, f"{title}, then we stopped", seen, us)
            suite.step(f"{title}: we start again", us.start)
            suite.step(f"{title}: we serve the same again", seen.check_served, us)
        if len(suite.failed) > failed:
            suite.last_words_of(us)
        us.kill()


def transactions_back(suite, dumper, title, seen, us):
    """A directory with transactions that came to us, back at Apache Kafka."""
    with tempfile.TemporaryDirectory(prefix="yeoul-files-back-") as home:
        shutil.copytree(us.data, Path(home) / "data")
        other = Broker(home, "apache-kafka", PROPERTIES)
        other.write_properties()
        if us.kind == "yeoul":
            suite.step(f"{title}: recover", recover, other.home)
            suite.step(f"{title}: the dump tool reads all", dump_transactions, dumper, other.data)
        if suite.step(f"{title}: apache-kafka starts", other.start):
            suite.step(f"{title}: apache-kafka serves the same", seen.check_served, other)
        other.kill()


def dump_transactions(dumper, data):
    """Every file, and the indexes of aborted transactions know some."""
    text = dumper.dump_all(data)
    check("isControl: true" in text, "no marker of a transaction")
    aborted = sum(path.stat().st_size for path in kept(data, "txnindex"))
    check(aborted > 0, "no aborted transaction in an index")


def main():
    suite = Suite("files")
    with KafkaTools() as tools:
        for part in (ours, theirs, transactions):
            part(suite, Dumper(tools))
    return suite.end()


if __name__ == "__main__":
    sys.exit(main())
