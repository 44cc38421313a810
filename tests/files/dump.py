"""Apache Kafka's dump tool on every file of a log directory, and what it does not read: names of files, and the epochs of leaders."""

import re

from broker import check

FILES_AT_ONCE = 40
TROUBLE = re.compile(r"mismatch|corrupt|Exception|Found timestamp|is followed by|invalid|unable|isvalid: false", re.IGNORECASE)
# The tool says this of the first record of every segment but a partition's first, whoever wrote it.
HARMLESS = "-1 is followed by"
KAFKAS_NAMES = re.compile(
    r"\.lock|\.kafka_cleanshutdown|meta\.properties|bootstrap\.checkpoint|[a-z-]+-checkpoint|"
    r"quorum-state|partition\.metadata|\d{20}(-\d{10})?\.(log|index|timeindex|txnindex|snapshot|checkpoint)(\.deleted)?")


class Dumper:
    """The tool, in a JVM that is kept."""

    def __init__(self, tools):
        self.tools = tools

    def dump(self, files, *options):
        """Its words on some files; none of them may be a complaint."""
        said = []
        for first in range(0, len(files), FILES_AT_ONCE):
            names = ",".join(map(str, files[first : first + FILES_AT_ONCE]))
            code, out, errors = self.tools.call("org.apache.kafka.tools.DumpLogSegments", [*options, "--files", names], "")
            check(code == 0, f"the dump tool ended with {code}: {out[-500:]}{errors[-500:]}")
            said.append(out)
            complaints = complaints_in(out + errors)
            check(not complaints, f"the dump tool says: {complaints[:3]}")
        return "".join(said)

    def dump_all(self, data):
        """Every log, index, snapshot and checkpoint under a directory; what the tool says of the topics' records."""
        logs = kept(data, "log")
        text = self.dump([log for log in logs if not log.parent.name.startswith("__")], "--deep-iteration", "--print-data-log")
        check_epochs(data, text)
        self.dump([log for log in logs if log.parent.name.startswith("__consumer_offsets")], "--offsets-decoder")
        self.dump([log for log in logs if log.parent.name.startswith("__transaction_state")], "--transaction-log-decoder")
        self.dump_metadata(data / "__cluster_metadata-0")
        indexes = [path for end in ("index", "timeindex") for path in kept(data, end)]
        self.dump(indexes, "--index-sanity-check")
        self.dump([*indexes, *kept(data, "snapshot"), *kept(data, "txnindex")])
        return text

    def dump_metadata(self, log):
        """The metadata log, and the newest snapshot of it: both know the topics."""
        snapshots = sorted(path for path in log.glob("*.checkpoint") if not path.name.startswith("0" * 20))
        check(snapshots, "the metadata log has no snapshot")
        for files in (sorted(log.glob("*.log")), snapshots[-1:]):
            check("TOPIC_RECORD" in self.dump(files, "--cluster-metadata-decoder"), f"no topic in {files[-1].name}")


def complaints_in(said):
    """The lines that name trouble."""
    return [line for line in said.splitlines() if TROUBLE.search(line) and HARMLESS not in line]


def kept(data, end):
    """The files with that ending of all partitions that are not about to be removed."""
    return [path for path in sorted(data.glob(f"*-*/*.{end}")) if not path.parent.name.endswith("-delete")]


def epochs_of(partition):
    """[(epoch, first offset)] of a partition's leader-epoch-checkpoint."""
    version, count, *lines = (partition / "leader-epoch-checkpoint").read_text().splitlines()
    check(version == "0" and int(count) == len(lines), f"the checkpoint of {partition.name}: version {version}, {count} lines")
    return [tuple(map(int, line.split())) for line in lines]


def check_epochs(data, text):
    """The epochs of every partition rise with their offsets, and each batch stands behind the first offset of its own."""
    for said in text.split("Dumping ")[1:]:
        partition = data / said.splitlines()[0].split("/")[-2]
        epochs = epochs_of(partition)
        check(epochs == sorted(set(epochs)) and len(dict(epochs)) == len(epochs), f"the epochs of {partition.name} are {epochs}")
        check([offset for _, offset in epochs] == sorted(offset for _, offset in epochs), f"the epochs of {partition.name} are {epochs}")
        for last, epoch in re.findall(r"^baseOffset: \d+ lastOffset: (\d+) .*partitionLeaderEpoch: (\d+)", said, re.MULTILINE):
            if int(last) < epochs[0][1]:
                continue  # the log starts behind it
            at = [offset for known, offset in epochs if known == int(epoch)]
            check(at and at[0] <= int(last), f"a batch of {partition.name} up to {last} is of epoch {epoch}, of {epochs}")


def check_names(data):
    """Nothing but Kafka's files."""
    strange = [str(path.relative_to(data)) for path in data.rglob("*") if path.is_file() and not KAFKAS_NAMES.fullmatch(path.name)]
    check(not strange, f"files that are not Kafka's: {strange[:5]}")
