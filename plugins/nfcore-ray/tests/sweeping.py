"""Sweeps of small runs in processes of their own, as tests start, watch and stop them."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import command_line

TOKEN = secrets.token_hex(16)
#: A whole run in a few seconds.
SMALL = [
    "image_size=16",
    "scene.train_views=8",
    "scene.test_views=2",
    "student.width=8",
    "student.depth=4",
    "teach.steps=60",
    "distill.steps=200",
    "distill.views=20",
    "distill.first_views=8",
    "distill.crop=4",
    "finetune.steps=4",
    "finetune.crop=4",
    "export={}",
]


def environment() -> dict[str, str]:
    """This process's, without a cluster of the developer's own and with a token for Ray that is not kept."""
    kept = {name: value for name, value in command_line.environment().items() if not name.startswith("RAY_")}
    # Ray's workers yield to all other processes unless told not to: to other tests for minutes.
    return kept | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "RAY_worker_niceness": "0"}


def small(*lines: str) -> str:
    """A sweep file's text with small runs, and these lines."""
    return "\n".join([f"set = {json.dumps(SMALL)}", *lines, ""])


def start(folder: Path, text: str, *arguments: str) -> subprocess.Popen[str]:
    """Start ``nfcore`` with ``arguments`` in ``folder``, in which this is the text of ``many.toml``."""
    (folder / "many.toml").write_text(text)
    return subprocess.Popen(
        [*command_line.NFCORE, *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore it
    )


def wait_until(true: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    """Wait for something to become true, as long as ``process`` lives."""
    until = time.monotonic() + 200
    while not true():
        assert time.monotonic() < until, "it does not become true"
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.05)


def distills(run: Path) -> bool:
    """Whether a run is in the middle of its second stage."""
    metrics = run / "metrics.jsonl"
    return metrics.exists() and '"distill"' in metrics.read_text()


def runs_of(folder: Path) -> dict[str, dict[str, object]]:
    data = json.loads((folder / "runs" / "many" / "sweep.json").read_text())
    return {run["name"]: run for run in data["runs"]}


def worker_of(folder: Path) -> int:
    return json.loads((folder / "runs" / "many" / ".sweep" / "quickstart.json").read_text())["pid"]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]
