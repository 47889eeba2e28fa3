"""Commands as a user runs them, timed including start-up."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def run_json(command: list[str]) -> tuple[dict[str, Any], float, float]:
    """Run ``nfcore ...`` with ``--json``; return its output, and wall and CPU seconds including start-up."""
    executable = str(Path(sys.executable).parent / command[0])
    began, before = time.perf_counter(), _cpu_seconds()
    done = subprocess.run([executable, *command[1:], "--json"], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout), time.perf_counter() - began, _cpu_seconds() - before


def _cpu_seconds() -> float:
    """Return the CPU seconds of all finished child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
