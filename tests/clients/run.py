"""Kafka's clients on a running broker: python tests/clients/run.py [CLIENT ...]"""

import importlib
import shutil
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

from broker import CLUSTER_ID, Broker, Suite  # noqa: E402
from scenario import Scenario  # noqa: E402
from tools import Tools  # noqa: E402

CLIENTS = ["kcat", "confluent", "kafka_python", "aiokafka", "java", "franz", "kafkajs"]
TOOLS = "kafka-tools"


def run_client(suite, client, others):
    """All checks of one client but the last, which deletes its topic."""
    scenario = Scenario(client, others)
    *checks, last = scenario.checks()
    for check in checks:
        run_check(suite, client, check)
    return client, last


def run_check(suite, client, check):
    """One check, or a line that says that the client does not offer it."""
    title, needed, action = check
    if all(hasattr(client, method) for method in needed):
        suite.step(f"{client.name}: {title}", action)
    else:
        print(f"-     {client.name}: {title}: the client does not offer it", flush=True)


def client_of(name, broker):
    """The client, or None with a line when this machine has not what it is written in."""
    module = importlib.import_module(f"with_{name}")
    needed = getattr(module, "NEEDS", None)
    if needed and not shutil.which(needed):
        print(f"-     {name}: not run, there is no `{needed}` here", flush=True)
        return None
    return module.Client(broker.bootstrap, CLUSTER_ID)


def main(names):
    suite = Suite("clients")
    with tempfile.TemporaryDirectory(prefix="yeoul-clients-") as home, Broker(home) as broker:
        done = []
        for name in [name for name in names or CLIENTS if name != TOOLS]:
            client = client_of(name, broker)
            if client:
                done.append(run_client(suite, client, [other for other, _ in done]))
        for client, last in done:
            run_check(suite, client, last)
        if not names or TOOLS in names:
            for title, action in Tools(broker.bootstrap).checks():
                suite.step(f"{TOOLS}: {title}", action)
        suite.step("the broker stops cleanly", broker.stop)
        suite.last_words_of(broker)
    return suite.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
