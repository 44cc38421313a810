"""IncrementalAlterConfigs, AlterConfigs and ListConfigResources."""

from script import Ask, Case, NoTopic, Topic

TOPIC, BROKER, LOGGER, GROUP = 2, 4, 8, 32
SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3


def alter(name, *changes, kind=TOPIC, validate_only=False):
    """Changes of one resource: (operation, key, value)."""
    told = [{"config_operation": operation, "name": key, "value": value} for operation, key, value in changes]
    return Ask("IncrementalAlterConfigs", {"resources": [{"resource_type": kind, "resource_name": name, "configs": told}],
                                           "validate_only": validate_only})


def replace(name, *settings, kind=TOPIC, validate_only=False):
    """All that is set of one resource: (key, value)."""
    told = [{"name": key, "value": value} for key, value in settings]
    return Ask("AlterConfigs", {"resources": [{"resource_type": kind, "resource_name": name, "configs": told}],
        "validate_only": validate_only})


def seen(name="t@", **settings):
    """Asks until settings of a topic, with underscores for dots, have these values: a change reaches Kafka's answers a moment later."""
    def asked(key):
        return {"resource_type": TOPIC, "resource_name": name, "configuration_keys": [key.replace("_", ".")]}
    return tuple(Ask("DescribeConfigs", {"resources": [asked(key)]}, until={"results.0.configs.0.value": value})
                 for key, value in settings.items())


def level(logger, told, operation=SET, name="1"):
    """The level of a logger."""
    return alter(name, (operation, logger, told), kind=LOGGER)


ROOT_LEVEL = Ask("DescribeConfigs", {"resources": [{"resource_type": LOGGER, "resource_name": "1", "configuration_keys": ["root"]}]})
PLAIN = Topic("plain")
UNCHANGED = seen("plain", retention_ms="-1", cleanup_policy="delete")

CASES = [
    Case("IncrementalAlterConfigs", "set and delete", Topic(), alter("t@", (SET, "retention.ms", "5"), (SET, "cleanup.policy", "compact")),
         *seen(retention_ms="5", cleanup_policy="compact"), alter("t@", (DELETE, "retention.ms", None)), *seen(retention_ms="-1"),
         NoTopic()),
    Case("IncrementalAlterConfigs", "append and subtract", Topic(), alter("t@", (APPEND, "cleanup.policy", "compact")),
         *seen(cleanup_policy="delete,compact"), alter("t@", (APPEND, "cleanup.policy", "compact")),
         alter("t@", (SUBTRACT, "cleanup.policy", "delete")), *seen(cleanup_policy="compact"), NoTopic()),
    Case("IncrementalAlterConfigs", "only checked", PLAIN, alter("plain", (SET, "retention.ms", "5"), validate_only=True), *UNCHANGED),
    Case("IncrementalAlterConfigs", "what is refused", PLAIN, alter("plain", (SET, "retention.ms", "soon")),
         alter("plain", (SET, "no.such", "1")),
         alter("plain", (SET, "retention.ms", None)), alter("plain", (APPEND, "retention.ms", "1")),
         alter("plain", (9, "retention.ms", "1")),
         alter("plain", (SET, "retention.ms", "1"), (SET, "retention.ms", "2"))),
    Case("IncrementalAlterConfigs", "topics that nobody knows", alter("nobody", (SET, "retention.ms", "1")),
         alter("", (SET, "retention.ms", "1")),
         alter("a b", (SET, "retention.ms", "1"))),
    Case("IncrementalAlterConfigs", "brokers", alter("2", (SET, "log.cleaner.threads", "2"), kind=BROKER),
         alter("x", (SET, "a", "1"), kind=BROKER),
         alter("1", (SET, "node.id", "5"), kind=BROKER), alter("", (SET, "node.id", "5"), kind=BROKER)),
    Case("IncrementalAlterConfigs", "the broker's loggers", level("root", "ERROR"), level("root", "error"), level("root", "OFF"), level("root", None),
         level("nobody", "INFO"), level("nobody", "LOUD"), level("", "INFO"), level("root", None, DELETE), level("nobody", None, DELETE),
         level("root", "INFO", APPEND), level("root", "INFO", SUBTRACT), level("root", "INFO", name="2"), level("root", "INFO", name=""),
         level("root", "INFO", name="x"), alter("1", (SET, "root", "ERROR"), (SET, "nobody", "INFO"), kind=LOGGER), alter("1", kind=LOGGER),
         alter("1", (SET, "root", "ERROR"), (SET, "root", "WARN"), kind=LOGGER),
         alter("1", (SET, "root", "DEBUG"), kind=LOGGER, validate_only=True), ROOT_LEVEL),
    Case("IncrementalAlterConfigs", "kinds that there are not", alter("x", (SET, "a", "1"), kind=0), alter("x", (SET, "a", "1"), kind=99)),
    Case("IncrementalAlterConfigs", "nothing", Ask("IncrementalAlterConfigs", {"resources": []}), PLAIN, alter("plain")),
    Case("AlterConfigs", "all is replaced", Topic(), replace("t@", ("retention.ms", "5")), replace("t@", ("cleanup.policy", "compact")),
         *seen(retention_ms="-1", cleanup_policy="compact"), NoTopic()),
    Case("AlterConfigs", "what is refused", PLAIN, replace("plain", ("retention.ms", "soon")), replace("plain", ("no.such", "1")),
         replace("plain", ("retention.ms", None)), replace("nobody", ("retention.ms", "1"))),
    Case("AlterConfigs", "the broker's loggers", replace("1", ("root", "INFO"), kind=LOGGER)),
    Case("AlterConfigs", "only checked", PLAIN, replace("plain", ("retention.ms", "5"), validate_only=True), *UNCHANGED),
    Case("ListConfigResources", "client metrics", Ask("ListConfigResources", {}), versions=range(0, 1)),
    Case("ListConfigResources", "the broker's loggers", Ask("ListConfigResources", {"resource_types": [LOGGER]}), versions=range(1, 99)),
    Case("ListConfigResources", "some kinds", Ask("ListConfigResources", {"resource_types": [BROKER, GROUP]}),
         Ask("ListConfigResources", {"resource_types": [99]}), versions=range(1, 99)),
]
