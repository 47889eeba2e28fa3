"""Commands as a user runs them, timed as a whole."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def run_json(command: list[str]) -> tuple[dict[str, Any], float, float]:
    """Run ``nfcore ...`` with ``--json``; return what it printed, wall and CPU seconds with start-up."""
    executable = str(Path(sys.executable).parent / command[0])
    began, before = time.perf_counter(), _cpu_seconds()
    done = subprocess.run([executable, *command[1:], "--json"], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout), time.perf_counter() - began, _cpu_seconds() - before


def _cpu_seconds() -> float:
    """Return what all finished child processes have spent on all cores."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
