"""Commands as a user runs them, measured including start-up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple


class Ran(NamedTuple):
    """A command that has ended.

    Args:
        output: what it printed as JSON.
        wall: seconds.
        cpu: CPU seconds of it and its children.
        peak: GiB of its largest process.

    """

    output: dict[str, Any]
    wall: float
    cpu: float
    peak: float


def run_json(command: list[str]) -> Ran:
    """Run ``nfcore ...`` with ``--json``."""
    executable = str(Path(sys.executable).parent / command[0])
    began = time.perf_counter()
    with subprocess.Popen([executable, *command[1:], "--json"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    seconds = time.perf_counter() - began
    return Ran(json.loads(text), seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20)
