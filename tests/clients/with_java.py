"""Apache Kafka's Java client 4.3.1."""

from pathlib import Path

from broker import java
from lines import LineClient

SOURCE = Path(__file__).resolve().parent / "Client.java"


class Client(LineClient):
    """Client.java, compiled as it starts."""

    name = "java"

    def command(self):
        return java([str(SOURCE), self.bootstrap], log_level="ERROR")
