"""FindCoordinator: who coordinates a group."""

from script import Ask, Case


def find(*keys, kind=0):
    """Keys of a kind: one, or several where the version has room for them."""
    return Ask("FindCoordinator", {"key": keys[0] if keys else "", "key_type": kind, "coordinator_keys": list(keys)})


CASES = [
    Case("FindCoordinator", "a group", find("g")),
    Case("FindCoordinator", "several groups, one of them twice", find("g", "h", "g"), versions=range(4, 99)),
    Case("FindCoordinator", "no key", find("")),
    Case("FindCoordinator", "no keys", find(), versions=range(4, 99)),
    Case("FindCoordinator", "a kind that there is not", find("g", kind=3), find("g", kind=-1), find("g", kind=127)),
    Case("FindCoordinator", "a share group that is none", find("g", kind=2), find("g:x:0", kind=2)),
    Case("FindCoordinator", "null for a key", find(None)),
    Case("FindCoordinator", "null for the keys", Ask("FindCoordinator", {"coordinator_keys": None}), versions=range(4, 99)),
]
