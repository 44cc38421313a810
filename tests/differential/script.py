"""What a case is made of: steps, each of which is sent to both brokers and compared.

In the fields of a request

- a text that begins with `$` is a variable that an earlier step has saved: `"$member"`;
- `@` in a text makes a name that no other case has, nor the same case at another version: `"orders@"`;
- a `Batch` becomes a record batch when it is sent.

`"$orders@.id"` is the id of the topic `orders@`; for a topic that the case has not made, an id that nobody has.
"""

from dataclasses import dataclass, field

from batch import batch, record

# Instead of a range: the case is played once, and asks each API in the newest version that both brokers have.
ONCE = range(0)
RAW_ID = 7
NOBODYS_ID = "0d1ff000-0000-4000-8000-000000000000"


@dataclass
class Ask:
    """A request and its answer. Paths in `save` lead to what is kept of the answer: `{"member": "member_id"}`."""

    api: str
    fields: dict = field(default_factory=dict)
    save: dict = field(default_factory=dict)
    # The connection. All but "a" are the case's own.
    on: str = "a"
    # Instead of the version of the case, or of the newest one that both brokers have.
    version: int | None = None
    # The answer is taken by `Answer`.
    later: bool = False
    # False: there is none, and the connection goes on (or not, which is the outcome).
    answered: bool = True
    # Whether the outcome is compared.
    compared: bool = True
    # Asked again until the answer has these values.
    until: dict | None = None


@dataclass
class Answer:
    """The answer to a request that was sent `later`."""

    on: str
    save: dict = field(default_factory=dict)


@dataclass
class Raw:
    """Bytes, by a function that is given the version under test: `lambda version: b"..."`."""

    data: object
    # The API whose answer it may be; its request has the number `RAW_ID`.
    api: str = "ApiVersions"


@dataclass
class Topic:
    """Makes a topic and waits until its partitions can be written to."""

    name: str = "t@"
    partitions: int = 1
    configs: dict = field(default_factory=dict)


@dataclass
class NoTopic:
    """Deletes a topic and waits until it is unknown."""

    name: str = "t@"


@dataclass
class Hangup:
    """Ends a connection of the case."""

    on: str


@dataclass
class Case:
    """Steps that ask the APIs under test in each of their versions, and others in the newest one."""

    apis: object
    title: str
    steps: tuple
    versions: range | None = None

    def __init__(self, apis, title, *steps, versions=None):
        self.apis = (apis,) if isinstance(apis, str) else tuple(apis)
        self.title = title
        self.steps = steps
        self.versions = versions


@dataclass
class Batch:
    """A record batch: values, or (key, value) pairs; `producer` and everything else as `batch.batch` takes it."""

    values: tuple
    told: dict

    def __init__(self, *values, **told):
        self.values = values
        self.told = told

    def records(self):
        pairs = (value if isinstance(value, tuple) else (None, value) for value in self.values)
        return b"".join(record(as_bytes(value), at, key=as_bytes(key)) for at, (key, value) in enumerate(pairs))

    def encode(self, resolve):
        told = {name: resolve(value) for name, value in self.told.items()}
        records = told.pop("records", None)
        return batch(self.records() if records is None else records, **{"count": len(self.values), **told})


def as_bytes(text):
    """Text or bytes or None as bytes or None."""
    return text.encode() if isinstance(text, str) else text


def on_topic(name, **fields):
    """A topic as requests name it: some by name, some by id, according to the version."""
    topic_id = fields.pop("topic_id", f"${name}.id")
    return {"name": name, "topic": name, "topic_id": topic_id, **fields}


class Variables:
    """What one broker has answered in one case at one version."""

    def __init__(self, own):
        # What stands for `@`.
        self.own = own
        self.saved = {}

    def resolve(self, value):
        """The value with variables and names filled in."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Batch):
            return value.encode(self.resolve)
        if isinstance(value, dict):
            return {name: self.resolve(one) for name, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.resolve(one) for one in value]
        if isinstance(value, Sum):
            return self.resolve(value.variable) + value.more
        return value

    def text(self, text):
        named = text.replace("@", self.own)
        if not text.startswith("$"):
            return named
        return self.saved.get(named[1:], NOBODYS_ID) if named.endswith(".id") else self.saved[named[1:]]

    def save(self, paths, answer):
        for name, path in paths.items():
            self.saved[name.replace("@", self.own)] = at_path(answer, path)

    def name_of(self, value):
        """The variable that has a value, if any."""
        return next((f"${name}" for name, known in self.saved.items() if known == value), None)


@dataclass
class Sum:
    """A variable and so many more."""

    variable: str
    more: int


def at_path(answer, path):
    """The part of an answer at `topics.0.error_code`."""
    for word in path.split("."):
        answer = answer[int(word) if word.isdigit() else word]
    return answer
