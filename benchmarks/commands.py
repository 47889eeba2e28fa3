"""Commands as a user runs them, timed as a whole."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def run_json(command: list[str]) -> tuple[dict[str, Any], float]:
    """Run ``nfcore ...`` with ``--json``; return what it printed and the wall seconds, start-up included."""
    executable = str(Path(sys.executable).parent / command[0])
    began = time.perf_counter()
    done = subprocess.run([executable, *command[1:], "--json"], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout), time.perf_counter() - began
