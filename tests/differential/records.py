"""Record batches of an answer, taken apart so that a difference can be read."""

import struct

from batch import crc32c

HEADER = struct.Struct(">qiibIhiqqqhii")
LOG_APPEND_TIME = 0x08


def described(data):
    """The batches as dicts; what is no whole batch follows as hexadecimal digits."""
    batches = []
    while len(data) >= HEADER.size:
        size = 12 + struct.unpack_from(">i", data, 8)[0]
        if not HEADER.size <= size <= len(data):
            break
        batches.append(batch_in(data[:size]))
        data = data[size:]
    return batches + ([{"rest": data.hex()}] if data else [])


def batch_in(data):
    """One batch. The time at which the broker has appended it is its own."""
    base, _, epoch, magic, checksum, attributes, delta, first_ms, last_ms, producer, its_epoch, sequence, count = HEADER.unpack_from(data)
    return {
        "base_offset": base, "leader_epoch": epoch, "magic": magic, "attributes": attributes, "last_offset_delta": delta,
        "times": [first_ms, "NOW" if attributes & LOG_APPEND_TIME else last_ms], "producer_id": producer, "producer_epoch": its_epoch,
        "sequence": sequence, "count": count,
        "crc": "right" if checksum == crc32c(data[21:]) else "wrong", "records": data[HEADER.size:].hex()}
