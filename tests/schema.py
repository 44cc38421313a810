"""The messages of `schemas/`, read as they stand there (its README tells the notation)."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

SCHEMAS = Path(__file__).resolve().parent.parent / "schemas"
FOR_EVER = 32767
NEVER = range(0)


def versions(text):
    """`3+`, `2-7`, `4` or `none` as a range."""
    if text == "none":
        return NEVER
    if text.endswith("+"):
        return range(int(text[:-1]), FOR_EVER)
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


@dataclass
class Field:
    """One field. An array's `kind` is that of its elements."""

    name: str
    kind: str
    is_array: bool
    versions: range
    nullable: range
    tag: int | None
    tagged: range
    default: str | None
    never_flexible: bool


@dataclass
class Struct:
    """Fields in the order in which they are written."""

    name: str
    fields: list = field(default_factory=list)


@dataclass
class Message(Struct):
    """A request, a response or a header with the structs that occur in it."""

    kind: str = ""
    key: int | None = None
    versions: range = NEVER
    flexible: range = NEVER
    structs: dict = field(default_factory=dict)

    def names(self):
        """Every field's name, however deep."""
        return {one.name for struct in (self, *self.structs.values()) for one in struct.fields}


def attributes(words):
    """The words of the form `name=value`."""
    return dict(word.split("=", 1) for word in words if "=" in word)


def parse_field(words):
    """A line of the table."""
    told = attributes(words[3:])
    tag, _, tagged = told.get("tag", "").partition("@")
    is_array = words[1].startswith("[")
    default = told.get("default")
    return Field(
        name=words[0],
        kind=words[1].strip("[]"),
        is_array=is_array,
        versions=versions(words[2]),
        nullable=versions(told.get("nullable", "none")),
        tag=int(tag) if tag else None,
        tagged=versions(tagged) if tag else NEVER,
        # A JSON null, which is no default at all.
        default=None if default in ("None", '""') else default,
        never_flexible=told.get("flexible") == "none")


def parse_message(block):
    """One block. Its structs stand by their indentation, shared ones by their name."""
    head, *lines = block.splitlines()
    words = head.split()
    told = attributes(words)
    message = Message(
        name=words[1], kind=words[0], key=int(told["key"]) if "key" in told else None,
        versions=versions(told["versions"]), flexible=versions(told["flexible"]))
    open_structs = [(2, message)]
    for line in lines:
        indent = len(line) - len(line.lstrip())
        words = line.split()
        open_structs = [(depth, struct) for depth, struct in open_structs if depth <= indent]
        if words[0] == "struct":
            inner = words[1]
        else:
            one = parse_field(words)
            open_structs[-1][1].fields.append(one)
            inner = one.kind
        if inner[0].isupper():
            struct = message.structs.setdefault(inner, Struct(inner))
            # A shared struct has its fields in one place only; nothing stands below its other uses.
            open_structs.append((indent + 2, struct))
    return message


@cache
def messages(file="messages"):
    """Every message of a file by its name."""
    blocks = (SCHEMAS / f"{file}.txt").read_text().split("\n\n")
    parsed = [parse_message(block.strip("\n")) for block in blocks if block.strip()]
    return {message.name: message for message in parsed}


def request(api):
    """The request of an API, by the API's name."""
    return messages()[f"{api}Request"]


def response(api):
    """The response of an API, by the API's name."""
    return messages()[f"{api}Response"]


@cache
def apis():
    """The names of the APIs by their key, of those that have any version."""
    found = (message for message in messages().values() if message.kind == "request" and message.versions)
    return {message.key: message.name.removesuffix("Request") for message in found}


@cache
def broker_apis():
    """The names by their key of the APIs that brokers serve to clients."""
    table = [line.split("\t") for line in (SCHEMAS / "api_keys.tsv").read_text().splitlines()]
    rows = [dict(zip(table[0], row)) for row in table[1:]]
    return {int(row["api_key"]): row["name"] for row in rows if row["min"] != "none" and "broker" in row["listeners"].split(",")}


def error_table():
    """Code, name, whether to retry, and sentence of each error."""
    return [line.split("\t") for line in (SCHEMAS / "error_codes.tsv").read_text().splitlines()[1:]]


@cache
def errors():
    """The names of the error codes."""
    return {int(code): name for code, name, *_ in error_table()}


@cache
def sentences():
    """What we say of errors of which there is nothing more to say."""
    return {row[3] for row in error_table()}
