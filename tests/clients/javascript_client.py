"""Clients in JavaScript: the programs in javascript/, with their packages in the cache."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from lines import LineClient

FOLDER = Path(__file__).resolve().parent / "javascript"
HOME = Path(os.environ["YEOUL_CACHE"]) / "clients" / "javascript"


def install():
    """Copies the programs, and has npm install the packages if the list of them is another one."""
    HOME.mkdir(parents=True, exist_ok=True)
    installed, lock = HOME / "node_modules" / ".yeoul-lock.json", FOLDER / "package-lock.json"
    for source in FOLDER.iterdir():
        shutil.copy(source, HOME)
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=HOME, check=True, timeout=600)
        shutil.copy(lock, installed)


class JavaScriptClient(LineClient):
    """A subclass names its program, and the package that it is about."""

    def __init__(self, bootstrap, cluster_id):
        self.version = json.loads((FOLDER / "package.json").read_text())["dependencies"][self.package]
        super().__init__(bootstrap, cluster_id)

    def command(self):
        install()
        return ["node", HOME / self.program, self.bootstrap]
