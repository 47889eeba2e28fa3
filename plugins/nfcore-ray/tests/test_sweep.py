"""Sweeps with a real Ray on this machine: what fails or dies harms no other, and nothing is done twice."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

BIN = Path(sys.executable).parent
NFCORE = BIN / "nfcore"
TOKEN = secrets.token_hex(16)
#: A whole run in a few seconds.
SMALL = [
    "image_size=16",
    "scene.train_views=8",
    "scene.test_views=2",
    "student.width=8",
    "student.depth=4",
    "teach.steps=20",
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
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return kept | {"COLUMNS": "200", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}


#: Follows the runs: what a worker has been given.
SPY = """
import json
import os
import nfcore

@nfcore.hookimpl
def nfcore_stage_started(run, stage):
    import torch
    seen = {"torch": torch.get_num_threads(), "omp": os.environ["OMP_NUM_THREADS"], "cwd": os.getcwd()}
    (run / f"seen-{stage}.json").write_text(json.dumps(seen))
"""
SPY_PROJECT = """
[project]
name = "spy"
version = "1"
[project.entry-points.nfcore]
spy = "spy"
"""


def small(*lines: str) -> str:
    """A sweep file's text with small runs, and these lines."""
    return "\n".join([f"set = {json.dumps(SMALL)}", *lines, ""])


FILE = small(
    "retries = 1",
    "[[run]]",
    "name = 'killed'",
    "recipe = 'quickstart'",
    "[[run]]",
    "name = 'whole'",
    "recipe = 'quickstart'",
    "[[run]]",
    "name = 'wild'",
    "recipe = 'quickstart'",
    "set = ['distill.learning_rate=1e30']",
    "[[run]]",
    "name = 'mistaken'",
    "recipe = 'quickstart'",
    'set = [\'scene={name="blender", path="empty"}\']',
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


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A folder after a sweep of four runs: a killed one, a whole one, one that diverges, one without photos."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "empty").mkdir()
    (folder / "many.toml").write_text(FILE)
    package = folder / "spy" / "src" / "spy"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(SPY)
    (folder / "spy" / "pyproject.toml").write_text(SPY_PROJECT)
    runs = folder / "runs" / "many"
    process = subprocess.Popen(
        [NFCORE, "--plugins-dir", "spy", "sweep", "many.toml"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: distills(runs / "killed"), process)
    fitted = (runs / "killed" / "teacher.safetensors").stat().st_mtime_ns
    os.kill(json.loads((runs / ".sweep" / "killed.json").read_text())["pid"], signal.SIGKILL)
    out, err = process.communicate()
    return folder, subprocess.CompletedProcess(process.args, process.returncode, out, err), fitted


def runs_of(folder: Path) -> dict[str, dict[str, object]]:
    data = json.loads((folder / "runs" / "many" / "sweep.json").read_text())
    return {run["name"]: run for run in data["runs"]}


def test_a_run_whose_worker_is_killed_goes_on_and_ends_as_one_that_was_never_killed(swept):
    folder, done, fitted = swept
    killed, whole = (folder / "runs" / "many" / name for name in ("killed", "whole"))
    assert "killed: its worker died: " in done.stderr
    assert runs_of(folder)["killed"]["attempts"] == 2
    assert (killed / "teacher.safetensors").stat().st_mtime_ns == fitted  # it was not fitted again
    assert (killed / "student.safetensors").read_bytes() == (whole / "student.safetensors").read_bytes()


def test_a_run_that_fails_is_tried_again_and_stops_none(swept):
    folder, done, _ = swept
    runs = runs_of(folder)
    assert {name: run["state"] for name, run in runs.items()} == {
        "killed": "done",
        "whole": "done",
        "wild": "failed",
        "mistaken": "failed",
    }
    assert runs["wild"]["attempts"] == 2
    assert "learning_rate" in runs["wild"]["error"]
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("nfcore: ")]
    assert line.startswith("nfcore: 2 of 4 runs failed (wild, mistaken): ")


def test_a_mistake_is_not_tried_again(swept):
    run = runs_of(swept[0])["mistaken"]
    assert run["attempts"] == 1
    assert "empty" in run["error"]


def test_the_end_is_one_table_and_one_report_with_the_figures_of_the_runs(swept):
    folder, done, _ = swept
    runs = folder / "runs" / "many"
    summary = json.loads((runs / "whole" / "summary.json").read_text())
    assert runs_of(folder)["whole"]["figures"] == summary
    psnr = f"{summary['student.test.psnr']:.2f}"
    assert psnr in done.stdout
    report = (runs / "report.md").read_text()
    assert f"| [whole](whole/report.html) | done | {summary['teacher.test.psnr']:.2f} | {psnr} |" in report
    assert "- `wild` (failed, 2 attempts): the loss is nan" in report


def test_a_worker_has_the_threads_the_folder_and_the_plugins_of_the_command(swept):
    folder, _, _ = swept
    seen = json.loads((folder / "runs" / "many" / "whole" / "seen-distill.json").read_text())
    assert seen == {"torch": 1, "omp": "1", "cwd": str(folder)}


def test_a_run_knows_the_command_and_the_sweep_file_that_it_comes_from(swept):
    folder, _, _ = swept
    known = json.loads((folder / "runs" / "many" / "killed" / "provenance.json").read_text())
    assert [command["line"] for command in known["commands"]] == ["nfcore --plugins-dir spy sweep many.toml"]
    assert known["sources"]["teach.steps"] == "sweep many.toml"
    assert known["sources"]["teacher.name"] == "recipe nfcore-guided/guided"


def test_what_is_finished_is_not_done_again_and_needs_no_ray(swept, tmp_path, monkeypatch):
    folder, _, _ = swept
    good = FILE.partition("[[run]]\nname = 'wild'")[0]
    shutil.copytree(folder / "runs", tmp_path / "runs")
    (tmp_path / "many.toml").write_text(good)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/many/*/*.safetensors")}
    log = tmp_path / "runs" / "many" / ".sweep" / "ray.log"
    log.write_text("of the first sweep")
    done = subprocess.run(
        [NFCORE, "sweep", "many.toml", "--json"], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert (data["done"], data["failed"]) == (2, 0)
    assert log.read_text() == "of the first sweep"
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_second_sweep_in_the_same_folder_is_refused(sweep_here, tmp_path):
    state = tmp_path / "runs" / "many" / ".sweep"
    state.mkdir(parents=True)
    with FileLock(state / "sweep.lock"):
        done = sweep_here(small("recipes = ['quickstart']"))
    assert done.returncode == 2
    assert "another 'nfcore sweep' works here" in done.stderr


def test_resources_that_no_machine_has_are_a_mistake(sweep_here, tmp_path):
    done = sweep_here(small("recipes = ['quickstart']", "resources = { cpus = 9999 }"))
    assert done.returncode == 2
    assert "no machine has the resources that each run is to get; the most there is: " in done.stderr
    assert not (tmp_path / "runs" / "many" / "quickstart").exists()


def test_a_cluster_that_is_not_there_is_one_line(sweep_here):
    done = sweep_here(small("recipes = ['quickstart']"), "--address", f"127.0.0.1:{free_port()}")
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("nfcore: ")]
    assert "does not answer" in line


def begin(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    (folder / "many.toml").write_text(small("recipes = ['quickstart']"))
    return subprocess.Popen(
        [NFCORE, "sweep", "many.toml", *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore it
    )


def assert_it_goes_on(folder: Path, worker: int) -> None:
    """The same command does the rest, and only the rest; the worker of the first one is gone."""
    wait_until(lambda: not alive(worker))
    run = folder / "runs" / "many" / "quickstart"
    fitted = (run / "teacher.safetensors").stat().st_mtime_ns
    done = begin(folder)
    out, err = done.communicate()
    assert done.returncode == 0, err
    assert "1 of 1 done" in out
    assert (run / "teacher.safetensors").stat().st_mtime_ns == fitted


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


def children(pid: int) -> dict[str, int]:
    """The processes that ``pid`` has started, by the names of their programs."""
    listed = subprocess.run(["ps", "-eo", "ppid=,pid=,comm="], capture_output=True, text=True, check=True).stdout
    lines = [line.split(maxsplit=2) for line in listed.splitlines()]
    return {name: int(child) for parent, child, name in lines if int(parent) == pid}


def test_ctrl_c_stops_the_workers_and_keeps_what_they_have_done(tmp_path):
    process = begin(tmp_path)
    run = tmp_path / "runs" / "many" / "quickstart"
    wait_until(lambda: distills(run), process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 1
    assert err.splitlines()[-1].startswith("nfcore: interrupted: 0 of 1 done, 1 running")
    assert runs_of(tmp_path)["quickstart"]["state"] == "running"
    wait_until(lambda: not alive(worker_of(tmp_path)))  # what it leaves is what a killed worker leaves


def test_a_cluster_that_goes_away_is_one_line_and_loses_nothing(tmp_path):
    port = free_port()
    client = f"--ray-client-server-port={free_port()}"
    resources = ["--num-cpus=1", f"--object-store-memory={80 * 2**20}"]
    quiet = ["--include-dashboard=false", "--disable-usage-stats"]
    head = subprocess.Popen(
        [BIN / "ray", "start", "--head", "--block", f"--port={port}", client, *resources, *quiet],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(lambda: "raylet" in children(head.pid))
        process = begin(tmp_path, "--address", f"127.0.0.1:{port}")
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
    assert line.endswith(f":{port} has gone away: 0 of 1 done, 1 running; the same command resumes the rest")
    assert_it_goes_on(tmp_path, worker_of(tmp_path))
