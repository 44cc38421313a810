"""Clients in Go: the programs in go/, compiled into the cache."""

import os
import re
import subprocess
from pathlib import Path

from lines import LineClient

FOLDER = Path(__file__).resolve().parent / "go"


class GoClient(LineClient):
    """A subclass names its program, and the module that it is about."""

    def __init__(self, bootstrap, cluster_id):
        self.version = re.search(rf"{re.escape(self.module)} v(\S+)", (FOLDER / "go.mod").read_text())[1]
        super().__init__(bootstrap, cluster_id)

    def command(self):
        program = Path(os.environ["YEOUL_CACHE"]) / "clients" / self.program
        build = ["go", "build", "-o", program, f"./{self.program}"]
        subprocess.run(build, cwd=FOLDER, check=True, timeout=600)
        return [program, self.bootstrap]
