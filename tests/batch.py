"""Record batches byte by byte, so that any byte of them can be wrong."""

import struct

POLYNOMIAL = 0x82F63B78
WRITTEN_MS = 1_700_000_000_000


def table_entry(index):
    """One entry of the table of CRC-32C."""
    for _ in range(8):
        index = (index >> 1) ^ (POLYNOMIAL if index & 1 else 0)
    return index


TABLE = [table_entry(index) for index in range(256)]


def crc32c(data):
    """CRC-32C (Castagnoli)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def uvarint(value):
    """An unsigned varint."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint(value):
    """A zig-zag varint."""
    return uvarint((value << 1) ^ (value >> 63))


def field(data, length=None):
    """A key or a value behind its length, which can lie."""
    size = length if length is not None else -1 if data is None else len(data)
    return varint(size) + (data or b"")


def record(value, offset_delta=0, key_length=None, length_error=0, key=None, timestamp_delta=0, headers=()):
    """A record, by default without a key; key_length and length_error can make its lengths lie."""
    named = b"".join(field(name) + field(content) for name, content in headers)
    head = b"\0" + varint(timestamp_delta) + varint(offset_delta)
    body = head + field(key, key_length) + field(value) + varint(len(headers)) + named
    return varint(len(body) + length_error) + body


def batch(records, count=1, last_delta=None, magic=2, attributes=0, crc_error=0, length_error=0, producer=(-1, -1, -1),
          times=(WRITTEN_MS, WRITTEN_MS), base_offset=0, epoch=-1):
    """A batch; everything that can lie has a parameter, and the checksum is right unless crc_error says otherwise."""
    last = count - 1 if last_delta is None else last_delta
    checked = struct.pack(">hiqqqhii", attributes, last, *times, *producer, count) + records
    checksum = (crc32c(checked) + crc_error) & 0xFFFFFFFF
    return struct.pack(">qiibI", base_offset, len(checked) + 9 + length_error, epoch, magic, checksum) + checked


def produce_body(topic, data, acks=-1, records_length=None):
    """Produce version 7 to partition 0."""
    length = len(data) if records_length is None else records_length
    name = topic.encode()
    head = struct.pack(">hhii", -1, acks, 10_000, 1) + struct.pack(">h", len(name)) + name
    return head + struct.pack(">iii", 1, 0, length) + data
