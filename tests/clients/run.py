"""Kafka's clients on a running broker: python tests/clients/run.py [--page] [CLIENT ...]

`--page` runs all of them against Yeoul and against Apache Kafka, and writes docs/clients.md anew.
"""

import importlib
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

from broker import CLUSTER_ID, Broker, Suite, check, default_kind  # noqa: E402
from kafka_tools import KafkaTools  # noqa: E402
from observer import Observer  # noqa: E402
from operators import Operators  # noqa: E402
import page  # noqa: E402
from proxy import Proxy  # noqa: E402
from scenario import Scenario  # noqa: E402
from tools import Tools  # noqa: E402
import tools_page  # noqa: E402

CLIENTS = [
    "java", "confluent", "rdkafka", "kcat", "kafka_python", "aiokafka", "franz", "kafka_go", "kafkajs", "platformatic"]
TOOLS = "kafka-tools"
# They wait more than they work: for rebalances, and for more records to send.
CLIENTS_AT_ONCE = 4


def run_check(suite, client, one):
    """(title, outcome): what becomes of one check; the reason, if the client has not what it needs."""
    reason = next((client.lacks[word] for word in one.needs if word in client.lacks), None)
    if reason:
        print(f"-     {client.name}: {one.title}: {reason}", flush=True)
        return one.title, reason
    return one.title, page.PASSED if suite.step(f"{client.name}: {one.title}", one.action) else page.FAILED


def client_of(name, bootstrap):
    """The client, which speaks to the proxy; what it is made of is fetched and built first."""
    module = importlib.import_module(f"with_{name}")
    client = module.Client(bootstrap, CLUSTER_ID)
    client.about = f"{module.__doc__.splitlines()[0].split('. ')[0].rstrip('.')}, {client.version}"
    return client


def run_clients(suite, scenarios):
    """Every check of every client: alone, then on what the others wrote, at last the deletion of their topics."""
    outcomes = {scenario.client.name: {} for scenario in scenarios}

    def run(map_of, checks_of):
        def each(scenario):
            outcomes[scenario.client.name].update(run_check(suite, scenario.client, one) for one in checks_of(scenario))

        list(map_of(each, scenarios))

    with ThreadPoolExecutor(CLIENTS_AT_ONCE) as pool:
        run(pool.map, lambda scenario: scenario.own_checks())
        run(pool.map, lambda scenario: [scenario.shared_check(scenarios)])
    # One by one: some ask for all topics by their names, and take it ill when one is gone.
    run(map, lambda scenario: [scenario.last_check()])
    return outcomes


def run_tools(suite, bootstrap):
    """Kafka's command lines; what was called of them."""
    with KafkaTools() as jvm:
        tools = Tools(bootstrap, jvm)
        for title, action in [*tools.checks(), *Operators(tools).checks()]:
            suite.step(f"{TOOLS}: {title}", action)
        return jvm.called


def run_all(suite, kind, names):
    """What became of all checks against one broker."""
    with (
        tempfile.TemporaryDirectory(prefix="yeoul-clients-") as home,
        Proxy() as proxy,
        Broker(home, kind, {"advertised.listeners": f"PLAINTEXT://{proxy.bootstrap}", "log.retention.ms": "-1"}) as broker,
    ):
        proxy.broker_port = broker.port
        observer = Observer(broker.port)
        clients = [client_of(name, proxy.bootstrap) for name in names if name != TOOLS]
        outcomes = run_clients(suite, [Scenario(client, proxy, observer) for client in clients])
        called = run_tools(suite, proxy.bootstrap) if TOOLS in names else []
        suite.step("the broker stops cleanly", broker.stop)
        suite.last_words_of(broker)
        return page.Results({client.name: client.about for client in clients}, outcomes, proxy.used, called)


def is_fresh(kind, results):
    """docs/clients.md says of this broker what is."""
    check(page.is_fresh(kind, results), "docs/clients.md is stale: tests/run clients --page")


def main(words):
    names = [word for word in words if not word.startswith("--")] or [*CLIENTS, TOOLS]
    kinds = ["yeoul", "apache-kafka"] if "--page" in words else [default_kind()]
    suite = Suite("clients")
    results = {kind: run_all(suite, kind, names) for kind in kinds}
    if "--page" in words:
        page.write(*results.values())
    elif names == [*CLIENTS, TOOLS]:
        suite.step("docs/clients.md says what is", is_fresh, kinds[0], results[kinds[0]])
    if TOOLS in names:
        tools_page.finish(suite, "clients", results[kinds[0]].called, words)
    return suite.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
