"""Apache Kafka's Java client."""

from pathlib import Path

from broker import KAFKA_VERSION, java
from lines import LineClient

SOURCE = Path(__file__).resolve().parent / "Client.java"


class Client(LineClient):
    """Client.java, compiled as it starts."""

    name = "java"
    version = KAFKA_VERSION

    def command(self):
        return java([str(SOURCE), self.bootstrap], log_level="ERROR")
