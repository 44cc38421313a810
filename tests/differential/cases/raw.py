"""Bytes that are no whole request, or more than one, or one that there is not."""

import struct

from codec import request_header, uvarint
from script import ONCE, RAW_ID, Case, Raw
from schema import request
from wire import KEYS, framed, whole_request

SOME = {
    "Produce": {"acks": 1, "timeout_ms": 100, "topic_data": [{"name": "nobody", "topic_id": "0d1ff000-0000-4000-8000-000000000000",
                                                              "partition_data": [{"index": 0, "records": b""}]}]},
    "Fetch": {"session_epoch": -1, "topics": [{"topic": "nobody", "topic_id": "0d1ff000-0000-4000-8000-000000000000",
                                               "partitions": [{"partition": 0}]}]},
    "ListOffsets": {"topics": [{"name": "nobody", "partitions": [{"partition_index": 0, "timestamp": -1}]}]},
    "Metadata": {"topics": [{"name": "__consumer_offsets"}]},
    "OffsetFetch": {"group_id": "g", "topics": [{"name": "t", "partition_indexes": [1]}],
                    "groups": [{"group_id": "g", "topics": [{"name": "t", "topic_id": "0d1ff000-0000-4000-8000-000000000000",
                    "partition_indexes": [1]}]}]},
    "FindCoordinator": {"key": "g", "coordinator_keys": ["g"]},
    "ApiVersions": {"client_software_name": "a", "client_software_version": "1"},
    "CreateTopics": {"topics": [{"name": "a b", "num_partitions": 1, "replication_factor": 1}]},
    "DescribeCluster": {},
    "ListGroups": {},
}


def changed(api, change):
    """A request of the API whose bytes behind the size are changed."""
    return lambda version: framed(change(whole_request(api, version, SOME[api], RAW_ID)[4:]))


def tagged(api, tags):
    """A request of the API with bytes in place of its own empty tags at the end; before there were tags, as it is."""
    def build(version):
        whole = whole_request(api, version, SOME[api], RAW_ID)[4:]
        return framed(whole[:-1] + tags) if version in request(api).flexible else framed(whole)
    return build


def header_tags(api, tags):
    """A request with tags in its header."""
    def build(version):
        flexible = version in request(api).flexible
        header = request_header(KEYS[api], version, RAW_ID, "differential", flexible)
        whole = whole_request(api, version, SOME[api], RAW_ID)[4:]
        return framed(header[:-1] + tags + whole[len(header):]) if flexible else framed(whole)
    return build


def unsupported(key, version):
    """A request that has a header and nothing else."""
    return lambda _: framed(struct.pack(">hhih", key, version, RAW_ID, -1))


def for_each(title, build):
    """The same for each of the APIs."""
    return [Case(api, title, Raw(build(api), api)) for api in SOME]


CASES = [
    *for_each("a byte too few", lambda api: changed(api, lambda whole: whole[:-1])),
    *for_each("a byte too many", lambda api: changed(api, lambda whole: whole + b"\0")),
    *for_each("many bytes too many", lambda api: changed(api, lambda whole: whole + b"\1" * 50)),
    *for_each("half of it", lambda api: changed(api, lambda whole: whole[:8 + 2 + 12 + (len(whole) - 22) // 2])),
    *for_each("only the header", lambda api: changed(api, lambda whole: whole[:22])),
    *for_each("a tag that nobody knows", lambda api: tagged(api, uvarint(1) + uvarint(99) + uvarint(3) + b"abc")),
    *for_each("a tag that is longer than the request", lambda api: tagged(api, uvarint(1) + uvarint(99) + uvarint(500) + b"abc")),
    *for_each("a tag twice", lambda api: tagged(api, uvarint(2) + (uvarint(99) + uvarint(0)) * 2)),
    *for_each("tags that descend", lambda api: tagged(api, uvarint(2) + uvarint(99) + uvarint(0) + uvarint(98) + uvarint(0))),
    *for_each("more tags than there are", lambda api: tagged(api, uvarint(100) + uvarint(99) + uvarint(0))),
    *for_each("a tag in the header", lambda api: header_tags(api, uvarint(1) + uvarint(50) + uvarint(1) + b"x")),
    Case("ApiVersions", "a version that there is not", *(Raw(unsupported(18, version)) for version in (9, 127, 32767, -1)), versions=ONCE),
    *(Case(api, "versions that there are not", *(Raw(unsupported(KEYS[api], version)) for version in (-1, 99)), versions=ONCE)
      for api in SOME if api != "ApiVersions"),
    Case("Produce", "versions that are gone", *(Raw(unsupported(0, version)) for version in (0, 1, 2)), versions=ONCE),
    Case("ListOffsets", "a version that is gone", Raw(unsupported(2, 0)), versions=ONCE),
    Case("ApiVersions", "APIs that there are not", *(Raw(unsupported(key, 0)) for key in (-1, 95, 1000, 32767, -32768)), versions=ONCE),
    Case("ApiVersions", "APIs that are gone, and those of controllers", *(Raw(unsupported(key, 0)) for key in (4, 5, 6, 7, 52, 56, 58, 62)),
         versions=ONCE),
    Case("ApiVersions", "an empty frame", Raw(lambda _: framed(b"")), versions=ONCE),
    Case("ApiVersions", "sizes that there are not", Raw(lambda _: struct.pack(">i", -1)), Raw(lambda _: struct.pack(">i", 104_857_601)),
         Raw(lambda _: struct.pack(">i", -2**31)), versions=ONCE),
    Case("ApiVersions", "half a header", Raw(lambda _: framed(b"\0\x12\0\0\0\0")), Raw(lambda _: framed(b"\0")), versions=ONCE),
    Case("ApiVersions", "a client id that is longer than the request", Raw(lambda _: framed(struct.pack(">hhih", 18, 0, RAW_ID, 500))),
         versions=ONCE),
    Case("ApiVersions", "a client id of a negative length", Raw(lambda _: framed(struct.pack(">hhih", 18, 0, RAW_ID, -2))), versions=ONCE),
]
