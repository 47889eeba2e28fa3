"""Sweeps that are interrupted or lose their cluster keep what is done; the same command does the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sweeping import alive, distills, environment, free_port, runs_of, small, start, wait_until, worker_of

pytestmark = pytest.mark.slow

RAY = Path(sys.executable).with_name("ray")
ONE = small("recipes = ['quickstart']")


def assert_the_same_command_does_the_rest(folder: Path, worker: int) -> None:
    """The same command does the rest, and only the rest; the worker of the first one is gone."""
    wait_until(lambda: not alive(worker))
    run = folder / "runs" / "many" / "quickstart"
    fitted = (run / "teacher.safetensors").stat().st_mtime_ns
    done = start(folder, ONE, "sweep", "many.toml")
    out, err = done.communicate()
    assert done.returncode == 0, err
    assert "1 of 1 done" in out
    assert (run / "teacher.safetensors").stat().st_mtime_ns == fitted


def children(pid: int) -> dict[str, int]:
    """The processes that ``pid`` has started, by the names of their programs."""
    listed = subprocess.run(["ps", "-eo", "ppid=,pid=,comm="], capture_output=True, text=True, check=True).stdout
    lines = [line.split(maxsplit=2) for line in listed.splitlines()]
    return {name: int(child) for parent, child, name in lines if int(parent) == pid}


def test_ctrl_c_stops_the_workers_and_keeps_what_they_have_done(tmp_path):
    process = start(tmp_path, ONE, "sweep", "many.toml")
    run = tmp_path / "runs" / "many" / "quickstart"
    wait_until(lambda: distills(run), process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "0 of 1 done, 1 running" in err.splitlines()[-1]
    assert runs_of(tmp_path)["quickstart"]["state"] == "running"
    wait_until(lambda: not alive(worker_of(tmp_path)))  # what it leaves is what a killed worker leaves


def test_a_cluster_that_goes_away_is_one_line_and_loses_nothing(tmp_path):
    port = free_port()
    client = f"--ray-client-server-port={free_port()}"
    resources = ["--num-cpus=1", f"--object-store-memory={80 * 2**20}"]
    quiet = ["--include-dashboard=false", "--disable-usage-stats"]
    head = subprocess.Popen(
        [RAY, "start", "--head", "--block", f"--port={port}", client, *resources, *quiet],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(lambda: "raylet" in children(head.pid))
        process = start(tmp_path, ONE, "sweep", "many.toml", "--address", f"127.0.0.1:{port}")
        run = tmp_path / "runs" / "many" / "quickstart"
        wait_until(lambda: distills(run), process)
        for name in ("gcs_server", "raylet"):
            os.kill(children(head.pid)[name], signal.SIGKILL)
        out, err = process.communicate()
    finally:
        head.terminate()
        head.wait()
    assert process.returncode == 1
    assert out == ""
    (line,) = [line for line in err.splitlines() if not line.startswith("sweep: ")]
    assert line.startswith("nfcore: the Ray cluster at ")
    assert line.endswith(f":{port} is gone: 0 of 1 done, 1 running; the same command resumes the rest")
    assert_the_same_command_does_the_rest(tmp_path, worker_of(tmp_path))
