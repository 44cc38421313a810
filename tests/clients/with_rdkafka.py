"""rdkafka, Rust over librdkafka."""

import os
import subprocess
import tomllib
from pathlib import Path

from lines import LineClient

FOLDER = Path(__file__).resolve().parent / "rdkafka"
TARGET = Path(os.environ["YEOUL_CACHE"]) / "clients" / "rdkafka"


class Client(LineClient):
    """The program in rdkafka/, compiled into the cache: librdkafka takes a minute the first time."""

    name = "rdkafka"

    def __init__(self, bootstrap, cluster_id):
        packages = {one["name"]: one["version"] for one in tomllib.loads((FOLDER / "Cargo.lock").read_text())["package"]}
        self.version = f"{packages['rdkafka']}, librdkafka {packages['rdkafka-sys'].split('+')[1]}"
        super().__init__(bootstrap, cluster_id)

    def command(self):
        build = ["cargo", "build", "--quiet", "--locked", "--target-dir", TARGET]
        subprocess.run(build, cwd=FOLDER, check=True, timeout=1200)
        return [TARGET / "debug" / "yeoul-tests-rdkafka", self.bootstrap]
