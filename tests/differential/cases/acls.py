"""DescribeAcls, CreateAcls and DeleteAcls of brokers without an authorizer."""

from script import Ask, Case

TOPIC, CLUSTER = 2, 4
ANY_RESOURCE, ANY_PATTERN, ANY_OPERATION, ANY_PERMISSION = 1, 1, 1, 1
LITERAL, PREFIXED = 3, 4
READ, ALTER = 3, 7
DENY, ALLOW = 2, 3


def filter_of(**fields):
    """One that matches everything, but for what is said."""
    return {"resource_type_filter": ANY_RESOURCE, "pattern_type_filter": LITERAL, "operation": ANY_OPERATION,
            "permission_type": ANY_PERMISSION, **fields}


def creation(**fields):
    return {"resource_type": TOPIC, "resource_name": "a-topic", "resource_pattern_type": LITERAL, "principal": "User:somebody",
            "host": "*", "operation": READ, "permission_type": ALLOW, **fields}


CASES = [
    Case("DescribeAcls", "all of them", Ask("DescribeAcls", filter_of())),
    Case("DescribeAcls", "those of a topic", Ask("DescribeAcls", filter_of(
        resource_type_filter=TOPIC, resource_name_filter="a-topic", principal_filter="User:somebody", host_filter="*",
        operation=READ, permission_type=DENY))),
    Case("CreateAcls", "two, and none", Ask("CreateAcls", {"creations": [
        creation(), creation(resource_type=CLUSTER, resource_name="kafka-cluster", operation=ALTER, permission_type=DENY)]}),
        Ask("CreateAcls", {"creations": []})),
    Case("DeleteAcls", "those of two filters, and of none", Ask("DeleteAcls", {"filters": [
        filter_of(), filter_of(resource_type_filter=TOPIC, resource_name_filter="a-topic")]}),
        Ask("DeleteAcls", {"filters": []})),
]
