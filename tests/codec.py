"""Values as bytes and back, led by the tables alone: a message is a dict of its fields.

What a request leaves out has its default, what its version does not have is left out. Nothing is checked, so that a wrong value
can be sent: None is written as null wherever it stands.
"""

import struct
import uuid

from batch import uvarint
from schema import messages

NUMBERS = {"bool": ">?", "i8": ">b", "i16": ">h", "i32": ">i", "i64": ">q", "u16": ">H", "u32": ">I", "f64": ">d"}
NO_UUID = str(uuid.UUID(int=0))


class Malformed(Exception):
    """Bytes that are not what the table says."""


def default(field, message, version):
    """What a field is when nobody says."""
    if field.default == "null" and version in field.nullable:
        return None
    if field.is_array:
        return []
    if field.kind in NUMBERS:
        return default_number(field)
    if field.kind in message.structs:
        return {}
    return {"uuid": NO_UUID, "string": "", "bytes": b"", "records": b""}[field.kind]


def default_number(field):
    text = field.default or "0"
    if field.kind == "bool":
        return text.lower() == "true"
    return float(text) if field.kind == "f64" else int(text, 0)


def length(count, flexible, short=False):
    """The length of a string, of bytes or of an array; None is null."""
    if flexible:
        return uvarint(0 if count is None else count + 1)
    return struct.pack(">h" if short else ">i", -1 if count is None else count)


class Encoder:
    """Writes messages of one kind at one version."""

    def __init__(self, message, version):
        self.message = message
        self.version = version
        self.is_flexible = version in message.flexible

    def fields(self, one, value):
        """A struct's fields, then its tagged ones; `value["_tags"]` holds tags that no table knows."""
        out = bytearray()
        tags = dict(value.get("_tags", {}))
        for field in one.fields:
            if self.version not in field.versions:
                continue
            if self.version in field.tagged:
                if field.name in value:
                    tags[field.tag] = self.field(field, value[field.name])
                continue
            what = value[field.name] if field.name in value else default(field, self.message, self.version)
            out += self.field(field, what)
        return bytes(out) + (self.tags(tags) if self.is_flexible else b"")

    def tags(self, tags):
        out = uvarint(len(tags))
        for tag, data in sorted(tags.items()):
            out += uvarint(tag) + uvarint(len(data)) + data
        return out

    def field(self, field, value):
        flexible = self.is_flexible and not field.never_flexible
        if not field.is_array:
            return self.one(field, value, flexible)
        if value is None:
            return length(None, flexible)
        return length(len(value), flexible) + b"".join(self.one(field, each, flexible, is_element=True) for each in value)

    def one(self, field, value, flexible, is_element=False):
        if field.kind in self.message.structs:
            return self.struct(field, value, is_element)
        if field.kind in NUMBERS:
            return struct.pack(NUMBERS[field.kind], value)
        if field.kind == "uuid":
            return uuid.UUID(value).bytes
        data = value.encode() if isinstance(value, str) else value
        return length(None if data is None else len(data), flexible, field.kind == "string") + (data or b"")

    def struct(self, field, value, is_element):
        marked = self.version in field.nullable and not is_element and not field.is_array
        if value is None:
            return b"\0" if self.version in field.tagged else b"\xff"
        return (b"\x01" if marked else b"") + self.fields(self.message.structs[field.kind], value)


def encode(message, version, value):
    """A message's bytes."""
    return Encoder(message, version).fields(message, value)


class Decoder:
    """Reads messages of one kind at one version."""

    def __init__(self, message, version, data):
        self.message = message
        self.version = version
        self.is_flexible = version in message.flexible
        self.data = memoryview(data)
        self.at = 0

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise Malformed(f"{count} bytes at {self.at} of {len(self.data)}")
        self.at += count
        return bytes(self.data[self.at - count:self.at])

    def number(self, kind):
        form = NUMBERS[kind]
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def uvarint(self):
        value = shift = 0
        while True:
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def length(self, flexible, short=False):
        count = self.uvarint() - 1 if flexible else self.number("i16" if short else "i32")
        return None if count < 0 else count

    def fields(self, one):
        value = {}
        for field in one.fields:
            if self.version not in field.versions:
                continue
            if self.version in field.tagged:
                value[field.name] = self.untold(field)
            else:
                value[field.name] = self.field(field)
        if self.is_flexible:
            self.tags(one, value)
        return value

    def untold(self, field):
        """What a tagged field is that did not come."""
        value = default(field, self.message, self.version)
        return self.defaults(field) if value == {} else value

    def defaults(self, field):
        fields = self.message.structs[field.kind].fields
        return {one.name: default(one, self.message, self.version) for one in fields if self.version in one.versions}

    def tags(self, one, value):
        known = {field.tag: field for field in one.fields if self.version in field.tagged}
        for _ in range(self.uvarint()):
            tag, size = self.uvarint(), self.uvarint()
            end = self.at + size
            if tag in known:
                value[known[tag].name] = self.field(known[tag])
                if self.at != end:
                    raise Malformed(f"tag {tag} ends at {self.at} instead of {end}")
            else:
                value.setdefault("_tags", {})[tag] = self.take(size)

    def field(self, field):
        flexible = self.is_flexible and not field.never_flexible
        if not field.is_array:
            return self.one(field, flexible)
        count = self.length(flexible)
        return None if count is None else [self.one(field, flexible, is_element=True) for _ in range(count)]

    def one(self, field, flexible, is_element=False):
        if field.kind in self.message.structs:
            marked = self.version in field.nullable and not is_element and not field.is_array
            if marked and (self.uvarint() == 0 if self.version in field.tagged else self.number("i8") < 0):
                return None
            return self.fields(self.message.structs[field.kind])
        if field.kind in NUMBERS:
            return self.number(field.kind)
        if field.kind == "uuid":
            return str(uuid.UUID(bytes=self.take(16)))
        count = self.length(flexible, field.kind == "string")
        if count is None:
            return None
        return self.take(count).decode() if field.kind == "string" else self.take(count)


def decode(message, version, data):
    """A message that fills the data exactly."""
    decoder = Decoder(message, version, data)
    value = decoder.fields(message)
    if decoder.at != len(data):
        raise Malformed(f"{len(data) - decoder.at} bytes behind the message")
    return value


def request_header(key, version, correlation_id, client_id, flexible):
    """A request's header; `flexible` is whether the request is."""
    header = {"request_api_key": key, "request_api_version": version, "correlation_id": correlation_id, "client_id": client_id}
    return encode(messages()["RequestHeader"], 2 if flexible else 1, header)


def response_header_size(api, flexible):
    """Correlation id, and tags where the response has them: ApiVersions' never has, for who asks may be older than it knows."""
    return 5 if flexible and api != "ApiVersions" else 4
