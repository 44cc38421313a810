"""Record batches byte by byte, so that any byte of them can be wrong."""

import struct

POLYNOMIAL = 0x82F63B78


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


def varint(value):
    """A zig-zag varint."""
    rest = (value << 1) ^ (value >> 63)
    out = bytearray()
    while rest >= 0x80:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def record(value, offset_delta=0, key_length=-1, length_error=0):
    """A record without a key; key_length and length_error can make its lengths lie."""
    body = b"\0" + varint(0) + varint(offset_delta) + varint(key_length) + varint(len(value)) + value + varint(0)
    return varint(len(body) + length_error) + body


def batch(records, count=1, last_delta=None, magic=2, attributes=0, crc_error=0, length_error=0, producer=(-1, -1, -1)):
    """A batch; everything that can lie has a parameter, and the checksum is right unless crc_error says otherwise."""
    last = count - 1 if last_delta is None else last_delta
    now = 1_700_000_000_000
    checked = struct.pack(">hiqqqhii", attributes, last, now, now, *producer, count) + records
    checksum = (crc32c(checked) + crc_error) & 0xFFFFFFFF
    return struct.pack(">qiibI", 0, len(checked) + 9 + length_error, -1, magic, checksum) + checked


def produce_body(topic, data, acks=-1, records_length=None):
    """Produce version 7 to partition 0."""
    length = len(data) if records_length is None else records_length
    name = topic.encode()
    head = struct.pack(">hhii", -1, acks, 10_000, 1) + struct.pack(">h", len(name)) + name
    return head + struct.pack(">iii", 1, 0, length) + data
