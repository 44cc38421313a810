"""franz-go, where a Go tool chain is there."""

import os
import subprocess
from pathlib import Path

from lines import LineClient

FOLDER = Path(__file__).resolve().parent / "franz"
NEEDS = "go"


class Client(LineClient):
    """franz/main.go, compiled into the cache."""

    name = "franz-go"

    def command(self):
        program = Path(os.environ["YEOUL_CACHE"]) / "franz"
        subprocess.run(["go", "build", "-o", program, "."], cwd=FOLDER, check=True, capture_output=True, timeout=600)
        return [program, self.bootstrap]
