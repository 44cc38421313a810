"""What the tools of administrators are called with, in the form of `cases.py`."""

from cases import Case

CLASSES = {
    "configs": "kafka.admin.ConfigCommand",
    "broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "client-metrics": "org.apache.kafka.tools.ClientMetricsCommand",
    "cluster": "org.apache.kafka.tools.ClusterTool",
    "features": "org.apache.kafka.tools.FeatureCommand",
    "dump-log": "org.apache.kafka.tools.DumpLogSegments",
    "leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "transactions": "org.apache.kafka.tools.TransactionsCommand",
    "reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
}


def configs(title, arguments, **more):
    return Case(f"configs: {title}", "configs", "--bootstrap-server {broker} " + arguments, **more)


def metrics(title, arguments, **more):
    return Case(f"client-metrics: {title}", "client-metrics", "--bootstrap-server {broker} " + arguments, **more)


def features(title, arguments, **more):
    return Case(f"features: {title}", "features", "--bootstrap-server {broker} " + arguments, **more)


def quorum(title, arguments, **more):
    return Case(f"metadata-quorum: {title}", "metadata-quorum", "--bootstrap-server {broker} " + arguments, **more)


def cluster(title, arguments, **more):
    return Case(f"cluster: {title}", "cluster", arguments, **more)


def log_dirs(title, arguments, **more):
    return Case(f"log-dirs: {title}", "log-dirs", "--bootstrap-server {broker} " + arguments, **more)


SETTINGS = [
    Case("configs: a topic to be changed", "topics",
         "--bootstrap-server {broker} --create --topic set-{me} --partitions 2 --config retention.ms=9000"),
    configs("describe a topic", "--describe --topic set-{me}"),
    configs("describe a topic in other words", "--describe --entity-type topics --entity-name set-{me}"),
    configs("set two of a topic", "--alter --topic set-{me} --add-config retention.ms=1000,cleanup.policy=[compact,delete]"),
    configs("both are set", "--describe --topic set-{me}"),
    configs("set and delete", "--alter --topic set-{me} --add-config segment.ms=7000 --delete-config retention.ms,nope"),
    configs("one is set and one deleted", "--describe --topic set-{me}"),
    configs("set out of a file", "--alter --topic set-{me} --add-config-file {home}/topic.properties"),
    configs("what the file says is set", "--describe --topic set-{me}"),
    configs("a setting that is none", "--alter --topic set-{me} --add-config nope=1", says=True),
    configs("a value that is none", "--alter --topic set-{me} --add-config retention.ms=", says=True),
    configs("set and delete the same", "--alter --topic set-{me} --add-config retention.ms=1 --delete-config retention.ms", says=True),
    configs("alter a topic that is not there", "--alter --topic nope-{me} --add-config retention.ms=1", says=True),
    configs("describe a topic that is not there", "--describe --topic nope"),
    configs("what is no pair", "--alter --topic t --add-config a", says=True),
    configs("nothing to alter", "--alter --topic t", says=True),
    configs("two actions", "--describe --alter --topic t", says=True),
    configs("a flag of the other action", "--describe --topic t --add-config a=b", says=True),
    configs("whose is not said", "--describe", says=True),
    configs("an unknown kind", "--describe --entity-type nope", says=True),
    configs("a kind twice", "--describe --entity-type topics --topic t", says=True),
    configs("two kinds", "--describe --topic t --broker 1", says=True),
    configs("a flag and words", "--alter --topic t --entity-name t --add-config a=b", says=True),
    configs("no name", "--alter --entity-type groups --add-config a=b", says=True),
    configs("no name of a kind that has defaults", "--alter --entity-type brokers --add-config a=b", says=True),
    configs("defaults of a kind that has none", "--describe --entity-type topics --entity-default", says=True),
    configs("pairs and a file", "--alter --topic t --add-config a=b --add-config-file f", says=True),
    Case("configs: nowhere", "configs", "--describe --topic t", says=True),
    configs("a broker that is no number", "--describe --broker x", says=True),
    configs("a broker that is not there", "--describe --broker 7"),
    configs("set one of a broker", "--alter --broker 1 --add-config log.cleaner.backoff.ms=123"),
    configs("set one of all brokers", "--alter --broker-defaults --add-config log.cleaner.backoff.ms=124"),
    configs("describe all brokers", "--describe --entity-type brokers"),
    configs("describe what brokers start from", "--describe --entity-type brokers --entity-default"),
    configs("delete one of a broker", "--alter --broker 1 --delete-config log.cleaner.backoff.ms"),
    configs("a setting that cannot change", "--alter --broker 1 --add-config log.dirs=/x", says=True),
    configs("a group", "--alter --group g-{me} --add-config consumer.session.timeout.ms=50000"),
    configs("describe a group", "--describe --group g-{me}"),
    configs("describe all of a group", "--describe --group g-{me} --all"),
    configs("a group that is not there", "--describe --group nope"),
    configs("metrics of clients", "--alter --client-metrics m-{me} --add-config metrics=[a,b],interval.ms=1000"),
    configs("describe metrics of clients", "--describe --client-metrics m-{me}"),
    configs("describe metrics that are not there", "--describe --client-metrics nope"),
    configs("loggers of no broker", "--describe --entity-type broker-loggers", says=True),
    configs("loggers", "--describe --broker-logger 1"),
    configs("a level", "--alter --broker-logger 1 --add-config server=DEBUG,storage=WARN"),
    configs("a level is set", "--describe --broker-logger 1"),
    configs("a level that is none", "--alter --broker-logger 1 --add-config server=NOPE", says=True),
    configs("a logger that is none", "--alter --broker-logger 1 --add-config nope=INFO,server=INFO", says=True),
    configs("the usual level", "--alter --broker-logger 1 --delete-config server,storage"),
    configs("the usual level is set", "--describe --broker-logger 1"),
    configs("loggers of a broker that is not there", "--describe --broker-logger 7"),
    configs("quotas, which are not there yet", "--describe --entity-type users", says=True),
    configs("a quota, which cannot be set yet", "--alter --user u --add-config producer_byte_rate=1000", says=True),
    configs("a credential, which cannot be made yet", "--alter --user u --add-config SCRAM-SHA-256=[password=secret]", says=True),
    configs("defaults of a kind that has none, changed", "--alter --entity-type topics --entity-default --add-config a=b", says=True),
]

NODES = [
    Case("broker-api-versions", "broker-api-versions", "--bootstrap-server {broker}"),
    Case("broker-api-versions: nowhere", "broker-api-versions", ""),
    cluster("its id", "cluster-id --bootstrap-server {broker}"),
    cluster("its id, by a controller", "cluster-id --bootstrap-controller {controller}"),
    cluster("its endpoints", "list-endpoints --bootstrap-server {broker} --include-fenced-brokers"),
    cluster("its controllers", "list-endpoints --bootstrap-controller {controller}"),
    cluster("fenced controllers", "list-endpoints --bootstrap-controller {controller} --include-fenced-brokers", says=True),
    features("describe", "describe"),
    Case("features: describe by a controller", "features", "--bootstrap-controller {controller} describe"),
    features("raise to what is", "upgrade --feature transaction.version=2 --feature group.version=1"),
    features("raise by name", "upgrade --metadata 3.9"),
    features("raise to a release, a trial", "upgrade --release-version 4.3 --dry-run"),
    features("raise too far", "upgrade --feature transaction.version=9", says=True),
    features("raise what is not there", "upgrade --feature nope=3", says=True),
    features("raise nothing", "upgrade", says=True),
    features("raise to no number", "upgrade --feature transaction.version=x", says=True),
    features("a release and more", "upgrade --feature transaction.version=2 --release-version 4.0", says=True),
    features("turn one off, a trial", "disable --feature group.version --dry-run"),
    features("turn nothing off", "disable", says=True),
    features("the levels of the newest release", "version-mapping"),
    features("the levels of a release", "version-mapping --release-version 3.9"),
    features("what levels need", "feature-dependencies --feature transaction.version=2 --feature eligible.leader.replicas.version=1"),
    features("what unknown levels need", "feature-dependencies --feature nope=1", says=True),
    quorum("status", "describe --status"),
    quorum("replication", "describe --replication"),
    quorum("replication, for people", "describe --replication --human-readable"),
    Case("metadata-quorum: status by a controller", "metadata-quorum", "--bootstrap-controller {controller} describe --status"),
    quorum("neither", "describe", says=True),
    quorum("both", "describe --status --replication", says=True),
    quorum("a status for people", "describe --status --human-readable", says=True),
    quorum("take one out, a trial",
           "remove-controller --controller-id 3 --controller-directory-id AAAAAAAAAAAAAAAAAAAAAQ --dry-run"),
    quorum("take one out, which cannot be done yet",
           "remove-controller --controller-id 3 --controller-directory-id AAAAAAAAAAAAAAAAAAAAAQ", says=True),
    quorum("take out one below nothing", "remove-controller -i -3 -d AAAAAAAAAAAAAAAAAAAAAQ", says=True),
    quorum("take out a directory that is none", "remove-controller -i 3 -d nope"),
    quorum("add nobody", "add-controller", says=True),
    quorum("add one whose settings are not there", "--command-config {home}/nope.properties add-controller", says=True),
    quorum("add one that is not formatted", "--command-config {home}/{me}/unformatted.properties add-controller", says=True),
    quorum("add one, a trial", "--command-config {home}/{me}/voter.properties add-controller --dry-run"),
    quorum("add one, which cannot be done yet", "--command-config {home}/{me}/voter.properties add-controller", says=True),
    cluster("forget a broker, which cannot be done yet", "unregister --bootstrap-server {broker} --id 7"),
    log_dirs("describe", "--describe"),
    log_dirs("describe a topic", "--describe --topic-list set-kafka,nope --broker-list 1"),
    log_dirs("a broker that is not there", "--describe --broker-list 1,7", says=True),
    log_dirs("no action", "", says=True),
    Case("storage: the levels of a release", "storage", "version-mapping -r 3.9"),
    Case("storage: the levels of the newest release", "storage", "version-mapping"),
    Case("storage: what levels need", "storage", "feature-dependencies -f transaction.version=2 -f eligible.leader.replicas.version=1"),
    Case("storage: what an unknown level needs", "storage", "feature-dependencies -f nope=2", says=True),
]

METRICS = [
    metrics("set three", "--alter --name sent-{me} --metrics org.apache --interval 30000 --match client_id=x"),
    metrics("describe one", "--describe --name sent-{me}"),
    metrics("the usual interval", "--alter --name sent-{me} --interval="),
    metrics("it is the usual one", "--describe --name sent-{me}"),
    metrics("no metrics and all clients", "--alter --name sent-{me} --metrics= --match= --interval 100"),
    metrics("all three are told", "--describe --name sent-{me}"),
    metrics("list", "--list", shuffled=True),
    metrics("describe all", "--describe", shuffled=True),
    metrics("delete", "--delete --name sent-{me}"),
    metrics("it is not there", "--describe --name sent-{me}"),
    metrics("delete it again", "--delete --name sent-{me}"),
    metrics("no number", "--alter --name m --interval x", says=True),
    metrics("what the cluster refuses", "--alter --name m --interval 1"),
    metrics("no name", "--alter --interval 1", says=True),
    metrics("nothing to delete", "--delete", says=True),
    metrics("no action", "", says=True),
    metrics("two actions", "--list --describe", says=True),
    Case("client-metrics: no broker named", "client-metrics", "--list", says=True),
]

def election(title, arguments, **more):
    return Case(f"leader-election: {title}", "leader-election", "--bootstrap-server {broker} " + arguments, **more)


ELECTIONS = [
    election("of one", "--election-type preferred --topic set-kafka --partition 0"),
    election("of one, unclean", "--election-type UNCLEAN --topic set-kafka --partition 1"),
    election("of none that is there", "--election-type preferred --topic nope --partition 0", says=True),
    election("of all", "--election-type preferred --all-topic-partitions"),
    election("of those of a file", "--election-type preferred --path-to-json-file {home}/elections.json", says=True),
    election("of no kind", "--all-topic-partitions", says=True),
    election("of nothing", "--election-type preferred", says=True),
    election("of a topic", "--election-type preferred --topic t", says=True),
    election("of one and all", "--election-type preferred --all-topic-partitions --topic t", says=True),
    election("of another kind", "--election-type nope --all-topic-partitions"),
    Case("leader-election: no broker named", "leader-election", "--election-type preferred --all-topic-partitions", says=True),
]

ALL = [*SETTINGS, *METRICS, *ELECTIONS, *NODES]
