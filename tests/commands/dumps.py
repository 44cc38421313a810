"""What `dump-log` is called with: the files of a broker that has stopped."""

from cases import Case

DECODERS = {
    "__cluster_metadata": ("--cluster-metadata-decoder", "--cluster-metadata-decoder --skip-record-metadata"),
    "__consumer_offsets": ("--offsets-decoder", "--print-data-log"),
    "lines": ("", "--deep-iteration", "--print-data-log", "--print-data-log --skip-record-metadata", "--print-data-log --max-bytes 300",
              "--value-decoder-class org.apache.kafka.tools.api.StringDecoder", "--key-decoder-class --deep-iteration",
              "--value-decoder-class"),
    "many": ("--max-bytes 40000",),
}
INDEX = ("", "--verify-index-only", "--index-sanity-check")
OPTIONS = {".index": INDEX, ".timeindex": INDEX, ".snapshot": ("",), ".checkpoint": ("", "--cluster-metadata-decoder")}


def cases(data):
    """Every file of the partitions above that has something in it, in every way."""
    for file in sorted([*data.glob("*/*"), *data.glob("bootstrap.checkpoint")]):
        of = [options for begin, options in DECODERS.items() if file.parent.name.startswith(begin)]
        options = of[0] if of and file.suffix == ".log" else OPTIONS.get(file.suffix, ()) if of or file.parent == data else ()
        for words in options if file.stat().st_size else ():
            yield Case(f"dump-log: {file.parent.name}/{file.name} {words}", "dump-log", f"--files {file} {words}", exact=True)
    yield Case("dump-log: what is no file of a log", "dump-log", f"--files {data}/meta.properties", says=True)
    yield Case("dump-log: a file that is not there", "dump-log", f"--files {data}/nothing/00000000000000000000.log")
    metadata = sorted((data / "__cluster_metadata-0").glob("*.log"))[0]
    yield Case("dump-log: several files", "dump-log", f"--files {metadata},{data}/bootstrap.checkpoint", exact=True)
    yield Case("dump-log: no file", "dump-log", "")
