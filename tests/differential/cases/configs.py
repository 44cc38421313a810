"""DescribeConfigs."""

from script import Ask, Case, Topic

TOPIC, BROKER, LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
SET = Topic("set", configs={"retention.ms": "123456789", "cleanup.policy": "compact,delete"})


def describe(*resources, synonyms=False, documentation=False):
    """Resources: (type, name), perhaps with keys."""
    told = [{"resource_type": one[0], "resource_name": one[1], "configuration_keys": one[2] if len(one) > 2 else None} for one in resources]
    return Ask("DescribeConfigs", {"resources": told, "include_synonyms": synonyms, "include_documentation": documentation})


CASES = [
    Case("DescribeConfigs", "a topic", SET, describe((TOPIC, "set"))),
    Case("DescribeConfigs", "a topic with synonyms", SET, describe((TOPIC, "set"), synonyms=True)),
    Case("DescribeConfigs", "some keys", SET, describe((TOPIC, "set", ["retention.ms", "no.such.thing", "retention.ms"])),
         describe((TOPIC, "set", []))),
    Case("DescribeConfigs", "topics that nobody knows", describe((TOPIC, "nobody"), (TOPIC, ""), (TOPIC, "a b"))),
    Case("DescribeConfigs", "a resource twice", SET, describe((TOPIC, "set", ["retention.ms"]), (TOPIC, "set", ["cleanup.policy"]))),
    Case("DescribeConfigs", "the broker", describe((BROKER, "1")), describe((BROKER, "1"), synonyms=True)),
    Case("DescribeConfigs", "all brokers", describe((BROKER, "")), describe((BROKER, ""), synonyms=True)),
    Case("DescribeConfigs", "brokers that there are not", describe((BROKER, "2")), describe((BROKER, "one")), describe((BROKER, "-1"))),
    Case("DescribeConfigs", "the broker's loggers", describe((LOGGER, "1", ["nothing"])), describe((LOGGER, "2")), describe((LOGGER, "")),
         describe((LOGGER, "one"))),
    Case("DescribeConfigs", "groups", describe((GROUP, "g")), describe((GROUP, "")), describe((GROUP, "g"), synonyms=True)),
    Case("DescribeConfigs", "metrics of clients", describe((CLIENT_METRICS, "m")), describe((CLIENT_METRICS, ""))),
    Case("DescribeConfigs", "kinds that there are not", describe((0, "x")), describe((1, "x")), describe((99, "x")), describe((-1, "x"))),
    Case("DescribeConfigs", "nothing", describe()),
    Case("DescribeConfigs", "null for the resources", Ask("DescribeConfigs", {"resources": None})),
    Case("DescribeConfigs", "null for a name", describe((TOPIC, None))),
]
