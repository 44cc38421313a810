"""What of two answers has to be the same, and what may differ and why."""

import json
import re
import time
from dataclasses import dataclass

from records import described
from schema import errors

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
NO_UUID = "00000000-0000-0000-0000-000000000000"

# Fields that tell the elements of an array apart.
IDENTITIES = ["name", "topic", "topic_id", "partition_index", "partition", "index", "group_id", "key", "resource_type", "resource_name",
              "api_key", "base_offset"]

# Fields whose value is each broker's own. None: as it is, where the mask does not apply.
MASKS = {
    "session_id": lambda value: "SESSION" if value > 0 else None,
    "log_append_time_ms": lambda value: "NOW" if abs(value / 1000 - time.time()) < 3600 else None,
    # Both count, but who is refused uses none up.
    "producer_id": lambda value: "ID" if value >= 0 else None,
    # What is free of the disk changes all the time.
    "usable_bytes": lambda value: "FREE" if value > 0 else None,
    # How many records the metadata log has.
    "finalized_features_epoch": lambda value: "EPOCH" if value > 0 else None,
}


@dataclass
class Allowed:
    """A difference that is meant: the API, the case and the place in the answer (regular expressions), why, and for which values."""

    api: str
    title: str
    path: str
    reason: str
    values: object = lambda kafka, ours: True
    used: bool = False

    def covers(self, api, title, difference):
        """Whether this is it."""
        matches = all(re.fullmatch(*pair) for pair in ((self.api, api), (self.title, title), (self.path, difference.path)))
        covers = matches and self.values(difference.kafka, difference.ours)
        self.used = self.used or covers
        return covers


@dataclass
class Difference:
    """One place at which two outcomes differ."""

    path: str
    kafka: object
    ours: object

    def __str__(self):
        return f"{self.path or 'outcome'}: Kafka {short(self.kafka)}, ours {short(self.ours)}"


def short(value):
    """The value on one line, not too long."""
    text = json.dumps(value, default=str)
    return text if len(text) < 300 else text[:300] + "…"


class Reader:
    """Brings one broker's answers into a form in which they can be compared."""

    def __init__(self, broker, common):
        self.broker = broker
        # The versions of each API, by key, that both brokers have.
        self.common = common

    def outcome(self, outcome, variables):
        """The outcome without what is this broker's own."""
        return self.value("", outcome, variables)

    def value(self, name, value, variables):
        if isinstance(value, dict):
            return {one: self.value(one, inner, variables) for one, inner in value.items()}
        if name == "api_keys":
            return self.advertised(value)
        if isinstance(value, list):
            return in_order([self.value(name, inner, variables) for inner in value])
        if isinstance(value, bytes):
            return described(value) if name == "records" else self.text(value.decode("latin-1"), variables)
        if isinstance(value, str):
            return self.text(value, variables)
        if name == "port":
            return {self.broker.port: "PORT", self.broker.controller_port: "CONTROLLER_PORT"}.get(value, value)
        if name.endswith("error_code"):
            return errors().get(value, value)
        if name in MASKS and isinstance(value, int):
            return MASKS[name](value) or value
        return value

    def advertised(self, keys):
        """The versions that both have; whether those are all is told in docs/apis.md."""
        def shared(one):
            both = self.common[one["api_key"]]
            return {**one, "min_version": max(one["min_version"], both[0]), "max_version": min(one["max_version"], both[1])}
        return in_order([shared(one) for one in keys if one["api_key"] in self.common])

    def text(self, text, variables):
        """Ports, directories and ids that each broker chooses have names."""
        known = variables.name_of(text) if len(text) > 8 and text != NO_UUID else None
        if known:
            return known
        for own, name in ((self.broker.port, "PORT"), (self.broker.controller_port, "CONTROLLER_PORT"), (self.broker.home, "HOME")):
            # The digits of a port also stand in longer numbers.
            text = re.sub(rf"(?<!\d){re.escape(str(own))}(?!\d)", name, text)
        return UUID.sub(lambda found: found[0] if found[0] == NO_UUID else "UUID", text)


def in_order(values):
    """An array whose order means nothing, sorted. Both brokers keep most answers in maps."""
    return sorted(values, key=lambda value: (identity(value), json.dumps(value, sort_keys=True, default=str)))


def identity(value):
    """What names an element of an array: its first fields that are names or numbers of something."""
    return tuple(str(value[name]) for name in IDENTITIES if name in value) if isinstance(value, dict) else ()


def differences(kafka, ours, path=""):
    """Every place at which two outcomes differ."""
    if isinstance(kafka, dict) and isinstance(ours, dict):
        names = dict.fromkeys([*kafka, *ours])
        return [found for name in names
                for found in differences(kafka.get(name, "absent"), ours.get(name, "absent"), f"{path}.{name}".lstrip("."))]
    if isinstance(kafka, list) and isinstance(ours, list):
        if [identity(one) for one in kafka] == [identity(one) for one in ours]:
            return [found for at, pair in enumerate(zip(kafka, ours)) for found in differences(*pair, f"{path}.{at}")]
        return only_in_one(kafka, ours, path)
    return [] if kafka == ours else [Difference(path, kafka, ours)]


def only_in_one(kafka, ours, path):
    """Elements of one array that the other does not have."""
    more, fewer = [one for one in kafka if one not in ours], [one for one in ours if one not in kafka]
    pairs = [(one, "absent") for one in more] + [("absent", one) for one in fewer]
    return [Difference(f"{path}.*", *pair) for pair in pairs] or [Difference(f"{path}.length", len(kafka), len(ours))]
