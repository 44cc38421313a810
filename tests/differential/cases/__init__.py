"""The cases, in the order in which they are played.

A case is the APIs under test, a title, and steps. `python tests/differential/run.py 'Fetch: a session'` plays those that match.
"""

from cases import (
    acls, cluster, configs, coordinators, deletion, fetch, groups, list_offsets, metadata, nodes, offsets, partitions, produce, producers,
    raw, settings, topics,
)

# {file: its cases}
AREAS = {area.__name__.removeprefix("cases."): area.CASES for area in (
    coordinators, cluster, groups, offsets, metadata, topics, produce, producers, fetch, list_offsets, configs, partitions, settings,
    acls, deletion, nodes, raw)}

CASES = [case for cases in AREAS.values() for case in cases]
