"""How the bytes of records are written by each of Kafka's deserializers: numbers at their bounds, texts, and bytes that are none of these."""

import struct

from broker import check
from cases import Case

PACKAGE = "org.apache.kafka.common.serialization"
CLASSES = ["Short", "Integer", "Long", "Float", "Double", "UUID", "Boolean", "ByteBuffer", "Bytes", "String", "Void", "List", "Nope"]
NUMBERS = {
    ">h": [0, -1, 0x7FFF], ">i": [1, -1, -2**31], ">q": [7, -2**63, 2**63 - 1],
    ">f": [1.5, float("inf"), 9_999_999, 1e7, 0.001, 0.0009, -0.0, float("nan"), 1e-45],
    ">d": [1.5, 1e16, 12345.678, 0.001, 9.999999999999998e-4, float("-inf"), 5e-324, 1.7976931348623157e308],
}
TEXTS = ["1-2-3-4-5", "6A8B9C10-1111-2222-3333-444444444444", "12345678-12345-12345-12345-123456789012345", "여울", "a\\b~\x7f", ""]
VALUES = [
    *[struct.pack(form, value) for form, values in NUMBERS.items() for value in values],
    *[text.encode() for text in TEXTS], b"\x00", b"\x01", b"\x02", b"\xfe\xff\x00\xe9\x00b", b"\xff\xfe\xe9\x00\x62", b"\xd8\x00\x00\x61\x00", b"\xd8\x00\x00",
]
READ = f"--bootstrap-server {{broker}} --partition 0 --offset earliest --skip-message-on-error --max-messages {len(VALUES)}"
CHARSETS = ["value.deserializer.encoding=UTF-16", *[
    f"value.deserializer.{words}" for words in (
        "value.deserializer.encoding=UTF-16", "deserializer.encoding=UTF-16LE", "deserializer.encoding=ISO-8859-1",
        "deserializer.encoding=us-ascii", "deserializer.encoding=NOPE")]]


def case(title, arguments):
    return Case(f"console-consumer: {title}", "console-consumer", f"{READ} {arguments}", exact=True)


ALL = [
    *[case(f"values by {name}", f"--topic deserialized --value-deserializer {PACKAGE}.{name}Deserializer") for name in CLASSES],
    *[case(words, f"--topic deserialized --value-deserializer {PACKAGE}.StringDeserializer --formatter-property {words}")
      for words in CHARSETS],
    case("keys, headers and values each by its own, from a file", "--topic deserialized-parts --formatter-config {home}/formatter.properties"),
    case("a property before the file", "--topic deserialized-parts --formatter-config {home}/formatter.properties "
                                       "--formatter-property key.separator=| --formatter-property print.headers=false"),
    case("a flag before a property", "--topic deserialized-parts --formatter-config {home}/formatter.properties "
                                     f"--key-deserializer {PACKAGE}.StringDeserializer"),
]


def prepare(commands):
    """A topic of the values above, one whose records have headers and keys, and a file of properties."""
    commands.create("deserialized", 1)
    commands.produce("deserialized", [value.hex() for value in VALUES], "--timeout", "0", "--value-format", "hex")
    commands.create("deserialized-parts", 1)
    lines = [f"h:{number:02}\t{number}\t{number * 1.5}" for number in range(len(VALUES))]
    commands.produce("deserialized-parts", lines, "--timeout", "0", "--reader-property", "parse.key=true",
                     "--reader-property", "parse.headers=true", "--key-format", "integer", "--value-format", "float")
    (commands.home / "formatter.properties").write_text(
        "print.key=true\nprint.headers=true\nkey.separator=\\ -\\ \n"
        f"key.deserializer={PACKAGE}.IntegerDeserializer\nvalue.deserializer={PACKAGE}.FloatDeserializer\n"
        f"headers.deserializer={PACKAGE}.ShortDeserializer\n")


def null(commands):
    """Where there is no value the literal stands for it. Kafka's has the deserializer read the literal: of `null` a 1853189228."""
    commands.create("deserialized-null", 1)
    commands.produce("deserialized-null", ["NULL"], "--reader-property", "null.marker=NULL")
    for name in ("Integer", "Long", "UUID", "Void"):
        told = commands.consume("deserialized-null", 1, "--value-deserializer", f"{PACKAGE}.{name}Deserializer")
        check(told == ["null"], f"by {name} it printed {told}")


# A text of each type, what stands on disk for it, and a text that is nothing of it with what was expected.
TYPES = {
    "string": ("여울", "여울".encode(), None, None), "short": ("-2", b"\xff\xfe", "40000", "number of 2 bytes"),
    "integer": ("256", b"\0\0\1\0", "x", "number of 4 bytes"), "long": ("-1", b"\xff" * 8, "1.5", "number of 8 bytes"),
    "float": ("1.5", struct.pack(">f", 1.5), "x", "number"), "double": ("1.0E16", struct.pack(">d", 1e16), "x", "number"),
    "boolean": ("true", b"\1", "1", "true or false"), "escaped": ("a\\x00", b"a\0", "\\", "begins a byte"),
    "uuid": ("6a8b9c10-1111-2222-3333-444444444444", b"6a8b9c10-1111-2222-3333-444444444444", "1", "UUID"),
    "hex": ("00ff", b"\0\xff", "0", "two digits"), "base64": ("AP8=", b"\0\xff", "A", "base64"),
    "json": ('{"a": [1]}', b'{"a": [1]}', "{", "JSON"),
}


def types(commands):
    """What a line stands for is what it stood for; a line that is nothing of its type is named, with what was expected."""
    commands.create("types", 1)
    for name, (text, _, _, _) in TYPES.items():
        commands.produce("types", [text], "--value-format", name)
    told = commands.consume("types", len(TYPES), "--value-format", "hex")
    check(told == [data.hex() for _, data, _, _ in TYPES.values()], f"on disk there is {told}")
    for offset, (name, (text, data, wrong, expected)) in enumerate(TYPES.items()):
        command = ("--bootstrap-server", commands.broker.bootstrap, "--topic", "types")
        place = ("--partition", "0", "--offset", str(offset), "--max-messages", "1", "--value-format", name)
        code, told, _ = commands.call("console-consumer", [*command, *place])
        check((code, told) == (0, f"{text}\n"), f"as {name} it printed {told}")
        if wrong is not None:
            code, _, error = commands.call("console-producer", [*command, "--value-format", name], f"{text}\n{wrong}\n")
            check(code == 1 and "value of line number 2" in error and expected in error, f"of {name} it said {error}")
