"""How lines become records: every property of Kafka's line reader, from flags and from a file, and lines that cannot be read.

Each tool writes into a topic of its own; what both topics hold is compared in the end, keys, headers and values.
"""

from cases import ALL_FIELDS, Case

TOPIC = "--topic read-{me}"
READER = "org.apache.kafka.tools.LineMessageReader"


def reader(title, properties, stdin, more="", **told):
    words = " ".join(f"--reader-property {one}" for one in properties.split())
    return Case(f"console-producer: {title}", "console-producer", f"--bootstrap-server {{broker}} {TOPIC} {words} {more}", stdin, **told)


HEADERS = "parse.headers=true"
READ = [
    reader("one header", HEADERS, "a:1\tvalue\n"),
    reader("headers without values and with colons", HEADERS, "a:,b:1:2,c::\tv\n"),
    reader("an empty list of headers ends in a pair that is none", HEADERS, "\tv\n"),
    reader("commas at the end of headers", HEADERS, "a:1,,b:2,,\tv\n"),
    reader("separators of one's own", f"{HEADERS} headers.delimiter=| headers.separator=; headers.key.separator== parse.key=true key.separator=->",
           "a=1;b=2|key->value->more\n"),
    reader("a null for each part", f"{HEADERS} parse.key=true null.marker=-", "a:-,b:1\t-\tv\n-\tk\t-\n-\t-\t-\n"),
    reader("a null marker without keys", "null.marker=NIL", "NIL\nnil\n"),
    reader("a header of the name of null", f"{HEADERS} null.marker=NIL", "NIL:1\tv\n"),
    reader("a pair without a separator", HEADERS, "a\tv\n"),
    reader("the same, ignored", f"{HEADERS} ignore.error=true", "a\tv\nno headers\n"),
    reader("headers that are lacking", HEADERS, "a:1 v\n"),
    reader("a key that is lacking on the third line", "parse.key=true", "a\t1\nb\t2\nc 3\nd\t4\n"),
    reader("truths in other letters", "parse.key=TRUE ignore.error=True", "a\t1\nb\n"),
    reader("what is no truth", "parse.key=yes", "a\t1\n"),
    reader("properties that nobody knows", "nope=1 parse.keys=true", "a\t1\n"),
    reader("a property twice", "parse.key=true key.separator=: key.separator==", "a=1\n"),
    reader("properties from a file", "", "k|v\n", "--reader-config {home}/reader.properties"),
    reader("flags before the file", "key.separator=;", "k;v|w\n", "--reader-config {home}/reader.properties"),
    reader("the reader by its name", "parse.key=true", "k\tv\n", f"--line-reader {READER}"),
    reader("a reader that is none", "", "v\n", "--line-reader nope.Nope"),
    reader("a file that is not there", "", "v\n", "--reader-config {home}/nothing"),
    *[reader(f"{one} as {other}", f"{HEADERS} parse.key=true {one}=x {other}=x", "v\n") for one, other in (
        ("headers.delimiter", "headers.separator"), ("headers.delimiter", "headers.key.separator"),
        ("headers.separator", "headers.key.separator"), ("null.marker", "key.separator"), ("null.marker", "headers.delimiter"))],
    reader("one after the other", "", "1\n2\n3\n", "--sync"),
    reader("one that is too large, one after the other", "", f"{'x' * 1_100_000}\nnever\n", "--sync"),
    reader("one that has no room in memory, one after the other", "", f"{'x' * 40_000}\nnever\n", "--sync --max-memory-bytes 30000"),
    reader("every flag", "", "v\n",
           "--request-required-acks 1 --timeout 5 --batch-size 100 --message-send-max-retries 5 --retry-backoff-ms 10 --max-block-ms 20000 "
           "--request-timeout-ms 20000 --metadata-expiry-ms 60000 --max-memory-bytes 1000000 --socket-buffer-size 65536 "
           "--compression-codec lz4 --command-property client.id=me"),
    Case("console-producer: what all of them come to", "console-consumer",
         f"--bootstrap-server {{broker}} {TOPIC} --from-beginning --timeout-ms 2000 {ALL_FIELDS}"),
]


def prepare(commands):
    """A topic of each tool's, and the file of properties."""
    for me in ("kafka", "yeoul"):
        commands.create(f"read-{me}", 1)
    (commands.home / "reader.properties").write_text("parse.key=true\nkey.separator=|\n")
