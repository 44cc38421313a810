"""Files of a log that are damaged, as Apache Kafka has written them: both tools tell what is left of them, and end alike."""

import shutil
import struct

from broker import check

OFFSET_ENTRY, TIME_ENTRY = ">ii", ">qi"
ABORTED = [struct.pack(">hqqqq", version, *numbers) for version, *numbers in ((0, 1, 2, 5, 2), (0, 1, 9, 3, 2), (5, 1, 2, 5, 2))]


def put(at, form, *values):
    """Numbers in place of what stands there."""
    return lambda whole: whole[:at] + struct.pack(form, *values) + whole[at + struct.calcsize(form):]


def cut(count):
    """Without so many bytes at the end."""
    return lambda whole: whole[:-count]


def more(tail):
    """With more bytes at the end."""
    return lambda whole: whole + tail


def instead(whole):
    """Other bytes altogether."""
    return lambda _: whole


# What is done to the first batch, or to the end of the file.
LOG = {
    "whole": more(b""), "empty": instead(b""), "cut": cut(7), "zeros behind": more(bytes(100)), "few zeros behind": more(bytes(10)),
    "a length that is too small": put(8, ">i", 3), "too large": put(8, ">i", 2**31 - 1), "below zero": put(8, ">i", -5),
    "another checksum": put(17, ">I", 0), "a format to come": put(16, ">b", 9), "a codec that is none": put(21, ">h", 7),
    "another codec": put(21, ">h", 1), "control records without keys": put(21, ">h", 0x20), "too many records": put(57, ">i", 2**31 - 1),
    "fewer than no records": put(57, ">i", -1), "a record of no length": put(61, ">5B", 255, 255, 255, 255, 15),
}
INDEX = {
    "whole": more(b""), "empty": instead(b""), "cut": cut(3), "zeros": instead(bytes(16)), "zeros behind": more(bytes(16)),
    "a place between batches": put(4, ">i", 7), "a place behind the end": put(4, ">i", 10**6), "another offset": put(0, ">i", 3),
    "an offset below zero": put(0, ">i", -1), "an older entry behind": more(struct.pack(OFFSET_ENTRY, 0, 5)),
}
TIME_INDEX = {
    "whole": more(b""), "empty": instead(b""), "cut": cut(3), "zeros": instead(bytes(24)), "another time": put(0, ">q", 5),
    "a time before all": put(0, ">q", -5), "another offset": put(8, ">i", 3), "an older entry behind": more(struct.pack(TIME_ENTRY, 5, 5)),
}
SNAPSHOT = {"whole": more(b""), "empty": instead(b""), "cut": cut(3), "another checksum": put(2, ">I", 0), "another version": put(0, ">h", 7)}
TRANSACTIONS = {"two": instead(b"".join(ABORTED[:2])), "cut": instead(ABORTED[0] + ABORTED[1][:20]), "of a version to come": instead(ABORTED[2]),
                "an unknown one": instead(b"\5" + ABORTED[0][1:]), "empty": instead(b"")}
WAYS = {
    ".log": (LOG, ((), ("--print-data-log",))), ".index": (INDEX, ((), ("--verify-index-only",), ("--index-sanity-check",))),
    ".timeindex": (TIME_INDEX, ((), ("--verify-index-only",), ("--index-sanity-check",))), ".snapshot": (SNAPSHOT, ((),)),
    ".txnindex": (TRANSACTIONS, ((),)),
}
NAMES = ["x.log", "12.log", "12.34.log", "a.checkpoint", "none", "x.index", "x.timeindex", "x.txnindex", f"{0:020}.log.deleted"]


def run(commands, suite, segment, snapshot, home):
    """All of it, on copies of a segment's files and of a snapshot."""
    files = [segment.with_suffix(suffix) for suffix in WAYS if suffix != ".snapshot"]
    for file in [*files, snapshot]:
        kinds, words = WAYS[file.suffix]
        suite.step(f"dump-log: damaged {file.suffix}", damaged, commands, segment, file, kinds, words, home / f"damaged{file.suffix}")
    suite.step("dump-log: names that say nothing", named, commands, home / "named")


def damaged(commands, segment, file, kinds, ways, home):
    """Each kind of damage, told in each way."""
    for number, (kind, change) in enumerate(kinds.items()):
        place = home / str(number)
        place.mkdir(parents=True)
        for suffix in (".log", ".index", ".timeindex"):
            shutil.copy(segment.with_suffix(suffix), place)
        broken = place / file.name
        broken.write_bytes(change(file.read_bytes() if file.exists() else b""))
        for words in ways:
            compare(commands, kind, ["--files", str(broken), *words])


def named(commands, home):
    """Empty files of every name."""
    home.mkdir()
    for name in NAMES:
        (home / name).touch()
        compare(commands, name, ["--files", str(home / name)])


def compare(commands, what, words):
    """Both tools print the same and end the same."""
    theirs, ours = commands.kafka.call("dump-log", words, "")[:2], commands.call("dump-log", words)[:2]
    check(theirs == ours, f"{what}, {words[2:]}: Kafka's {theirs}, ours {ours}")
