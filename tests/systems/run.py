"""Other people's systems on the broker: Kafka Connect, Kafka Streams and MirrorMaker 2, which use it through classic groups.

Each runs as its users run it, loses its own process and the broker by kill -9, and must go on with nothing missing.
`tests/systems/run.py streams mirror` runs some of them.
"""

import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

import connect  # noqa: E402
import mirror  # noqa: E402
import streams  # noqa: E402

from broker import Broker, Suite  # noqa: E402

SYSTEMS = {"standalone": connect.standalone, "distributed": connect.distributed, "streams": streams.streams, "mirror": mirror.mirror}


def main(names):
    suite = Suite("systems")
    with tempfile.TemporaryDirectory(prefix="yeoul-systems-") as home, Broker(home) as broker:
        for name in names or SYSTEMS:
            SYSTEMS[name](suite, home, broker)
        suite.last_words_of(broker)
    return suite.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
