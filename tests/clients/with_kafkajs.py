"""kafkajs, where Node.js is there. Of the codecs it has gzip."""

import os
import shutil
import subprocess
from pathlib import Path

from lines import LineClient

FOLDER = Path(__file__).resolve().parent / "kafkajs"
NEEDS = "npm"


class Client(LineClient):
    """kafkajs/client.js, with its package in the cache."""

    name = "kafkajs"
    codecs = ["none", "gzip"]

    def command(self):
        home = Path(os.environ["YEOUL_CACHE"]) / "kafkajs"
        home.mkdir(parents=True, exist_ok=True)
        for source in FOLDER.iterdir():
            shutil.copy(source, home)
        if not (home / "node_modules").exists():
            subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=home, check=True, timeout=600)
        return ["node", home / "client.js", self.bootstrap]
